package appliance

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"
)

// Random days: events of any kind by anybody, in any order. After every one of them the rules that must always hold are
// looked at from the rows alone, and every change is taken back and done again.

// state is all that Apply and Revert answer for.
type state struct {
	offices map[OfficeID]Office
	town    Town
	clerks  map[ClerkID]Clerk
	desks   map[ClerkID]Desk
	visits  map[VisitID]Visit
	talks   map[OfficeID][]time.Duration
	living  []VisitID
	order   []OfficeID
	open    map[ClerkID]VisitID
}

func rowsOf[ID comparable, T any](rows map[ID]*T) map[ID]T {
	out := make(map[ID]T, len(rows))
	for id, r := range rows {
		out[id] = *r
	}
	return out
}

func stateOf(h *House) state {
	s := state{
		town: *cloneTown(&h.town), offices: rowsOf(h.offices), clerks: rowsOf(h.clerks), desks: rowsOf(h.desks), visits: rowsOf(h.visits),
		talks: make(map[OfficeID][]time.Duration), open: make(map[ClerkID]VisitID),
	}
	for id, t := range h.talks {
		s.talks[id] = slices.Clone(t[max(len(t)-medianOf, 0):])
	}
	for _, v := range h.living {
		s.living = append(s.living, v.ID)
	}
	for _, o := range h.order {
		s.order = append(s.order, o.ID)
	}
	for c, v := range h.open {
		s.open[c] = v
	}
	return s
}

// day is a house and the bytes that decide what happens to it.
type day struct {
	t     testing.TB
	h     *House
	now   time.Time
	dice  []byte
	count int
	steps int
	done  []Change // applied and not checked for the way back yet
	start state    // before the first of them
	acts  map[string]int
}

var dayTown = Town{Name: "Lindenau", Kind: "Stadt", Telephone: "1", Notice: 1}

func newDay(t testing.TB, dice []byte) *day {
	now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	s := Snapshot{Town: dayTown}
	for i, id := range []OfficeID{"a", "b", "c"} {
		s.Offices = append(s.Offices, Office{ID: id, Name: string(id), Order: 3 - i, Limit: 4 * i, Duration: 10 * time.Minute})
	}
	for id, offices := range map[ClerkID][]OfficeID{"k1": {"a"}, "k2": {"a", "b"}, "k3": {"c", "b"}, "k4": {"b"}} {
		s.Clerks = append(s.Clerks, Clerk{ID: id, Name: string(id), Title: string(id), Roles: []Role{ClerkRole}, Offices: offices})
	}
	d := &day{t: t, h: NewHouse(s, DefaultTerms(), now), now: now, dice: dice, acts: make(map[string]int)}
	d.start = stateOf(d.h)
	return d
}

// roll takes the next of the bytes as a number below n.
func (d *day) roll(n int) int {
	if len(d.dice) == 0 {
		return 0
	}
	b := int(d.dice[0])
	d.dice = d.dice[1:]
	return b % n
}

func pick[T any](d *day, of ...T) T { return of[d.roll(len(of))] }

// anyVisit is a visit, rather one that a clerk has or had than one that only waits.
func (d *day) anyVisit() VisitID {
	if d.roll(3) > 0 {
		busy := slices.DeleteFunc(slices.Clone(d.h.living), func(v *Visit) bool {
			return v.State == Waiting && v.former() == nil
		})
		if len(busy) > 0 {
			return busy[d.roll(len(busy))].ID
		}
	}
	if len(d.h.living) > 0 && d.roll(8) > 0 {
		return d.h.living[d.roll(len(d.h.living))].ID
	}
	return VisitID(fmt.Sprintf("v%03d", d.roll(d.count+1)))
}

func (d *day) anyClerk() ClerkID { return pick[ClerkID](d, "k1", "k2", "k3", "k4") }

func (d *day) anyOffice() OfficeID { return pick[OfficeID](d, "a", "b", "c", "nowhere") }

// holder is the clerk who has the visit, so that more than refusals happens.
func (d *day) holder(id VisitID) Actor {
	if v := d.h.visits[id]; v != nil && v.Clerk != "" && d.roll(6) > 0 {
		return Actor{Role: ClerkRole, Clerk: v.Clerk}
	}
	if v := d.h.visits[id]; v != nil && v.former() != nil && d.roll(2) > 0 {
		return Actor{Role: ClerkRole, Clerk: v.former().Clerk}
	}
	return Actor{Role: ClerkRole, Clerk: d.anyClerk()}
}

