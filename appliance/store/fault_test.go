package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"
	"golang.org/x/sys/unix"

	"schalter/appliance"
)

// faultFolder names the folder that the child process of TestFullDisk works in.
const (
	faultFolder = "SCHALTER_STORE_TEST_FAULT_FOLDER"
	faultKind   = "SCHALTER_STORE_TEST_FAULT_KIND"
)

// A page limit is the one way to a full database that needs no rights: what SQLite does is the same.
func TestFullDatabase(t *testing.T) {
	t.Parallel()
	s := filled(t)
	write(t, s, arrival(1, noon))
	before, head := load(t, s), s.head
	limit := func(pages int) {
		t.Helper()
		if _, err := s.writer.ExecContext(t.Context(), fmt.Sprintf(`PRAGMA max_page_count = %d`, pages)); err != nil {
			t.Fatal(err)
		}
	}
	limit(1) // never below what there is
	big := arrival(2, noon)
	big.Change.Visits[0].After.Matter = strings.Repeat("x", 64<<10)
	err := s.Write(t.Context(), []Entry{arrival(3, noon), big})
	if kindOf(err) != appliance.Unavailable || codeOf(err) != "disk-full" {
		t.Fatalf("write: %v", err)
	}
	if got := load(t, s); !reflect.DeepEqual(got, before) || s.head != head {
		t.Errorf("the house changed: %+v", got)
	}
	limit(1 << 20)
	write(t, s, arrival(3, noon), big)
	if v := loaded(t, s, big.Change.Visits[0].After.ID); v.Matter != big.Change.Visits[0].After.Matter {
		t.Error("what was written after the disk had room is not there")
	}
	if _, err := s.VerifyAudit(t.Context()); err != nil {
		t.Error(err)
	}
}

// A disk without room: a file system of 1 MiB, in a child process with its own mount table.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	child.Env = append(os.Environ(), faultFolder+"="+t.TempDir())
	child.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		child.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		child.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		child.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := child.CombinedOutput()
	if errors.Is(err, os.ErrPermission) || bytes.Contains(out, []byte("no mount:")) {
		t.Skipf("this machine lets nobody mount: %v %s", err, out)
	}
	if err != nil || !bytes.Contains(out, []byte("disk was full")) {
		t.Errorf("child: %v\n%s", err, out)
	}
}

func faultChild(*testing.M) int {
	work := fillDisk
	if os.Getenv(faultKind) == "disk" {
		work = writeOn
	}
	err := work(os.Getenv(faultFolder))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// fillDisk writes until the disk is full, makes room, writes on, and opens the file again.
func fillDisk(dir string) error {
	err := errors.Join(unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""), unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"))
	if err != nil {
		return fmt.Errorf("no mount: %w", err)
	}
	ctx, log := context.Background(), slog.New(slog.DiscardHandler)
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 300<<10), 0o600); err != nil {
		return err
	}
	s, err := Open(ctx, filepath.Join(dir, "schalter.db"), log)
	if err != nil {
		return err
	}
	s.now = func() time.Time { return noon } // what Load still shows of ended visits depends on the last change
	if err := s.Fill(ctx, sample(), nil); err != nil {
		return err
	}
	acknowledged, refused := 0, 0
	attempt := func(n int) error {
		err := s.Write(ctx, []Entry{arrival(n, noon)})
		switch {
		case err == nil:
			acknowledged++
		case codeOf(err) == "disk-full":
			refused++
		default:
			return err
		}
		return nil
	}
	n := 0
	for ; refused < 20; n++ {
		if err := attempt(n); err != nil {
			return fmt.Errorf("write %d: %w", n, err)
		}
	}
	if err := os.Remove(ballast); err != nil {
		return err
	}
	for range 10 {
		if err := attempt(n); err != nil || refused > 20 {
			return fmt.Errorf("write %d after room was made: %w, %d refused", n, err, refused)
		}
		n++
	}
	if err := s.Close(); err != nil {
		return err
	}
	if s, err = Open(ctx, filepath.Join(dir, "schalter.db"), log); err != nil {
		return err
	}
	snap, err := s.Load(ctx)
	if err != nil {
		return err
	}
	if got := len(snap.Visits) - len(sample().Visits); got != acknowledged {
		return fmt.Errorf("%d visits are there, %d were acknowledged", got, acknowledged)
	}
	_, err = s.VerifyAudit(ctx)
	fmt.Printf("disk was full: %d refused, %d acknowledged and there\n", refused, acknowledged)
	return errors.Join(err, s.Check(ctx), s.Close())
}

