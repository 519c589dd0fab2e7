package media_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtp"

	"schalter/media"
)

// camera writes a made-up video stream: frames of several packets, each with its own number in its payload, so that a
// receiver can tell which packet arrived, and whether it is whole.
type camera struct {
	t      testing.TB
	to     *source
	codec  string
	seq    uint16
	ts     uint32
	count  uint32       // packets written
	sent   atomic.Int64 // the same for others to read, from zero
	every  time.Duration
	stop   chan struct{}
	wg     sync.WaitGroup
	always bool // every frame is a key frame
}

func film(t testing.TB, to *source, codec string) *camera {
	return filmFrom(t, to, codec, 0)
}

// filmFrom counts its packets from n, so that two cameras can be told apart.
func filmFrom(t testing.TB, to *source, codec string, n uint32) *camera {
	c := &camera{count: n, t: t, to: to, codec: codec, seq: 65000, ts: 4_000_000_000, every: 5 * time.Millisecond, stop: make(chan struct{})}
	c.wg.Go(c.run)
	t.Cleanup(c.end)
	return c
}

func (c *camera) end() {
	select {
	case <-c.stop:
	default:
		close(c.stop)
	}
	c.wg.Wait()
}

func (c *camera) run() {
	tick := time.NewTicker(c.every)
	defer tick.Stop()
	key := true
	for {
		select {
		case <-c.stop:
			return
		case <-c.to.keys:
			key = true
			continue
		case <-tick.C:
		}
		c.frame(key || c.always)
		key = false
	}
}

func (c *camera) frame(key bool) {
	for i := range 3 {
		payload := body(c.codec, i == 0, i == 2, key, c.count)
		c.write(payload, i == 2 || c.codec == "audio/opus")
		if c.codec == "audio/opus" {
			break
		}
	}
	c.ts += 450 // 5 ms of 90 kHz
}

func (c *camera) write(payload []byte, marker bool) {
	p := &rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: c.seq, Timestamp: c.ts, Marker: marker}, Payload: payload}
	if err := c.to.track.WriteRTP(p); err != nil {
		c.t.Log(err)
	}
	c.seq++
	c.count++
	c.sent.Add(1)
}

// body is a payload with a number in it: header of the codec, number, filling that depends on the number.
func body(codec string, first, last, key bool, n uint32) []byte {
	var p []byte
	switch codec {
	case "video/VP8":
		p = []byte{0x90, 0x80, 0x80 | byte(n/3>>8)&0x7F, byte(n / 3)}
		if !first {
			p[0] = 0x80
		}
		if key {
			p = append(p, 0x00)
		} else {
			p = append(p, 0x01)
		}
	case "video/H264":
		t := byte(1)
		if key {
			t = 5
		}
		p = []byte{0x7C, t}
		if first {
			p[1] |= 0x80
		}
		if last {
			p[1] |= 0x40
		}
	case "video/VP9":
		p = []byte{0x80, byte(n/3) & 0x7F}
		if first {
			p[0] |= 0x08
		}
		if !key {
			p[0] |= 0x40
		}
	case "video/AV1":
		p = []byte{0x10}
		if key && first {
			p[0] |= 0x08
		}
	case "audio/opus":
		p = []byte{0x78}
	}
	p = append(p, 0xBE, 0xEF)
	p = binary.BigEndian.AppendUint32(p, n)
	return append(p, bytes.Repeat([]byte{byte(n)}, 100+int(n%900))...)
}

// number reads it back; false when the packet is not whole.
func number(payload []byte) (uint32, bool) {
	at := bytes.Index(payload, []byte{0xBE, 0xEF})
	if at < 0 || len(payload) < at+6 {
		return 0, false
	}
	n := binary.BigEndian.Uint32(payload[at+2:])
	rest := payload[at+6:]
	return n, len(rest) == 100+int(n%900) && len(bytes.Trim(rest, string([]byte{byte(n)}))) == 0
}

