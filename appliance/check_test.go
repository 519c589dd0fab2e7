package appliance_test

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"schalter/appliance"
)

var opening = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// small is a house with one office of two rooms and one clerk, Sabine Weber.
func small() appliance.Snapshot {
	return appliance.Snapshot{
		Town: town,
		Offices: []appliance.Office{
			{ID: "buergerbuero", Name: "Bürgerbüro", Telephone: "03433 1100", Duration: 10 * time.Minute, Order: 1,
				Bring: []string{"Ausweis"}, Services: []appliance.Service{{ID: "umzug", Name: "Umzug melden"}}},
			{ID: "bauamt", Name: "Bauamt", Duration: 10 * time.Minute, Order: 2},
		},
		Clerks: []appliance.Clerk{
			{ID: "weber", Name: "Sabine Weber", Title: "Frau Weber", Roles: []appliance.Role{appliance.ClerkRole},
				Offices: []appliance.OfficeID{"buergerbuero"}},
			{ID: "petersen", Name: "Jens Petersen", Title: "Herr Petersen", Roles: []appliance.Role{appliance.ClerkRole},
				Offices: []appliance.OfficeID{"bauamt"}},
		},
	}
}

var (
	anyone = appliance.Actor{Role: appliance.Anonymous}
	anna   = appliance.Actor{Role: appliance.Citizen, Visit: "anna"}
	weber  = appliance.Actor{Role: appliance.ClerkRole, Clerk: "weber"}
)

func arrival(edit func(*appliance.Arrive)) appliance.Arrive {
	e := appliance.Arrive{ID: "anna", Office: "buergerbuero", Name: "Anna Müller", Matter: "Umzug", Notice: 1}
	if edit != nil {
		edit(&e)
	}
	return e
}

// do applies an event that must not be refused.
func do(t testing.TB, h *appliance.House, now time.Time, by appliance.Actor, e appliance.Event) appliance.Change {
	t.Helper()
	c, err := h.Decide(now, by, e)
	if err != nil {
		t.Fatalf("%T by %+v: %v", e, by, err)
	}
	h.Apply(c)
	return c
}

// refused tells how an event is refused, as "kind: code (field)"; empty when it is not.
func refused(t *testing.T, h *appliance.House, by appliance.Actor, e appliance.Event) string {
	t.Helper()
	_, err := h.Decide(opening, by, e)
	if err == nil {
		return ""
	}
	var refusal *appliance.Error
	if !errors.As(err, &refusal) {
		t.Fatalf("%T: an error of type %T", e, err)
	}
	return refusal.Error()
}

