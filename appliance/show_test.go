package appliance_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"schalter/appliance"
)

// busyHouse is a house in which everything that a view can show is there.
func busyHouse(t testing.TB) *appliance.House {
	s := small()
	s.Town.Telephone = "03433 1000"
	h := appliance.NewHouse(s, appliance.DefaultTerms(), opening)
	for i, id := range []appliance.VisitID{"anna", "bert", "clara", "dora"} {
		do(t, h, opening.Add(time.Duration(i)*time.Second), anyone, arrival(func(e *appliance.Arrive) {
			e.ID, e.Name, e.Matter = id, "Person "+string(id), "Anliegen von "+string(id)
		}))
	}
	now := opening.Add(time.Minute)
	do(t, h, now, weber, appliance.Next{})
	do(t, h, now, weber, appliance.Park{Visit: "anna"})
	do(t, h, now, weber, appliance.Next{})
	do(t, h, now, appliance.Actor{Role: appliance.Citizen, Visit: "bert"}, appliance.Accept{})
	do(t, h, now, weber, appliance.Transfer{
		Visit: "bert", Office: "bauamt", Note: "geheime Notiz", Reason: "Das Bauamt ist zuständig.",
	})
	do(t, h, now, weber, appliance.Next{})
	return h
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A citizen's view holds nothing of anybody else but the clerk's title.
func TestCitizensSeeOnlyTheirOwn(t *testing.T) {
	h := busyHouse(t)
	now := opening.Add(time.Minute)
	for _, id := range []appliance.VisitID{"anna", "bert", "clara", "dora"} {
		view, ok := h.VisitView(now, id)
		if !ok {
			t.Fatalf("no view of %s", id)
		}
		text := asJSON(t, view)
		for _, never := range []string{
			"Person anna", "Person bert", "Person clara", "Person dora", "Sabine", "Jens", `"weber"`, "geheime Notiz",
		} {
			if never != "Person "+string(id) && strings.Contains(text, never) {
				t.Errorf("%s sees %q: %s", id, never, text)
			}
		}
	}
	if _, ok := h.VisitView(now, "nobody"); ok {
		t.Error("a view of nobody")
	}
	if text := asJSON(t, h.TownView(now)); strings.Contains(text, "Person") || strings.Contains(text, "Weber") {
		t.Errorf("the town shows people: %s", text)
	}
}

// Browser code iterates lists: none of them is ever null.
func TestListsAreNeverNull(t *testing.T) {
	h := busyHouse(t)
	now := opening.Add(time.Minute)
	desk, _ := h.DeskView(now, "weber")
	other, _ := h.DeskView(now, "petersen")
	parked, _ := h.StaffVisit(now, "anna")
	mine, _ := h.VisitView(now, "bert")
	empty := appliance.NewHouse(appliance.Snapshot{Clerks: []appliance.Clerk{{ID: "solo"}}}, appliance.DefaultTerms(), opening)
	lonely, _ := empty.DeskView(now, "solo")
	for _, v := range []any{desk, other, parked, mine, lonely, h.TownView(now), empty.TownView(now)} {
		text := asJSON(t, v)
		for _, list := range []string{
			"needs", "bring", "notes", "history", "offices", "queues", "parked", "passed", "others", "visits", "roles",
		} {
			if strings.Contains(text, `"`+list+`":null`) {
				t.Errorf("%T: %s is null", v, list)
			}
		}
	}
}

func TestDeskView(t *testing.T) {
	h := busyHouse(t)
	now := opening.Add(time.Minute)
	d, ok := h.DeskView(now, "weber")
	if !ok {
		t.Fatal("no desk")
	}
	if d.State != appliance.Busy || d.Current == nil || d.Current.ID != "clara" || d.Current.CallEnds == nil {
		t.Errorf("state %s, current %+v", d.State, d.Current)
	}
	if len(d.Queues) != 1 || len(d.Queues[0].Visits) != 1 || d.Queues[0].Visits[0].ID != "dora" {
		t.Errorf("queues %+v", d.Queues)
	}
	if len(d.Parked) != 1 || d.Parked[0].ID != "anna" || d.Parked[0].Holder != "Sabine Weber" {
		t.Errorf("parked %+v", d.Parked)
	}
	if len(d.Passed) != 1 || d.Passed[0].ID != "bert" || len(d.Passed[0].History) != 1 {
		t.Errorf("passed %+v", d.Passed)
	}
	if len(d.Others) != 2 || d.Others[0].ID != "buergerbuero" || d.Others[1].Waiting != 1 {
		t.Errorf("others %+v", d.Others)
	}
	if _, ok := h.DeskView(now, "nobody"); ok {
		t.Error("a desk of nobody")
	}
	// A colleague of the same office sees whom weber has, behind those who wait.
	c := small().Clerks[0]
	c.ID, c.Name = "haas", "Ute Haas"
	do(t, h, now, theHouse, appliance.PutClerk{Clerk: c})
	d, _ = h.DeskView(now, "haas")
	if v := d.Queues[0].Visits; len(v) != 2 || v[1].ID != "clara" || v[1].Holder != "Sabine Weber" || v[1].HolderID != "weber" {
		t.Errorf("queue of a colleague %+v", v)
	}
}

func TestTelephoneIsAlwaysThere(t *testing.T) {
	h := busyHouse(t)
	now := opening.Add(time.Minute)
	for id, want := range map[appliance.VisitID]string{"clara": "03433 1100", "bert": "03433 1000"} {
		if v, _ := h.VisitView(now, id); v.Telephone != want {
			t.Errorf("%s sees %q, want %q", id, v.Telephone, want)
		}
	}
	offices := h.TownView(now).Offices
	if offices[0].Telephone != "03433 1100" || offices[1].Telephone != "03433 1000" {
		t.Errorf("%q, %q", offices[0].Telephone, offices[1].Telephone)
	}
	if s := offices[0].Services; len(s) != 1 || s[0] != "Umzug melden" {
		t.Errorf("services %v", s)
	}
}

// Whatever is handed out or in may be changed by whoever has it: the house does not notice.
func TestNothingIsShared(t *testing.T) {
	s := small()
	h := appliance.NewHouse(s, appliance.DefaultTerms(), opening)
	s.Clerks[0].Offices[0], s.Offices[0].Bring[0], s.Offices[0].Services[0].Name = "x", "x", "x"
	e := arrival(func(e *appliance.Arrive) { e.Needs = []appliance.Need{"text_only"} })
	c := do(t, h, opening, anyone, e)
	c.Visits[0].After.Legs[0].Office, c.Visits[0].After.Needs[0] = "x", "x"
	c = do(t, h, opening, weber, appliance.Next{})
	c.Visits[0].After.Clerk, c.Visits[0].Before.Legs[0].Office = "x", "x"
	do(t, h, opening, weber, appliance.AddNote{Visit: "anna", Text: "eins"})

	all := func() (out []any) {
		desk, _ := h.DeskView(opening, "weber")
		own, _ := h.VisitView(opening, "anna")
		row, _ := h.Visit("anna")
		clerk, _ := h.Clerk("weber")
		return append(out, desk, own, row, clerk, h.TownView(opening))
	}
	before := asJSON(t, all())
	if strings.Contains(before, `"x"`) {
		t.Errorf("the house took part in a change: %s", before)
	}
	for _, v := range all() {
		spoil(reflect.ValueOf(&v).Elem().Elem())
	}
	if after := asJSON(t, all()); after != before {
		t.Errorf("before %s\nafter  %s", before, after)
	}
}

// spoil overwrites every text within every slice.
func spoil(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			spoil(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				spoil(v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			spoil(v.Index(i))
		}
	case reflect.String:
		if v.CanSet() {
			v.SetString("x")
		}
	}
}

// What is over is there for the farewell page, and gone after a day.
func TestOverIsForgottenAfterADay(t *testing.T) {
	h := appliance.NewHouse(small(), appliance.DefaultTerms(), opening)
	do(t, h, opening, anyone, arrival(nil))
	do(t, h, opening, anna, appliance.Leave{})
	later := func(hours int, id appliance.VisitID) {
		do(t, h, opening.Add(time.Duration(hours)*time.Hour), anyone, arrival(func(e *appliance.Arrive) { e.ID = id }))
	}
	later(23, "bert")
	if v, ok := h.VisitView(opening.Add(23*time.Hour), "anna"); !ok || v.State != appliance.Left || v.EndedAt == nil {
		t.Errorf("after 23 hours: %v, %+v", ok, v)
	}
	later(25, "clara")
	if _, ok := h.Visit("anna"); ok {
		t.Error("after 25 hours it is still there")
	}
	if _, ok := h.Visit("bert"); !ok {
		t.Error("somebody who still waits was forgotten")
	}
}

func TestErrorTexts(t *testing.T) {
	e := &appliance.Error{Kind: appliance.Conflict, Code: "already-called", Holder: "Sabine Weber"}
	if got := e.Error(); got != "conflict: already-called" {
		t.Errorf("got %q: an error text is logged and must not name people", got)
	}
}
