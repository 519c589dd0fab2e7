package store

import (
	"fmt"
	"testing"

	"schalter/appliance"
)

// BenchmarkWrite is what the hall does: one transaction for all that was decided together, durable when it returns.
func BenchmarkWrite(b *testing.B) {
	for _, size := range []int{1, 64} {
		b.Run(fmt.Sprintf("entries=%d", size), func(b *testing.B) {
			s := filled(b)
			visits := make([]appliance.Visit, size)
			entries := make([]Entry, size)
			for i := range entries {
				entries[i] = arrival(i+1, noon)
				visits[i] = *entries[i].Change.Visits[0].After
			}
			write(b, s, entries...)
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				for i := range entries {
					entries[i], visits[i] = then(visits[i], noon, "call", func(v *appliance.Visit) { v.More = !v.More })
					entries[i].Key, entries[i].Answer = &Key{Caller: "clerk:weber", Route: "POST", Value: fmt.Sprint(n)}, []byte(`{}`)
					n++
				}
				write(b, s, entries...)
			}
			b.ReportMetric(float64(size)*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}

// BenchmarkVisitOf is the look-up that comes before every request of a citizen.
func BenchmarkVisitOf(b *testing.B) {
	s := filled(b)
	for i := range 800 {
		write(b, s, arrival(i+1, noon))
	}
	for b.Loop() {
		if _, err := s.VisitOf(b.Context(), token(500)); err != nil {
			b.Fatal(err)
		}
	}
}
