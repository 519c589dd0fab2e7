package appliance

import (
	"slices"
	"time"
)

// TownView is the house as anyone may see it.
func (h *House) TownView(now time.Time) TownView {
	return TownView{
		Name: h.town.Name, Kind: h.town.Kind, Telephone: h.town.Telephone, Notice: h.town.Notice,
		Offices: h.officeViews(now),
	}
}

func (h *House) officeViews(now time.Time) []OfficeView {
	views := make([]OfficeView, 0, len(h.order))
	board := h.queuesAt(now)
	for _, o := range h.order {
		q := board.queues[o.ID]
		v := OfficeView{
			ID: o.ID, Parent: o.Parent, Name: o.Name, Telephone: h.telephone(o), State: h.officeState(o, now),
			Waiting: q.callable, OpensAt: q.opens(o), ClosesAt: q.closes(o), Staff: q.desks,
		}
		switch {
		case v.State != ClosedOffice: // what somebody who came now would wait
			v.WaitMinutes = estimate(q.callable, q.talk, q.desks)
		case !o.Closed:
			v.ClosedFor = q.opening.why
		}
		for _, s := range o.Services {
			v.Services = append(v.Services, s.Name)
		}
		views = append(views, v)
	}
	return views
}

// telephone is the office's own number, or else the town's: no page is without one.
func (h *House) telephone(o *Office) string {
	if o.Telephone != "" {
		return o.Telephone
	}
	return h.town.Telephone
}

// VisitView is a citizen's own view.
func (h *House) VisitView(now time.Time, id VisitID) (VisitView, bool) {
	v := h.visits[id]
	if v == nil {
		return VisitView{}, false
	}
	view := VisitView{
		ID: v.ID, Version: v.Version, State: v.State, Office: v.Office, Telephone: h.town.Telephone,
		Name: v.Name, Matter: v.Matter, Needs: list(v.Needs), Bring: []string{}, ArrivedAt: v.ArrivedAt,
		Misses: v.Misses, Outcome: v.Outcome, EndedAt: when(v.EndedAt), Moved: h.moved(v),
	}
	if o := h.offices[v.Office]; o != nil {
		view.OfficeName, view.Telephone, view.Bring = o.Name, h.telephone(o), list(o.Bring)
		view.OfficeState = h.officeState(o, now)
		board := h.queuesAt(now)
		q := board.queues[o.ID]
		view.Staff = q.desks
		if v.State == Waiting {
			view.Position = h.position(v, now)
			view.WaitMinutes = estimate(board.ahead[v.ID], q.talk, q.desks)
		}
	}
	switch v.State {
	case Called:
		view.Call = &CallView{Title: h.title(v.Clerk), Ends: h.callEnds(v), More: !v.More}
	case Talking:
		view.Talk = &TalkView{
			Title: h.title(v.Clerk), Since: v.TalksAt, Alone: h.clerkPresence(v.Clerk, now) != Present,
		}
	}
	return view, true
}

// position counts from 1 those who may be called; nil when the visit does not wait.
func (h *House) position(v *Visit, now time.Time) *int {
	if v.State != Waiting {
		return nil
	}
	p := h.queuesAt(now).ahead[v.ID] + 1
	return &p
}

// moved tells who passed the visit on, until the talk it was passed on for is over.
func (h *House) moved(v *Visit) *MovedView {
	f := v.former()
	if f == nil || v.State == Parked || v.State.Over() {
		return nil
	}
	return &MovedView{FromOffice: h.officeName(f.Office), By: h.title(f.Clerk), Reason: f.Reason}
}

func (h *House) title(id ClerkID) string {
	if c := h.clerks[id]; c != nil {
		return c.Title
	}
	return ""
}

func (h *House) officeName(id OfficeID) string {
	if o := h.offices[id]; o != nil {
		return o.Name
	}
	return string(id)
}

// when is a time for JSON: nil for none.
func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// list is a copy for JSON: [] for none.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return slices.Clone(s)
}
