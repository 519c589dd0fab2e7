package main

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
)

// What a publisher sends: VP8 of 1.2 Mbit/s at 30 frames a second, in packets of about 1,150 bytes (4 for a frame, 25 for
// a key frame, which comes every 2 s or on demand), and Opus of 48 kbit/s in 50 packets a second: 180 packets a second.
// A frame leaves at once, as OBS and GStreamer send it; browsers space its packets out.
const (
	frameEach   = time.Second / 30
	soundEach   = 20 * time.Millisecond
	keyEach     = 60   // frames
	deltaFrame  = 4615 // bytes; with keyFrame 1.2 Mbit/s
	keyFrame    = 6 * deltaFrame
	videoPacket = 1100 // bytes of payload, about
	soundPacket = 120
	reportEach  = time.Second
	mostKept    = 512 // packets that can be asked for again
	speech      = 30  // -dBov: everybody speaks, so that nobody is left out as silent
)

// publisher sends one synthetic picture and one sound.
type publisher struct {
	watch   *stopwatch
	number  int
	sources [kinds]uint32
	sent    [kinds]atomic.Int64 // packets within the window
	wantKey atomic.Bool
	keys    atomic.Int64 // requests for a key frame

	mu   sync.Mutex // guards kept
	kept [kinds]map[uint16][]byte

	numbers struct { // of the sending goroutine
		sequence  [kinds]uint16
		timestamp [kinds]uint32
		count     [kinds]uint32
		octets    [kinds]uint32
		transport uint16
		picture   uint16
	}
	filler []byte
	plain  []byte
}

func newPublisher(watch *stopwatch, number int) *publisher {
	p := &publisher{watch: watch, number: number, filler: make([]byte, 4<<10), plain: make([]byte, 0, largest)}
	random := rand.New(rand.NewPCG(uint64(number), 1))
	for i := range p.filler {
		p.filler[i] = byte(random.Uint32())
	}
	for k := range kinds {
		p.sources[k] = random.Uint32() | 1
		p.numbers.sequence[k] = uint16(random.Uint32())
		p.numbers.timestamp[k] = random.Uint32()
		p.kept[k] = map[uint16][]byte{}
	}
	return p
}

func (p *publisher) media(*rtp.Header, []byte, int64) {} // nothing is sent to a publisher

func (p *publisher) due(*connection, int64) {}

// reports answers what the server asks for: a key frame, a packet again.
func (p *publisher) reports(c *connection, packets []rtcp.Packet) {
	for _, packet := range packets {
		switch packet := packet.(type) {
		case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
			p.keys.Add(1)
			p.wantKey.Store(true)
		case *rtcp.TransportLayerNack:
			for _, pair := range packet.Nacks {
				for _, n := range pair.PacketList() {
					p.again(c, packet.MediaSSRC, n)
				}
			}
		}
	}
}

// again sends a packet once more, octet for octet.
func (p *publisher) again(c *connection, ssrc uint32, number uint16) {
	for k := range kinds {
		if p.sources[k] != ssrc {
			continue
		}
		p.mu.Lock()
		if sealed := p.kept[k][number]; sealed != nil {
			_ = c.way.send(sealed) // lost as any other; it is asked for again
		}
		p.mu.Unlock()
	}
}

// run sends until the context ends. Both streams leave from one goroutine, in the order in which they are due.
func (p *publisher) run(ctx context.Context, c *connection, agreed extensions) {
	start := time.Now()
	// Publishers of a meeting do not send in step.
	frame := start.Add(time.Duration(p.number) * 7 * time.Millisecond)
	sound := start.Add(time.Duration(p.number) * 3 * time.Millisecond)
	report := start.Add(reportEach)
	timer := time.NewTimer(0)
	defer timer.Stop()
	untilKey := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		now := time.Now()
		if !now.Before(frame) {
			frame = frame.Add(frameEach)
			key := p.wantKey.Swap(false) || untilKey == 0
			if key {
				untilKey = keyEach
			}
			untilKey--
			p.sendFrame(c, key, agreed)
		}
		if !now.Before(sound) {
			sound = sound.Add(soundEach)
			p.send(c, audio, soundPacket, nil, false, agreed)
			p.numbers.timestamp[audio] += 960
		}
		if !now.Before(report) {
			report = report.Add(reportEach)
			p.report(c)
		}
		next := frame
		if sound.Before(next) {
			next = sound
		}
		timer.Reset(time.Until(next))
	}
}

