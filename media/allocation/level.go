package allocation

import "slices"

// rise lifts the members that are on to one level, the highest at which everything fits and is even, and returns what
// is left of the budget.
func (a *Allocator) rise(left int64, half bool) int64 {
	a.levels = a.levels[:0]
	for _, s := range a.members {
		for r := s.got + 1; s.got >= 0 && r <= s.limit(half); r++ {
			a.levels = append(a.levels, s.rungs[r].Bitrate)
		}
	}
	slices.Sort(a.levels)
	a.levels = slices.Compact(a.levels)
	// The cost grows with the level: find the first that is too much.
	low, high := 0, len(a.levels)
	for low < high {
		middle := (low + high) / 2
		if cost, _ := a.lift(a.levels[middle], half, false); cost <= left {
			low = middle + 1
		} else {
			high = middle
		}
	}
	for low > 0 {
		level := a.levels[low-1]
		_, poorest := a.lift(level, half, false)
		if poorest == 0 || level*100 <= poorest*evenly {
			break
		}
		low-- // somebody would be left too far behind
	}
	level := int64(0)
	if low > 0 {
		level = a.levels[low-1]
	}
	cost, _ := a.lift(level, half, true)
	return left - cost
}

// lift computes what a level costs, and the rate of the poorest whom the budget alone holds back there, 0 for none. When
// it is to stay, the rungs are given out.
//
// Members of one connection share what that connection takes: where a level is too much for it, its own level is lower.
func (a *Allocator) lift(level int64, half, stay bool) (cost, poorest int64) {
	for from, to := 0, 0; from < len(a.members); from = to {
		c := a.owners[from]
		for to = from; to < len(a.members) && a.owners[to] == c; to++ {
		}
		members := a.members[from:to]
		own, taken := within(members, level, c.left, half)
		cost += taken
		rest := c.left - taken
		for _, m := range members {
			if m.got < 0 {
				continue
			}
			r := m.at(own, half)
			rate := m.rungs[r].Bitrate
			above := r < m.limit(half)
			byConnection := above && (own < level || m.rungs[r+1].Bitrate-rate > rest)
			held := above && !byConnection || !above && m.barred == ByBudget && r < m.wish(half)
			if held && own == level && (poorest == 0 || rate < poorest) {
				poorest = rate
			}
			if stay {
				m.give(r, above, byConnection)
			}
		}
		if stay {
			c.left = rest
		}
	}
	return cost, poorest
}

// within lowers a level until what the members of one connection take of it fits there.
func within(members []*Subscription, level, left int64, half bool) (own, taken int64) {
	for {
		var highest int64
		taken = 0
		for _, m := range members {
			if m.got < 0 {
				continue
			}
			if r := m.at(level, half); r > m.got {
				taken += m.rungs[r].Bitrate - m.rungs[m.got].Bitrate
				highest = max(highest, m.rungs[r].Bitrate)
			}
		}
		if taken <= left || highest == 0 {
			return level, taken
		}
		level = highest - 1
	}
}

// limit is the highest rung that a step may give.
func (s *Subscription) limit(half bool) int {
	return min(s.most, s.wish(half))
}

// wish is the highest rung that makes sense in a step.
func (s *Subscription) wish(half bool) int {
	if half {
		return s.half
	}
	return s.count - 1
}

// at is the rung for a level, at least the one that it has.
func (s *Subscription) at(level int64, half bool) int {
	r := s.got
	for r < s.limit(half) && s.rungs[r+1].Bitrate <= level {
		r++
	}
	return r
}

func (s *Subscription) give(rung int, blocked, byConnection bool) {
	s.got = rung
	switch {
	case byConnection:
		s.bound = ByConnection
	case blocked:
		s.bound = ByBudget
	default:
		s.bound = Whole
	}
}
