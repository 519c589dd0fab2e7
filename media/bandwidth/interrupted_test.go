package bandwidth_test

import (
	"testing"
	"time"

	"schalter/media/bandwidth"
)

// What was lost while nothing at all got through is no sign of a full way, however short that was: the estimate stays at what was
// proven, and the picture as it was.
func TestInterruptionIsNotCongestion(t *testing.T) {
	t.Parallel()
	for _, nothing := range []time.Duration{400 * time.Millisecond, 700 * time.Millisecond, 1300 * time.Millisecond, 1900 * time.Millisecond} {
		for seed := range seeds(5) {
			w := newWorld(seed, bandwidth.Limits{})
			w.forth = link{rate: 20_000_000, queue: 100 * time.Millisecond, delay: 20 * time.Millisecond}
			w.run(time.Duration(6000+seed*37) * time.Millisecond)
			w.forth.down, w.back.down = true, true
			w.run(nothing)
			w.forth.down, w.back.down = false, false
			for range 30 {
				w.run(100 * time.Millisecond)
				if !w.top() || w.e.Full(w.at()) {
					t.Fatalf("seed %d, %v of nothing: layer %d with %d, full: %v", seed, nothing, w.layer, w.estimate(), w.e.Full(w.at()))
				}
			}
		}
	}
}

// Receiver reports of an interruption do not bind the feedback that comes after it.
func TestReportsOfAnInterruption(t *testing.T) {
	t.Parallel()
	w := newWorld(1, bandwidth.Limits{})
	w.forth = link{rate: 20_000_000, queue: 100 * time.Millisecond, delay: 20 * time.Millisecond}
	w.run(6 * time.Second)
	w.forth.down = true
	w.run(6 * time.Second)
	for range 3 {
		w.e.Report(255, 40*time.Millisecond, w.at())
		w.run(time.Second)
	}
	w.forth.down = false
	w.run(3 * time.Second)
	if !w.top() || w.e.Full(w.at()) {
		t.Errorf("layer %d with %d, full: %v", w.layer, w.estimate(), w.e.Full(w.at()))
	}
}

// Another way is not full because the old one was.
func TestMovedToAWiderWay(t *testing.T) {
	t.Parallel()
	for seed := range seeds(5) {
		w := newWorld(seed, bandwidth.Limits{})
		w.forth = link{rate: 600_000, queue: 100 * time.Millisecond, delay: 20 * time.Millisecond}
		w.run(6 * time.Second)
		if !w.e.Full(w.at()) {
			t.Fatal("a narrow way is not full")
		}
		w.forth.rate = 20_000_000
		w.e.Moved(w.at())
		if w.e.Full(w.at()) {
			t.Error("the new way is full")
		}
		w.run(4 * time.Second)
		if !w.top() {
			t.Errorf("seed %d: layer %d, %d after 4 s", seed, w.layer, w.estimate())
		}
	}
}

// On a link that loses a third of everything whatever is sent the picture goes on: it gets smaller once, to find that out.
func TestRandomLossKeepsThePicture(t *testing.T) {
	t.Parallel()
	for seed := range seeds(8) {
		w := newWorld(seed, bandwidth.Limits{Start: 3_000_000})
		w.forth = link{rate: 20_000_000, queue: 100 * time.Millisecond, delay: 20 * time.Millisecond}
		w.layers, w.wanted = []int64{110_000, 350_000, 1_000_000}, 1_460_000
		w.run(6 * time.Second)
		w.forth.loss, w.back.loss = 0.3, 0.3
		small := 0
		for n := range 600 {
			w.run(100 * time.Millisecond)
			if w.layer < 0 || n > 50 && w.layer < 1 {
				t.Fatalf("seed %d: layer %d with %d after %v", seed, w.layer, w.estimate(), w.now)
			}
			if !w.top() {
				small++
			}
		}
		if small > 200 {
			t.Errorf("seed %d: a smaller picture at %d of 600 looks", seed, small)
		}
		w.forth.rate = 600_000 // and now it is narrow, too
		w.run(3 * time.Second)
		if e := w.estimate(); e > 900_000 {
			t.Errorf("seed %d: %d after 3 s of 600 kbit/s", seed, e)
		}
	}
}
