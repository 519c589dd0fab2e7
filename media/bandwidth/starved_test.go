package bandwidth_test

import (
	"testing"
	"time"

	"schalter/media/bandwidth"
)

// Ways on which there is room and that do not look like it: many want the receiver's processor, the packets go in a reliable
// stream in which one that is lost holds up all behind it, feedback comes late and together. The picture never pauses, and is
// almost always whole.
func TestRoomyWays(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	for _, c := range []struct {
		name  string
		small int // looks of a thousand at which the best layer may be missing
		set   func(w *world)
	}{
		{"nothing in the way", 0, func(*world) {}},
		{"the receiver is away up to 30 ms", 0, func(w *world) { w.away = 30 * ms }},
		{"the receiver is away up to 300 ms", 0, func(w *world) { w.away = 300 * ms }},
		{"and takes its time for a packet", 5, func(w *world) { w.away, w.each = 50*ms, 300*time.Microsecond }},
		{"and can hardly keep up", 500, func(w *world) { w.away, w.each = 100*ms, 300*time.Microsecond }}, // some 250 packets a second of 200
		{"feedback comes together, five times 200 ms late", 0, func(w *world) { w.back.stall = 200 * ms }},
		{"nothing arrives for 200 ms of each second", 0, func(w *world) { w.forth.stall = 200 * ms }},
		{"nothing arrives for 400 ms of each second", 0, func(w *world) { w.forth.stall = 400 * ms }},
		{"a stream that loses 2 packets of 1,000", 5, func(w *world) { w.forth.stream, w.forth.loss = true, 0.002 }},
		{"a stream that loses 10 packets of 1,000", 50, func(w *world) { w.forth.stream, w.forth.loss = true, 0.01 }},
		{"streams both ways to a receiver that is away", 10, func(w *world) {
			w.forth.stream, w.forth.loss, w.back.stream, w.back.loss, w.away = true, 0.002, true, 0.05, 50*ms
		}},
		{"jitter of 30 ms", 0, func(w *world) { w.forth.jitter = 30 * ms }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			small, looks := 0, 0
			for seed := range seeds(8) {
				w := newWorld(seed, bandwidth.Limits{Start: 3_000_000})
				w.forth = link{rate: 50_000_000, queue: 100 * ms, delay: ms}
				w.back = link{delay: ms}
				w.layers, w.wanted = []int64{110_000, 350_000, 1_000_000}, 1_460_000 // as our pages send them
				c.set(w)
				for range 600 {
					w.run(100 * ms)
					if e := w.estimate(); e < w.layers[0]+soundRate {
						t.Fatalf("seed %d: %d after %v", seed, e, w.now)
					}
					if looks++; !w.top() {
						small++
					}
				}
			}
			if small*1000 > looks*c.small {
				t.Errorf("a smaller picture for %d of %d looks", small, looks)
			}
		})
	}
}
