package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// lockWithin is how long a start waits for the lock: who was killed while writing holds it until the disk has answered.
const lockWithin = 2 * time.Second

// lockedError says that DIR is in use.
type lockedError struct {
	dir, holder string
}

func (e *lockedError) Error() string {
	return fmt.Sprintf("in %s läuft schon ein schalterd (Prozess %s).\nHalten Sie ihn an, oder wählen Sie mit --data ein anderes Verzeichnis.", e.dir, e.holder)
}

// lock makes dir when it is not there and takes it for this process. The kernel gives the lock back when the process ends,
// however it ends; the file stays. Release by closing it.
func lock(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	for until := time.Now().Add(lockWithin); errors.Is(err, unix.EWOULDBLOCK) && time.Now().Before(until); {
		time.Sleep(lockWithin / 100)
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		holder, readErr := os.ReadFile(path)
		if readErr != nil || len(holder) == 0 {
			holder = []byte("unbekannt")
		}
		return nil, errors.Join(&lockedError{dir, strings.TrimSpace(string(holder))}, f.Close())
	}
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = fmt.Fprintf(f, "%d\n", os.Getpid())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock data directory: %w", err), f.Close())
	}
	return f, nil
}
