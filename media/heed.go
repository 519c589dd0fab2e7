package media

import (
	"time"

	"github.com/pion/rtcp"
)

// senderReports remembers the last reports that a subscriber was sent, to tell the round trip from its answer.
type senderReports struct {
	last [4]sentReport
	n    int
}

type sentReport struct {
	middle uint32 // the middle 32 bits of the report's NTP time, which the answer repeats
	at     time.Time
}

// tell sends the subscriber a report: the publisher's own clock, carried on to now, beside the RTP time that this
// subscriber sees. Sound and picture of one publisher share its clock, so they are played in step.
func (s *sender) tell(r *receiver, told *publisherReport, now time.Time) {
	s.mu.Lock()
	offset, ok := s.fwd.ts.Offset()
	if !ok || !s.live || !s.fwd.flowing || s.from != r {
		s.mu.Unlock()
		return
	}
	passed := max(now.Sub(told.at), 0)
	ntp := told.ntp + uint64(passed/time.Second)<<32 + uint64(passed%time.Second)<<32/uint64(time.Second)
	ticks := uint64(passed/time.Microsecond) * uint64(s.fwd.codec.spec().rate) / 1e6
	report := &rtcp.SenderReport{
		SSRC: s.stream, NTPTime: ntp, RTPTime: told.timestamp + uint32(ticks) + offset,
		PacketCount: uint32(s.count.packets.Load()), OctetCount: uint32(s.count.octets.Load()),
	}
	s.reports.last[s.reports.n%len(s.reports.last)] = sentReport{middle: uint32(ntp >> 16), at: now}
	s.reports.n++
	s.mu.Unlock()
	s.conn.report(report)
}

// heed handles one compound of a subscriber's reports.
func (s *sender) heed(w *repeater, raw []byte, now time.Time) {
	packets, err := rtcp.Unmarshal(raw)
	if err != nil {
		return
	}
	s.mu.Lock()
	stream, t := s.stream, s.track
	s.mu.Unlock()
	for _, p := range packets {
		switch p := p.(type) {
		case *rtcp.TransportLayerNack:
			if p.MediaSSRC != stream {
				continue
			}
			for _, pair := range p.Nacks {
				s.nacked(w, pair, now)
			}
		case *rtcp.PictureLossIndication:
			if p.MediaSSRC == stream {
				s.wantKey(t)
			}
		case *rtcp.FullIntraRequest:
			for _, entry := range p.FIR {
				if entry.SSRC == stream {
					s.wantKey(t)
				}
			}
		case *rtcp.ReceiverReport:
			s.received(p.Reports, stream, now)
		case *rtcp.SenderReport:
			s.received(p.Reports, stream, now)
		}
	}
}

func (s *sender) nacked(w *repeater, pair rtcp.NackPair, now time.Time) {
	s.count.nacked.Add(1)
	s.repeat(w, pair.PacketID, now)
	for bit := range uint16(16) {
		if pair.LostPackets&(1<<bit) != 0 {
			s.count.nacked.Add(1)
			s.repeat(w, pair.PacketID+bit+1, now)
		}
	}
}

func (s *sender) wantKey(t *track) {
	s.count.keyRequests.Add(1)
	if t != nil {
		t.wantKey()
	}
}

// received takes what the subscriber says about how our stream arrives.
func (s *sender) received(blocks []rtcp.ReceptionReport, stream uint32, now time.Time) {
	for _, b := range blocks {
		if b.SSRC != stream {
			continue
		}
		s.count.fraction.Store(uint32(b.FractionLost))
		s.count.jitter.Store(b.Jitter)
		if b.LastSenderReport == 0 {
			continue
		}
		s.mu.Lock()
		for _, sent := range s.reports.last {
			if sent.middle != b.LastSenderReport || sent.at.IsZero() {
				continue
			}
			held := time.Duration(uint64(b.Delay) * uint64(time.Second) >> 16)
			if trip := now.Sub(sent.at) - held; trip >= 0 && trip < time.Minute {
				s.count.rtt.Store(uint32(max(trip/time.Microsecond, 1)))
			}
		}
		s.mu.Unlock()
	}
}

// attend is the goroutine that reads the subscriber's reports; it ends when the m-line's sender is stopped.
func (s *sender) attend(read func([]byte) (int, error), now func() time.Time) {
	w := newRepeater()
	buf := make([]byte, 1600)
	for {
		n, err := read(buf)
		if err != nil {
			return
		}
		s.heed(w, buf[:n], now())
	}
}
