package store

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"schalter/appliance"
)

func kindOf(err error) appliance.Kind {
	if e := (*appliance.Error)(nil); errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

func codeOf(err error) string {
	if e := (*appliance.Error)(nil); errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// The way of a visit, step by step, each loaded as it was written and again after a restart.
func TestTheWayOfAVisit(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "schalter.db")
	s := openAt(t, path)
	if err := s.Fill(t.Context(), sample(), secrets()); err != nil {
		t.Fatal(err)
	}
	first := arrival(1, noon)
	write(t, s, first)
	now := *first.Change.Visits[0].After
	steps := []struct {
		action string
		change func(*appliance.Visit)
	}{
		{"call", func(v *appliance.Visit) {
			v.State, v.Clerk, v.CalledAt, v.CallEnds = appliance.Called, "oezdemir", noon.Add(time.Second), noon.Add(46*time.Second)
		}},
		{"more_time", func(v *appliance.Visit) { v.More, v.CallEnds = true, v.CallEnds.Add(time.Minute) }},
		{"accept", func(v *appliance.Visit) { v.State, v.TalksAt = appliance.Talking, noon.Add(time.Minute) }},
		{"note", func(v *appliance.Visit) {
			v.Notes = append(v.Notes, appliance.Note{At: noon, Clerk: "oezdemir", Office: "standesamt", Text: "Notiz"})
		}},
		{"transfer", func(v *appliance.Visit) {
			v.State, v.Clerk, v.CalledAt, v.CallEnds, v.TalksAt, v.More = appliance.Waiting, "", time.Time{}, time.Time{}, time.Time{}, false
			v.Legs[0].Until, v.Legs[0].Clerk, v.Legs[0].Reason = noon.Add(2*time.Minute), "oezdemir", "Meldewesen"
			v.Legs = append(v.Legs, appliance.Leg{Office: "buergerbuero", From: noon.Add(2 * time.Minute)})
			v.Office, v.Transfers, v.WaitsFrom = "buergerbuero", 1, noon.Add(2*time.Minute)
		}},
		{"pull_back", func(v *appliance.Visit) { // the leg that never began is gone
			v.Legs = v.Legs[:1]
			v.Legs[0].Until, v.Office, v.State, v.Clerk = time.Time{}, "standesamt", appliance.Parked, "oezdemir"
			v.Notes = nil
			v.ParkedAt = noon.Add(3 * time.Minute)
		}},
		{"finish", func(v *appliance.Visit) {
			v.State, v.Outcome, v.EndedAt = appliance.Done, appliance.OutcomeSentAway, noon.Add(4*time.Minute)
		}},
	}
	for _, step := range steps {
		var e Entry
		e, now = then(now, noon, step.action, step.change)
		write(t, s, e)
		if got := loaded(t, s, now.ID); !reflect.DeepEqual(got, now) {
			t.Fatalf("after %s\n%+v, want\n%+v", step.action, got, now)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := openAt(t, path)
	if got := loaded(t, again, now.ID); !reflect.DeepEqual(got, now) {
		t.Errorf("after a restart\n%+v, want\n%+v", got, now)
	}
	if id, err := again.VisitOf(t.Context(), token(1)); err != nil || id != now.ID {
		t.Errorf("visit of the token: %q, %v", id, err)
	}
	if _, err := again.VisitOf(t.Context(), token(2)); kindOf(err) != appliance.NotFound {
		t.Errorf("visit of a strange token: %v", err)
	}
}

func TestHouseRows(t *testing.T) {
	t.Parallel()
	s := filled(t)
	snap := load(t, s)
	office, clerk := snap.Offices[0], snap.Clerks[1]
	changedOffice, changedClerk := office, clerk
	changedOffice.Closed, changedOffice.OpensAt, changedOffice.Services = true, noon.Add(time.Hour), []appliance.Service{{ID: "x", Name: "X"}}
	changedOffice.Hours = appliance.Hours{Week: [7][]appliance.Span{5: {{From: 60, Until: 120}}}}
	changedClerk.Title, changedClerk.Roles, changedClerk.Offices = "Frau Dr. Weber", []appliance.Role{appliance.Administrator}, nil
	fresh := appliance.Clerk{ID: "neu", Name: "N", Title: "Frau N", Roles: []appliance.Role{appliance.ClerkRole}, Offices: []appliance.OfficeID{"standesamt"}}
	desk := appliance.Desk{Clerk: "neu", State: appliance.Pause}
	write(t, s, Entry{Change: appliance.Change{
		At: noon, Actor: appliance.Actor{Role: appliance.TheHouse}, Action: "put",
		Offices: []appliance.Step[appliance.Office]{{Before: &office, After: &changedOffice}},
		Clerks:  []appliance.Step[appliance.Clerk]{{Before: &clerk, After: &changedClerk}, {After: &fresh}},
		Desks:   []appliance.Step[appliance.Desk]{{After: &desk}},
		Talk:    3 * time.Minute, TalkAt: "standesamt",
	}})
	desk.State = appliance.Available
	write(t, s, Entry{Change: appliance.Change{At: noon, Action: "set_desk", Desks: []appliance.Step[appliance.Desk]{{After: &desk}}}})
	want := snap
	want.Offices = []appliance.Office{changedOffice, snap.Offices[1]}
	want.Clerks = []appliance.Clerk{fresh, snap.Clerks[0], changedClerk, snap.Clerks[2]}
	want.Desks = []appliance.Desk{desk, snap.Desks[0], snap.Desks[1]}
	want.Talks["standesamt"] = append(want.Talks["standesamt"], 3*time.Minute)
	if got := load(t, s); !reflect.DeepEqual(got, want) {
		t.Errorf("loaded\n%+v, want\n%+v", got, want)
	}
}

// A write is all or nothing, whatever entry of it is refused, and the store goes on.
func TestRefusedWriteChangesNothing(t *testing.T) {
	t.Parallel()
	s := filled(t)
	first := arrival(1, noon)
	write(t, s, first)
	v := *first.Change.Visits[0].After
	before, head := load(t, s), s.head
	good, _ := then(v, noon, "call", func(v *appliance.Visit) { v.State = appliance.Called })
	stale := v
	stale.Version = 5
	old, _ := then(stale, noon, "call", func(*appliance.Visit) {})
	unknown := v
	unknown.ID = visitID(77)
	gone, _ := then(unknown, noon, "call", func(*appliance.Visit) {})
	nowhere := arrival(2, noon)
	nowhere.Change.Visits[0].After.Office = "nirgends"
	sameToken := arrival(2, noon)
	sameToken.Token = first.Token
	badToken := arrival(2, noon)
	badToken.Token = []byte("too short")
	ghost := appliance.Office{ID: "nirgends"}
	for _, c := range []struct {
		name string
		bad  Entry
		kind appliance.Kind
	}{
		{"version that is not the stored one", old, appliance.Conflict},
		{"visit that is not there", gone, appliance.Conflict},
		{"same step twice", good, appliance.Conflict},
		{"office that is not there", nowhere, appliance.Unavailable},
		{"token of another visit", sameToken, appliance.Unavailable},
		{"token that is no hash", badToken, appliance.Unavailable},
		{"visit that is there already", arrival(1, noon), appliance.Unavailable},
		{"change of an office that is not there", Entry{Change: appliance.Change{
			At: noon, Offices: []appliance.Step[appliance.Office]{{Before: &ghost, After: &ghost}},
		}}, appliance.Conflict},
	} {
		t.Run(c.name, func(t *testing.T) {
			key := &Key{Caller: "x", Route: "y", Value: "z"}
			err := s.Write(t.Context(), []Entry{arrival(9, noon), {Change: good.Change, Key: key}, c.bad})
			if kindOf(err) != c.kind {
				t.Fatalf("write: %v", err)
			}
			if got := load(t, s); !reflect.DeepEqual(got, before) {
				t.Errorf("the house changed:\n%+v, want\n%+v", got, before)
			}
			if a, err := s.Answered(t.Context(), *key); a != nil || err != nil {
				t.Errorf("an answer was kept: %v, %v", a, err)
			}
			if got, err := s.VerifyAudit(t.Context()); err != nil || got != head {
				t.Errorf("audit log: %v, %v", got, err)
			}
		})
	}
	write(t, s, arrival(9, noon), good)
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	s := filled(t)
	key := Key{Caller: "clerk:weber", Route: "POST /api/v1/desk/next", Value: "abc", Body: [32]byte{1, 2}}
	if a, err := s.Answered(t.Context(), key); a != nil || err != nil {
		t.Fatalf("before: %v, %v", a, err)
	}
	write(t, s, Entry{Change: appliance.Change{At: noon}, Key: &key, Answer: []byte(`{"none":true}`)})
	want := &Answer{Body: [32]byte{1, 2}, JSON: []byte(`{"none":true}`), At: noon}
	if a, err := s.Answered(t.Context(), key); err != nil || !reflect.DeepEqual(a, want) {
		t.Errorf("answer %+v, %v", a, err)
	}
	for name, other := range map[string]Key{
		"caller": {Caller: "clerk:haas", Route: key.Route, Value: key.Value},
		"route":  {Caller: key.Caller, Route: "POST", Value: key.Value},
		"value":  {Caller: key.Caller, Route: key.Route, Value: "ABC"},
	} {
		if a, err := s.Answered(t.Context(), other); a != nil || err != nil {
			t.Errorf("another %s: %v, %v", name, a, err)
		}
	}
	again := Entry{Change: appliance.Change{At: noon.Add(keptAnswers - time.Microsecond)}, Key: &key, Answer: []byte(`{}`)}
	if err := s.Write(t.Context(), []Entry{again}); codeOf(err) != "key-used" {
		t.Errorf("the key again within its term: %v", err)
	}
	again.Change.At = noon.Add(keptAnswers)
	write(t, s, again)
	if a, err := s.Answered(t.Context(), key); err != nil || string(a.JSON) != `{}` {
		t.Errorf("the key again after its term: %+v, %v", a, err)
	}
	// A refusal changes nothing and carries no time; it is kept from now on.
	refusal := Key{Caller: "a", Route: "b", Value: "c"}
	write(t, s, Entry{Key: &refusal})
	if a, err := s.Answered(t.Context(), refusal); err != nil || a == nil || !a.At.Equal(noon) || len(a.JSON) != 0 {
		t.Errorf("a refusal's answer: %+v, %v", a, err)
	}
	if got, err := s.VerifyAudit(t.Context()); err != nil || got.Seq != 1 {
		t.Errorf("answers alone are audited: %v, %v", got, err)
	}
}

func TestTalksKeepTheLastTwenty(t *testing.T) {
	t.Parallel()
	s := filled(t)
	var want []time.Duration
	for i := range 30 {
		d := time.Duration(i+1) * time.Minute
		write(t, s, Entry{Change: appliance.Change{At: noon, Talk: d, TalkAt: "standesamt"}})
		want = append(want, d)
	}
	want = want[len(want)-keptTalks:]
	if got := load(t, s).Talks["standesamt"]; !slices.Equal(got, want) {
		t.Errorf("talks %v, want %v", got, want)
	}
}

// Readers see whole changes only, while a writer writes, and never one that was acknowledged and is gone again.
func TestReadersBesideAWriter(t *testing.T) {
	t.Parallel()
	s := filled(t)
	const n = 60
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var mu sync.Mutex
	acknowledged := 0
	for range 2 * readers {
		wg.Go(func() {
			seen := 0
			for ctx.Err() == nil {
				mu.Lock()
				least := acknowledged
				mu.Unlock()
				snap, err := s.Load(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				waiting := 0
				for _, v := range snap.Visits {
					if v.State.Over() {
						continue
					}
					waiting++
					if len(v.Legs) != 1 {
						t.Errorf("visit %s has %d legs", v.ID, len(v.Legs))
					}
				}
				if waiting%3 != 0 || waiting < least || waiting < seen {
					t.Errorf("%d visits; %d were acknowledged, %d seen before; three come at a time", waiting, least, seen)
					return
				}
				seen = waiting
			}
		})
	}
	for i := range n {
		write(t, s, arrival(3*i+1, noon), arrival(3*i+2, noon), arrival(3*i+3, noon))
		mu.Lock()
		acknowledged += 3
		mu.Unlock()
	}
	stop()
	wg.Wait()
}

// Several writers at once: each gets its turn, and of those who change the same visit one does.
func TestWritersTakeTurns(t *testing.T) {
	t.Parallel()
	s := filled(t)
	first := arrival(1, noon)
	write(t, s, first)
	var wg sync.WaitGroup
	results := make(chan error, 20)
	for range cap(results) {
		wg.Go(func() {
			e, _ := then(*first.Change.Visits[0].After, noon, "call", func(v *appliance.Visit) { v.State = appliance.Called })
			results <- s.Write(t.Context(), []Entry{e})
		})
	}
	wg.Wait()
	close(results)
	won := 0
	for err := range results {
		if err == nil {
			won++
		} else if kindOf(err) != appliance.Conflict {
			t.Error(err)
		}
	}
	if v := loaded(t, s, visitID(1)); won != 1 || v.Version != 2 {
		t.Errorf("%d of 20 changed the visit; it has version %d", won, v.Version)
	}
}

// A write waits for its turn no longer than its context lasts, and is not cut off once it has begun.
func TestWriteAndItsContext(t *testing.T) {
	t.Parallel()
	s := filled(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.turn <- struct{}{} // somebody writes
	if err := s.Write(ctx, []Entry{arrival(1, noon)}); !errors.Is(err, context.Canceled) {
		t.Errorf("write: %v", err)
	}
	<-s.turn
	err := s.change(t.Context(), "test", func(inner context.Context, tx *transaction) error {
		e := arrival(1, noon)
		return tx.entry(inner, &e, noon)
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	err = s.change(ctx, "test", func(inner context.Context, tx *transaction) error {
		cancel()
		e := arrival(2, noon)
		return tx.entry(inner, &e, noon)
	})
	if err != nil {
		t.Errorf("a write whose asker went away: %v", err)
	}
	loaded(t, s, visitID(2))
}

func TestChangedFromOutside(t *testing.T) {
	t.Parallel()
	s := filled(t)
	raw(t, s.path, `DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit)`)
	err := s.Write(t.Context(), []Entry{arrival(1, noon)})
	if !errors.Is(err, errChangedOutside) || kindOf(err) != appliance.Unavailable {
		t.Errorf("write: %v", err)
	}
}

func TestErrorsTellNoTexts(t *testing.T) {
	t.Parallel()
	s := filled(t)
	e := arrival(1, noon)
	e.Change.Visits[0].After.Name, e.Change.Visits[0].After.Matter = "Geheimname", "Geheimsache"
	e.Change.Visits[0].After.Office = "nirgends"
	err := s.Write(t.Context(), []Entry{e})
	if err == nil || strings.Contains(err.Error(), "Geheim") {
		t.Errorf("write: %v", err)
	}
}
