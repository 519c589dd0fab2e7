package rewrite

// spans is how many places are remembered at which packets were left out, or a note changed. A number from before the
// oldest of them is not mapped any more: where every other of 30 pictures a second is left out that is four seconds back,
// longer than any repetition is of use.
const spans = 64

// Note is what holds from a number on. It is found again for a packet that comes late, or leaves once more.
type Note struct {
	Most uint8  // the highest temporal layer that leaves
	Gone uint16 // pictures of this source that were left out before
}

// Sequence maps the extended sequence numbers of one incoming stream to the numbers that leave. Packets that are left
// out leave no hole. The zero value is ready; numbers leave from [Sequence.Begin]'s choice on.
type Sequence struct {
	n       int    // spans in use; the newest is at n-1
	next    uint64 // the incoming number after the highest mapped or dropped
	highest uint64 // the highest number that left
	running bool   // a source has begun
	used    bool   // at least one number left, ever
	spans   [spans]span
}

// span: incoming numbers from `from` on leave as number-from+to, until the next span.
type span struct {
	from, to uint64
	note     Note
}

// Begin starts a new source whose first packet has the number n. It follows the highest number that left so far; the
// very first source begins at `initial`.
func (s *Sequence) Begin(n uint64, initial uint16) {
	to := uint64(1<<16) + uint64(initial)
	if s.used {
		to = s.highest + 1
	}
	s.spans[0] = span{from: n, to: to} // without a note
	s.n, s.next, s.running = 1, n, true
}

// Map gives the number with which packet n leaves, and the note that holds for it; false for packets from before the source
// began, or from too long ago.
func (s *Sequence) Map(n uint64) (uint16, Note, bool) {
	if !s.running {
		return 0, Note{}, false
	}
	for i := s.n - 1; i >= 0; i-- {
		if sp := &s.spans[i]; n >= sp.from {
			out := n - sp.from + sp.to
			if i < s.n-1 && out >= s.spans[i+1].to {
				return 0, Note{}, false // it was left out
			}
			if !s.used || out > s.highest {
				s.highest, s.used = out, true
			}
			s.next = max(s.next, n+1)
			return uint16(out), sp.note, true
		}
	}
	return 0, Note{}, false
}

// Newer tells whether n is later than all that was mapped or left out.
func (s *Sequence) Newer(n uint64) bool { return s.running && n >= s.next }

// Note is the one that holds for packet n; false where Map knows no number either.
func (s *Sequence) Note(n uint64) (Note, bool) {
	for i := s.n - 1; i >= 0 && s.running; i-- {
		if s.spans[i].from <= n {
			return s.spans[i].note, true
		}
	}
	return Note{}, false
}

// Mark puts a note from packet n on. It reports false when a later packet has left already, or was left out: what was said
// of that one stays.
func (s *Sequence) Mark(n uint64, note Note) bool {
	if !s.Newer(n) {
		return false
	}
	s.next = n
	sp := s.spans[s.n-1]
	s.append(span{from: n, to: n - sp.from + sp.to, note: note})
	return true
}

// append begins a span, in place of the newest when nothing of that has left.
func (s *Sequence) append(next span) {
	switch {
	case s.spans[s.n-1].to == next.to:
		s.n--
	case s.n == spans:
		copy(s.spans[:], s.spans[1:])
		s.n--
	}
	s.spans[s.n] = next
	s.n++
}

// Drop leaves the packets from `from` to n out and closes the hole. It reports false when a packet later than n has left
// already: then the hole has been seen, and it is better to fill it with an empty packet than to leave it open.
func (s *Sequence) Drop(from, n uint64) bool {
	if !s.Newer(n) {
		return false
	}
	sp := s.spans[s.n-1]
	to := max(from, s.next) - sp.from + sp.to // what the first would have been, and n+1 now is
	s.next = n + 1
	s.append(span{from: n + 1, to: to, note: sp.note})
	return true
}

// Newest is the highest number that left.
func (s *Sequence) Newest() uint16 { return uint16(s.highest) }

// Source finds the incoming number of a packet that left as out, and its note, of the current source only. It takes the
// newest packet with these 16 bits.
func (s *Sequence) Source(out uint16) (uint64, Note, bool) {
	if !s.running || !s.used {
		return 0, Note{}, false
	}
	behind := uint64(uint16(s.highest) - out)
	if behind > s.highest {
		return 0, Note{}, false
	}
	wide := s.highest - behind
	for i := s.n - 1; i >= 0; i-- {
		if sp := &s.spans[i]; wide >= sp.to {
			return wide - sp.to + sp.from, sp.note, true
		}
	}
	return 0, Note{}, false
}
