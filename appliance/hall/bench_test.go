package hall_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"schalter/appliance"
	"schalter/appliance/hall"
)

// BenchmarkDo is one request after another, each durable: the price of a transaction.
func BenchmarkDo(b *testing.B) {
	x := newBox(b)
	i := 0
	for b.Loop() {
		x.arrive(appliance.VisitID(fmt.Sprint("v", i)), "bauamt")
		i++
		x.do(clerk("platz1"), appliance.Next{})
		x.do(clerk("platz1"), appliance.Finish{Visit: appliance.VisitID(fmt.Sprint("v", i-1)), Outcome: appliance.OutcomeDone})
	}
	b.ReportMetric(float64(x.disk.writes.Load())/float64(b.N), "transactions/op")
}

// BenchmarkDoTogether is many at once: the group shares a transaction.
func BenchmarkDoTogether(b *testing.B) {
	x := newBox(b)
	var n atomic.Int64
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			id := appliance.VisitID(fmt.Sprint("v", n.Add(1)))
			x.arrive(id, "bauamt")
			x.do(citizen(id), appliance.Leave{})
		}
	})
	b.ReportMetric(float64(x.disk.writes.Load())/float64(b.N), "transactions/op")
}

// BenchmarkTown is what a page before the door asks.
func BenchmarkTown(b *testing.B) {
	x := newBox(b)
	for b.Loop() {
		if _, err := x.Town(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDoBesidePages measures a change while a full house looks on: 200 citizens and 20 clerks with open pages.
func BenchmarkDoBesidePages(b *testing.B) {
	x := newBox(b)
	read := func(p page) {
		go func() {
			for range p.Pushes() {
			}
		}()
	}
	for i := range 200 {
		id := appliance.VisitID(fmt.Sprint("v", i))
		x.arrive(id, "bauamt")
		read(x.page(citizen(id), string(id)))
	}
	for i := range 20 {
		read(x.page(clerk(platz(i)), fmt.Sprint("p", i)))
	}
	state := [2]appliance.DeskState{appliance.Pause, appliance.Available}
	i := 0
	for b.Loop() {
		if _, err := x.Do(context.Background(), hall.Request{Actor: clerk("platz1"), Event: appliance.SetDesk{State: state[i%2]}}); err != nil {
			b.Fatal(err)
		}
		i++
	}
}
