package main

import (
	"sync/atomic"
	"time"

	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
)

// viewer counts what one receiving connection gets, and reports as a browser does: reception every second, arrival
// times ten times a second where they were agreed, what is missing within 20 ms, and what it could take (REMB).
// Everything but the atomic ones belongs to the connection's reading goroutine, and to others when that has ended.
type viewer struct {
	watch      *stopwatch
	offered    int64        // when the offer was sent; ns, as all times here
	firstVideo atomic.Int64 // when the first packet of a picture came; 0: none yet
	arrived    atomic.Int64 // the sum of counts
	streams    []*stream
	counts     map[from]*count
	packets    int64 // with a payload, that arrived within the window
	octets     int64
	untagged   int64
	delay      histogram
	transport  *twcc.Recorder // nil: not agreed
	next       struct{ reception, arrival, missing int64 }
}

// from tells whose stream a tag belongs to.
type from struct{ publisher, kind int }

// count is what came of one publisher's stream, of the packets that were sent within the window, each once.
type count struct {
	seen    seen
	arrived int64
}

// stream is one incoming RTP stream, as reports see it.
type stream struct {
	ssrc      uint32
	video     bool
	highest   uint32 // sequence number, extended
	first     uint32
	packets   uint32
	expected  uint32 // at the last report
	had       uint32
	lastSR    uint32
	lastSRAt  int64
	transit   int64
	jitter    float64
	missing   []gap
	asked     int64 // sequence numbers asked for, in all
	timestamp uint32
}

type gap struct {
	number uint16
	tries  int
	next   int64
}

const (
	ownSSRC       = 1
	receptionEach = int64(time.Second)
	arrivalEach   = int64(100 * time.Millisecond)
	missingEach   = int64(20 * time.Millisecond)
	askAgain      = int64(100 * time.Millisecond)
	mostTries     = 10
	mostMissing   = 256 // of a stream; what is more is given up, the oldest first
	couldTake     = 10e6
)

func newViewer(watch *stopwatch) *viewer {
	return &viewer{watch: watch, counts: map[from]*count{}, transport: twcc.NewRecorder(ownSSRC)}
}

func (v *viewer) media(h *rtp.Header, packet []byte, at int64) {
	s := v.stream(h)
	s.take(h, at)
	if number := h.GetExtension(transportID); len(number) == 2 {
		v.transport.Record(h.SSRC, uint16(number[0])<<8|uint16(number[1]), at/1000)
	}
	payload := packet[headerLength(packet):]
	if h.Padding && len(payload) > 0 {
		payload = payload[:max(0, len(payload)-int(payload[len(payload)-1]))]
	}
	if len(payload) == 0 {
		return
	}
	if s.video {
		v.firstVideo.CompareAndSwap(0, at)
	}
	if v.watch.within(at) {
		v.packets++
		v.octets += int64(len(packet))
	}
	t, ok := readTag(payload)
	if !ok {
		v.untagged++
		return
	}
	if v.watch.over.Load() || !v.watch.within(t.sent) {
		return
	}
	c := v.counts[from{t.publisher, t.kind}]
	if c == nil {
		c = &count{}
		v.counts[from{t.publisher, t.kind}] = c
	}
	if c.seen.first(t.number) {
		c.arrived++
		v.arrived.Add(1)
		v.delay.add(time.Duration(at - t.sent))
	}
}

// headerLength is that of a packet which the library has read already (RFC 3550, sections 5.1 and 5.3.1).
func headerLength(packet []byte) int {
	n := 12 + 4*int(packet[0]&15)
	if packet[0]&0x10 != 0 {
		n += 4 + 4*(int(packet[n+2])<<8|int(packet[n+3]))
	}
	return n
}

func (v *viewer) stream(h *rtp.Header) *stream {
	for _, s := range v.streams {
		if s.ssrc == h.SSRC {
			return s
		}
	}
	s := &stream{ssrc: h.SSRC, video: h.PayloadType == payloadVideo, first: uint32(h.SequenceNumber)}
	s.highest = s.first - 1
	v.streams = append(v.streams, s)
	return s
}