// A disk that fails: the n-th sync or write gives EIO or ENOSPC, in a child process under strace. What was acknowledged is
// there afterwards; what was refused is not, neither at once nor after a restart.
func TestFailingDisk(t *testing.T) {
	t.Parallel()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("no strace")
	}
	failures := 0
	for _, inject := range []string{
		"fsync,fdatasync:error=EIO:when=3", "fsync,fdatasync:error=EIO:when=4+5", "fsync,fdatasync:error=EIO:when=6+3",
		"pwrite64:error=EIO:when=45", "pwrite64:error=EIO:when=31+17", "pwrite64:error=ENOSPC:when=40+23",
		"fsync,fdatasync:error=EIO:when=9+2",
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "schalter.db")
		if s := openAt(t, path); errors.Join(s.Fill(t.Context(), sample(), nil), s.Close()) != nil {
			t.Fatal("not filled")
		}
		calls, _, _ := strings.Cut(inject, ":")
		child := exec.CommandContext(t.Context(), strace, "-f", "-qq", "-o", filepath.Join(dir, "trace"), "-e", "trace="+calls,
			"-e", "inject="+inject, os.Args[0], "-test.run=^$")
		child.Env = append(os.Environ(), faultFolder+"="+dir, faultKind+"=disk")
		child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		out, err := child.Output()
		if bytes.Contains(out, []byte("not opened")) {
			t.Logf("%s: %s", inject, out)
			continue // the fault hit the opening, which said so
		}
		if err != nil {
			t.Errorf("%s: %v\n%s", inject, err, out)
			continue
		}
		var acknowledged []appliance.VisitID
		for line := range strings.Lines(string(out)) {
			if n := 0; scan(line, "ok %d", &n) {
				acknowledged = append(acknowledged, visitID(n))
			} else if scan(line, "refused %d", &n) {
				failures++
			}
		}
		s := openAt(t, path)
		var there []appliance.VisitID
		for _, v := range load(t, s).Visits {
			if !v.State.Over() {
				there = append(there, v.ID)
			}
		}
		t.Logf("%s: %d of 40 acknowledged", inject, len(acknowledged))
		if !slices.Equal(there, acknowledged) {
			t.Errorf("%s: there are %v, acknowledged were %v", inject, there, acknowledged)
		}
		if _, err := s.VerifyAudit(t.Context()); err != nil {
			t.Errorf("%s: %v", inject, err)
		}
		if err := s.Check(t.Context()); err != nil {
			t.Errorf("%s: %v", inject, err)
		}
	}
	if failures < 5 {
		t.Errorf("only %d writes were refused: the faults did not hit", failures)
	}
}

func scan(line, form string, n *int) bool {
	got, err := fmt.Sscanf(line, form, n)
	return err == nil && got == 1
}

// writeOn writes forty visits and tells what became of each; it ends without closing, as a crash would.
func writeOn(dir string) error {
	runtime.LockOSThread() // strace counts the calls of each thread
	ctx := context.Background()
	s, err := Open(ctx, filepath.Join(dir, "schalter.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		fmt.Println("not opened:", err)
		return nil
	}
	acknowledged := len(sample().Visits)
	for n := range 40 {
		err := s.Write(ctx, []Entry{arrival(n, noon.Add(time.Duration(n)*time.Second))})
		if err != nil {
			fmt.Println("refused", n, err)
		} else {
			fmt.Println("ok", n)
			acknowledged++
		}
		snap, err := s.Load(ctx)
		if err != nil {
			fmt.Println("not loaded:", err) // reading may fail too; it tells no untruth
			continue
		}
		if len(snap.Visits) != acknowledged {
			return fmt.Errorf("after write %d: %d visits are there, %d were acknowledged", n, len(snap.Visits), acknowledged)
		}
	}
	return nil
}

// After an input or output error the writing connection is opened anew, and nothing of the failed write comes back.
func TestBrokenConnection(t *testing.T) {
	t.Parallel()
	s := filled(t)
	write(t, s, arrival(1, noon))
	first := s.writer
	broken := sqlite3.Error{Code: sqlite3.ErrIoErr, SystemErrno: syscall.EIO}
	err := s.change(t.Context(), "test", func(ctx context.Context, tx *transaction) error {
		e := arrival(2, noon)
		return errors.Join(tx.entry(ctx, &e, noon), broken)
	})
	if kindOf(err) != appliance.Unavailable || codeOf(err) != "store-failed" {
		t.Fatalf("write: %v", err)
	}
	write(t, s, arrival(3, noon))
	if s.writer == first {
		t.Error("the broken connection is still in use")
	}
	if got := load(t, s); len(got.Visits) != 3 {
		t.Errorf("visits %+v", got.Visits)
	}
}
