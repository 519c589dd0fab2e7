package appliance_test

import (
	"fmt"
	"testing"
	"time"

	"schalter/appliance"
)

// crowd is a big day: five hundred who wait at five offices, forty clerks who all serve two of them.
func crowd(t testing.TB) (*appliance.House, time.Time) {
	s := appliance.Snapshot{Town: town}
	for i := range 5 {
		s.Offices = append(s.Offices, appliance.Office{ID: office(i), Name: string(office(i)), Order: i})
	}
	for i := range 40 {
		id := fmt.Sprintf("clerk%d", i)
		s.Clerks = append(s.Clerks, appliance.Clerk{ID: appliance.ClerkID(id), Name: id, Title: id,
			Roles: []appliance.Role{appliance.ClerkRole}, Offices: []appliance.OfficeID{office(i % 5), office((i + 1) % 5)}})
	}
	h := appliance.NewHouse(s, appliance.DefaultTerms(), opening)
	for i := range 40 {
		h.Connected(opening, atDesk(i))
	}
	now := opening
	for i := range 500 {
		now = now.Add(time.Second)
		do(t, h, now, anyone, appliance.Arrive{ID: person(i), Office: office(i * 7 % 5), Name: "N", Matter: "M", Notice: 1})
		h.Connected(now, appliance.Actor{Role: appliance.Citizen, Visit: person(i)})
	}
	return h, now
}

func office(i int) appliance.OfficeID { return appliance.OfficeID(fmt.Sprintf("office%d", i)) }
func person(i int) appliance.VisitID  { return appliance.VisitID(fmt.Sprintf("%032x", i)) }
func atDesk(i int) appliance.Actor {
	return appliance.Actor{Role: appliance.ClerkRole, Clerk: appliance.ClerkID(fmt.Sprintf("clerk%d", i))}
}

// Forty clerks work off five hundred: nobody is called twice, nobody is skipped, nobody overtaken in a queue.
func TestCrowd(t *testing.T) {
	h, now := crowd(t)
	called := make(map[appliance.VisitID]bool)
	last := make(map[appliance.OfficeID]time.Time)
	for n := 0; len(called) < 500; n++ {
		if n > 2000 {
			t.Fatalf("only %d were called", len(called))
		}
		by := atDesk(n % 40)
		c := do(t, h, now, by, appliance.Next{})
		if c.Empty() {
			continue
		}
		v := c.Visits[0].After
		if called[v.ID] {
			t.Fatalf("%s was called twice", v.ID)
		}
		if v.ArrivedAt.Before(last[v.Office]) {
			t.Fatalf("%s was overtaken", v.ID)
		}
		called[v.ID], last[v.Office] = true, v.ArrivedAt
		do(t, h, now, appliance.Actor{Role: appliance.Citizen, Visit: v.ID}, appliance.Accept{})
		do(t, h, now, by, appliance.Finish{Visit: v.ID, Outcome: appliance.OutcomeDone})
	}
}

// BenchmarkNext is a change in the crowd and its way back.
func BenchmarkNext(b *testing.B) {
	h, now := crowd(b)
	for b.Loop() {
		c := do(b, h, now, atDesk(0), appliance.Next{})
		h.Revert(c)
	}
}

// BenchmarkViews is what the hall does after every change when everybody is concerned.
func BenchmarkViews(b *testing.B) {
	h, now := crowd(b)
	for b.Loop() {
		c := do(b, h, now, atDesk(0), appliance.Next{})
		for i := range 500 {
			if _, ok := h.VisitView(now, person(i)); !ok {
				b.Fatal("no view")
			}
		}
		for i := range 40 {
			h.DeskView(now, atDesk(i).Clerk)
		}
		h.Due(now)
		h.Revert(c)
	}
}
