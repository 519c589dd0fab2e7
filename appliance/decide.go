package appliance

import "time"

// Decide tells what an event would change. It changes nothing itself. Errors are of type *Error.
//
// An event that asks for what already is (a desk that pauses and shall pause, a clerk's row as it stands), Next with
// nobody to call and Tick with nothing due give an empty change.
func (h *House) Decide(now time.Time, by Actor, e Event) (Change, error) {
	now = moment(now)
	switch e := e.(type) {
	case Arrive:
		return h.arrive(now, by, e)
	case Accept:
		return h.citizen(now, by, h.accept)
	case MoreTime:
		return h.citizen(now, by, h.moreTime)
	case Leave:
		return h.citizen(now, by, h.leave)
	case Tick:
		return h.tick(now, by)
	case PutClerk:
		return h.putClerk(now, by, e.Clerk)
	case PutOffice:
		return h.putOffice(now, by, e)
	case PutTown:
		return h.putTown(now, by, e)
	}
	clerk, err := h.actingClerk(by)
	if err != nil {
		return Change{}, err
	}
	switch e := e.(type) {
	case Next:
		return h.next(now, by, clerk, e)
	case Call:
		return h.call(now, by, clerk, e)
	case Transfer:
		return h.transfer(now, by, clerk, e)
	case PullBack:
		return h.pullBack(now, by, clerk, e)
	case Park:
		return h.park(now, by, clerk, e)
	case Recall:
		return h.recall(now, by, clerk, e)
	case Finish:
		return h.finish(now, by, clerk, e)
	case AddNote:
		return h.addNote(now, by, clerk, e)
	case SetDesk:
		return h.setDesk(now, by, clerk, e)
	default:
		return Change{}, refuse(Malformed, "event-unknown")
	}
}

func refuse(kind Kind, code string) *Error { return &Error{Kind: kind, Code: code} }

func wrong(code, field string) *Error { return &Error{Kind: Invalid, Code: code, Field: field} }

// actingClerk is the clerk who asks. Whoever signed in with several roles may ask in any of them.
func (h *House) actingClerk(by Actor) (*Clerk, error) {
	c := h.clerks[by.Clerk]
	asStaff := by.Role == ClerkRole || by.Role == Host || by.Role == Administrator
	if c == nil || !c.Works() || !asStaff {
		return nil, refuse(Forbidden, "role")
	}
	return c, nil
}

// citizen decides what somebody asks for the own visit.
func (h *House) citizen(now time.Time, by Actor, decide func(time.Time, Actor, *Visit) (Change, error)) (Change, error) {
	if by.Role != Citizen {
		return Change{}, refuse(Forbidden, "role")
	}
	v := h.visits[by.Visit]
	switch {
	case v == nil:
		return Change{}, refuse(NotFound, "visit-unknown")
	case v.State.Over():
		return Change{}, refuse(Conflict, "visit-over")
	}
	return decide(now, by, v)
}

// mine is a visit that this clerk may know of: it stands in an office served, or this clerk has it. There is no
// difference between one that is not there and one that is not theirs.
func (h *House) mine(c *Clerk, id VisitID) (*Visit, error) {
	v := h.visits[id]
	switch {
	case v == nil || !c.serves(v.Office) && v.Clerk != c.ID:
		return nil, refuse(NotFound, "visit-unknown")
	case v.State.Over():
		return nil, refuse(Conflict, "visit-over")
	}
	return v, nil
}

// inHand is a visit that this clerk has now. What is parked is in the hand of every clerk of its office.
func (h *House) inHand(c *Clerk, id VisitID) (*Visit, error) {
	v, err := h.mine(c, id)
	switch {
	case err != nil:
		return nil, err
	case v.State == Waiting:
		return nil, refuse(Conflict, "still-waiting")
	case v.State != Parked && v.Clerk != c.ID:
		return nil, h.taken(c, v)
	}
	return v, nil
}

// taken is the refusal of what somebody has. Who has it oneself is not told of somebody else.
func (h *House) taken(c *Clerk, v *Visit) *Error {
	if v.Clerk == c.ID {
		return refuse(Conflict, "call-open")
	}
	e := refuse(Conflict, "already-called")
	if holder := h.clerks[v.Clerk]; holder != nil {
		e.Holder = holder.Name
	}
	return e
}

// free refuses a clerk who has an open call or talk.
func (h *House) free(c *Clerk) error {
	if h.open[c.ID] != "" {
		return refuse(Conflict, "call-open")
	}
	return nil
}

// ready refuses a desk that calls nobody now.
func (h *House) ready(c *Clerk) error {
	if h.deskState(c.ID) == Pause {
		return refuse(Conflict, "desk-paused")
	}
	return h.free(c)
}

// change is one visit's step. edit works on a copy.
func change(now time.Time, by Actor, action string, v *Visit, edit func(*Visit)) Change {
	after := cloneVisit(v)
	edit(after)
	after.Version++
	return Change{At: now, Actor: by, Action: action, Visits: []Step[Visit]{{Before: cloneVisit(v), After: after}}}
}

// talked notes on a change how long the talk took that it ends.
func (c Change) talked(v *Visit) Change {
	if v.State == Talking && c.At.After(v.TalksAt) {
		c.Talk, c.TalkAt = c.At.Sub(v.TalksAt), v.Office
	}
	return c
}

// letGo ends call, talk or parking; the clerk is free.
func (v *Visit) letGo() {
	v.Clerk, v.CalledAt, v.CallEnds, v.More, v.ParkedAt = "", time.Time{}, time.Time{}, false, time.Time{}
}

// taking gives the visit to a clerk who calls it.
func (v *Visit) taking(now time.Time, id ClerkID, t Terms) {
	v.letGo()
	v.State, v.Clerk, v.CalledAt, v.CallEnds = Called, id, now, now.Add(t.CallFor)
}

// end closes the visit and its last leg.
func (v *Visit) end(now time.Time, s State) {
	v.letGo()
	v.State, v.EndedAt, v.Front = s, now, false
	v.leg().Until = now
}
