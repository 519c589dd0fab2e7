package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"schalter/appliance"
)

// history fills an audit log with rows of several kinds.
func history(t testing.TB, s *Store) {
	t.Helper()
	first := arrival(1, noon)
	write(t, s, first)
	e, v := then(*first.Change.Visits[0].After, noon, "call", func(v *appliance.Visit) {
		v.State, v.Clerk = appliance.Called, "oezdemir"
	})
	e.Change.Reason = "geheimer Grund"
	write(t, s, e)
	e, _ = then(v, noon, "transfer", func(v *appliance.Visit) {
		v.State, v.Clerk, v.Office = appliance.Waiting, "", "buergerbuero"
	})
	write(t, s, e)
	write(t, s, Entry{Change: appliance.Change{
		At: noon, Actor: appliance.Actor{Role: appliance.ClerkRole, Clerk: "weber"}, Action: "set_desk",
		Desks: []appliance.Step[appliance.Desk]{{
			Before: &appliance.Desk{Clerk: "weber", State: appliance.Available}, After: &appliance.Desk{Clerk: "weber", State: appliance.Pause},
		}},
	}})
}

func TestAuditTellsWhatWasDone(t *testing.T) {
	t.Parallel()
	s := filled(t)
	history(t, s)
	if err := s.AddSignIn(t.Context(), appliance.SignIn{Hash: [32]byte{1}, Clerk: "weber", BeganAt: noon, SeenAt: noon}); err != nil {
		t.Fatal(err)
	}
	var got []string
	err := each(t.Context(), s.readers, func(scan func(...any) error) error {
		var r row
		err := scan(&r.seq, &r.role, &r.actor, &r.action, &r.visit, &r.clerk, &r.office, &r.fromOffice, &r.fromState, &r.toState, &r.version)
		got = append(got, fmt.Sprintf("%d %s:%s %s visit=%s clerk=%s office=%s<%s %s>%s v%d", r.seq, r.role, r.actor, r.action,
			strings.TrimLeft(r.visit, "0"), r.clerk, r.office, r.fromOffice, r.fromState, r.toState, r.version))
		return err
	}, `SELECT seq, role, actor, action, visit, clerk, office, from_office, from_state, to_state, version FROM audit ORDER BY seq`)
	want := []string{
		"1 house: fill visit= clerk= office=< > v0",
		"2 anonymous: arrive visit=1 clerk= office=standesamt< >waiting v1",
		"3 clerk:oezdemir call visit=1 clerk=oezdemir office=standesamt< waiting>called v2",
		"4 clerk:oezdemir transfer visit=1 clerk=oezdemir office=buergerbuero<standesamt called>waiting v3",
		"5 clerk:weber set_desk visit= clerk=weber office=< available>pause v0",
		"6 clerk:weber sign_in visit= clerk=weber office=< > v0",
	}
	if err != nil || strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("audit log, %v:\n%s\nwant\n%s", err, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Whatever is changed in the log from outside is found: every column of every row, a row taken out, put in, or two
// exchanged.
func TestTamperingIsFound(t *testing.T) {
	t.Parallel()
	s := filled(t)
	history(t, s)
	head, err := s.VerifyAudit(t.Context())
	if err != nil || head != s.head || head.Seq != 5 {
		t.Fatalf("before: %v, %v", head, err)
	}
	copied := filepath.Join(t.TempDir(), "copy.db")
	if err := s.Backup(t.Context(), copied); err != nil {
		t.Fatal(err)
	}
	spoil := func(name, query string, args ...any) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "schalter.db")
			raw(t, copied, `VACUUM INTO ?`, path)
			raw(t, path, `DROP TRIGGER audit_stays`)
			raw(t, path, query, args...)
			other := openAt(t, path)
			if head, err := other.VerifyAudit(t.Context()); !errors.Is(err, errTampered) {
				t.Errorf("not found: %v, %v", head, err)
			}
		})
	}
	for _, column := range []string{
		"role", "actor", "action", "visit", "clerk", "office", "from_office", "from_state", "to_state",
	} {
		for seq := range int(head.Seq) {
			spoil(fmt.Sprintf("%s of row %d", column, seq+1),
				fmt.Sprintf(`UPDATE audit SET %[1]s = %[1]s || 'x' WHERE seq = ?`, column), seq+1)
		}
	}
	for _, column := range []string{"at", "version"} {
		for seq := range int(head.Seq) {
			spoil(fmt.Sprintf("%s of row %d", column, seq+1),
				fmt.Sprintf(`UPDATE audit SET %[1]s = %[1]s + 1 WHERE seq = ?`, column), seq+1)
		}
	}
	for _, column := range []string{"previous", "hash"} {
		for seq := range int(head.Seq) {
			spoil(fmt.Sprintf("%s of row %d", column, seq+1),
				fmt.Sprintf(`UPDATE audit SET %[1]s = unhex(replace(hex(%[1]s), substr(hex(%[1]s), 1, 2), '5A')) WHERE seq = ?`, column), seq+1)
		}
	}
	spoil("reason's hash", `UPDATE audit SET reason = zeroblob(32) WHERE reason IS NOT NULL`)
	spoil("reason's hash taken away", `UPDATE audit SET reason = NULL`)
	spoil("reason added", `UPDATE audit SET reason = zeroblob(32) WHERE seq = 2`)
	spoil("reason's text", `UPDATE reasons SET text = text || '!'`)
	spoil("reason's salt", `UPDATE reasons SET salt = zeroblob(16)`)
	spoil("number of the last row", `UPDATE audit SET seq = 6 WHERE seq = 5`)
	spoil("first row gone", `DELETE FROM audit WHERE seq = 1`)
	spoil("row gone", `DELETE FROM audit WHERE seq = 3`)
	spoil("row gone and closed up", `DELETE FROM audit WHERE seq = 4; UPDATE audit SET seq = 4 WHERE seq = 5`)
	spoil("rows exchanged", `UPDATE audit SET seq = 99 WHERE seq = 2; UPDATE audit SET seq = 2 WHERE seq = 4; UPDATE audit SET seq = 4 WHERE seq = 99`)
	spoil("row added", `INSERT INTO audit SELECT 6, at, role, actor, action, visit, clerk, office, from_office, from_state,
		to_state, version, reason, hash, hash FROM audit WHERE seq = 5`)
	spoil("anchor put in", `INSERT INTO audit_anchor VALUES (1, 0, randomblob(32))`)
	spoil("anchor ahead", `INSERT INTO audit_anchor SELECT 1, seq, hash FROM audit WHERE seq = 3`)
}

