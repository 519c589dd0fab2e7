package store

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"schalter/appliance"
)

func TestMain(m *testing.M) {
	if os.Getenv(faultFolder) != "" { // this process is the child of a test: see fault_test.go
		os.Exit(faultChild(m))
	}
	goleak.VerifyTestMain(m)
}

// noon is a moment in microseconds, as the store keeps them.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 123456000, time.UTC)

func openAt(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s.now = func() time.Time { return noon }
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// filled opens a new store with the town of sample.
func filled(t testing.TB) *Store {
	t.Helper()
	s := openAt(t, filepath.Join(t.TempDir(), "schalter.db"))
	if err := s.Fill(t.Context(), sample(), secrets()); err != nil {
		t.Fatal(err)
	}
	return s
}

// sample has every column of every row at another value than its zero, somewhere.
func sample() appliance.Snapshot {
	return appliance.Snapshot{
		Town: appliance.Town{Name: "Lindenau", Kind: "Stadt", Telephone: "0123 456-0", Notice: 3, Land: "SN", Days: []appliance.Day{
			{First: "2026-10-19", Last: "2026-10-20", Why: "Umzug der Server", Hours: []appliance.Span{{From: 480, Until: 600}}},
		}},
		Offices: []appliance.Office{
			// The child comes before its parent: the tree may be filled in any order.
			{
				ID: "standesamt", Parent: "buergerbuero", Name: "Standesamt", Telephone: "0123 456-20", Limit: 8,
				Duration: 12 * time.Minute, Order: 1,
				Hours: appliance.Hours{
					Week: [7][]appliance.Span{1: {{From: 480, Until: 720}, {From: 840, Until: 1080}}, 6: {{From: 0, Until: 1440}}},
					Days: []appliance.Day{{First: "2026-12-24", Last: "2026-12-31", Why: "Zwischen den Jahren"}},
				},
			},
			{
				ID: "buergerbuero", Name: "Bürgerbüro", Telephone: "0123 456-10", Closed: true, OpensAt: noon.Add(20 * time.Hour),
				Duration: 10*time.Minute + time.Microsecond, Bring: []string{"Ausweis", "„Meldebescheinigung“"}, Order: 2,
				Services: []appliance.Service{
					{ID: "umzug", Name: "Umzug melden", Duration: 8 * time.Minute, Bring: []string{"Vertrag"}},
					{ID: "hund", Name: "Hund anmelden", Duration: 5 * time.Minute},
				},
			},
		},
		Clerks: []appliance.Clerk{
			{
				ID: "oezdemir", Name: "Aylin Özdemir", Title: "Frau Özdemir",
				Roles: []appliance.Role{appliance.Host, appliance.ClerkRole}, Offices: []appliance.OfficeID{"standesamt", "buergerbuero"},
			},
			{
				ID: "weber", Name: "Sabine Weber", Title: "Frau Weber", Roles: []appliance.Role{appliance.ClerkRole},
				Offices: []appliance.OfficeID{"buergerbuero"},
			},
			{ID: "wer-ging", Name: "Ehemals", Title: "Herr E.", Disabled: true},
		},
		Desks: []appliance.Desk{
			{Clerk: "oezdemir", State: appliance.Pause}, {Clerk: "weber", State: appliance.Available},
		},
		Visits: []appliance.Visit{fullVisit()},
		Talks: map[appliance.OfficeID][]time.Duration{
			"buergerbuero": {5 * time.Minute, 7 * time.Minute}, "standesamt": {time.Hour},
		},
	}
}

func secrets() map[appliance.ClerkID]string {
	return map[appliance.ClerkID]string{"weber": "$hash-weber", "oezdemir": "$hash-oezdemir"}
}

func fullVisit() appliance.Visit {
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	return appliance.Visit{
		ID: visitID(900), Version: 17, State: appliance.Done, Office: "standesamt", Name: "Erna „Ernie“ Krüger",
		Matter: "Heirat; DROP TABLE visits", Needs: []appliance.Need{appliance.NeedInterpreter, appliance.NeedNoPicture},
		Notice: 2, ArrivedAt: at(-60), WaitsFrom: at(-40), Clerk: "oezdemir", CalledAt: at(-30), CallEnds: at(-29), More: true,
		TalksAt: at(-28), ParkedAt: at(-20), Misses: 2, MissedAt: at(-35), Front: true, Transfers: 1,
		Outcome: appliance.OutcomeFollowUp, EndedAt: at(-1),
		Legs: []appliance.Leg{
			{Office: "buergerbuero", From: at(-60), Until: at(-40), Clerk: "weber", Reason: "gehört dorthin"},
			{Office: "standesamt", From: at(-40)},
		},
		Notes: []appliance.Note{
			{At: at(-41), Clerk: "weber", Office: "buergerbuero", Text: "bringt Urkunde\nnach"},
			{At: at(-5), Clerk: "oezdemir", Office: "standesamt", Text: "fertig"},
		},
	}
}

func visitID(n int) appliance.VisitID { return appliance.VisitID(fmt.Sprintf("%032x", n)) }

// arrival is the entry of a new visit.
func arrival(n int, at time.Time) Entry {
	v := &appliance.Visit{
		ID: visitID(n), Version: 1, State: appliance.Waiting, Office: "standesamt", Name: "Name", Matter: "Anliegen", Notice: 1,
		ArrivedAt: at, WaitsFrom: at, Legs: []appliance.Leg{{Office: "standesamt", From: at}},
	}
	return Entry{
		Change: appliance.Change{
			At: at, Actor: appliance.Actor{Role: appliance.Anonymous}, Action: "arrive",
			Visits: []appliance.Step[appliance.Visit]{{After: v}},
		},
		Token: token(n),
	}
}

func token(n int) []byte { return []byte(fmt.Sprintf("%032d", n)) }

// then is the entry that takes a visit to its next version.
func then(before appliance.Visit, at time.Time, action string, change func(*appliance.Visit)) (Entry, appliance.Visit) {
	after := before
	after.Legs = append([]appliance.Leg(nil), before.Legs...)
	after.Notes = append([]appliance.Note(nil), before.Notes...)
	after.Version++
	change(&after)
	return Entry{Change: appliance.Change{
		At: at, Actor: appliance.Actor{Role: appliance.ClerkRole, Clerk: "oezdemir"}, Action: action,
		Visits: []appliance.Step[appliance.Visit]{{Before: &before, After: &after}},
	}}, after
}

func write(t testing.TB, s *Store, entries ...Entry) {
	t.Helper()
	if err := s.Write(t.Context(), entries); err != nil {
		t.Fatal(err)
	}
}

func load(t testing.TB, s *Store) appliance.Snapshot {
	t.Helper()
	snap, err := s.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

func loaded(t testing.TB, s *Store, id appliance.VisitID) appliance.Visit {
	t.Helper()
	for _, v := range load(t, s).Visits {
		if v.ID == id {
			return v
		}
	}
	t.Fatalf("visit %s is not there", id)
	return appliance.Visit{}
}

func TestFillAndLoad(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a folder with ? and # and %41.db")
	s := openAt(t, path)
	if empty, err := s.Empty(t.Context()); err != nil || !empty {
		t.Fatalf("a new file: empty %v, %v", empty, err)
	}
	want := sample()
	if err := s.Fill(t.Context(), want, secrets()); err != nil {
		t.Fatal(err)
	}
	if got := load(t, s); !reflect.DeepEqual(got, want) {
		t.Errorf("loaded\n%+v, want\n%+v", got, want)
	}
	if empty, err := s.Empty(t.Context()); err != nil || empty {
		t.Fatalf("a filled file: empty %v, %v", empty, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + "-wal"); !os.IsNotExist(err) {
		t.Errorf("the write-ahead log is still there: %v", err)
	}
	again := openAt(t, path)
	if got := load(t, again); !reflect.DeepEqual(got, want) {
		t.Errorf("loaded after a restart\n%+v, want\n%+v", got, want)
	}
	other := sample()
	other.Town.Name = "Andernorts"
	if err := again.Fill(t.Context(), other, nil); kindOf(err) != appliance.Conflict {
		t.Errorf("filling a filled house: %v", err)
	}
	if got := load(t, again); !reflect.DeepEqual(got, want) {
		t.Errorf("a refused filling changed the house: %+v", got)
	}
}

func TestFillIsWholeOrNothing(t *testing.T) {
	t.Parallel()
	s := openAt(t, filepath.Join(t.TempDir(), "schalter.db"))
	snap := sample()
	snap.Clerks[0].Offices = append(snap.Clerks[0].Offices, "nirgends")
	if err := s.Fill(t.Context(), snap, secrets()); err == nil {
		t.Fatal("a clerk of an office that is not there was accepted")
	}
	if empty, err := s.Empty(t.Context()); err != nil || !empty {
		t.Errorf("empty %v, %v", empty, err)
	}
	if err := s.Fill(t.Context(), sample(), secrets()); err != nil {
		t.Errorf("the next filling: %v", err)
	}
}

func TestTownRow(t *testing.T) {
	t.Parallel()
	s := filled(t)
	was := load(t, s).Town
	want := appliance.Town{Name: "Neulindenau", Kind: "Gemeinde", Telephone: "1", Notice: 4, Land: "BY",
		Days: []appliance.Day{{First: "2027-08-08", Last: "2027-08-08", Why: "Friedensfest"}}}
	write(t, s, Entry{Change: appliance.Change{
		At: noon, Actor: appliance.Actor{Role: appliance.Administrator, Clerk: "weber"}, Action: "town",
		Town: &appliance.Step[appliance.Town]{Before: &was, After: &want},
	}})
	if got := load(t, s).Town; !reflect.DeepEqual(got, want) {
		t.Errorf("town %+v", got)
	}
	if _, err := s.VerifyAudit(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestFilesAreForTheOwnerAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "schalter.db")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	s := openAt(t, path)
	if err := s.Fill(t.Context(), sample(), nil); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(names) != 3 {
		t.Fatalf("files %v, %v; want the database, its log and its index", names, err)
	}
	for _, name := range names {
		if st, err := os.Stat(name); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, st.Mode(), err)
		}
	}
}

// Every connection has the settings, those that the pool opens later too.
func TestSettingsOfEveryConnection(t *testing.T) {
	t.Parallel()
	s := filled(t)
	settings := map[string]string{
		"journal_mode": "wal", "foreign_keys": "1", "busy_timeout": "5000", "secure_delete": "1", "temp_store": "2",
		"trusted_schema": "0", "cell_size_check": "1",
	}
	look := func(conn *sql.Conn, what string, more map[string]string) {
		want := maps.Clone(settings)
		maps.Copy(want, more)
		for name, value := range want {
			var got string
			if err := conn.QueryRowContext(t.Context(), "PRAGMA "+name).Scan(&got); err != nil || got != value {
				t.Errorf("%s: %s is %q, %v; want %q", what, name, got, err, value)
			}
		}
	}
	for i := range readers {
		conn, err := s.readers.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		look(conn, fmt.Sprintf("reader %d", i), map[string]string{"query_only": "1"})
		if _, err := conn.ExecContext(t.Context(), `DELETE FROM visits`); err == nil {
			t.Error("a reader could write")
		}
	}
	conn, err := s.writer.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	look(conn, "writer", map[string]string{"synchronous": "2", "query_only": "0"})
}

func TestEveryTableIsStrict(t *testing.T) {
	t.Parallel()
	s := filled(t)
	var tables int
	err := each(t.Context(), s.readers, func(scan func(...any) error) error {
		var name string
		var strict bool
		err := scan(&name, &strict)
		if tables++; !strict {
			t.Errorf("table %s is not STRICT", name)
		}
		return err
	}, `SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%'`)
	if err != nil || tables < 17 {
		t.Errorf("%d tables, %v", tables, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, make, want string
	}{
		{"newer schema", fmt.Sprintf(`PRAGMA application_id = %d; PRAGMA user_version = 999; CREATE TABLE x (y)`, applicationID),
			"has schema 999"},
		{"another program's", `PRAGMA application_id = 7; CREATE TABLE x (y)`, "belongs to another program"},
		{"nobody's", `CREATE TABLE x (y)`, "belongs to another program"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "schalter.db")
			raw(t, path, c.make)
			before := read(t, path)
			s, err := Open(t.Context(), path, slog.New(slog.DiscardHandler))
			if err == nil {
				s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("open: %v", err)
			}
			if read(t, path) != before {
				t.Error("the file was changed")
			}
		})
	}
	t.Run("no database", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "schalter.db")
		if err := os.WriteFile(path, []byte(strings.Repeat("kein SQLite, sondern ein Brief. ", 99)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), path, slog.New(slog.DiscardHandler)); kindOf(err) != appliance.Unavailable {
			t.Errorf("open: %v", err)
		}
	})
	t.Run("no folder", func(t *testing.T) {
		t.Parallel()
		if _, err := Open(t.Context(), filepath.Join(t.TempDir(), "no", "where.db"), slog.New(slog.DiscardHandler)); err == nil {
			t.Error("opened")
		}
	})
}

func TestAfterClose(t *testing.T) {
	t.Parallel()
	s := filled(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(t.Context(), []Entry{arrival(1, noon)}); kindOf(err) != appliance.Unavailable {
		t.Errorf("write: %v", err)
	}
	if _, err := s.Load(t.Context()); kindOf(err) != appliance.Unavailable {
		t.Errorf("load: %v", err)
	}
	if _, err := s.Sweep(t.Context(), noon); kindOf(err) != appliance.Unavailable {
		t.Errorf("sweep: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("close again: %v", err)
	}
}

// raw changes a database file as somebody from outside would.
func raw(t testing.TB, path, query string, args ...any) {
	t.Helper()
	db := sql.OpenDB(connector(dsn(path, map[string][]string{"_busy_timeout": {"5000"}})))
	defer db.Close()
	if _, err := db.ExecContext(context.Background(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

func read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
