package main

import (
	"context"
	"os"
	"runtime"
	"time"
)

// governor decides on how many processors the media process runs its Go code: on as few as carry the load. A packet's way
// is a chain of short wake-ups, and with a free processor beside it the scheduler wakes a thread at each of them to look for
// work that is not there. On two processors a packet costs a fifth more than on one (schalter-load bench, beside plain pion:
// to ten viewers 0.43 against 0.36, in a meeting of four 0.48 against 0.34).
type governor struct {
	most int           // processors that there are
	now  int           // processors in use, at least 1
	calm time.Duration // for how long one less would have been enough
}

const (
	governEach = 500 * time.Millisecond
	fullShare  = 0.7 // of what is in use: more is given at once, since packets begin to wait
	calmShare  = 0.4 // of one less: it is taken away after calmFor
	calmFor    = 2 * time.Second
)

// look takes the processor time, in seconds, that was used in a span of time, and gives how many processors are to be used from now on.
func (g *governor) look(used float64, span time.Duration) int {
	if span <= 0 {
		return g.now
	}
	share := used / span.Seconds()
	switch {
	case share > fullShare*float64(g.now):
		g.now, g.calm = min(2*g.now, g.most), 0 // a process that is short of time does not show how short
	case g.now > 1 && share < calmShare*float64(g.now-1):
		if g.calm += span; g.calm >= calmFor {
			g.now, g.calm = g.now-1, 0
		}
	default:
		g.calm = 0
	}
	return g.now
}

// govern follows the load until the context ends. An administrator who has set GOMAXPROCS is obeyed.
func govern(ctx context.Context) {
	if os.Getenv("GOMAXPROCS") != "" {
		return
	}
	g := governor{most: runtime.GOMAXPROCS(0), now: 1}
	defer runtime.GOMAXPROCS(g.most)
	runtime.GOMAXPROCS(g.now)
	tick := time.NewTicker(governEach)
	defer tick.Stop()
	used, at := cpu(), time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		usedNow, now := cpu(), time.Now()
		before := g.now
		if n := g.look(usedNow-used, now.Sub(at)); n != before {
			runtime.GOMAXPROCS(n) // stops everything for some 20 µs
		}
		used, at = usedNow, now
	}
}