// Who cuts off the end of the log leaves a sound one; the end that was noted elsewhere tells.
func TestCutOffEndShowsInTheHead(t *testing.T) {
	t.Parallel()
	s := filled(t)
	history(t, s)
	noted, err := s.VerifyAudit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	raw(t, s.path, `DELETE FROM audit WHERE seq = 5`)
	if got, err := s.VerifyAudit(t.Context()); err != nil || got == noted || got.String() == noted.String() {
		t.Errorf("head %v, noted %v, %v", got, noted, err)
	}
}

func TestAuditIsNotChangedByMistake(t *testing.T) {
	t.Parallel()
	s := filled(t)
	if _, err := s.writer.ExecContext(t.Context(), `UPDATE audit SET action = 'other'`); err == nil {
		t.Error("an audit row could be changed")
	}
}

// The form that is hashed tells every two different rows apart, also where texts move from one column into the next.
func TestCanonicalForm(t *testing.T) {
	t.Parallel()
	a := row{seq: 1, actor: "ab", action: "c"}
	b := row{seq: 1, actor: "a", action: "bc"}
	if a.hash([32]byte{}) == b.hash([32]byte{}) {
		t.Error("two rows with the same hash")
	}
	// A fixed value: what is chained today must verify after every update of the program.
	c := row{
		seq: 7, at: noon, role: appliance.ClerkRole, actor: "weber", action: "call", visit: "v", clerk: "weber", office: "bauamt",
		fromOffice: "steuern", fromState: "waiting", toState: "called", version: 4, reason: []byte{1, 2, 3},
	}
	const want = "7 "
	if got := (Head{Seq: 7, Hash: c.hash([32]byte{9})}).String(); got != want+chained {
		t.Errorf("hash %s, want %s", got, want+chained)
	}
}

const chained = "4aa2e66f042fb7cfc8e9cb9a3b6d09972fafa7f253a08207f617ece83f28a332"
