package store

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"schalter/appliance"
)

var update = flag.Bool("update", false, "rewrite schema.sql and the fixture of the newest schema")

// dump is the schema as SQLite holds it.
func dump(t testing.TB, db querier) string {
	t.Helper()
	var b strings.Builder
	var application, version int
	err := db.QueryRowContext(t.Context(), `SELECT (SELECT application_id FROM pragma_application_id),
		(SELECT user_version FROM pragma_user_version)`).Scan(&application, &version)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&b, "-- The result of all migrations, written by `go test ./appliance/store -run Schema -update`.\n\n"+
		"PRAGMA application_id = %#x;\nPRAGMA user_version = %d;\n", application, version)
	err = each(t.Context(), db, func(scan func(...any) error) error {
		var text string
		err := scan(&text)
		fmt.Fprintf(&b, "\n%s;\n", text)
		return err
	}, `SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY tbl_name, type = 'table' DESC, name`)
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func golden(t testing.TB, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := read(t, name); got != want {
		t.Errorf("%s differs; look at it, then run with -update. It would be:\n%s", name, got)
	}
}

func TestSchemaIsAsDumped(t *testing.T) {
	t.Parallel()
	s := openAt(t, filepath.Join(t.TempDir(), "schalter.db"))
	golden(t, "schema.sql", dump(t, s.readers))
}

// Every released schema is brought up to date, with what is in it. The fixtures were written by the program of their
// time.
func TestFixturesOfEverySchema(t *testing.T) {
	t.Parallel()
	names, err := steps(migrations())
	if err != nil {
		t.Fatal(err)
	}
	for i := range names {
		base := filepath.Join("testdata", fmt.Sprintf("schema_%04d", i+1))
		if *update && i == len(names)-1 {
			makeFixture(t, base+".db")
		}
		t.Run(filepath.Base(base), func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "schalter.db")
			if err := os.WriteFile(path, []byte(read(t, base+".db")), 0o600); err != nil {
				t.Fatal(err)
			}
			s := openAt(t, path)
			if got := dump(t, s.readers); got != read(t, "schema.sql") {
				t.Errorf("the schema differs from schema.sql:\n%s", got)
			}
			got, err := json.MarshalIndent(load(t, s), "", "\t")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, base+".json", string(got)+"\n")
			if _, err := s.VerifyAudit(t.Context()); err != nil {
				t.Error(err)
			}
			if err := s.Check(t.Context()); err != nil {
				t.Error(err)
			}
			// Rooms came with schema 2, and with one of them its fixture.
			if rooms, err := s.Rooms(t.Context()); err != nil || len(rooms) != min(i, 1) {
				t.Errorf("rooms %+v, %v", rooms, err)
			}
			write(t, s, arrival(500, noon))
			if _, err := s.Sweep(t.Context(), noon.Add(48*time.Hour)); err != nil {
				t.Error(err)
			}
		})
	}
}

// makeFixture writes a file with rows in every table.
func makeFixture(t *testing.T, path string) {
	t.Helper()
	s := filled(t)
	history(t, s)
	ended(t, s, 60, noon)
	if err := s.AddSignIn(t.Context(), appliance.SignIn{Hash: [32]byte{1}, Clerk: "weber", BeganAt: noon, SeenAt: noon}); err != nil {
		t.Fatal(err)
	}
	write(t, s, Entry{Change: appliance.Change{At: noon, Talk: time.Minute, TalkAt: "standesamt"}})
	room := appliance.OpenRoom{Name: "saal", Origins: []string{"https://www.lindenau.example"}, OpenedAt: noon}
	if _, err := s.PutRoom(t.Context(), room, sum("publish"), sum("view")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sweep(t.Context(), noon); err != nil {
		t.Fatal(err)
	}
	if err := s.Backup(t.Context(), path); err != nil {
		t.Fatal(err)
	}
}

// with is the released migrations and one more.
func with(t testing.TB, text string) fs.FS {
	t.Helper()
	files := fstest.MapFS{}
	names, err := steps(migrations())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		b, err := fs.ReadFile(migrations(), name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: b}
	}
	files[fmt.Sprintf("%04d_next.sql", len(names)+1)] = &fstest.MapFile{Data: []byte(text)}
	return files
}

