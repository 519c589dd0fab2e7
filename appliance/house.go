package appliance

import (
	"cmp"
	"slices"
	"time"
)

// House is the town hall's state in memory. It is owned by one goroutine and not safe for several, readers included:
// views keep the queues they worked out.
//
// Rows are never changed in place: a change replaces them. So what Decide, the views and the lists below hold stays
// as it was, and Revert can put the former row back.
type House struct {
	town    Town
	terms   Terms
	started time.Time // calls that were open before are given a little time, see callEnds

	offices map[OfficeID]*Office
	clerks  map[ClerkID]*Clerk
	desks   map[ClerkID]*Desk
	visits  map[VisitID]*Visit           // all that are known, those that are over too
	talks   map[OfficeID][]time.Duration // measured, oldest first; see keptTalks

	// Derived from the rows, kept by setVisit and sortOffices.
	order  []*Office           // by Order, then id
	living []*Visit            // not over, by arrival, then id
	open   map[ClerkID]VisitID // the open call or talk

	citizens map[VisitID]*sight
	staff    map[ClerkID]*sight

	board    *board               // the queues in calling order; nil after a change
	openings map[OfficeID]opening // how offices stand by their hours, see opening
	forgot   time.Time
}

// Visits that are over stay readable for a day: for the farewell page, and for a late request that deserves a better
// answer than "unknown".
const (
	overFor     = 24 * time.Hour
	forgetEvery = time.Hour
)

// NewHouse starts from what is stored. Every living visit counts as heard of at now, and so does every clerk who has
// one: nobody loses a place or a talk because the box was away.
func NewHouse(s Snapshot, t Terms, now time.Time) *House {
	now = moment(now)
	h := &House{
		town: *cloneTown(&s.Town), terms: t, started: now, forgot: now,
		offices:  make(map[OfficeID]*Office, len(s.Offices)),
		clerks:   make(map[ClerkID]*Clerk, len(s.Clerks)),
		desks:    make(map[ClerkID]*Desk, len(s.Desks)),
		visits:   make(map[VisitID]*Visit, len(s.Visits)),
		talks:    make(map[OfficeID][]time.Duration, len(s.Talks)),
		open:     make(map[ClerkID]VisitID),
		citizens: make(map[VisitID]*sight, len(s.Visits)),
		staff:    make(map[ClerkID]*sight, len(s.Clerks)),
		openings: make(map[OfficeID]opening, len(s.Offices)),
	}
	for i := range s.Offices {
		setRow(h.offices, s.Offices[i].ID, cloneOffice(&s.Offices[i]))
	}
	h.sortOffices()
	for i := range s.Clerks {
		h.setClerk(s.Clerks[i].ID, &s.Clerks[i])
	}
	for _, d := range s.Desks {
		h.desks[d.Clerk] = &d
	}
	for office, measured := range s.Talks {
		h.talks[office] = slices.Clone(measured)
	}
	for i := range s.Visits {
		v := &s.Visits[i]
		h.setVisit(v.ID, v, now)
		if s := h.staff[v.Clerk]; s != nil && v.held() {
			s.heard = now
		}
	}
	return h
}

// Apply makes a decided change true in memory. Changes are applied in the order of their decisions, each before the
// next is decided. The actor was heard of by it.
func (h *House) Apply(c Change) {
	for _, s := range c.Visits {
		h.setVisit(rowID(s, visitID), s.After, c.At)
	}
	for _, s := range c.Desks {
		setRow(h.desks, rowID(s, deskID), clone(s.After))
	}
	for _, s := range c.Clerks {
		h.setClerk(rowID(s, clerkID), s.After)
	}
	for _, s := range c.Offices {
		setRow(h.offices, rowID(s, officeID), cloneOffice(s.After))
		delete(h.openings, rowID(s, officeID))
	}
	if len(c.Offices) > 0 {
		h.sortOffices()
	}
	if c.Town != nil {
		h.town = *cloneTown(c.Town.After)
		clear(h.openings)
	}
	if c.Talk > 0 {
		h.measured(c.TalkAt, c.Talk)
	}
	h.board = nil
	h.Seen(c.At, c.Actor)
	h.forget(c.At)
}