// anything is the next event and who asks.
func (d *day) anything() (Actor, Event) {
	visit := d.anyVisit()
	citizen := Actor{Role: Citizen, Visit: visit}
	clerk := d.holder(visit)
	text := pick(d, "", "wegen des Umzugs", "x")
	switch d.roll(20) {
	case 0, 1, 2:
		d.count++
		return Actor{Role: Anonymous}, Arrive{
			ID: VisitID(fmt.Sprintf("v%03d", d.roll(250))), Office: d.anyOffice(), Name: "N", Matter: "M", Notice: 1,
			Needs: []Need{NeedTextOnly, NeedTextOnly},
		}
	case 3, 4:
		return citizen, Accept{}
	case 5:
		return citizen, MoreTime{}
	case 6:
		return citizen, pick[Event](d, Leave{}, Accept{}, Accept{})
	case 7, 8, 9:
		return Actor{Role: ClerkRole, Clerk: d.anyClerk()}, Next{Office: pick(d, "", "", "", d.anyOffice())}
	case 10:
		return clerk, Call{Visit: visit, Reason: text}
	case 11, 12:
		return clerk, Transfer{Visit: visit, Office: d.anyOffice(), Note: text, Reason: text}
	case 13:
		return clerk, PullBack{Visit: visit}
	case 14:
		return clerk, Park{Visit: visit}
	case 15:
		return clerk, Recall{Visit: visit}
	case 16:
		return clerk, Finish{Visit: visit, Outcome: pick(d, OutcomeDone, OutcomeNoShow, "else")}
	case 17:
		return clerk, AddNote{Visit: visit, Text: text}
	case 18:
		return clerk, SetDesk{State: pick(d, Available, Available, Pause, Busy)}
	default:
		return d.reorganise()
	}
}

func (d *day) reorganise() (Actor, Event) {
	by := pick(d, Actor{Role: TheHouse}, Actor{Role: Citizen, Visit: "v001"})
	if d.roll(8) == 0 {
		after := d.h.town
		after.Land = pick(d, Land(""), "SN", "BY", "XX")
		after.Days = pick(d, nil, []Day{{First: "2026-03-02", Last: "2026-03-02"}})
		return by, PutTown{Town: after, Edition: pick(d, "", editionOf(&d.h.town), "0123")}
	}
	if o := d.h.offices[d.anyOffice()]; o != nil && d.roll(2) == 0 {
		after := *o
		after.Closed, after.Limit = d.roll(4) == 0, d.roll(9)
		after.Hours.Days = pick(d, nil, nil, nil, []Day{{First: "2026-03-02", Last: "2026-03-02", Hours: []Span{{From: 9 * 60, Until: 10 * 60}}}})
		return by, PutOffice{Office: after}
	}
	after := *d.h.clerks[d.anyClerk()]
	after.Disabled = d.roll(4) == 0
	return by, PutClerk{Clerk: after}
}

// presenceChanges lets somebody come, go or be heard of.
func (d *day) presenceChanges() {
	who := pick(d, Actor{Role: Citizen, Visit: d.anyVisit()}, Actor{Role: ClerkRole, Clerk: d.anyClerk()})
	switch d.roll(5) {
	case 0, 1, 2:
		d.h.Connected(d.now, who)
	case 3:
		d.h.Disconnected(d.now, who)
	default:
		d.h.Seen(d.now, who)
	}
}

// run plays the day to its end.
func (d *day) run() {
	for len(d.dice) > 0 {
		switch d.roll(8) {
		case 0:
			d.pass(time.Duration(d.roll(60)*pick(d, 1, 1, 1, 8)) * time.Second)
		case 1, 2:
			d.presenceChanges()
		default:
			d.step(d.anything())
		}
		d.look()
	}
	d.wayBack()
}

// step decides and applies one event; it tells whether anything changed.
func (d *day) step(by Actor, e Event) bool {
	d.steps++
	spot := d.steps%8 == 0 // the whole state is compared now and then; the way back compares it all
	var before state
	if spot {
		before = stateOf(d.h)
	}
	c, err := d.h.Decide(d.now, by, e)
	if spot && !reflect.DeepEqual(before, stateOf(d.h)) {
		d.t.Fatalf("deciding %T changed the house", e)
	}
	if err != nil {
		var refusal *Error
		if !errors.As(err, &refusal) || refusal.Kind == "" || refusal.Code == "" || !c.Empty() {
			d.t.Fatalf("%T: refusal %#v with change %+v", e, err, c)
		}
		return false
	}
	if c.Empty() {
		return false
	}
	d.checkChange(c)
	d.h.Apply(c)
	d.acts[c.Action]++
	d.done = append(d.done, c)
	if len(d.done) >= 12 {
		d.wayBack()
	}
	return true
}

