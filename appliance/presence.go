package appliance

import "time"

// sight is when somebody was last heard of. It is not durable.
type sight struct {
	lines   int       // live connections
	heard   time.Time // the last sign of life; zero: never
	dropped bool      // that was the end of the last connection
}

// presence follows from the terms. A live connection is presence in itself: the hall closes lines that fell silent.
func (s *sight) presence(now time.Time, t Terms) Presence {
	switch {
	case s == nil || s.lines == 0 && s.heard.IsZero():
		return Absent
	case s.lines > 0 || now.Before(s.heard.Add(t.Interrupted)):
		return Present
	case now.Before(s.heard.Add(t.PresentFor)):
		return Interrupted
	default:
		return Absent
	}
}

// absentFrom is when absence begins, or began. False while a connection is open: there is no such moment.
func (s *sight) absentFrom(t Terms) (time.Time, bool) {
	if s == nil || s.heard.IsZero() && s.lines == 0 {
		return time.Time{}, true
	}
	return s.heard.Add(t.PresentFor), s.lines == 0
}

// sightOf finds who is meant; nil for everybody whose presence means nothing.
func (h *House) sightOf(who Actor) *sight {
	switch {
	case who.Clerk != "":
		return h.staff[who.Clerk]
	case who.Role == Citizen:
		if v := h.visits[who.Visit]; v != nil && !v.State.Over() {
			return h.citizens[who.Visit]
		}
		return nil
	default:
		return nil
	}
}

// Seen, Connected and Disconnected tell presence. They are never stored. The three report whether somebody else's view
// may have changed by it.
func (h *House) Seen(now time.Time, who Actor) bool { return h.met(now, who, 0) }

// Connected counts a live connection up.
func (h *House) Connected(now time.Time, who Actor) bool { return h.met(now, who, +1) }

// Disconnected counts a live connection down. Until now it was alive, so absence is counted from now.
func (h *House) Disconnected(now time.Time, who Actor) bool { return h.met(now, who, -1) }

func (h *House) met(now time.Time, who Actor, lines int) bool {
	s := h.sightOf(who)
	if s == nil {
		return false
	}
	before := s.presence(now, h.terms)
	if now = moment(now); now.After(s.heard) {
		s.heard = now
	}
	s.dropped = lines < 0 && s.lines == 1
	s.lines = max(s.lines+lines, 0)
	if before != Present || lines < 0 {
		h.board = nil // its worth depended on when this one would be missed
	}
	return before != s.presence(now, h.terms)
}

// clerkGone is when a clerk's claim on a visit falls, or fell. False while there is no such moment.
func (h *House) clerkGone(id ClerkID) (time.Time, bool) {
	c := h.clerks[id]
	if c == nil || c.Disabled {
		return time.Time{}, true
	}
	return h.staff[id].absentFrom(h.terms)
}

// cutOff tells whether the clerk's last connection had broken for good by then. A call that rings for such a clerk is no
// call that the citizen missed. Who works without a live connection is never cut off.
func (h *House) cutOff(id ClerkID, at time.Time) bool {
	s := h.staff[id]
	return s != nil && s.lines == 0 && s.dropped && !s.heard.Add(h.terms.Interrupted).After(at)
}

func (h *House) clerkPresence(id ClerkID, now time.Time) Presence {
	if c := h.clerks[id]; c == nil || c.Disabled {
		return Absent
	}
	return h.staff[id].presence(now, h.terms)
}

func (h *House) presence(id VisitID, now time.Time) Presence {
	return h.citizens[id].presence(now, h.terms)
}
