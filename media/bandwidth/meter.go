package bandwidth

import "time"

// A meter adds up octets over the last half second.
type meter struct {
	slots [meterSlots]int64 // octets
	last  int64             // number of the newest slot
	first time.Duration     // since when there is something
	began bool
}

const (
	meterSlots = 10
	meterSlot  = 50 * time.Millisecond
)

// add counts octets at a time. What is older than the window is dropped.
func (m *meter) add(at time.Duration, octets int64) {
	n := int64(at / meterSlot)
	switch {
	case !m.began || n-m.last >= meterSlots || m.last-n > 1<<20:
		*m = meter{last: n, first: at, began: true}
	case n > m.last:
		for ; m.last < n; m.last++ {
			m.slots[slot(m.last+1)] = 0
		}
	case m.last-n >= meterSlots:
		return
	}
	m.slots[slot(n)] += octets
}

// rate is in bit/s, over the slots newest slots up to a time (at least two: the newest is not complete).
func (m *meter) rate(at time.Duration, slots int) int64 {
	n := int64(at / meterSlot)
	var octets int64
	for i := n - int64(slots) + 1; i <= n; i++ {
		if m.began && i <= m.last && i > m.last-meterSlots {
			octets += m.slots[slot(i)]
		}
	}
	window := time.Duration(slots-1)*meterSlot + at - time.Duration(n)*meterSlot
	if m.began && at >= m.first {
		window = min(window, max(at-m.first, 2*meterSlot))
	}
	return perSecond(octets, window)
}

func slot(n int64) int64 { return (n%meterSlots + meterSlots) % meterSlots }

// perSecond is octets in a time as bit/s.
func perSecond(octets int64, in time.Duration) int64 {
	if in <= 0 {
		return 0
	}
	return octets * 8 * int64(time.Second) / int64(in)
}

// A summit keeps the highest of the values of the last 25 to 30 s.
type summit struct {
	slots [6]int64
	last  int64 // number of the newest slot
}

const summitSlot = 5 * time.Second

func (s *summit) note(at time.Duration, value int64) {
	s.turn(at)
	i := s.last % int64(len(s.slots))
	s.slots[i] = max(s.slots[i], value)
}

func (s *summit) highest(at time.Duration) int64 {
	s.turn(at)
	var h int64
	for _, v := range s.slots {
		h = max(h, v)
	}
	return h
}

// lower makes what was known no more than a value.
func (s *summit) lower(value int64) {
	for i := range s.slots {
		s.slots[i] = min(s.slots[i], value)
	}
}

func (s *summit) turn(at time.Duration) {
	n := int64(at / summitSlot)
	if n-s.last >= int64(len(s.slots)) {
		*s = summit{last: n}
	}
	for ; s.last < n; s.last++ {
		s.slots[(s.last+1)%int64(len(s.slots))] = 0
	}
}
