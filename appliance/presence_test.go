package appliance_test

import (
	"testing"
	"time"

	"schalter/appliance"
)

// Who comes and goes is told to others only when it changes what they see.
func TestPresenceIsNews(t *testing.T) {
	h := appliance.NewHouse(small(), appliance.DefaultTerms(), opening)
	do(t, h, opening, anyone, arrival(nil))
	at := func(s int) time.Time { return opening.Add(time.Duration(s) * time.Second) }
	presence := func(now time.Time) appliance.Presence {
		v, _ := h.StaffVisit(now, "anna")
		return v.Presence
	}
	steps := []struct {
		what string
		at   int
		do   func(time.Time, appliance.Actor) bool
		who  appliance.Actor
		news bool
		then appliance.Presence
	}{
		{"connected at once", 1, h.Connected, anna, false, appliance.Present},
		{"still connected", 1000, h.Seen, anna, false, appliance.Present},
		{"second line", 1000, h.Connected, anna, false, appliance.Present},
		{"one line less", 1001, h.Disconnected, anna, false, appliance.Present},
		{"none", 1001, h.Disconnected, anna, false, appliance.Present},
		{"back within 20 s", 1020, h.Seen, anna, false, appliance.Present},
		{"back after 20 s", 1040, h.Seen, anna, true, appliance.Present},
		{"back after 2 minutes", 1160, h.Connected, anna, true, appliance.Present},
		{"a clerk comes for the first time", 1170, h.Seen, weber, true, appliance.Present},
		{"a clerk again", 1171, h.Connected, weber, false, appliance.Present},
		{"an unknown visit", 1171, h.Connected, appliance.Actor{Role: appliance.Citizen, Visit: "bert"}, false, appliance.Present},
		{"an unknown clerk", 1171, h.Connected, appliance.Actor{Role: appliance.ClerkRole, Clerk: "haas"}, false, appliance.Present},
		{"nobody", 1171, h.Disconnected, appliance.Actor{}, false, appliance.Present},
		{"a companion is not the citizen", 1171, h.Disconnected, appliance.Actor{Role: appliance.Companion, Visit: "anna"}, false, appliance.Present},
	}
	for _, s := range steps {
		if news := s.do(at(s.at), s.who); news != s.news {
			t.Errorf("%s: news %v, want %v", s.what, news, s.news)
		}
		if got := presence(at(s.at)); got != s.then {
			t.Errorf("%s: then %s, want %s", s.what, got, s.then)
		}
	}
	h.Disconnected(at(1180), anna)
	for seconds, want := range map[int]appliance.Presence{
		1199: appliance.Present, 1200: appliance.Interrupted, 1299: appliance.Interrupted, 1300: appliance.Absent,
	} {
		if got := presence(at(seconds)); got != want {
			t.Errorf("after %d s: %s, want %s", seconds-1180, got, want)
		}
	}
	do(t, h, at(1181), anna, appliance.Leave{})
	if h.Connected(at(1500), anna) {
		t.Error("somebody who has left is news")
	}
}

// Due names every moment at which something happens or looks different, and no other.
func TestDue(t *testing.T) {
	h := appliance.NewHouse(small(), appliance.DefaultTerms(), opening)
	if due := h.Due(opening); !due.IsZero() {
		t.Errorf("an empty house waits for %v", due)
	}
	do(t, h, opening, anyone, arrival(nil))
	now := opening
	expect := func(what string, after time.Duration) {
		t.Helper()
		due := h.Due(now)
		if want := opening.Add(after); !due.Equal(want) {
			t.Fatalf("%s: due after %v, want %v", what, due.Sub(opening), after)
		}
		now = due
	}
	expect("anna turns grey", 20*time.Second)
	expect("anna is skipped", 2*time.Minute)
	expect("anna has left", 17*time.Minute)
	if c := do(t, h, now, theHouse, appliance.Tick{}); c.Action != "absent" {
		t.Errorf("got %q", c.Action)
	}
	if due := h.Due(now); !due.IsZero() {
		t.Errorf("nobody is there, and %v is due", due)
	}

	now = opening.Add(time.Hour)
	bert := appliance.Actor{Role: appliance.Citizen, Visit: "bert"}
	do(t, h, now, anyone, arrival(func(e *appliance.Arrive) { e.ID = "bert" }))
	h.Connected(now, bert)
	h.Connected(now, weber)
	if due := h.Due(now); !due.IsZero() {
		t.Errorf("all are connected, and %v is due", due)
	}
	do(t, h, now, weber, appliance.Next{})
	expect("the call ends", time.Hour+45*time.Second)
	do(t, h, now, bert, appliance.Accept{})
	if due := h.Due(now); !due.IsZero() {
		t.Errorf("they talk, and %v is due", due)
	}
	h.Disconnected(now, weber)
	expect("one moment, please", time.Hour+65*time.Second)
	expect("the talk broke off", time.Hour+45*time.Second+2*time.Minute)
	do(t, h, now, theHouse, appliance.Tick{})
	h.Connected(now, weber)
	do(t, h, now, weber, appliance.Next{})
	do(t, h, now, weber, appliance.Transfer{Visit: "bert", Office: "bauamt"})
	expect("it cannot be pulled back any more", time.Hour+45*time.Second+7*time.Minute)
	if due := h.Due(now); !due.IsZero() {
		t.Errorf("nothing more, and %v is due", due)
	}
}

// What is due longest comes first, whatever stands first in the house.
func TestTickTakesTheLongestDue(t *testing.T) {
	h := appliance.NewHouse(small(), appliance.DefaultTerms(), opening)
	for i, id := range []appliance.VisitID{"anna", "bert", "clara"} {
		do(t, h, opening.Add(time.Duration(i)*time.Second), anyone, arrival(func(e *appliance.Arrive) { e.ID = id }))
	}
	h.Seen(opening.Add(time.Minute), anna)
	var order []appliance.VisitID
	for {
		c := do(t, h, opening.Add(time.Hour), theHouse, appliance.Tick{})
		if c.Empty() {
			break
		}
		order = append(order, c.Visits[0].After.ID)
	}
	if len(order) != 3 || order[0] != "bert" || order[1] != "clara" || order[2] != "anna" {
		t.Errorf("got %v", order)
	}
}
