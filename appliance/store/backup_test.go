package store

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A backup made while a writer writes is of one moment: all that was acknowledged before it, in whole changes.
func TestBackupBesideAWriter(t *testing.T) {
	t.Parallel()
	s := filled(t)
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	began := make(chan struct{})
	wg.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			if err := s.Write(t.Context(), []Entry{arrival(2*i+1, noon), arrival(2*i+2, noon)}); err != nil {
				t.Error(err)
				return
			}
			if i == 5 {
				close(began)
			}
		}
	})
	<-began
	dir := t.TempDir()
	for i := range 5 {
		least := len(load(t, s).Visits)
		path := filepath.Join(dir, "copy.db") // replaced each time
		if err := s.Backup(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
			t.Fatalf("copy: %v, %v", st, err)
		}
		if names, err := filepath.Glob(path + "*"); err != nil || len(names) != 1 {
			t.Errorf("beside the copy: %v, %v", names, err)
		}
		copied := openAt(t, path)
		snap := load(t, copied)
		if n := len(snap.Visits); n < least || n%2 != 1 { // two come at a time, and the sample's one
			t.Errorf("copy %d has %d visits, at least %d were acknowledged", i, n, least)
		}
		if _, err := copied.VerifyAudit(t.Context()); err != nil {
			t.Error(err)
		}
		if err := copied.Close(); err != nil {
			t.Error(err)
		}
	}
	stop()
	wg.Wait()
}

func TestBackupFails(t *testing.T) {
	t.Parallel()
	s := filled(t)
	dir := t.TempDir()
	if err := s.Backup(t.Context(), filepath.Join(dir, "no", "folder.db")); err == nil {
		t.Error("a copy in no folder")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Backup(ctx, filepath.Join(dir, "copy.db")); err == nil {
		t.Error("a copy that nobody waits for")
	}
	if names, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(names) != 0 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}

func TestCheckFindsDamage(t *testing.T) {
	t.Parallel()
	s := filled(t)
	for i := range 200 {
		write(t, s, arrival(i+1, noon))
	}
	if err := s.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	path := s.path
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	whole := read(t, path)
	for _, c := range []struct{ name, query string }{
		{"a visit's legs without the visit", `DELETE FROM visits WHERE id = '` + string(visitID(7)) + `'`},
		{"a visit of no office", `UPDATE visits SET office = 'nirgends' WHERE id = '` + string(visitID(7)) + `'`},
		{"a state that there is not", `PRAGMA ignore_check_constraints = ON; UPDATE visits SET state = 'x'`},
	} {
		t.Run(c.name, func(t *testing.T) {
			bad := filepath.Join(t.TempDir(), "bad.db")
			if err := os.WriteFile(bad, []byte(whole), 0o600); err != nil {
				t.Fatal(err)
			}
			raw(t, bad, c.query)
			if err := openAt(t, bad).Check(t.Context()); err == nil {
				t.Error("not found")
			}
		})
	}
	t.Run("pages of zeros", func(t *testing.T) {
		bad := filepath.Join(t.TempDir(), "bad.db")
		b := []byte(whole)
		// A page of rows: the end of the audit log, without which nothing opens, is elsewhere.
		clear(b[strings.Index(whole, string(visitID(100)))/4096*4096:][:4096])
		if err := os.WriteFile(bad, b, 0o600); err != nil {
			t.Fatal(err)
		}
		s := openAt(t, bad)
		if err := s.Check(t.Context()); err == nil {
			t.Error("not found")
		}
		if err := s.Backup(t.Context(), bad+".copy"); err == nil {
			t.Error("a damaged database was accepted as a backup")
		}
	})
}

// A damaged file is told or survived, whatever bytes of it are wrong or missing: never a panic, and never a wait.
func TestDamagedFiles(t *testing.T) {
	t.Parallel()
	whole := []byte(read(t, "testdata/schema_0001.db"))
	told := 0
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 7))
		b := slices.Clone(whole)
		for range 1 + r.IntN(64) {
			b[r.IntN(len(b))] ^= byte(1 + r.IntN(255))
		}
		if seed%3 == 0 {
			b = b[:r.IntN(len(b))]
		}
		path := filepath.Join(t.TempDir(), "schalter.db")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(t.Context(), path, slog.New(slog.DiscardHandler))
		if err != nil {
			told++
			continue
		}
		_, loading := s.Load(t.Context())
		_, verifying := s.VerifyAudit(t.Context())
		checking := s.Check(t.Context())
		_, secret := s.Secret(t.Context(), "weber")
		writing := s.Write(t.Context(), []Entry{arrival(1000, noon)})
		_, sweeping := s.Sweep(t.Context(), noon.Add(48*time.Hour))
		if errors.Join(loading, verifying, checking, secret, writing, sweeping) != nil {
			told++
		}
		_ = s.Close() // may tell of the damage once more
	}
	if told < 75 {
		t.Errorf("of 150 damaged files %d were noticed", told)
	}
}
