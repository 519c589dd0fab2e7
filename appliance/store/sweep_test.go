package store

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"schalter/appliance"
)

// ended brings a visit with telling texts to its end.
func ended(t testing.TB, s *Store, n int, at time.Time) appliance.VisitID {
	t.Helper()
	e := arrival(n, at)
	first := e.Change.Visits[0].After
	first.Name, first.Matter = "GEHEIMNAME", "GEHEIMSACHE "+strings.Repeat("lang ", 80)
	e.Key, e.Answer = &Key{Caller: "anonymous", Route: "POST /api/v1/visits", Value: string(first.ID)}, []byte(`{"name":"GEHEIMNAME"}`)
	write(t, s, e)
	e, v := then(*first, at, "call", func(v *appliance.Visit) {
		v.State, v.Clerk = appliance.Called, "oezdemir"
		v.Notes = append(v.Notes, appliance.Note{At: at, Clerk: "oezdemir", Office: "standesamt", Text: "GEHEIMNOTIZ " + strings.Repeat("lang ", 99)})
	})
	e.Change.Reason = "GEHEIMGRUND"
	write(t, s, e)
	e, v = then(v, at, "finish", func(v *appliance.Visit) {
		v.State, v.EndedAt, v.Outcome = appliance.Done, at, appliance.OutcomeDone
		v.Legs[0].Until, v.Legs[0].Reason = at, "GEHEIMWEG"
	})
	write(t, s, e)
	return v.ID
}

