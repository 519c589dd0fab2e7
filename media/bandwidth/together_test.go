package bandwidth_test

import (
	"testing"
	"time"

	"schalter/media/allocation"
	"schalter/media/bandwidth"
)

// allocated lets the allocator decide what leaves, as the media plane does.
type allocated struct {
	*world
	a       allocation.Allocator
	c       *allocation.Connection
	picture *allocation.Subscription
	changes int
}

func newAllocated(seed uint64) *allocated {
	w := newWorld(seed, bandwidth.Limits{})
	picture := &allocation.Subscription{Source: allocation.Camera, First: true, Shown: 720}
	for spatial, l := range []struct {
		height int
		rates  []int64
	}{{180, []int64{75, 110, 150}}, {360, []int64{250, 370, 500}}, {720, []int64{1250, 1800, 2500}}} {
		for temporal, rate := range l.rates {
			picture.Layers = append(picture.Layers, allocation.Layer{
				Spatial: uint8(spatial), Temporal: uint8(temporal), Bitrate: rate * 1000, Height: l.height,
			})
		}
	}
	sound := &allocation.Subscription{Source: allocation.Microphone, Layers: []allocation.Layer{{Bitrate: soundRate}}}
	return &allocated{world: w, c: &allocation.Connection{Subscriptions: []*allocation.Subscription{sound, picture}}, picture: picture}
}

func (w *allocated) step() {
	if w.now.Milliseconds()%50 == 0 {
		before := w.picture.Decision
		w.c.Estimate = w.estimate()
		w.a.Allocate([]*allocation.Connection{w.c}, w.at())
		w.wanted = w.c.Wanted
		d := w.picture.Decision
		w.fixed = d.Bitrate
		if d.On != before.On || d.Spatial != before.Spatial {
			w.changes++
		}
	}
	w.world.step()
}

func (w *allocated) run(d time.Duration) {
	for end := w.now + d; w.now < end; {
		w.step()
	}
}

// Estimate and allocation together: 600 kbit/s for half a minute, then 5 Mbit/s.
func TestTogetherWithAllocation(t *testing.T) {
	for _, delay := range []time.Duration{5, 20, 100} {
		for _, burst := range []int64{0, 4000} {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				for seed := range seeds(8) {
					w := newAllocated(seed)
					w.forth = link{rate: 600_000, queue: 100 * time.Millisecond, burst: burst, delay: delay * time.Millisecond}
					w.back.delay = w.forth.delay
					w.run(3 * time.Second)
					if e := w.estimate(); burst == 0 && (e < 480_000 || e > 720_000) {
						t.Errorf("way %d ms, seed %d: %d after 3 s", delay, seed, e)
					}
					w.changes = 0
					w.run(27 * time.Second)
					if w.changes > 4 {
						t.Errorf("way %d ms, seed %d: %d changes of size in 27 s", delay, seed, w.changes)
					}
					if w.soundLost > 2 {
						t.Errorf("way %d ms, seed %d: %d packets of sound lost", delay, seed, w.soundLost)
					}
					w.forth.rate = 5_000_000
					from := w.now
					for w.picture.Decision.Bitrate < 2_500_000 && w.now-from < 20*time.Second {
						w.step()
					}
					if took := w.now - from; took > 10*time.Second {
						t.Errorf("way %d ms, bucket %d, seed %d: the best layer came back after %v", delay, burst, seed, took)
					}
				}
			})
		}
	}
}
