package appliance

import (
	"slices"
	"time"
)

func (h *House) next(now time.Time, by Actor, c *Clerk, e Next) (Change, error) {
	offices := c.Offices
	if e.Office != "" {
		switch {
		case h.offices[e.Office] == nil:
			return Change{}, refuse(NotFound, "office-unknown")
		case !c.serves(e.Office):
			return Change{}, refuse(Forbidden, "office-not-yours")
		}
		offices = []OfficeID{e.Office}
	}
	if err := h.ready(c); err != nil {
		return Change{}, err
	}
	var first *Visit
	board := h.queuesAt(now)
	for _, office := range offices {
		q := board.queues[office]
		if q != nil && q.first != nil && (first == nil || h.before(q.first, first, now)) {
			first = q.first
		}
	}
	if first == nil {
		return Change{}, nil
	}
	return change(now, by, "next", first, func(v *Visit) { v.taking(now, c.ID, h.terms) }), nil
}

// call takes somebody out of order.
func (h *House) call(now time.Time, by Actor, c *Clerk, e Call) (Change, error) {
	reason, err := checkLine(e.Reason, "reason", MaxReason, true)
	if err != nil {
		return Change{}, err
	}
	v, err := h.mine(c, e.Visit)
	switch {
	case err != nil:
		return Change{}, err
	case v.State == Parked:
		return Change{}, refuse(Conflict, "visit-parked")
	case v.State != Waiting:
		return Change{}, h.taken(c, v)
	}
	if err := h.ready(c); err != nil {
		return Change{}, err
	}
	if h.presence(v.ID, now) == Absent {
		return Change{}, refuse(Conflict, "visit-absent")
	}
	ch := change(now, by, "call", v, func(v *Visit) { v.taking(now, c.ID, h.terms) })
	ch.Reason = reason
	return ch, nil
}

// park puts a visit aside, for when the citizen has to look for a paper. It is not in the queue then; any clerk of the
// office may call it again.
func (h *House) park(now time.Time, by Actor, c *Clerk, e Park) (Change, error) {
	v, err := h.inHand(c, e.Visit)
	switch {
	case err != nil:
		return Change{}, err
	case v.State == Parked:
		return Change{}, refuse(Conflict, "visit-parked")
	}
	return change(now, by, "park", v, func(v *Visit) {
		v.letGo()
		v.State, v.Clerk, v.ParkedAt, v.Front = Parked, c.ID, now, false
	}).talked(v), nil
}

// recall calls a parked visit again. If it is not answered, the visit waits in its place by arrival, like any other.
func (h *House) recall(now time.Time, by Actor, c *Clerk, e Recall) (Change, error) {
	v, err := h.mine(c, e.Visit)
	switch {
	case err != nil:
		return Change{}, err
	case v.held():
		return Change{}, h.taken(c, v)
	case v.State != Parked:
		return Change{}, refuse(Conflict, "not-parked")
	}
	if err := h.ready(c); err != nil {
		return Change{}, err
	}
	if h.presence(v.ID, now) == Absent {
		return Change{}, refuse(Conflict, "visit-absent")
	}
	return change(now, by, "recall", v, func(v *Visit) {
		v.taking(now, c.ID, h.terms)
		v.WaitsFrom = now
	}), nil
}

func (h *House) finish(now time.Time, by Actor, c *Clerk, e Finish) (Change, error) {
	if !slices.Contains([]Outcome{OutcomeDone, OutcomeSentAway, OutcomeNoShow, OutcomeFollowUp}, e.Outcome) {
		return Change{}, wrong("outcome-unknown", "outcome")
	}
	v, err := h.inHand(c, e.Visit)
	if err != nil {
		return Change{}, err
	}
	ch := change(now, by, "finish", v, func(v *Visit) {
		v.end(now, Done)
		v.Outcome = e.Outcome
		v.leg().Clerk = c.ID
	})
	if e.Outcome == OutcomeNoShow {
		return ch, nil // nobody was there: no talk to measure
	}
	return ch.talked(v), nil
}

func (h *House) addNote(now time.Time, by Actor, c *Clerk, e AddNote) (Change, error) {
	text, err := checkText(e.Text, "text", "note", MaxNote, true)
	if err != nil {
		return Change{}, err
	}
	v, err := h.inHand(c, e.Visit)
	if err != nil {
		return Change{}, err
	}
	return change(now, by, "note", v, func(v *Visit) { v.note(now, c.ID, text) }), nil
}

// note adds what a clerk wrote for colleagues, under the office of the current leg.
func (v *Visit) note(now time.Time, by ClerkID, text string) {
	if text != "" {
		v.Notes = append(v.Notes, Note{At: now, Clerk: by, Office: v.Office, Text: text})
	}
}

func (h *House) setDesk(now time.Time, by Actor, c *Clerk, e SetDesk) (Change, error) {
	if e.State != Available && e.State != Pause {
		return Change{}, wrong("desk-state", "state")
	}
	before := h.desks[c.ID]
	if before != nil && before.State == e.State {
		return Change{}, nil
	}
	return Change{At: now, Actor: by, Action: "desk", Desks: []Step[Desk]{
		{Before: clone(before), After: &Desk{Clerk: c.ID, State: e.State}},
	}}, nil
}