func TestArrivalTexts(t *testing.T) {
	long := func(n int) string { return strings.Repeat("ü", n) }
	tests := []struct {
		what string
		edit func(*appliance.Arrive)
		want string
	}{
		{"as it should be", nil, ""},
		{"no id", func(e *appliance.Arrive) { e.ID = "" }, "invalid: id-missing (id)"},
		{"name of blanks", func(e *appliance.Arrive) { e.Name = " \t " }, "invalid: name-missing (name)"},
		{"name of nothing visible", func(e *appliance.Arrive) { e.Name = "\u200b\u2060" }, "invalid: name-missing (name)"},
		{"name of 100 letters of two bytes", func(e *appliance.Arrive) { e.Name = long(100) }, ""},
		{"name of 101", func(e *appliance.Arrive) { e.Name = long(101) }, "invalid: name-too-long (name)"},
		{"name of 100 and blanks around", func(e *appliance.Arrive) { e.Name = "  " + long(100) + "\n" }, ""},
		{"name of two lines", func(e *appliance.Arrive) { e.Name = "Anna\nMüller" }, "invalid: name-invalid (name)"},
		{"name with carriage return", func(e *appliance.Arrive) { e.Name = "Anna\rMüller" }, "invalid: name-invalid (name)"},
		{"name with a zero byte", func(e *appliance.Arrive) { e.Name = "Anna\x00" }, "invalid: name-invalid (name)"},
		{"name with an escape", func(e *appliance.Arrive) { e.Name = "\x1b[31mAnna" }, "invalid: name-invalid (name)"},
		{"name with C1 control", func(e *appliance.Arrive) { e.Name = "Anna\u0085Müller" }, "invalid: name-invalid (name)"},
		{"name not UTF-8", func(e *appliance.Arrive) { e.Name = "Anna\xff" }, "invalid: name-invalid (name)"},
		{"name turning the line", func(e *appliance.Arrive) { e.Name = "Anna\u202eM" }, "invalid: name-invalid (name)"},
		{"name isolating", func(e *appliance.Arrive) { e.Name = "Anna\u2066M" }, "invalid: name-invalid (name)"},
		{"name embedding", func(e *appliance.Arrive) { e.Name = "Anna\u202aM" }, "invalid: name-invalid (name)"},
		{"name ending an isolate", func(e *appliance.Arrive) { e.Name = "Anna\u2069M" }, "invalid: name-invalid (name)"},
		{"name in Arabic", func(e *appliance.Arrive) { e.Name = "آنا" }, ""},
		{"name with joined picture", func(e *appliance.Arrive) { e.Name = "👩\u200d🦽" }, ""},
		{"no matter", func(e *appliance.Arrive) { e.Matter = "" }, "invalid: matter-missing (matter)"},
		{"matter of lines", func(e *appliance.Arrive) { e.Matter = "Umzug\nzum 1. April" }, ""},
		{"matter of 500", func(e *appliance.Arrive) { e.Matter = long(500) }, ""},
		{"matter of 501", func(e *appliance.Arrive) { e.Matter = long(501) }, "invalid: matter-too-long (matter)"},
		{"matter with a tabulator", func(e *appliance.Arrive) { e.Matter = "a\tb" }, ""},
		{"matter with a line separator", func(e *appliance.Arrive) { e.Matter = "a\u2028b" }, "invalid: matter-invalid (matter)"},
		{"matter not UTF-8", func(e *appliance.Arrive) { e.Matter = "\xc3" }, "invalid: matter-invalid (matter)"},
		{"all needs", func(e *appliance.Arrive) {
			e.Needs = []appliance.Need{"interpreter", "sign_language", "text_only", "no_picture", "companion"}
		}, ""},
		{"unknown need", func(e *appliance.Arrive) { e.Needs = []appliance.Need{"text_only", ""} }, "invalid: need-unknown (needs)"},
		{"no notice", func(e *appliance.Arrive) { e.Notice = 0 }, "invalid: notice-outdated (notice_version)"},
		{"unknown office", func(e *appliance.Arrive) { e.Office = "rathaus" }, "not_found: office-unknown"},
		{"no office", func(e *appliance.Arrive) { e.Office = "" }, "not_found: office-unknown"},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			h := appliance.NewHouse(small(), appliance.DefaultTerms(), opening)
			if got := refused(t, h, anyone, arrival(tt.edit)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestArrivalIsKeptTidy(t *testing.T) {
	h := appliance.NewHouse(small(), appliance.DefaultTerms(), opening)
	do(t, h, opening.Add(1234567*time.Nanosecond), anyone, arrival(func(e *appliance.Arrive) {
		e.Name, e.Matter = "  Anna Müller\n", "\r\nUmzug\r\nzum\t1. April "
		e.Needs = []appliance.Need{"companion", "text_only", "companion"}
	}))
	v, ok := h.Visit("anna")
	if !ok {
		t.Fatal("no visit")
	}
	if v.Name != "Anna Müller" || v.Matter != "Umzug\nzum 1. April" {
		t.Errorf("name %q, matter %q", v.Name, v.Matter)
	}
	if len(v.Needs) != 2 || v.Needs[0] != "companion" || v.Needs[1] != "text_only" {
		t.Errorf("needs %v", v.Needs)
	}
	if v.Version != 1 || v.State != appliance.Waiting || len(v.Legs) != 1 || v.Legs[0].Office != "buergerbuero" {
		t.Errorf("%+v", v)
	}
	// What is stored has microseconds: the order by arrival must survive it.
	if want := opening.Add(1234 * time.Microsecond); !v.ArrivedAt.Equal(want) || v.ArrivedAt.Location() != time.UTC {
		t.Errorf("arrived at %v, want %v", v.ArrivedAt, want)
	}
}

func TestClerksTexts(t *testing.T) {
	long := strings.Repeat("ß", 501)
	tests := []struct {
		what string
		e    appliance.Event
		want string
	}{
		{"note", appliance.AddNote{Visit: "anna", Text: "zwei\nZeilen"}, ""},
		{"note of 500", appliance.AddNote{Visit: "anna", Text: long[2:]}, ""},
		{"note of 501", appliance.AddNote{Visit: "anna", Text: long}, "invalid: note-too-long (text)"},
		{"no note", appliance.AddNote{Visit: "anna"}, "invalid: note-missing (text)"},
		{"note with control", appliance.AddNote{Visit: "anna", Text: "\a"}, "invalid: note-invalid (text)"},
		{"transfer", appliance.Transfer{Visit: "anna", Office: "bauamt"}, ""},
		{"transfer, note of 501", appliance.Transfer{Visit: "anna", Office: "bauamt", Note: long}, "invalid: note-too-long (note)"},
		{"transfer, note with control", appliance.Transfer{Visit: "anna", Office: "bauamt", Note: "\x7f"}, "invalid: note-invalid (note)"},
		{"transfer, reason of 501", appliance.Transfer{Visit: "anna", Office: "bauamt", Reason: long}, "invalid: reason-too-long (reason)"},
		{"transfer, reason of two lines", appliance.Transfer{Visit: "anna", Office: "bauamt", Reason: "a\nb"}, "invalid: reason-invalid (reason)"},
		{"call, reason of 501", appliance.Call{Visit: "anna", Reason: long}, "invalid: reason-too-long (reason)"},
		{"nil", nil, "malformed: event-unknown"},
		{"pointer to an event", &appliance.Next{}, "malformed: event-unknown"},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			h := appliance.NewHouse(small(), appliance.DefaultTerms(), opening)
			do(t, h, opening, anyone, arrival(nil))
			do(t, h, opening, weber, appliance.Next{})
			if got := refused(t, h, weber, tt.e); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestOrganisation(t *testing.T) {
	clerk := func(edit func(*appliance.Clerk)) appliance.PutClerk {
		c := small().Clerks[0]
		edit(&c)
		return appliance.PutClerk{Clerk: c}
	}
	office := func(edit func(*appliance.Office)) appliance.PutOffice {
		o := small().Offices[0]
		edit(&o)
		return appliance.PutOffice{Office: o}
	}
	tests := []struct {
		what string
		e    appliance.Event
		want string
	}{
		{"clerk", clerk(func(c *appliance.Clerk) { c.ID = "haas" }), ""},
		{"clerk's id empty", clerk(func(c *appliance.Clerk) { c.ID = "" }), "invalid: id-invalid (id)"},
		{"clerk's id with blank", clerk(func(c *appliance.Clerk) { c.ID = "frau haas" }), "invalid: id-invalid (id)"},
		{"clerk's id a path", clerk(func(c *appliance.Clerk) { c.ID = "../haas" }), "invalid: id-invalid (id)"},
		{"clerk's id too long", clerk(func(c *appliance.Clerk) { c.ID = appliance.ClerkID(strings.Repeat("a", 65)) }), "invalid: id-invalid (id)"},
		{"clerk's id of 64", clerk(func(c *appliance.Clerk) { c.ID = appliance.ClerkID(strings.Repeat("a", 64)) }), ""},
		{"clerk without name", clerk(func(c *appliance.Clerk) { c.Name = "" }), "invalid: name-missing (name)"},
		{"clerk without title", clerk(func(c *appliance.Clerk) { c.Title = " " }), "invalid: title-missing (title)"},
		{"clerk with a citizen's role", clerk(func(c *appliance.Clerk) { c.Roles = []appliance.Role{"visit"} }), "invalid: role-unknown (roles)"},
		{"clerk with the house's role", clerk(func(c *appliance.Clerk) { c.Roles = []appliance.Role{"house"} }), "invalid: role-unknown (roles)"},
		{"clerk of an unknown office", clerk(func(c *appliance.Clerk) { c.Offices = []appliance.OfficeID{"rathaus"} }), "invalid: office-unknown (offices)"},
		{"office", office(func(o *appliance.Office) { o.ID, o.Parent = "fundbuero", "buergerbuero" }), ""},
		{"office's id in capitals", office(func(o *appliance.Office) { o.ID = "Bauamt" }), "invalid: id-invalid (id)"},
		{"office's id empty", office(func(o *appliance.Office) { o.ID = "" }), "invalid: id-invalid (id)"},
		{"office without name", office(func(o *appliance.Office) { o.Name = "" }), "invalid: name-missing (name)"},
		{"office, limit below zero", office(func(o *appliance.Office) { o.Limit = -1 }), "invalid: limit-invalid (limit)"},
		{"office, time below zero", office(func(o *appliance.Office) { o.Duration = -1 }), "invalid: duration-invalid (duration)"},
		{"office below an unknown one", office(func(o *appliance.Office) { o.Parent = "rathaus" }), "invalid: parent-invalid (parent)"},
		{"office below itself", office(func(o *appliance.Office) { o.Parent = "buergerbuero" }), "invalid: parent-invalid (parent)"},
		{"office below one below it", office(func(o *appliance.Office) { o.Parent = "unten" }), "invalid: parent-invalid (parent)"},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			h := appliance.NewHouse(small(), appliance.DefaultTerms(), opening)
			do(t, h, opening, theHouse, appliance.PutOffice{
				Office: appliance.Office{ID: "unten", Name: "Unten", Parent: "buergerbuero"},
			})
			if got := refused(t, h, theHouse, tt.e); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			for _, by := range []appliance.Actor{weber, anna, anyone, {Role: appliance.Administrator, Clerk: "nobody"}, {}} {
				if got := refused(t, h, by, tt.e); got != "forbidden: role" {
					t.Errorf("by %+v: got %q", by, got)
				}
			}
		})
	}
}

func TestSameRowIsNoChange(t *testing.T) {
	h := appliance.NewHouse(small(), appliance.DefaultTerms(), opening)
	for _, e := range []appliance.Event{
		appliance.PutClerk{Clerk: small().Clerks[0]}, appliance.PutOffice{Office: small().Offices[0]}, appliance.Tick{},
	} {
		if c, err := h.Decide(opening, theHouse, e); err != nil || !c.Empty() {
			t.Errorf("%T: %+v, %v", e, c, err)
		}
	}
}

func FuzzTexts(f *testing.F) {
	f.Add("Anna Müller", "Umzug\r\nnach Lindenau")
	f.Add("\u202e", "\xff\xfe")
	f.Add(" \t", strings.Repeat("\U0001F469\u200d", 600))
	f.Add("\r\n\n", "\x00")
	f.Fuzz(func(t *testing.T, name, matter string) {
		h := appliance.NewHouse(small(), appliance.DefaultTerms(), opening)
		c, err := h.Decide(opening, anyone, arrival(func(e *appliance.Arrive) { e.Name, e.Matter = name, matter }))
		if err != nil {
			return
		}
		v := c.Visits[0].After
		for _, s := range []string{v.Name, v.Matter} {
			if s == "" || !utf8.ValidString(s) || strings.TrimSpace(s) != s || strings.ContainsAny(s, "\r\x00\u202e") {
				t.Errorf("kept %q", s)
			}
		}
		if utf8.RuneCountInString(v.Name) > appliance.MaxName || utf8.RuneCountInString(v.Matter) > appliance.MaxMatter ||
			strings.Contains(v.Name, "\n") {
			t.Errorf("kept %q, %q", v.Name, v.Matter)
		}
		// What was kept once is kept as it is.
		again, err := h.Decide(opening, anyone, arrival(func(e *appliance.Arrive) { e.Name, e.Matter = v.Name, v.Matter }))
		if err != nil || again.Visits[0].After.Name != v.Name || again.Visits[0].After.Matter != v.Matter {
			t.Errorf("%q, %q are not kept again: %v", v.Name, v.Matter, err)
		}
	})
}