// checkChange looks at the change itself.
func (d *day) checkChange(c Change) {
	if !c.At.Equal(d.now) || c.Action == "" {
		d.t.Fatalf("change without time or action: %+v", c)
	}
	for _, s := range c.Visits {
		if s.Before == nil {
			if s.After.Version != 1 || c.Action != "arrive" {
				d.t.Fatalf("%s: a new visit with version %d", c.Action, s.After.Version)
			}
			continue
		}
		if !reflect.DeepEqual(s.Before, d.h.visits[s.Before.ID]) {
			d.t.Fatalf("%s: before is not the row", c.Action)
		}
		a, b := s.After, s.Before
		if a.ID != b.ID || a.Version != b.Version+1 || !a.ArrivedAt.Equal(b.ArrivedAt) || b.State.Over() ||
			len(a.Notes) < len(b.Notes) {
			d.t.Fatalf("%s: %+v -> %+v", c.Action, b, a)
		}
	}
}

// wayBack takes back all that was done since the last time, newest first, and does it again.
func (d *day) wayBack() {
	end := stateOf(d.h)
	for _, c := range slices.Backward(d.done) {
		d.h.Revert(c)
	}
	if got := stateOf(d.h); !reflect.DeepEqual(got, d.start) {
		d.t.Fatalf("after revert\n got %+v\nwant %+v", got, d.start)
	}
	for _, c := range d.done {
		d.h.Apply(c)
	}
	if got := stateOf(d.h); !reflect.DeepEqual(got, end) {
		d.t.Fatalf("done again\n got %+v\nwant %+v", got, end)
	}
	d.done, d.start = nil, end
}

// pass lets time go by as the hall does, from one due moment to the next.
func (d *day) pass(by time.Duration) {
	then := d.now.Add(by)
	for {
		due := d.h.Due(d.now)
		if due.IsZero() || due.After(then) {
			break
		}
		if due.After(d.now) {
			if c, _ := d.h.Decide(due.Add(-time.Microsecond), Actor{Role: TheHouse}, Tick{}); !c.Empty() {
				d.t.Fatalf("%s falls before it is due", c.Action)
			}
			d.now = due
		}
		for d.step(Actor{Role: TheHouse}, Tick{}) {
		}
		if next := d.h.Due(d.now); !next.IsZero() && !next.After(d.now) {
			d.t.Fatalf("due at %v, now %v, and nothing to do", next, d.now)
		}
	}
	d.now = then
}

// look checks what must hold at every moment, from the rows alone.
func (d *day) look() {
	held := make(map[ClerkID]VisitID)
	for id, v := range d.h.visits {
		d.lookAt(v)
		if !v.held() {
			continue
		}
		if other, taken := held[v.Clerk]; taken {
			d.t.Fatalf("%s has %s and %s", v.Clerk, other, id)
		}
		held[v.Clerk] = id
	}
	if !reflect.DeepEqual(held, d.h.open) {
		d.t.Fatalf("open calls and talks %v, kept %v", held, d.h.open)
	}
	d.lookAtQueues()
	d.lookTwice()
}

func (d *day) lookAt(v *Visit) {
	last := v.Legs[len(v.Legs)-1]
	wrong := ""
	switch {
	case v.State == Waiting && (v.Clerk != "" || !v.CallEnds.IsZero() || v.More):
		wrong = "waits and is had"
	case (v.held() || v.State == Parked) && v.Clerk == "":
		wrong = "is had by nobody"
	case v.State == Called && (v.CallEnds.IsZero() || v.CalledAt.IsZero()):
		wrong = "is called without an end"
	case v.State != Called && !v.CallEnds.IsZero():
		wrong = "has an end of a call and none is open"
	case (v.State == Parked) == v.ParkedAt.IsZero():
		wrong = "is parked without a time, or has one"
	case v.State.Over() && (v.Clerk != "" || v.EndedAt.IsZero() || last.Until.IsZero()):
		wrong = "is over and had"
	case !v.State.Over() && (!v.EndedAt.IsZero() || !last.Until.IsZero() || v.Outcome != ""):
		wrong = "is ended and not over"
	case last.Office != v.Office || v.Transfers != len(v.Legs)-1:
		wrong = "is not where its legs are"
	case v.Misses >= d.h.terms.MaxCalls && v.State != NoShow:
		wrong = "missed too often"
	}
	for _, l := range v.Legs[:len(v.Legs)-1] {
		if l.Until.IsZero() || l.Clerk == "" {
			wrong = "has a former leg without an end or a clerk"
		}
	}
	if wrong != "" {
		d.t.Fatalf("%s %s: %+v", v.ID, wrong, v)
	}
}