// continuous checks that a stream is one: no number twice, none missing, bytes whole and in step with the numbers.
func continuous(t *testing.T, packets []*rtp.Packet) {
	t.Helper()
	byNumber := map[uint16]*rtp.Packet{}
	low, high := packets[0].SequenceNumber, packets[0].SequenceNumber
	for _, p := range packets {
		if byNumber[p.SequenceNumber] != nil && !bytes.Equal(byNumber[p.SequenceNumber].Payload, p.Payload) {
			t.Errorf("two packets have the number %d", p.SequenceNumber)
		}
		byNumber[p.SequenceNumber] = p
		if int16(p.SequenceNumber-high) > 0 {
			high = p.SequenceNumber
		}
		if int16(low-p.SequenceNumber) > 0 {
			low = p.SequenceNumber
		}
	}
	var base uint32
	for i, seq := uint32(0), low; ; i, seq = i+1, seq+1 {
		p := byNumber[seq]
		if p == nil {
			t.Fatalf("number %d of %d to %d is missing", seq, low, high)
		}
		if p.Padding {
			t.Errorf("number %d has the padding bit", seq)
		}
		n, ok := number(p.Payload)
		if !ok {
			t.Fatalf("number %d is damaged: %x", seq, p.Payload)
		}
		if i == 0 {
			base = n
		} else if n != base+i {
			t.Fatalf("number %d carries packet %d, want %d", seq, n, base+i)
		}
		if seq == high {
			return
		}
	}
}

func TestTwoSeatsExchange(t *testing.T) {
	for _, video := range []string{"video/VP8", "video/H264", "video/VP9", "video/AV1"} {
		t.Run(video, func(t *testing.T) {
			t.Parallel()
			h := newHall(t)
			only := []string{"audio/opus", video}
			a, b := h.join("room", "a", only...), h.join("room", "b", only...)
			for _, pair := range [][2]*browser{{a, b}, {b, a}} {
				out := pair[0].publish(map[media.Source]string{media.Microphone: "audio/opus", media.Camera: video})
				film(t, out[media.Microphone], "audio/opus")
				film(t, out[media.Camera], video)
			}
			for _, pair := range [][2]*browser{{a, b}, {b, a}} {
				me, other := pair[0], pair[1].seat
				h.event(media.Connected, me.seat)
				me.until("300 packets of video, 100 of sound", func() bool {
					v, s := me.got(other, media.Camera), me.got(other, media.Microphone)
					return v != nil && s != nil && len(v.packets) >= 300 && len(s.packets) >= 100
				})
				me.mu.Lock()
				v, s := me.got(other, media.Camera), me.got(other, media.Microphone)
				if v.codec != video || s.codec != "audio/opus" {
					t.Errorf("got %s and %s", v.codec, s.codec)
				}
				continuous(t, v.packets)
				continuous(t, s.packets)
				me.mu.Unlock()
			}
		})
	}
}

// A browser that cannot decode what another sends rejects that m-line and keeps the rest.
func TestUnknownCodecIsRejectedAlone(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	a := h.join("room", "a", "audio/opus", "video/H264")
	b := h.join("room", "b", "audio/opus", "video/VP8")
	out := a.publish(map[media.Source]string{media.Microphone: "audio/opus", media.Camera: "video/H264"})
	film(t, out[media.Microphone], "audio/opus")
	film(t, out[media.Camera], "video/H264")
	b.until("the sound", func() bool { s := b.got("a", media.Microphone); return s != nil && len(s.packets) > 100 })
	for _, r := range h.plane.Stats(t.Context()).Rooms[0].Seats[1].Received {
		if r.Source == media.Camera && r.Packets != 0 {
			t.Errorf("%d packets went to an m-line that was rejected", r.Packets)
		}
	}
}

// An offer that comes twice, since the line dropped before its answer arrived, is answered twice and changes nothing.
func TestRepeatedOfferIsAnsweredAgain(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	a, b := h.join("room", "a"), h.join("room", "b")
	var offer string
	a.mangle = func(sdp string) string { offer = sdp; return sdp }
	film(t, a.publish(map[media.Source]string{media.Camera: "video/VP8"})[media.Camera], "video/VP8")
	b.until("the picture", func() bool { s := b.got("a", media.Camera); return s != nil && len(s.packets) > 10 })
	for range 3 {
		answer, err := h.plane.Publish(t.Context(), "a", media.Offer{SDP: offer, Sources: map[string]media.Source{"0": media.Camera}})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(answer.SDP, "a=recvonly") || len(answer.Late) != 1 {
			t.Errorf("%+v", answer)
		}
	}
	b.mu.Lock()
	s := b.got("a", media.Camera)
	before := len(s.packets)
	b.mu.Unlock()
	b.until("the picture goes on", func() bool { return len(s.packets) > before+300 })
	b.mu.Lock()
	defer b.mu.Unlock()
	continuous(t, s.packets)
	if len(b.revs) != 1 {
		t.Errorf("the other seat was offered %d times", len(b.revs))
	}
}
