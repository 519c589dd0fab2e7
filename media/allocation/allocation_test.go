package allocation_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"schalter/media/allocation"
)

// check is what always holds.
func check(a *allocation.Allocator, connections []*allocation.Connection) error {
	var total, allSound, wanted int64
	for i, c := range connections {
		var sound, pictures int64
		for _, s := range c.Subscriptions {
			d := s.Decision
			if d.Bitrate < 0 || !d.On && d.Bitrate != 0 {
				return fmt.Errorf("connection %d: %+v", i, d)
			}
			if s.Source == allocation.Microphone {
				if len(s.Layers) > 0 && !d.On {
					return fmt.Errorf("connection %d: sound is off", i)
				}
				sound += d.Bitrate
				continue
			}
			if d.On && !offered(s, d) {
				return fmt.Errorf("connection %d: %+v is not offered", i, d)
			}
			if d.On && s.Shown <= 0 {
				return fmt.Errorf("connection %d: %+v, but nobody looks", i, d)
			}
			pictures += d.Bitrate
		}
		if pictures > 0 && sound+pictures > c.Estimate {
			return fmt.Errorf("connection %d: %d and %d of %d", i, sound, pictures, c.Estimate)
		}
		if c.Allotted != sound+pictures {
			return fmt.Errorf("connection %d: allotted %d, are %d", i, c.Allotted, sound+pictures)
		}
		total += c.Allotted
		allSound += sound
		if c.Wanted > c.Estimate && c.Wanted > c.Allotted {
			wanted += (c.Wanted - c.Allotted) * 11 / 10
		}
	}
	if a.Budget > 0 && total > allSound && total > a.Budget*95/100 {
		return fmt.Errorf("%d together, budget %d", total, a.Budget)
	}
	if a.Budget > 0 && total <= a.Budget && wanted > 0 && total+wanted > a.Budget {
		return fmt.Errorf("%d together and %d of probes, budget %d", total, wanted, a.Budget)
	}
	return nil
}

func offered(s *allocation.Subscription, d allocation.Decision) bool {
	for _, l := range s.Layers {
		if l.Spatial == d.Spatial && l.Temporal == d.Temporal && l.Bitrate == d.Bitrate {
			return true
		}
	}
	return false
}

// Whatever the budget, ten talks that want the same get the same within 20 %.
func TestTalksDegradeEvenly(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	for budget := int64(500_000); budget <= 40_000_000; budget += 375_000 {
		random := rand.New(rand.NewPCG(uint64(budget), 1))
		a := allocation.Allocator{Budget: budget}
		var connections []*allocation.Connection
		for range 20 {
			l := layers(simulcast)
			for i := range l { // scenes differ
				l[i].Bitrate = l[i].Bitrate * (980 + random.Int64N(40)) / 1000
			}
			connections = append(connections, &allocation.Connection{Estimate: 5_000_000, Subscriptions: []*allocation.Subscription{
				{Source: allocation.Microphone, Layers: []allocation.Layer{{Bitrate: 40_000}}},
				{Source: allocation.Camera, Layers: l, Shown: 720, First: true},
			}})
		}
		for range 12 {
			now = now.Add(200 * time.Millisecond)
			a.Allocate(connections, now)
			if err := check(&a, connections); err != nil {
				t.Fatalf("budget %d: %v", budget, err)
			}
		}
		least, most := int64(1)<<60, int64(0)
		for _, c := range connections {
			if d := c.Subscriptions[1].Decision; d.On {
				least, most = min(least, d.Bitrate), max(most, d.Bitrate)
			} else if !d.PausedForSound() {
				t.Fatalf("budget %d: %+v", budget, d)
			}
		}
		if most > 0 && most*100 > least*125 { // 20 % between layers, and what scenes differ
			t.Errorf("budget %d: pictures with %d to %d", budget, least, most)
		}
		// Everything is used that evenness allows: the next rung for all would not fit with room to spare.
		for _, c := range []struct{ rung, above int64 }{{1_400_000, 37_000_000}, {700_000, 20_000_000}, {65_000, 2_600_000}} {
			if budget > c.above && least < c.rung {
				t.Errorf("budget %d: only %d", budget, least)
			}
		}
	}
}

