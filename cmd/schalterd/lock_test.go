package main

import (
	"errors"
	"testing"
	"time"
)

// TestLockOutlivesAKill: who was killed holds the lock for a moment longer; a start after that is no second one.
func TestLockOutlivesAKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	dying, err := lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(lockWithin/4, func() { _ = dying.Close() })
	next, err := lock(dir)
	if err != nil {
		t.Fatalf("refused while the one before was going: %v", err)
	}
	var held *lockedError
	if _, err := lock(dir); !errors.As(err, &held) {
		t.Errorf("locked twice: %v", err)
	}
	if err := next.Close(); err != nil {
		t.Error(err)
	}
}
