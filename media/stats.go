package media

import (
	"sync/atomic"

	"schalter/media/bandwidth"
)

// counter counts for a part, and for the whole that it belongs to, which lives longer. A part without a whole counts for
// itself alone.
type counter struct {
	n     atomic.Uint64
	whole *atomic.Uint64
}

func (c *counter) Add(n uint64) {
	c.n.Add(n)
	if c.whole != nil {
		c.whole.Add(n)
	}
}

func (c *counter) Load() uint64 { return c.n.Load() }

// trackCount counts what came in of a track.
type trackCount struct {
	packets, octets             counter
	malformed, duplicates, late counter
	nacks, keyRequests          counter
}

// senderCount counts what went out on an m-line.
type senderCount struct {
	packets, octets          counter
	held, repeated           counter
	missing, refused, failed counter
	nacked, keyRequests      counter
	rtt, jitter, fraction    atomic.Uint32 // microseconds; ticks; 1/256
}

// trackSum and senderSum are all that a connection's tracks and senders have counted, those that are gone among them.
type (
	trackSum  struct{ packets, octets, malformed, duplicates, late, nacks, keyRequests atomic.Uint64 }
	senderSum struct {
		packets, octets, held, repeated, missing, refused, failed, nacked, keyRequests atomic.Uint64
	}
)

// within makes a track's counts part of a connection's. It is called before anything is counted.
func (t *trackCount) within(sum *trackSum) {
	t.packets.whole, t.octets.whole, t.malformed.whole = &sum.packets, &sum.octets, &sum.malformed
	t.duplicates.whole, t.late.whole = &sum.duplicates, &sum.late
	t.nacks.whole, t.keyRequests.whole = &sum.nacks, &sum.keyRequests
}

// within makes a sender's counts part of a connection's, likewise.
func (s *senderCount) within(sum *senderSum) {
	s.packets.whole, s.octets.whole, s.held.whole = &sum.packets, &sum.octets, &sum.held
	s.repeated.whole, s.missing.whole, s.refused.whole = &sum.repeated, &sum.missing, &sum.refused
	s.failed.whole, s.nacked.whole, s.keyRequests.whole = &sum.failed, &sum.nacked, &sum.keyRequests
}

// Stats is the plane at one moment. Counts are since the start of what they belong to.
type Stats struct {
	Rooms []RoomStats `json:"rooms"`
}

// RoomStats is one room.
type RoomStats struct {
	ID    RoomID      `json:"id"`
	Seats []SeatStats `json:"seats"`
}

// SeatStats is one seat: what it sends and what it gets.
type SeatStats struct {
	ID         SeatID          `json:"id"`
	Connected  bool            `json:"connected"`  // publishing
	Subscribed bool            `json:"subscribed"` // the receiving connection is up
	Strangers  uint64          `json:"strangers"`  // packets of streams that no description named
	Forged     uint64          `json:"forged"`     // packets that could not be authenticated, or were replayed
	Estimate   int64           `json:"estimate"`   // bit/s that the receiving connection takes; 0: there is none
	Published  []TrackStats    `json:"published"`
	Received   []ReceivedStats `json:"received"`
}

// TrackStats is a published track.
type TrackStats struct {
	Source      Source `json:"source"`
	Codec       string `json:"codec"`
	Packets     uint64 `json:"packets"`
	Octets      uint64 `json:"octets"`
	Malformed   uint64 `json:"malformed"`
	Duplicates  uint64 `json:"duplicates"`
	Late        uint64 `json:"late"`         // too late to be of use
	Nacks       uint64 `json:"nacks"`        // packets that were asked for again
	KeyRequests uint64 `json:"key_requests"` // sent to the publisher
}

// ReceivedStats is one m-line of the receiving connection.
type ReceivedStats struct {
	Mid         string  `json:"mid"`
	Seat        SeatID  `json:"seat"` // whose track; empty when the m-line rests
	Source      Source  `json:"source"`
	Packets     uint64  `json:"packets"`
	Octets      uint64  `json:"octets"`
	Held        uint64  `json:"held"`         // did not leave: padding, a temporal layer above those wanted, or before a key frame
	Repeated    uint64  `json:"repeated"`     // sent again on request
	Missing     uint64  `json:"missing"`      // asked for and not there any more
	Refused     uint64  `json:"refused"`      // asked for beyond the budget
	Failed      uint64  `json:"failed"`       // writes that failed
	Nacked      uint64  `json:"nacked"`       // asked for
	KeyRequests uint64  `json:"key_requests"` // of the receiver
	RoundTrip   float64 `json:"round_trip"`   // seconds; 0: not known
	Lost        float64 `json:"lost"`         // share, of the last report
	Layer       int     `json:"layer"`        // that is wanted; 0 is the least picture
	Temporal    int     `json:"temporal"`     // the highest temporal layer of it that is wanted; 7: all
	Paused      bool    `json:"paused"`       // there is no room for the picture
}

func (t *track) stats() TrackStats {
	return TrackStats{
		Source: t.source, Codec: t.codec.spec().name,
		Packets: t.count.packets.Load(), Octets: t.count.octets.Load(),
		Malformed: t.count.malformed.Load(), Duplicates: t.count.duplicates.Load(), Late: t.count.late.Load(),
		Nacks: t.count.nacks.Load(), KeyRequests: t.count.keyRequests.Load(),
	}
}

func (s *sender) stats() ReceivedStats {
	s.mu.Lock()
	aim, most, paused := s.aim, s.most, s.paused
	s.mu.Unlock()
	return ReceivedStats{
		Layer: aim, Temporal: int(most), Paused: paused,
		Packets: s.count.packets.Load(), Octets: s.count.octets.Load(), Held: s.count.held.Load(),
		Repeated: s.count.repeated.Load(), Missing: s.count.missing.Load(), Refused: s.count.refused.Load(),
		Failed: s.count.failed.Load(), Nacked: s.count.nacked.Load(), KeyRequests: s.count.keyRequests.Load(),
		RoundTrip: float64(s.count.rtt.Load()) / 1e6, Lost: float64(s.count.fraction.Load()) / 256,
	}
}

// stats of a room; only its goroutine calls it.
func (r *room) stats() RoomStats {
	out := RoomStats{ID: r.id, Seats: []SeatStats{}}
	for _, id := range r.order {
		p := r.peers[id]
		s := SeatStats{ID: id, Connected: p.published, Subscribed: p.receiving, Published: []TrackStats{}, Received: []ReceivedStats{}}
		if p.in != nil {
			s.Strangers, s.Forged = p.in.inbound.strangers.Load(), p.in.inbound.forged.Load()
		}
		for _, section := range p.settled {
			if t := p.tracks[section.mid]; t != nil {
				s.Published = append(s.Published, t.stats())
			}
		}
		if p.out != nil {
			p.out.estimate.with(func(e *bandwidth.Estimator) { s.Estimate = e.Estimate(r.plane.now()) })
		}
		for _, l := range p.lanes {
			received := l.sender.stats()
			received.Mid = l.mid
			if l.track != nil {
				received.Seat, received.Source = l.track.seat, l.track.source
			}
			s.Received = append(s.Received, received)
		}
		out.Seats = append(out.Seats, s)
	}
	return out
}
