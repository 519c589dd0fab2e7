package appliance

import "time"

// transfer ends the leg here and begins the next there, in one step. The citizen keeps the place that the arrival in
// the house gives. If the target refuses, nothing changes: the clerk keeps the visit.
func (h *House) transfer(now time.Time, by Actor, c *Clerk, e Transfer) (Change, error) {
	note, err := checkText(e.Note, "note", "note", MaxNote, false)
	if err != nil {
		return Change{}, err
	}
	reason, err := checkLine(e.Reason, "reason", MaxReason, false)
	if err != nil {
		return Change{}, err
	}
	v, err := h.inHand(c, e.Visit)
	if err != nil {
		return Change{}, err
	}
	target := h.offices[e.Office]
	switch {
	case target == nil:
		return Change{}, wrong("office-unknown", "office")
	case target.ID == v.Office:
		return Change{}, wrong("same-office", "office")
	case reason == "" && h.terms.ReasonFrom > 0 && v.Transfers+1 >= h.terms.ReasonFrom:
		return Change{}, wrong("reason-missing", "reason")
	}
	if err := h.accepting(target, now); err != nil {
		return Change{}, err
	}
	ch := change(now, by, "transfer", v, func(v *Visit) {
		v.note(now, c.ID, note)
		v.letGo()
		leg := v.leg()
		leg.Until, leg.Clerk, leg.Reason = now, c.ID, reason
		v.Legs = append(v.Legs, Leg{Office: target.ID, From: now})
		v.State, v.Office, v.WaitsFrom = Waiting, target.ID, now
		v.Misses, v.MissedAt, v.Front = 0, time.Time{}, false
		v.Transfers++
	}).talked(v)
	ch.Reason = reason
	return ch, nil
}

// pullBack takes a transfer back. The former leg goes on as though nothing had been: it is used again, the other one
// and the count of transfers vanish; the note stays, and the audit log has both ways. Who talked before talks again at
// once; who had only been called is called, for nobody comes into a talk unasked.
func (h *House) pullBack(now time.Time, by Actor, c *Clerk, e PullBack) (Change, error) {
	v := h.visits[e.Visit]
	switch {
	case v == nil || v.former() == nil || v.former().Clerk != c.ID:
		return Change{}, refuse(NotFound, "visit-unknown")
	case v.State.Over():
		return Change{}, refuse(Conflict, "visit-over")
	case v.State != Waiting && v.Clerk != c.ID:
		return Change{}, h.taken(c, v)
	case !h.passed(v, c.ID, now):
		return Change{}, refuse(Conflict, "pull-back-late")
	}
	if err := h.free(c); err != nil {
		return Change{}, err
	}
	return change(now, by, "pull_back", v, func(v *Visit) {
		v.Legs = v.Legs[:len(v.Legs)-1]
		leg := v.leg()
		leg.Until, leg.Reason = time.Time{}, ""
		v.taking(now, c.ID, h.terms)
		v.Office, v.WaitsFrom = leg.Office, now
		v.Misses, v.MissedAt, v.Front = 0, time.Time{}, false
		v.Transfers--
		if !v.TalksAt.Before(leg.From) {
			v.State, v.TalksAt, v.CallEnds = Talking, now, time.Time{}
		}
	}), nil
}

// passed tells whether this clerk passed the visit on and can still pull it back: it waits there, nobody there has
// talked to it, and not too long ago.
func (h *House) passed(v *Visit, id ClerkID, now time.Time) bool {
	f := v.former()
	return f != nil && f.Clerk == id && v.State == Waiting && v.leg().Clerk == "" &&
		now.Before(v.leg().From.Add(h.terms.PullBackFor))
}
