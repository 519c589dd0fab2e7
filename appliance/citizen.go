package appliance

import "time"

func (h *House) arrive(now time.Time, by Actor, e Arrive) (Change, error) {
	office := h.offices[e.Office]
	if office == nil {
		return Change{}, refuse(NotFound, "office-unknown")
	}
	v, err := h.checkArrival(e)
	if err != nil {
		return Change{}, err
	}
	if err := h.accepting(office, now); err != nil {
		return Change{}, err
	}
	v.Version, v.State, v.ArrivedAt, v.WaitsFrom = 1, Waiting, now, now
	v.Legs = []Leg{{Office: e.Office, From: now}}
	return Change{At: now, Actor: by, Action: "arrive", Visits: []Step[Visit]{{After: v}}}, nil
}

// accepting refuses an office that takes nobody in.
func (h *House) accepting(o *Office, now time.Time) error {
	switch h.officeState(o, now) {
	case ClosedOffice:
		return refuse(Conflict, "office-closed")
	case Full:
		return refuse(Conflict, "office-full")
	default:
		return nil
	}
}

// accept lets the citizen come as long as the call was not taken back, even a moment after it should have ended.
func (h *House) accept(now time.Time, by Actor, v *Visit) (Change, error) {
	if v.State != Called {
		return Change{}, refuse(Conflict, "not-called")
	}
	return change(now, by, "accept", v, func(v *Visit) {
		v.State, v.TalksAt, v.Front = Talking, now, false
		v.CallEnds, v.More = time.Time{}, false
		v.leg().Clerk = v.Clerk
	}), nil
}

func (h *House) moreTime(now time.Time, by Actor, v *Visit) (Change, error) {
	switch {
	case v.State != Called:
		return Change{}, refuse(Conflict, "not-called")
	case v.More:
		return Change{}, refuse(Conflict, "more-time-used")
	}
	return change(now, by, "more_time", v, func(v *Visit) {
		v.More, v.CallEnds = true, h.callEnds(v).Add(h.terms.MoreTime)
	}), nil
}

func (h *House) leave(now time.Time, by Actor, v *Visit) (Change, error) {
	return change(now, by, "leave", v, func(v *Visit) { v.end(now, Left) }).talked(v), nil
}
