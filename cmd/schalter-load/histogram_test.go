package main

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestBucketsHoldTheirValues(t *testing.T) {
	t.Parallel()
	for d := time.Duration(0); d >= 0 && d < 1<<62; d += d/7 + 1 {
		low := lowest(bucket(d))
		if low > d || float64(d-low) > float64(d)/perOctave {
			t.Fatalf("%d is counted as %d", d, low)
		}
	}
	if bucket(-1) != 0 || bucket(1<<63-1) >= len((&histogram{}).buckets) {
		t.Error("a value has no bucket")
	}
}

func TestQuantiles(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	var halves [2]histogram
	var all []time.Duration
	for i := range 10000 {
		d := time.Duration(random.ExpFloat64() * 1e6)
		all = append(all, d)
		halves[i%2].add(d)
	}
	h := halves[0]
	h.join(&halves[1])
	slices.Sort(all)
	for _, q := range []float64{.01, .5, .99, .999} {
		want, got := all[int(q*float64(len(all)))-1], h.quantile(q)
		if got > want || want-got > want/16 {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if h.count != uint64(len(all)) || h.longest != all[len(all)-1] || (&histogram{}).quantile(.5) != 0 {
		t.Errorf("%d counted, longest %v", h.count, h.longest)
	}
}

func TestMedian(t *testing.T) {
	t.Parallel()
	given := []float64{3, 1, 2}
	if median(given) != 2 || median([]int{4, 1}) != 1 || median[int](nil) != 0 || given[0] != 3 {
		t.Error("the median is not the one in the middle")
	}
}