// take keeps a stream's books (RFC 3550, appendix A).
func (s *stream) take(h *rtp.Header, at int64) {
	s.packets++
	ahead := int16(h.SequenceNumber - uint16(s.highest))
	if ahead <= 0 {
		for i, g := range s.missing {
			if g.number == h.SequenceNumber {
				s.missing = append(s.missing[:i], s.missing[i+1:]...)
				break
			}
		}
		return
	}
	for n := int16(1); n < ahead && int(ahead) <= mostMissing; n++ {
		s.missing = append(s.missing, gap{number: uint16(s.highest) + uint16(n), next: at})
	}
	s.missing = s.missing[max(0, len(s.missing)-mostMissing):]
	s.highest += uint32(ahead)
	rate := int64(48000)
	if s.video {
		rate = 90000
	}
	transit := at*rate/int64(time.Second) - int64(h.Timestamp)
	if s.timestamp != h.Timestamp {
		change := transit - s.transit
		s.jitter += (float64(max(change, -change)) - s.jitter) / 16
	}
	s.transit, s.timestamp = transit, h.Timestamp
}

// reports keeps the last sender report of each stream, which receivers refer to.
func (v *viewer) reports(_ *connection, packets []rtcp.Packet) {
	for _, p := range packets {
		sr, ok := p.(*rtcp.SenderReport)
		if !ok {
			continue
		}
		for _, s := range v.streams {
			if s.ssrc == sr.SSRC {
				s.lastSR, s.lastSRAt = uint32(sr.NTPTime>>16), v.watch.now()
			}
		}
	}
}

func (v *viewer) due(c *connection, at int64) {
	if at >= v.next.missing {
		v.next.missing = at + missingEach
		v.askMissing(c, at)
	}
	if at >= v.next.arrival {
		v.next.arrival = at + arrivalEach
		if packets := v.transport.BuildFeedbackPacket(); len(packets) > 0 {
			c.report(packets...)
		}
	}
	if at >= v.next.reception && len(v.streams) > 0 {
		v.next.reception = at + receptionEach
		v.reportReception(c, at)
	}
}

func (v *viewer) askMissing(c *connection, at int64) {
	for _, s := range v.streams {
		var numbers []uint16
		kept := s.missing[:0]
		for _, g := range s.missing {
			if g.next <= at {
				if g.tries == mostTries {
					continue
				}
				g.tries++
				g.next = at + askAgain
				numbers = append(numbers, g.number)
			}
			kept = append(kept, g)
		}
		s.missing = kept
		if len(numbers) > 0 {
			s.asked += int64(len(numbers))
			c.report(&rtcp.TransportLayerNack{SenderSSRC: ownSSRC, MediaSSRC: s.ssrc, Nacks: rtcp.NackPairsFromSequenceNumbers(numbers)})
		}
	}
}

func (v *viewer) reportReception(c *connection, at int64) {
	rr := &rtcp.ReceiverReport{SSRC: ownSSRC}
	remb := &rtcp.ReceiverEstimatedMaximumBitrate{SenderSSRC: ownSSRC, Bitrate: couldTake}
	for _, s := range v.streams {
		expected := s.highest - s.first + 1
		part, got := expected-s.expected, s.packets-s.had
		s.expected, s.had = expected, s.packets
		report := rtcp.ReceptionReport{SSRC: s.ssrc, LastSequenceNumber: s.highest, Jitter: uint32(s.jitter), LastSenderReport: s.lastSR}
		if part > got {
			report.FractionLost = uint8(min(255, (part-got)*256/part))
		}
		if expected > s.packets {
			report.TotalLost = min(expected-s.packets, 1<<23-1)
		}
		if s.lastSR != 0 {
			report.Delay = uint32((at - s.lastSRAt) * 65536 / int64(time.Second))
		}
		rr.Reports = append(rr.Reports, report)
		if s.video {
			remb.SSRCs = append(remb.SSRCs, s.ssrc)
		}
	}
	c.report(rr, remb)
}