func TestSweepLeavesNoTrace(t *testing.T) {
	t.Parallel()
	s := filled(t)
	for i := range 40 {
		ended(t, s, i+1, noon)
	}
	remains := func() (found []string) {
		for _, name := range []string{s.path, s.path + "-wal", s.path + "-shm"} {
			text := read(t, name)
			for _, word := range []string{"GEHEIMNAME", "GEHEIMSACHE", "GEHEIMNOTIZ", "GEHEIMGRUND", "GEHEIMWEG"} {
				if strings.Contains(text, word) {
					found = append(found, filepath.Base(name)+": "+word)
				}
			}
		}
		return found
	}
	if len(remains()) < 5 {
		t.Fatalf("before the sweep only %v is to be found: the test looks in the wrong place", remains())
	}
	swept, err := s.Sweep(t.Context(), noon.Add(keptVisits))
	if err != nil {
		t.Fatal(err)
	}
	want := Swept{Visits: 41, Notes: 42, Answers: 40, Reasons: 40} // with the visit of the sample
	if swept != want {
		t.Errorf("swept %+v, want %+v", swept, want)
	}
	if found := remains(); len(found) > 0 {
		t.Errorf("after the sweep: %v", found)
	}
	if st, err := os.Stat(s.path + "-wal"); err != nil || st.Size() != 0 {
		t.Errorf("write-ahead log: %v, %v", st, err)
	}
	if _, err := s.VerifyAudit(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestTermsOfKeeping(t *testing.T) {
	t.Parallel()
	s := filled(t)
	id := ended(t, s, 1, noon)
	write(t, s, arrival(2, noon)) // waits on, however long
	hash := [32]byte{7}
	if err := s.AddSignIn(t.Context(), appliance.SignIn{Hash: hash, Clerk: "weber", BeganAt: noon, SeenAt: noon.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	sweep := func(after time.Duration) Swept {
		t.Helper()
		swept, err := s.Sweep(t.Context(), noon.Add(after))
		if err != nil {
			t.Fatal(err)
		}
		return swept
	}
	if got := sweep(12*time.Hour - time.Microsecond); got != (Swept{}) {
		t.Errorf("a moment too early for anything: %+v", got)
	}
	if got := sweep(12 * time.Hour); got != (Swept{SignIns: 1}) {
		t.Errorf("after twelve hours: %+v", got)
	}
	if _, _, err := s.SignIn(t.Context(), hash); kindOf(err) != appliance.NotFound {
		t.Errorf("swept sign-in session: %v", err)
	}
	if got := sweep(24*time.Hour - time.Minute - time.Microsecond); got != (Swept{}) { // the sample's visit ended a minute before noon
		t.Errorf("a moment too early: %+v", got)
	}
	if v := loaded(t, s, id); v.Name != "GEHEIMNAME" {
		t.Error("the farewell page has lost its visit")
	}
	if got := sweep(24 * time.Hour); got != (Swept{Visits: 2, Notes: 3, Answers: 1, Reasons: 1}) {
		t.Errorf("after a day: %+v", got)
	}
	snap := load(t, s)
	if len(snap.Visits) != 1 || snap.Visits[0].ID != visitID(2) {
		t.Errorf("left: %+v", snap.Visits)
	}
	if _, err := s.VisitOf(t.Context(), token(1)); kindOf(err) != appliance.NotFound {
		t.Errorf("token of a swept visit: %v", err)
	}
	var days, visits int
	err := s.readers.QueryRowContext(t.Context(), `SELECT count(DISTINCT at), sum(count) FILTER (WHERE class = 'visits') FROM sweeps`).Scan(&days, &visits)
	if err != nil || days != 4 || visits != 2 {
		t.Errorf("proof: %d sweeps, %d visits, %v", days, visits, err)
	}
}

func TestAuditGoesFromItsOldEnd(t *testing.T) {
	t.Parallel()
	s := filled(t)
	history(t, s) // at noon
	late := noon.Add(200 * 24 * time.Hour)
	write(t, s, arrival(50, late))
	swept, err := s.Sweep(t.Context(), noon.Add(keptAudit))
	if err != nil || swept.Audit != 5 {
		t.Fatalf("swept %+v, %v", swept, err)
	}
	head, err := s.VerifyAudit(t.Context())
	if err != nil || head.Seq != 7 {
		t.Errorf("rest of the log: %v, %v", head, err)
	}
	write(t, s, arrival(51, late))
	if head, err = s.VerifyAudit(t.Context()); err != nil || head.Seq != 8 {
		t.Errorf("log after the next write: %v, %v", head, err)
	}
	path := s.path
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := openAt(t, path)
	write(t, again, arrival(52, late))
	// Everything is old, but the sweep's own row always stays.
	if swept, err = again.Sweep(t.Context(), noon.Add(3*keptAudit)); err != nil || swept.Audit != 4 {
		t.Errorf("swept %+v, %v", swept, err)
	}
	if head, err = again.VerifyAudit(t.Context()); err != nil || head.Seq != 10 {
		t.Errorf("last row: %v, %v", head, err)
	}
	raw(t, path, `UPDATE audit_anchor SET hash = zeroblob(32)`)
	if _, err := again.VerifyAudit(t.Context()); err == nil {
		t.Error("another anchor was not found")
	}
}

func TestSweepTrimsTalks(t *testing.T) {
	t.Parallel()
	s := filled(t)
	for i := range 25 {
		write(t, s, Entry{Change: appliance.Change{At: noon, Talk: time.Duration(i+1) * time.Minute, TalkAt: "standesamt"}})
	}
	before := load(t, s).Talks
	swept, err := s.Sweep(t.Context(), noon)
	if err != nil || swept.Talks != 6 {
		t.Errorf("swept %+v, %v", swept, err)
	}
	if got := load(t, s).Talks; len(got["standesamt"]) != 20 || got["standesamt"][0] != before["standesamt"][0] || len(got["buergerbuero"]) != 2 {
		t.Errorf("talks %v", got)
	}
}

// A reader of another process keeps the log from being emptied: the sweep says so, and the next one does it.
func TestSweepBesideAForeignReader(t *testing.T) {
	t.Parallel()
	s := filled(t)
	ended(t, s, 1, noon)
	tx, err := s.readers.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := look(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
	// The writer gives up at once rather than after its five seconds.
	if _, err := s.writer.ExecContext(t.Context(), `PRAGMA busy_timeout = 1`); err != nil {
		t.Fatal(err)
	}
	swept, err := s.Sweep(t.Context(), noon.Add(keptVisits))
	if err == nil || swept.Visits != 2 {
		t.Errorf("swept %+v, %v", swept, err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sweep(t.Context(), noon.Add(keptVisits)); err != nil {
		t.Error(err)
	}
	if strings.Contains(read(t, s.path)+read(t, s.path+"-wal"), "GEHEIM") {
		t.Error("a trace is left")
	}
}