// lookAtQueues orders every queue anew, by the rule's words, and compares.
func (d *day) lookAtQueues() {
	now := d.now
	late := func(v *Visit) bool { return !v.MissedAt.IsZero() && now.Sub(v.MissedAt) < d.h.terms.SkipMissed }
	for _, o := range d.h.TownView(now).Offices {
		var want []*Visit
		for _, v := range d.h.visits {
			if v.State == Waiting && v.Office == o.ID {
				want = append(want, v)
			}
		}
		slices.SortFunc(want, func(a, b *Visit) int {
			if late(a) != late(b) {
				return map[bool]int{true: 1, false: -1}[late(a)]
			}
			if !late(a) && a.Front != b.Front {
				return map[bool]int{true: -1, false: 1}[a.Front]
			}
			return cmp.Or(a.ArrivedAt.Compare(b.ArrivedAt), cmp.Compare(a.ID, b.ID))
		})
		got := d.h.queuesAt(now).queues[o.ID].waiting
		if !slices.Equal(got, want) {
			d.t.Fatalf("queue of %s is out of order", o.ID)
		}
		callable := 0
		for _, v := range want {
			view, _ := d.h.VisitView(now, v.ID)
			if view.Position == nil || *view.Position != callable+1 {
				d.t.Fatalf("%s stands at %v, not %d", v.ID, view.Position, callable+1)
			}
			if d.h.presence(v.ID, now) != Absent {
				callable++
			}
		}
		if o.Waiting != callable {
			d.t.Fatalf("%s shows %d waiting, there are %d", o.ID, o.Waiting, callable)
		}
	}
}

// lookTwice compares what was kept with what is worked out anew.
func (d *day) lookTwice() {
	all := func() (views []any) {
		views = append(views, d.h.TownView(d.now))
		for _, id := range []ClerkID{"k1", "k2", "k3", "k4"} {
			v, _ := d.h.DeskView(d.now, id)
			views = append(views, v)
		}
		return views
	}
	kept := all()
	d.h.board = nil
	if anew := all(); !reflect.DeepEqual(kept, anew) {
		d.t.Fatalf("the kept board is stale\nkept %+v\nanew %+v", kept, anew)
	}
}

// Five hundred pages ask for their place after one change: the queues are worked out once.
func TestQueuesAreKept(t *testing.T) {
	d := newDay(t, nil)
	d.step(Actor{Role: Anonymous}, Arrive{ID: "v", Office: "a", Name: "N", Matter: "M", Notice: 1})
	first := d.h.queuesAt(d.now)
	d.h.Seen(d.now.Add(time.Second), Actor{Role: Citizen, Visit: "v"})
	if d.h.queuesAt(d.now.Add(time.Minute)) != first {
		t.Error("worked out anew though nothing changed")
	}
	if d.h.queuesAt(d.now.Add(d.h.terms.PresentFor)) == first {
		t.Error("kept beyond the moment at which somebody might have become absent")
	}
	if d.h.queuesAt(d.now) == first {
		t.Error("kept for a moment before it was worked out")
	}
}

func TestRandomDays(t *testing.T) {
	seen := make(map[string]int)
	for seed := range uint64(100) {
		random := rand.New(rand.NewPCG(seed, 1))
		dice := make([]byte, 3000)
		for i := range dice {
			dice[i] = byte(random.Uint32())
		}
		d := newDay(t, dice)
		d.run()
		for action, n := range d.acts {
			seen[action] += n
		}
	}
	for _, action := range []string{
		"arrive", "accept", "more_time", "leave", "next", "call", "transfer", "pull_back", "park", "recall", "finish", "note",
		"desk", "clerk", "office", "town", "release", "orphan", "miss", "no_show", "absent",
	} {
		if seen[action] < 5 {
			t.Errorf("the random days saw %q %d times: they try too little", action, seen[action])
		}
	}
	t.Log(seen)
}

func FuzzDay(f *testing.F) {
	f.Add([]byte("anna kommt ins Bürgerbüro und wird weitergeleitet"))
	f.Add([]byte{3, 0, 0, 0, 0, 0, 0, 3, 7, 0, 0, 0, 3, 3, 0, 0})
	random := rand.New(rand.NewPCG(7, 7))
	for range 8 {
		dice := make([]byte, 400)
		for i := range dice {
			dice[i] = byte(random.Uint32())
		}
		f.Add(dice)
	}
	f.Fuzz(func(t *testing.T, dice []byte) {
		newDay(t, dice[:min(len(dice), 2000)]).run()
	})
}
