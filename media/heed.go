package media

import (
	"time"

	"github.com/pion/rtcp"

	"schalter/media/bandwidth"
	"schalter/media/port"
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
func (s *sender) tell(b *port.Batch, r *receiver, told *publisherReport, now time.Time) {
	s.mu.Lock()
	offset, ok := s.fwd.ts.Offset()
	if !ok || s.agreed.payload == 0 || !s.fwd.flowing || s.from != r {
		s.mu.Unlock()
		return
	}
	passed := max(now.Sub(told.at), 0)
	ntp := told.ntp + uint64(passed/time.Second)<<32 + uint64(passed%time.Second)<<32/uint64(time.Second)
	ticks := uint64(passed/time.Microsecond) * uint64(s.fwd.codec.spec().rate) / 1e6
	report := &rtcp.SenderReport{
		SSRC: s.stream, NTPTime: ntp, RTPTime: told.timestamp + uint32(ticks) + offset,
		PacketCount: uint32(s.count.packets.Load() - s.apart.packets), OctetCount: uint32(s.count.octets.Load() - s.apart.octets),
	}
	s.reports.last[s.reports.n%len(s.reports.last)] = sentReport{middle: uint32(ntp >> 16), at: now}
	s.reports.n++
	s.mu.Unlock()
	s.conn.reportIn(b, report)
}

// heeds tells whether a report is about this sender's streams, and not only about some.
func (s *sender) heeds(p rtcp.Packet) bool {
	switch p := p.(type) {
	case *rtcp.TransportLayerNack:
		return p.MediaSSRC == s.stream
	case *rtcp.PictureLossIndication:
		return p.MediaSSRC == s.stream
	case *rtcp.FullIntraRequest, *rtcp.ReceiverReport, *rtcp.SenderReport:
		return true // they name several
	}
	return false
}

// heed handles one report of a subscriber.
func (s *sender) heed(b *port.Batch, w *repeater, p rtcp.Packet, now time.Time) {
	switch p := p.(type) {
	case *rtcp.TransportLayerNack:
		for _, pair := range p.Nacks {
			s.nacked(b, w, pair, now)
		}
	case *rtcp.PictureLossIndication:
		s.wantKey()
	case *rtcp.FullIntraRequest:
		for _, entry := range p.FIR {
			if entry.SSRC == s.stream {
				s.wantKey()
			}
		}
	case *rtcp.ReceiverReport:
		s.received(p.Reports, now)
	case *rtcp.SenderReport:
		s.received(p.Reports, now)
	}
}

func (s *sender) nacked(b *port.Batch, w *repeater, pair rtcp.NackPair, now time.Time) {
	s.count.nacked.Add(1)
	s.repeat(b, w, pair.PacketID, now)
	for bit := range uint16(16) {
		if pair.LostPackets&(1<<bit) != 0 {
			s.count.nacked.Add(1)
			s.repeat(b, w, pair.PacketID+bit+1, now)
		}
	}
}

func (s *sender) wantKey() {
	s.count.keyRequests.Add(1)
	s.mu.Lock()
	from := s.from
	s.mu.Unlock()
	if from != nil {
		from.wantKey()
	}
}

// reported feeds the estimate of browsers that acknowledge nothing.
func (s *sender) reported(fraction uint8, now time.Time) {
	if s.conn != nil {
		trip := time.Duration(s.count.rtt.Load()) * time.Microsecond
		s.conn.estimate.with(func(e *bandwidth.Estimator) { e.Report(fraction, trip, now) })
	}
}

// received takes what the subscriber says about how our stream arrives.
func (s *sender) received(blocks []rtcp.ReceptionReport, now time.Time) {
	for _, b := range blocks {
		if b.SSRC != s.stream {
			continue
		}
		s.count.fraction.Store(uint32(b.FractionLost))
		s.reported(b.FractionLost, now)
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
