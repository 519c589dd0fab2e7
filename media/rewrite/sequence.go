package rewrite

// spans is how many places with left-out packets are remembered. A number from before the oldest of them is not
// mapped any more: at one left-out packet every second that is half a minute back, longer than any repetition.
const spans = 32

// Sequence maps the extended sequence numbers of one incoming stream to the numbers that leave. Packets that are left
// out leave no hole. The zero value is ready; numbers leave from [Sequence.Begin]'s choice on.
type Sequence struct {
	spans   [spans]span
	n       int    // spans in use; the newest is at n-1
	next    uint64 // the incoming number after the highest mapped or dropped
	highest uint64 // the highest number that left
	running bool   // a source has begun
	used    bool   // at least one number left, ever
}

// span: incoming numbers from `from` on leave as number-from+to, until the next span.
type span struct{ from, to uint64 }

// Begin starts a new source whose first packet has the number n. It follows the highest number that left so far; the
// very first source begins at `initial`.
func (s *Sequence) Begin(n uint64, initial uint16) {
	to := uint64(1<<16) + uint64(initial)
	if s.used {
		to = s.highest + 1
	}
	s.spans[0] = span{from: n, to: to}
	s.n, s.next, s.running = 1, n, true
}

// Map gives the number with which packet n leaves; false for packets from before the source began, or from too long
// ago.
func (s *Sequence) Map(n uint64) (uint16, bool) {
	if !s.running {
		return 0, false
	}
	for i := s.n - 1; i >= 0; i-- {
		if sp := s.spans[i]; n >= sp.from {
			out := n - sp.from + sp.to
			if i < s.n-1 && out >= s.spans[i+1].to {
				return 0, false // it was left out
			}
			if !s.used || out > s.highest {
				s.highest, s.used = out, true
			}
			s.next = max(s.next, n+1)
			return uint16(out), true
		}
	}
	return 0, false
}

// Drop leaves packet n out and closes the hole. It reports false when a later packet has left already: then the hole
// has been seen, and it is better to fill it with an empty packet than to leave it open.
func (s *Sequence) Drop(n uint64) bool {
	if !s.running || n < s.next {
		return false
	}
	sp := s.spans[s.n-1]
	to := n - sp.from + sp.to // what n would have been, and n+1 now is
	s.next = n + 1
	if sp.from == n {
		// Nothing of this span has left: it just begins one later.
		s.spans[s.n-1] = span{from: n + 1, to: to}
		return true
	}
	if s.n == spans {
		copy(s.spans[:], s.spans[1:])
		s.n--
	}
	s.spans[s.n] = span{from: n + 1, to: to}
	s.n++
	return true
}

// Newest is the highest number that left.
func (s *Sequence) Newest() uint16 { return uint16(s.highest) }

// Source finds the incoming number of a packet that left as out, of the current source only. It takes the newest
// packet with these 16 bits.
func (s *Sequence) Source(out uint16) (uint64, bool) {
	if !s.running || !s.used {
		return 0, false
	}
	behind := uint64(uint16(s.highest) - out)
	if behind > s.highest {
		return 0, false
	}
	wide := s.highest - behind
	for i := s.n - 1; i >= 0; i-- {
		if sp := s.spans[i]; wide >= sp.to {
			return wide - sp.to + sp.from, true
		}
	}
	return 0, false
}