// sendFrame splits a frame as libwebrtc does: packets of two sizes that differ by a byte, the larger ones last.
func (p *publisher) sendFrame(c *connection, key bool, agreed extensions) {
	size := deltaFrame
	header := []byte{0x11, 0x02, 0x00} // VP8 frame header: no key frame (RFC 6386, section 9.1)
	if key {
		size = keyFrame
		header = []byte{0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01} // 640 × 360
	}
	n := (size + videoPacket/2) / videoPacket
	for i := range n {
		length := (size + i) / n
		// The descriptor (RFC 7741, section 4.2): X, S at the first packet, I with a picture id of 15 bits.
		start := []byte{0x80, 0x80, byte(p.numbers.picture>>8) | 0x80, byte(p.numbers.picture)}
		if i == 0 {
			start[0] = 0x90
			start = append(start, header...)
		}
		p.send(c, video, length, start, i == n-1, agreed)
	}
	p.numbers.timestamp[video] += 90000 / 30
	p.numbers.picture = (p.numbers.picture + 1) & 0x7fff
}

// send sends one packet of so many bytes of payload, which begins with start.
func (p *publisher) send(c *connection, kind, length int, start []byte, marker bool, agreed extensions) {
	n := &p.numbers
	h := rtp.Header{Version: 2, Marker: marker, PayloadType: payloadVideo, SequenceNumber: n.sequence[kind],
		Timestamp: n.timestamp[kind], SSRC: p.sources[kind]}
	if kind == audio {
		h.PayloadType = payloadAudio
		start = []byte{0xfc} // 20 ms of CELT, full band (RFC 6716, section 3.1)
		if agreed.level {
			_ = h.SetExtension(levelID, []byte{0x80 | speech}) // one byte always fits
		}
	}
	if agreed.transport {
		_ = h.SetExtension(transportID, binary.BigEndian.AppendUint16(nil, n.transport)) // two bytes always fit
		n.transport++
	}
	size := h.MarshalSize()
	b := p.plain[:size+length]
	if _, err := h.MarshalTo(b); err != nil {
		return // cannot be: the space is there
	}
	payload := b[size:]
	copy(payload, p.filler[int(n.count[kind])%2048:])
	copy(payload, start)
	now := p.watch.now()
	tag{sent: now, number: n.count[kind], publisher: p.number, kind: kind}.put(payload)
	if p.watch.within(now) {
		p.sent[kind].Add(1)
	}
	n.count[kind]++
	n.octets[kind] += uint32(length)
	n.sequence[kind]++
	p.mu.Lock()
	space := p.kept[kind][h.SequenceNumber-mostKept]
	delete(p.kept[kind], h.SequenceNumber-mostKept)
	p.mu.Unlock()
	sealed, err := c.sendMedia(space[:0], b, nil)
	if err != nil {
		return // the server is gone, or the queue full: it counts as lost
	}
	p.mu.Lock()
	p.kept[kind][h.SequenceNumber] = sealed
	p.mu.Unlock()
}

// report sends a sender report for each stream (RFC 3550, section 6.4.1).
func (p *publisher) report(c *connection) {
	const since1900 = 2208988800 // seconds from NTP's epoch to Unix's
	now := time.Now()
	clock := uint64(now.Unix()+since1900)<<32 | uint64(now.Nanosecond())<<32/uint64(time.Second)
	for k := range kinds {
		c.report(&rtcp.SenderReport{SSRC: p.sources[k], NTPTime: clock, RTPTime: p.numbers.timestamp[k],
			PacketCount: p.numbers.count[k], OctetCount: p.numbers.octets[k]})
	}
}
