package appliance

import "time"

// StaffVisit is a visit as staff sees it.
func (h *House) StaffVisit(now time.Time, id VisitID) (StaffVisit, bool) {
	v := h.visits[id]
	if v == nil {
		return StaffVisit{}, false
	}
	return h.staffVisit(now, v), true
}

func (h *House) staffVisit(now time.Time, v *Visit) StaffVisit {
	view := StaffVisit{
		ID: v.ID, Version: v.Version, State: v.State, Office: v.Office, OfficeName: h.officeName(v.Office),
		Name: v.Name, Matter: v.Matter, Needs: list(v.Needs), ArrivedAt: v.ArrivedAt, WaitsFrom: v.WaitsFrom,
		Position: h.position(v, now), Presence: h.presence(v.ID, now), Misses: v.Misses, HolderID: v.Clerk,
		Holder: h.clerkName(v.Clerk), Outcome: v.Outcome,
		Notes: make([]NoteView, 0, len(v.Notes)), History: make([]LegView, 0, len(v.Legs)),
	}
	if v.held() {
		view.Orphaned = h.clerkPresence(v.Clerk, now) != Present
	}
	switch v.State {
	case Called:
		ends := h.callEnds(v)
		view.CallEnds = &ends
	case Talking:
		view.TalksAt = when(v.TalksAt)
	}
	if f := v.former(); f != nil {
		view.From = h.officeName(f.Office)
	}
	for _, n := range v.Notes {
		view.Notes = append(view.Notes, NoteView{
			At: n.At, Clerk: h.clerkName(n.Clerk), Office: h.officeName(n.Office), Text: n.Text,
		})
	}
	for _, l := range v.Legs[:max(len(v.Legs)-1, 0)] {
		view.History = append(view.History, LegView{
			Office: h.officeName(l.Office), Clerk: h.clerkName(l.Clerk), From: l.From, Until: l.Until, Reason: l.Reason,
		})
	}
	return view
}

func (h *House) clerkName(id ClerkID) string {
	if c := h.clerks[id]; c != nil {
		return c.Name
	}
	return string(id)
}

// DeskView is a clerk's view.
func (h *House) DeskView(now time.Time, id ClerkID) (DeskView, bool) {
	c := h.clerks[id]
	if c == nil {
		return DeskView{}, false
	}
	view := DeskView{
		Clerk: ClerkView{ID: c.ID, Name: c.Name, Title: c.Title, Roles: list(c.Roles), Offices: list(c.Offices)},
		State: h.deskState(id), Queues: []QueueView{}, Parked: []StaffVisit{}, Passed: []StaffVisit{},
		Others: h.officeViews(now), Now: now.UTC(),
	}
	for i, o := range h.order {
		if c.serves(o.ID) {
			view.Queues = append(view.Queues, h.queueView(now, view.Others[i], id))
		}
	}
	for _, v := range h.living {
		switch {
		case v.held() && v.Clerk == id:
			current := h.staffVisit(now, v)
			view.Current = &current
		case v.State == Parked && (v.Clerk == id || c.serves(v.Office)):
			view.Parked = append(view.Parked, h.staffVisit(now, v))
		case h.passed(v, id, now):
			view.Passed = append(view.Passed, h.staffVisit(now, v))
		}
	}
	return view, true
}

// queueView is one waiting room: those who wait, then those whom colleagues have.
func (h *House) queueView(now time.Time, o OfficeView, id ClerkID) QueueView {
	q := h.queuesAt(now).queues[o.ID]
	view := QueueView{
		Office: o.ID, Name: o.Name, State: o.State, Staff: o.Staff,
		Visits: make([]StaffVisit, 0, len(q.waiting)+len(q.held)),
	}
	for _, v := range q.waiting {
		view.Visits = append(view.Visits, h.staffVisit(now, v))
	}
	for _, v := range q.held {
		if v.Clerk != id {
			view.Visits = append(view.Visits, h.staffVisit(now, v))
		}
	}
	return view
}