// An estimate that wobbles about a layer's rate makes a picture change ever more rarely.
func TestNoFlapping(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	random := rand.New(rand.NewPCG(1, 1))
	a := allocation.Allocator{}
	s := &allocation.Subscription{Source: allocation.Camera, Layers: layers(simulcast), Shown: 720}
	c := &allocation.Connection{Subscriptions: []*allocation.Subscription{s}}
	for _, swing := range []int64{30_000, 100_000, 200_000} {
		changes, last := 0, allocation.Decision{}
		for range 1200 { // two minutes
			now = now.Add(100 * time.Millisecond)
			c.Estimate = 500_000 + random.Int64N(2*swing) - swing
			a.Allocate([]*allocation.Connection{c}, now)
			if d := s.Decision; d.Spatial != last.Spatial || d.Temporal != last.Temporal || d.On != last.On {
				changes++
				last = d
			}
		}
		if changes > 24 {
			t.Errorf("%d changes in two minutes with ±%d", changes, swing)
		}
	}
}

// After a limit the best layer is back as soon as it has fitted for half a second.
func TestRisesInTime(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	a := allocation.Allocator{}
	s := &allocation.Subscription{Source: allocation.Camera, Layers: layers(simulcast), Shown: 720}
	c := &allocation.Connection{Estimate: 3_000_000, Subscriptions: []*allocation.Subscription{s}}
	tick := func() { now = now.Add(100 * time.Millisecond); a.Allocate([]*allocation.Connection{c}, now) }
	for range 600 {
		tick()
	}
	c.Estimate = 300_000
	tick()
	if s.Decision.Bitrate > 300_000 {
		t.Errorf("%+v at once after a fall", s.Decision)
	}
	for range 600 {
		tick()
	}
	c.Estimate = 3_000_000
	for range 6 {
		tick()
	}
	if s.Decision.Bitrate != 1_500_000 || s.Decision.Reason != allocation.Whole {
		t.Errorf("%+v after 0.6 s", s.Decision)
	}
}