// Revert takes back an applied change whose write failed; the newest first. The rows are then exactly as before
// Apply. That the actor was heard of stays true.
func (h *House) Revert(c Change) {
	if c.Talk > 0 {
		h.unmeasured(c.TalkAt)
	}
	back := Change{
		At: c.At, Visits: turned(c.Visits), Desks: turned(c.Desks), Clerks: turned(c.Clerks), Offices: turned(c.Offices),
	}
	if c.Town != nil {
		back.Town = &Step[Town]{Before: c.Town.After, After: c.Town.Before}
	}
	h.Apply(back)
}

// turned is the way back.
func turned[T any](steps []Step[T]) []Step[T] {
	back := make([]Step[T], 0, len(steps))
	for _, s := range slices.Backward(steps) {
		back = append(back, Step[T]{Before: s.After, After: s.Before})
	}
	return back
}

func rowID[T any, ID comparable](s Step[T], id func(*T) ID) ID {
	if s.After != nil {
		return id(s.After)
	}
	return id(s.Before)
}

func visitID(v *Visit) VisitID    { return v.ID }
func deskID(d *Desk) ClerkID      { return d.Clerk }
func clerkID(c *Clerk) ClerkID    { return c.ID }
func officeID(o *Office) OfficeID { return o.ID }

func setRow[T any, ID comparable](rows map[ID]*T, id ID, row *T) {
	if row == nil {
		delete(rows, id)
		return
	}
	rows[id] = row
}

func (h *House) setClerk(id ClerkID, c *Clerk) {
	setRow(h.clerks, id, cloneClerk(c))
	switch {
	case c == nil:
		delete(h.staff, id)
	case h.staff[id] == nil:
		h.staff[id] = &sight{}
	}
}

// setVisit puts a copy of a visit's row in place of the former, and keeps the lists that follow from it. A new visit
// counts as heard of at now.
func (h *House) setVisit(id VisitID, v *Visit, now time.Time) {
	if old := h.visits[id]; old != nil && !old.State.Over() {
		if at, ok := slices.BinarySearchFunc(h.living, old, byArrival); ok {
			h.living = slices.Delete(h.living, at, at+1)
		}
		if old.held() && h.open[old.Clerk] == id {
			delete(h.open, old.Clerk)
		}
	}
	v = cloneVisit(v)
	setRow(h.visits, id, v)
	if v == nil {
		delete(h.citizens, id)
		return
	}
	if h.citizens[id] == nil {
		h.citizens[id] = &sight{heard: now}
	}
	if v.State.Over() {
		return
	}
	at, _ := slices.BinarySearchFunc(h.living, v, byArrival)
	h.living = slices.Insert(h.living, at, v)
	if v.held() {
		h.open[v.Clerk] = id
	}
}

func (h *House) sortOffices() {
	h.order = h.order[:0]
	for _, o := range h.offices {
		h.order = append(h.order, o)
	}
	slices.SortFunc(h.order, func(a, b *Office) int {
		return cmp.Or(cmp.Compare(a.Order, b.Order), cmp.Compare(a.ID, b.ID))
	})
}

// forget drops what has been over for a day; it looks once an hour.
func (h *House) forget(now time.Time) {
	if now.Sub(h.forgot) < forgetEvery {
		return
	}
	h.forgot = now
	for id, v := range h.visits {
		if v.State.Over() && now.Sub(v.EndedAt) >= overFor {
			delete(h.visits, id)
			delete(h.citizens, id)
		}
	}
}

// Visit and Clerk give single rows.
func (h *House) Visit(id VisitID) (Visit, bool) {
	v := h.visits[id]
	if v == nil {
		return Visit{}, false
	}
	return *cloneVisit(v), true
}

// Clerk gives a clerk's row.
func (h *House) Clerk(id ClerkID) (Clerk, bool) {
	c := h.clerks[id]
	if c == nil {
		return Clerk{}, false
	}
	return *cloneClerk(c), true
}
