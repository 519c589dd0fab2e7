package main

import "testing"

func TestGovernor(t *testing.T) {
	type step struct {
		share float64 // of one processor
		times int
		want  int
	}
	for name, c := range map[string]struct {
		most  int
		steps []step
	}{
		"little work stays on one":           {4, []step{{0.1, 100, 1}, {0.69, 100, 1}}},
		"a busy one is doubled":              {4, []step{{0.75, 1, 2}, {0.75, 1, 2}, {1.5, 1, 4}, {4, 5, 4}}},
		"never more than there are":          {3, []step{{1, 1, 2}, {2, 1, 3}, {3, 9, 3}}},
		"one alone stays one":                {1, []step{{1, 10, 1}}},
		"less after two seconds of calm":     {2, []step{{1, 1, 2}, {0.1, 3, 2}, {0.1, 1, 1}}},
		"calm is counted anew after a burst": {2, []step{{1, 1, 2}, {0.1, 3, 2}, {0.5, 1, 2}, {0.1, 3, 2}, {0.1, 1, 1}}},
		"one by one":                         {4, []step{{1, 1, 2}, {2, 1, 4}, {0.1, 4, 3}, {0.1, 4, 2}, {0.1, 4, 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			g := governor{most: c.most, now: 1}
			for i, s := range c.steps {
				got := 0
				for range s.times {
					got = g.look(s.share*governEach.Seconds(), governEach)
				}
				if got != s.want {
					t.Fatalf("step %d: %d, want %d", i, got, s.want)
				}
			}
			if got := g.look(1, 0); got != g.now {
				t.Errorf("no time: %d", got)
			}
		})
	}
}