func TestLadders(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		source   allocation.Source
		layers   string
		shown    int
		estimate int64 // kbit/s
		want     string
	}{
		{"all", allocation.Camera, simulcast, 720, 9000, "S2 T2 with 1500"},
		{"shown small", allocation.Camera, simulcast, 180, 9000, "S0 T2 with 150"},
		{"shown between", allocation.Camera, simulcast, 200, 9000, "S1 T2 with 500"},
		{"shown larger than published", allocation.Camera, simulcast, 2000, 9000, "S2 T2 with 1500"},
		{"temporal before spatial", allocation.Camera, simulcast, 720, 1400, "S2 T1 with 1100, their connection takes no more"},
		{"lowest movement of the middle", allocation.Camera, simulcast, 720, 300, "S1 T0 with 250, their connection takes no more"},
		{"screen: sharp first", allocation.Screen, simulcast, 720, 800, "S2 T0 with 750, their connection takes no more"},
		{"screen: no movement below", allocation.Screen, simulcast, 720, 700, "S1 T0 with 250, their connection takes no more"},
		{"nothing fits", allocation.Camera, simulcast, 720, 60, "off, their connection takes no more (paused for the sound)"},
		{"not shown", allocation.Camera, simulcast, 0, 9000, "off, is not shown"},
		{"nothing there", allocation.Camera, "none", 720, 9000, "off, nothing comes"},
		{"one layer", allocation.Camera, "720:2000", 180, 9000, "S0 T0 with 2000"},
		{"a layer that has stopped", allocation.Camera, "180:150,360:0,720:1500", 720, 9000, "S2 T0 with 1500"},
		{"a larger one that is cheaper", allocation.Camera, "180:150,360:140,720:1500", 360, 145, "S1 T0 with 140"},
	} {
		a := allocation.Allocator{}
		s := &allocation.Subscription{Source: c.source, Layers: layers(c.layers), Shown: c.shown}
		a.Allocate([]*allocation.Connection{{Estimate: c.estimate * 1000 * 10 / 9, Subscriptions: []*allocation.Subscription{s}}}, time.Unix(1, 0))
		if got := decision(s.Decision); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func crowd(n int) []*allocation.Connection {
	var connections []*allocation.Connection
	for range n {
		c := &allocation.Connection{Estimate: 2_000_000, Subscriptions: []*allocation.Subscription{{Source: allocation.Microphone, Layers: layers("0:40")}}}
		for i := range 3 {
			c.Subscriptions = append(c.Subscriptions, &allocation.Subscription{Source: allocation.Camera, Layers: layers(simulcast), Shown: 360, First: i == 0})
		}
		connections = append(connections, c)
	}
	return connections
}

func TestNothingIsAllocated(t *testing.T) {
	a := allocation.Allocator{Budget: 20_000_000}
	connections, now := crowd(20), time.Unix(1, 0)
	if n := testing.AllocsPerRun(100, func() {
		now = now.Add(100 * time.Millisecond)
		a.Allocate(connections, now)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkAllocate is one decision on 100 connections with three pictures each.
func BenchmarkAllocate(b *testing.B) {
	a := allocation.Allocator{Budget: 100_000_000}
	connections, now := crowd(100), time.Unix(1, 0)
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(100 * time.Millisecond)
		a.Allocate(connections, now)
	}
}

// FuzzAllocate: whatever is offered and estimated, sound is whole and nothing exceeds its limit.
func FuzzAllocate(f *testing.F) {
	f.Add(uint64(1), uint32(4000), []byte{3, 200, 9, 30, 17, 250, 0, 3, 3, 3, 90, 80})
	f.Add(uint64(2), uint32(0), []byte{1, 1, 1, 1, 255, 255, 0})
	f.Fuzz(func(t *testing.T, seed uint64, budget uint32, script []byte) {
		random := rand.New(rand.NewPCG(seed, 1))
		a := allocation.Allocator{Budget: int64(budget) * 1000}
		connections := []*allocation.Connection{{}, {}, {}}
		now := time.Unix(1, 0)
		for _, b := range script[:min(len(script), 200)] {
			c := connections[int(b)%3]
			switch b % 7 {
			case 0, 1:
				if len(c.Subscriptions) < 8 {
					c.Subscriptions = append(c.Subscriptions, &allocation.Subscription{Source: allocation.Source(b / 7 % 3)})
				}
			case 2:
				c.Estimate = random.Int64N(5_000_000)
			case 3:
				if n := len(c.Subscriptions); n > 0 {
					i := random.IntN(n)
					c.Subscriptions = append(c.Subscriptions[:i:i], c.Subscriptions[i+1:]...)
				}
			default:
				if n := len(c.Subscriptions); n > 0 {
					s := c.Subscriptions[random.IntN(n)]
					s.First, s.Shown = random.IntN(2) == 0, random.IntN(1100)-100
					s.Layers = nil
					for range random.IntN(20) {
						s.Layers = append(s.Layers, allocation.Layer{
							Spatial: uint8(random.IntN(4)), Temporal: uint8(random.IntN(4)),
							Bitrate: random.Int64N(3_000_000) - 100_000, Height: random.IntN(1000),
						})
					}
				}
			}
			now = now.Add(time.Duration(random.IntN(3000)) * time.Millisecond)
			a.Allocate(connections, now)
			if err := check(&a, connections); err != nil {
				t.Fatal(err)
			}
		}
	})
}