func openWith(ctx context.Context, path string, files fs.FS) (*Store, error) {
	return open(ctx, path, slog.New(slog.DiscardHandler), files)
}

func TestUpgrade(t *testing.T) {
	t.Parallel()
	s := filled(t)
	path := s.path
	names, err := steps(migrations())
	if err != nil {
		t.Fatal(err)
	}
	newest := len(names) + 1
	history(t, s)
	old := load(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	next, err := openWith(t.Context(), path, with(t, `CREATE TABLE forms (id TEXT PRIMARY KEY) STRICT;
		INSERT INTO forms SELECT id FROM visits; ALTER TABLE town ADD COLUMN arms TEXT;`))
	if err != nil {
		t.Fatal(err)
	}
	var version, rows int
	err = next.readers.QueryRowContext(t.Context(), `SELECT user_version, (SELECT count(*) FROM forms) FROM pragma_user_version`).Scan(&version, &rows)
	if err != nil || version != newest || rows != 2 {
		t.Errorf("schema %d, %d rows, %v", version, rows, err)
	}
	if got := load(t, next); len(got.Visits) != len(old.Visits) || !reflect.DeepEqual(got.Town, old.Town) {
		t.Errorf("the upgraded house: %+v", got)
	}
	// The copy from before is whole, for the owner alone, and goes after a day.
	before := fmt.Sprintf("%s.before-%04d", path, newest)
	if st, err := os.Stat(before); err != nil || st.Mode().Perm() != 0o600 {
		t.Fatalf("copy: %v, %v", st, err)
	}
	if swept, err := next.Sweep(t.Context(), time.Now()); err != nil || swept.Copies != 0 {
		t.Errorf("swept at once: %+v, %v", swept, err)
	}
	copied := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(copied, []byte(read(t, before)), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := load(t, openAt(t, copied)); len(got.Visits) != len(old.Visits) {
		t.Errorf("the copy from before: %+v", got)
	}
	if swept, err := next.Sweep(t.Context(), time.Now().Add(keptCopies+time.Minute)); err != nil || swept.Copies != 1 {
		t.Errorf("swept after a day: %+v, %v", swept, err)
	}
	if _, err := os.Stat(before); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the copy is still there: %v", err)
	}
	if err := next.Close(); err != nil {
		t.Fatal(err)
	}
	// The program of before does not touch what is newer than it.
	if s, err := Open(t.Context(), path, slog.New(slog.DiscardHandler)); err == nil {
		s.Close()
		t.Error("an older program opened a newer schema")
	} else if codeOf(err) != "newer-schema" {
		t.Errorf("refused for another reason: %v", err)
	}
}

// A migration that fails leaves the schema and the rows as they were.
func TestFailedMigration(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"statement": `CREATE TABLE forms (id TEXT) STRICT; UPDATE town SET name = 'x'; CREATE TABLE visits (id)`,
		"reference": `DELETE FROM legs; UPDATE town SET name = 'x'; DELETE FROM offices`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := filled(t)
			path, schema := s.path, dump(t, s.readers)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if s, err := openWith(t.Context(), path, with(t, text)); err == nil {
				s.Close()
				t.Fatal("opened")
			}
			again := openAt(t, path)
			if got := dump(t, again.readers); got != schema {
				t.Errorf("schema after the failure:\n%s", got)
			}
			if got := load(t, again).Town.Name; got != sample().Town.Name {
				t.Errorf("town %q", got)
			}
		})
	}
}

func TestMigrationNumbers(t *testing.T) {
	t.Parallel()
	for name, files := range map[string]fstest.MapFS{
		"gap":       {"0001_a.sql": {}, "0003_b.sql": {}},
		"twice":     {"0001_a.sql": {}, "0001_b.sql": {}},
		"no number": {"first.sql": {}},
		"short":     {"1.sql": {}},
	} {
		if _, err := steps(files); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
