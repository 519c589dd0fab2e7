package main

import (
	"math/bits"
	"slices"
	"time"
)

// histogram counts durations in buckets that are at most 1/32 of their value wide. The zero value is empty; it is for
// one goroutine.
type histogram struct {
	count   uint64
	longest time.Duration
	buckets [64 * perOctave]uint32
}

// perOctave buckets lie between a power of two and the next.
const perOctave = 32

func bucket(d time.Duration) int {
	v := uint64(max(d, 0))
	if v < perOctave {
		return int(v)
	}
	shift := bits.Len64(v) - bits.Len64(perOctave)
	return shift*perOctave + int(v>>shift)
}

// lowest is the shortest duration of a bucket.
func lowest(bucket int) time.Duration {
	if bucket < 2*perOctave {
		return time.Duration(bucket)
	}
	shift := bucket/perOctave - 1
	return time.Duration(bucket-shift*perOctave) << shift
}

func (h *histogram) add(d time.Duration) {
	h.buckets[bucket(d)]++
	h.count++
	h.longest = max(h.longest, d)
}

func (h *histogram) join(o *histogram) {
	for i, n := range o.buckets {
		h.buckets[i] += n
	}
	h.count += o.count
	h.longest = max(h.longest, o.longest)
}

// quantile gives the duration that the share q of all stays below, 0 when nothing was counted.
func (h *histogram) quantile(q float64) time.Duration {
	var passed uint64
	for i, n := range h.buckets {
		passed += uint64(n)
		if n > 0 && float64(passed) >= q*float64(h.count) {
			return lowest(i)
		}
	}
	return h.longest
}

// median of a few values, the lower of two in the middle; zero when there are none.
func median[T int | int64 | float64 | time.Duration](all []T) T {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[(len(sorted)-1)/2]
}
