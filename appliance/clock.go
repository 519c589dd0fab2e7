package appliance

import "time"

// lapse is what time does to a visit.
type lapse int

const (
	nothing    lapse = iota
	released         // its clerk is gone: the claim falls, no miss is counted
	orphaned         // its clerk is gone: the talk broke off
	unanswered       // the call ended
	gaveUp           // the citizen has been absent for too long
)

// lapses tells what happens to a visit by time alone, and when.
func (h *House) lapses(v *Visit) (time.Time, lapse) {
	switch v.State {
	case Called:
		ends := h.callEnds(v)
		if at, will := h.clerkGone(v.Clerk); will && !at.After(ends) {
			return later(at, v.CalledAt), released
		}
		if h.cutOff(v.Clerk, ends) {
			return ends, released
		}
		return ends, unanswered
	case Talking:
		if at, will := h.clerkGone(v.Clerk); will {
			return later(at, v.TalksAt), orphaned
		}
	case Waiting:
		if at, will := h.citizens[v.ID].absentFrom(h.terms); will {
			// Who came back into the queue while absent (the talk broke off with the whole line) has that long too.
			return later(at, v.WaitsFrom).Add(h.terms.AbsentFor), gaveUp
		}
	case Parked:
		// Without an end, name and matter of somebody who never came back would be kept for ever.
		if at, will := h.citizens[v.ID].absentFrom(h.terms); will {
			return later(at, v.ParkedAt).Add(h.terms.ParkedFor), gaveUp
		}
	}
	return time.Time{}, nothing
}

// callEnds is when an open call lapses. A call that was open when the house stopped gets a moment more, in which the
// citizen's page can come back.
func (h *House) callEnds(v *Visit) time.Time {
	if v.CalledAt.Before(h.started) {
		return later(v.CallEnds, h.started.Add(h.terms.Interrupted))
	}
	return v.CallEnds
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// tick decides the thing that is due longest.
func (h *House) tick(now time.Time, by Actor) (Change, error) {
	if by.Role != TheHouse {
		return Change{}, refuse(Forbidden, "role")
	}
	var due *Visit
	var what lapse
	var when time.Time
	for _, v := range h.living {
		at, l := h.lapses(v)
		if l != nothing && !at.After(now) && (due == nil || at.Before(when)) {
			due, what, when = v, l, at
		}
	}
	switch what {
	case released:
		return change(now, by, "release", due, func(v *Visit) { v.back() }), nil
	case orphaned:
		return change(now, by, "orphan", due, func(v *Visit) {
			v.back()
			v.Front, v.WaitsFrom = true, now
		}), nil
	case unanswered:
		return h.miss(now, by, due), nil
	case gaveUp:
		return change(now, by, "absent", due, func(v *Visit) { v.end(now, Left) }), nil
	default:
		return Change{}, nil
	}
}

// back puts a visit into its place again.
func (v *Visit) back() {
	v.letGo()
	v.State = Waiting
}

func (h *House) miss(now time.Time, by Actor, v *Visit) Change {
	if v.Misses+1 >= h.terms.MaxCalls {
		return change(now, by, "no_show", v, func(v *Visit) {
			v.Misses++
			v.end(now, NoShow)
		})
	}
	return change(now, by, "miss", v, func(v *Visit) {
		v.back()
		v.Misses++
		v.MissedAt = now
	})
}

// Due is when the next Tick is worthwhile, at the earliest; zero when nothing waits for time. It may lie in the past:
// then something is due.
//
// It counts what a Tick decides and what only views show: that somebody is interrupted or absent, that others no
// longer go first, that a transfer can no longer be pulled back, that an office opens or closes. So a Tick at that moment may well come back empty, and
// the hall tells the views afresh.
func (h *House) Due(now time.Time) time.Time {
	var due time.Time
	earliest := func(at time.Time) {
		if due.IsZero() || at.Before(due) {
			due = at
		}
	}
	shown := func(at time.Time) {
		if at.After(now) {
			earliest(at)
		}
	}
	fades := func(s *sight) {
		if s == nil || s.lines > 0 || s.heard.IsZero() {
			return
		}
		shown(s.heard.Add(h.terms.Interrupted))
		shown(s.heard.Add(h.terms.PresentFor))
	}
	for _, v := range h.living {
		if at, l := h.lapses(v); l != nothing {
			earliest(at)
		}
		fades(h.citizens[v.ID])
		if v.State != Waiting {
			continue
		}
		if !v.MissedAt.IsZero() {
			shown(v.MissedAt.Add(h.terms.SkipMissed))
		}
		if f := v.former(); f != nil && f.Clerk != "" {
			shown(v.leg().From.Add(h.terms.PullBackFor))
		}
	}
	for _, s := range h.staff {
		fades(s)
	}
	for _, o := range h.order {
		shown(h.opening(o, now).until)
	}
	return due
}
