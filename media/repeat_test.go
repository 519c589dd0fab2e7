package media

import (
	"math/rand/v2"
	"testing"
	"time"

	"schalter/media/port"
)

// sink takes packets and counts those that are said again.
type sink struct{ first, again int }

func (s *sink) send(_ *port.Batch, p *outgoing) bool {
	if p.repair {
		s.again++
	} else {
		s.first++
	}
	return true
}

// Who loses a third, repetitions included, gets it again; who asks for all that can be named gets no more than a share of what leaves, after
// what a newcomer may have. What leaves by repetitions is in no report on the stream itself.
func TestRepetitionsAreAShareOfWhatLeaves(t *testing.T) {
	const packets = 3000
	play := func(asks func(n int, left, lost *[]uint16)) *sink {
		tr, _ := testTrack(vp8, "a")
		now := time.Unix(1000, 0)
		r := newReceiver(tr, 1, 7, 0, func() time.Time { return now })
		s, out := newSender(nil, 1, 2, 3, 4), &sink{}
		s.show(tr)
		s.bind(out, out)
		s.settle(agreement{payload: 96, repair: 97})
		var left, lost []uint16
		var w repeater
		for n := range packets {
			now = now.Add(5 * time.Millisecond)
			r.accept(rtpView{payloadType: tr.format.payload, seq: uint16(n), timestamp: uint32(n * 450), payload: []byte{0x90, 0x80, 0x80, 1, 0, 5}})
			s.forward(nil, r, r.packets[:r.waiting])
			r.waiting = 0
			left = append(left, s.next.seq)
			asks(n, &left, &lost)
			for _, seq := range lost {
				s.repeat(nil, &w, seq, now)
			}
		}
		if got := s.count.packets.Load() - s.apart.packets; int(got) != out.first {
			t.Errorf("%d packets are told, %d left", got, out.first)
		}
		return out
	}
	dice := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same each time
	wanted := 0
	got := play(func(_ int, left, lost *[]uint16) {
		*lost = (*lost)[:0]
		for dice.Float64() < 0.3 { // and again, if the repetition is lost too
			*lost = append(*lost, (*left)[len(*left)-1-dice.IntN(min(len(*left), 50))])
		}
		wanted += len(*lost)
	})
	if got.first != packets || got.again < wanted*95/100 {
		t.Errorf("%d left, %d of %d were said again", got.first, got.again, wanted)
	}
	got = play(func(_ int, left, lost *[]uint16) { *lost = (*left)[max(len(*left)-60, 0):] })
	most := repeatBurst + int(repeatShare*packets) + repeatRate*packets/200 + 1
	if got.first != packets || got.again > most || got.again < most/2 {
		t.Errorf("%d left, %d were said again, %d may be", got.first, got.again, most)
	}
}
