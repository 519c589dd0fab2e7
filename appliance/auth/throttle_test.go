package auth

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"schalter/appliance"
)

// clock is a time that a test sets.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func waitOf(t *testing.T, err error) time.Duration {
	t.Helper()
	e := (*appliance.Error)(nil)
	if !errors.As(err, &e) || e.Kind != appliance.TooMany || e.Wait <= 0 {
		t.Fatalf("not throttled: %v", err)
	}
	return e.Wait
}

func TestArrivals(t *testing.T) {
	t.Parallel()
	c := newClock()
	th := NewThrottle(DefaultLimits(), c.now)
	const a, b = "203.0.113.0/24", "2001:db8:0:100::/56"
	for i := range 30 {
		if err := th.Arrive(a); err != nil {
			t.Fatalf("arrival %d: %v", i, err)
		}
	}
	wait := waitOf(t, th.Arrive(a))
	if wait > 2*time.Second { // 30 a minute
		t.Errorf("wait %v", wait)
	}
	if err := th.Arrive(b); err != nil {
		t.Errorf("another network: %v", err)
	}
	c.pass(wait - time.Millisecond)
	waitOf(t, th.Arrive(a))
	c.pass(time.Millisecond)
	if err := th.Arrive(a); err != nil {
		t.Errorf("after the wait that was told: %v", err)
	}
	waitOf(t, th.Arrive(a))
	c.pass(time.Hour) // it fills up, and not over
	for range 30 {
		if err := th.Arrive(a); err != nil {
			t.Fatal(err)
		}
	}
	waitOf(t, th.Arrive(a))
}

func TestDemoLimits(t *testing.T) {
	t.Parallel()
	c := newClock()
	th := NewThrottle(DemoLimits(), c.now)
	for i := range 1000 {
		if _, err := th.signIn(fmt.Sprint(i), "192.168.1.0/24"); err != nil {
			t.Fatalf("sign-in %d: %v", i, err)
		}
		if err := th.Arrive("192.168.1.0/24"); err != nil {
			t.Fatalf("arrival %d: %v", i, err)
		}
	}
	waitOf(t, th.Arrive("192.168.1.0/24"))
	if _, err := th.signIn("x", "192.168.1.0/24"); err == nil {
		t.Error("the demo has no limit at all")
	}
}

// A clock that is set back or far ahead neither opens nor shuts the door.
func TestClockJumps(t *testing.T) {
	t.Parallel()
	for _, jump := range []time.Duration{-time.Hour, -48 * time.Hour, -50 * 365 * 24 * time.Hour} {
		c := newClock()
		th := NewThrottle(DefaultLimits(), c.now)
		for th.Arrive("n") == nil {
		}
		c.pass(jump)
		if -jump < keyTerm {
			waitOf(t, th.Arrive("n"))
		}
		c.pass(time.Minute)
		for i := range 30 {
			if err := th.Arrive("n"); err != nil {
				t.Fatalf("jump of %v, arrival %d: %v", jump, i, err)
			}
		}
		waitOf(t, th.Arrive("n"))
	}
}

// Strangers cannot make the memory grow, and the flood of them does not forgive who has used up the own bucket.
func TestBoundedMemory(t *testing.T) {
	t.Parallel()
	c := newClock()
	th := NewThrottle(DefaultLimits(), c.now)
	for th.Arrive("greedy") == nil {
	}
	for i := range mostBuckets + 5000 {
		_ = th.Arrive(fmt.Sprint(i)) // each comes once
	}
	if n := len(th.buckets); n > mostBuckets {
		t.Errorf("%d buckets", n)
	}
	waitOf(t, th.Arrive("greedy"))
	for i := range mostKnown + 500 {
		a, err := th.signIn(fmt.Sprint(i), fmt.Sprint("n", i))
		if err != nil {
			t.Fatal(err)
		}
		th.good(a)
	}
	if n := len(th.known); n > mostKnown {
		t.Errorf("%d known networks", n)
	}
}

func TestTheKeyIsReplacedDaily(t *testing.T) {
	t.Parallel()
	c := newClock()
	th := NewThrottle(DefaultLimits(), c.now)
	a, err := th.signIn("weber", "198.51.100.0/24")
	if err != nil {
		t.Fatal(err)
	}
	th.good(a)
	for th.Arrive("n") == nil {
	}
	key := th.key
	c.pass(keyTerm - time.Second)
	_ = th.Arrive("other")
	if th.key != key {
		t.Error("replaced too early")
	}
	c.pass(time.Second)
	_ = th.Arrive("other")
	if th.key == key || len(th.buckets) != 1 {
		t.Errorf("after a day there are %d buckets", len(th.buckets))
	}
	if !th.knows("weber", "198.51.100.0/24") {
		t.Error("yesterday's network is forgotten")
	}
	c.pass(keyTerm)
	_ = th.Arrive("other")
	if th.knows("weber", "198.51.100.0/24") {
		t.Error("a network is known for more than two days")
	}
}

func TestParallelAttemptsShareABucket(t *testing.T) {
	t.Parallel()
	th := NewThrottle(DefaultLimits(), newClock().now)
	var wg sync.WaitGroup
	var let atomic.Int64
	for range 200 {
		wg.Go(func() {
			if _, err := th.signIn("weber", "203.0.113.0/24"); err == nil {
				let.Add(1)
			}
		})
	}
	wg.Wait()
	if let.Load() != 10 {
		t.Errorf("%d attempts were let through at once", let.Load())
	}
}

func TestOwnNetworks(t *testing.T) {
	t.Parallel()
	for network, want := range map[string]bool{
		"192.168.7.0/24": true, "10.0.0.0/24": true, "172.16.3.0/24": true, "127.0.0.0/24": true, "fd00:1::/56": true, "fe80::/56": true,
		"::1": true, "192.168.1.9": true, "::ffff:10.1.2.3": true,
		"203.0.113.0/24": false, "2001:db8::/56": false, "172.32.0.0/24": false, "unknown": false, "": false, "8.8.8.8": false,
	} {
		if own(network) != want {
			t.Errorf("%q: own is %v", network, !want)
		}
	}
}

// Marks keep words apart.
func TestMarks(t *testing.T) {
	t.Parallel()
	var key [32]byte
	seen := map[mark]bool{}
	for _, m := range []mark{
		hash(key, 1, "ab", "c"), hash(key, 1, "a", "bc"), hash(key, 2, "ab", "c"), hash(key, 1, "abc"), hash(key, 1, "", "abc"),
		hash([32]byte{1}, 1, "ab", "c"),
	} {
		if seen[m] {
			t.Error("two marks are the same")
		}
		seen[m] = true
	}
}
