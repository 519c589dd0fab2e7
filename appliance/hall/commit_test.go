package hall_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"schalter/appliance"
	"schalter/appliance/hall"
	"schalter/appliance/store"
)

func key(caller, value string, body byte) *store.Key {
	return &store.Key{Caller: caller, Route: "POST /api/v1/x", Value: value, Body: [32]byte{body}}
}

func TestFailedWriteRevertsTheWholeGroup(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		b.arrive("v0", "bauamt")
		c := b.page(citizen("v0"), "c0")
		p := b.page(clerk("platz1"), "p1")
		for i := range 4 { // at work before, so that the requests below change nothing by being a sign of life
			_, err := b.Desk(context.Background(), platz(i))
			b.must(err)
		}
		_, err := b.Desk(context.Background(), "petersen")
		b.must(err)
		time.Sleep(time.Second)
		c.got()
		p.got()
		// One request holds the writer, so that the others become one group.
		gate := make(chan struct{})
		b.disk.gate.Store(&gate)
		first := make(chan error)
		go func() {
			_, err := b.Do(context.Background(), hall.Request{Actor: clerk("petersen"), Event: appliance.SetDesk{State: appliance.Pause}})
			first <- err
		}()
		synctest.Wait()
		errs := make(chan error, 8)
		for i := range 4 {
			go func() {
				_, err := b.Do(context.Background(), hall.Request{
					Actor: appliance.Actor{Role: appliance.Anonymous}, Event: arrival(appliance.VisitID(fmt.Sprint("n", i)), "bauamt"),
				})
				errs <- err
			}()
			go func() {
				_, err := b.Do(context.Background(), hall.Request{Actor: clerk(platz(i)), Event: appliance.Next{}, Key: key("x", fmt.Sprint(i), 1)})
				errs <- err
			}()
		}
		synctest.Wait()
		b.disk.failing.Store(true)
		before := b.disk.writes.Load()
		close(gate)
		b.refused(<-first, "not-stored")
		for range 8 {
			b.refused(<-errs, "not-stored")
		}
		if n := b.disk.writes.Load() - before; n != 1 {
			t.Fatalf("%d writes for one group", n)
		}
		time.Sleep(time.Second)
		b.want("citizen was told nothing", c.sent(), "")
		b.want("clerk was told nothing", p.sent(), "")
		if n := b.log.count("changes not stored"); n != 1 {
			t.Fatalf("%d log lines about a disk that stays full, want 1", n)
		}
		b.disk.failing.Store(false)
		// Everything is as it was, in memory and on disk, and the keys are free.
		for range 2 {
			v, err := b.Visit(context.Background(), "v0")
			b.must(err)
			if v.State != appliance.Waiting || v.Version != 1 || *v.Position != 1 {
				t.Fatalf("after the failure: %+v", v)
			}
			_, err = b.Visit(context.Background(), "n0")
			b.refused(err, "visit-unknown")
			b.restart()
		}
		a, err := b.Do(context.Background(), hall.Request{Actor: clerk(platz(0)), Event: appliance.Next{}, Key: key("x", "0", 1)})
		b.must(err)
		if a.Staff == nil || a.Staff.ID != "v0" {
			t.Fatalf("the same key afterwards: %+v", a)
		}
	})
}

func TestRepeatedRequests(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		ctx := context.Background()
		b.arrive("v1", "bauamt")
		b.arrive("v2", "bauamt")
		next := hall.Request{Actor: clerk("platz1"), Event: appliance.Next{}, Key: key("clerk:platz1", "k1", 1)}
		again := func(what string) {
			t.Helper()
			a, err := b.Do(ctx, next)
			b.must(err)
			if a.Staff == nil || a.Staff.ID != "v1" || a.Staff.State != appliance.Called {
				t.Fatalf("%s: %+v", what, a)
			}
		}
		again("first")
		again("repeated")
		b.do(citizen("v1"), appliance.Accept{})
		again("repeated when the state is another")
		other := next
		other.Key = key("clerk:platz1", "k1", 2)
		_, err := b.Do(ctx, other)
		b.refused(err, "key-reused")

		// A conflict is an answer too; so is nobody.
		refused := hall.Request{Actor: clerk("platz1"), Event: appliance.Next{}, Key: key("clerk:platz1", "k2", 1)}
		_, err = b.Do(ctx, refused)
		b.refused(err, "call-open")
		nobody := hall.Request{Actor: clerk("weber"), Event: appliance.Next{}, Key: key("clerk:weber", "k3", 1)}
		if a, err := b.Do(ctx, nobody); err != nil || !a.None {
			t.Fatalf("nobody: %+v, %v", a, err)
		}
		b.do(clerk("platz1"), appliance.Finish{Visit: "v1", Outcome: appliance.OutcomeDone})
		b.arrive("v3", "buergerbuero")

		// What is not valid is decided anew: the first body was none.
		bad := hall.Request{Actor: clerk("platz1"), Event: appliance.Call{Visit: "v2"}, Key: key("clerk:platz1", "k4", 1)}
		if _, err := b.Do(ctx, bad); err == nil {
			t.Fatal("a call without a reason")
		}
		b.restart()
		again("repeated after a restart")
		_, err = b.Do(ctx, refused)
		b.refused(err, "call-open")
		if a, err := b.Do(ctx, nobody); err != nil || !a.None {
			t.Fatalf("nobody, repeated: %+v, %v", a, err)
		}
		good := bad
		good.Event, good.Key = appliance.Call{Visit: "v2", Reason: "Termin"}, key("clerk:platz1", "k4", 2)
		a, err := b.Do(ctx, good)
		b.must(err)
		if a.Staff == nil || a.Staff.ID != "v2" {
			t.Fatalf("corrected: %+v", a)
		}
		// After a day a key is free.
		time.Sleep(25 * time.Hour)
		if a, err := b.Do(ctx, next); err == nil && a.Staff != nil && a.Staff.ID == "v1" {
			t.Fatal("a key was remembered for more than a day")
		}
	})
}

// The same key several times in one group: one change, one answer for all.
func TestRepeatedWithinAGroup(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		gate := make(chan struct{})
		b.disk.gate.Store(&gate)
		first := make(chan error)
		go func() {
			_, err := b.Do(context.Background(), hall.Request{Actor: clerk("weber"), Event: appliance.SetDesk{State: appliance.Pause}})
			first <- err
		}()
		synctest.Wait()
		answers := make(chan hall.Answer, 5)
		for range 5 {
			go func() {
				a, err := b.Do(context.Background(), hall.Request{
					Actor: appliance.Actor{Role: appliance.Anonymous}, Event: arrival("v1", "bauamt"), Key: key("anonymous", "k", 1),
				})
				if err != nil {
					t.Error(err)
				}
				answers <- a
			}()
		}
		synctest.Wait()
		reused := make(chan error)
		go func() {
			_, err := b.Do(context.Background(), hall.Request{
				Actor: appliance.Actor{Role: appliance.Anonymous}, Event: arrival("v2", "bauamt"), Key: key("anonymous", "k", 2),
			})
			reused <- err
		}()
		synctest.Wait()
		close(gate)
		b.must(<-first)
		for range 5 {
			if a := <-answers; a.Visit == nil || a.Visit.ID != "v1" || *a.Visit.Position != 1 {
				t.Fatalf("got %+v", a)
			}
		}
		b.refused(<-reused, "key-reused")
		if n := b.disk.writes.Load(); n != 2 {
			t.Fatalf("%d transactions, want 2", n)
		}
	})
}

func TestAskerIsGone(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		gate := make(chan struct{})
		b.disk.gate.Store(&gate)
		ctx, cancel := context.WithCancel(context.Background())
		errs := make(chan error, 2)
		for _, id := range []appliance.VisitID{"v1", "v2"} {
			go func() {
				_, err := b.Do(ctx, hall.Request{Actor: appliance.Actor{Role: appliance.Anonymous}, Event: arrival(id, "bauamt")})
				errs <- err
			}()
			synctest.Wait() // v1 is being stored, v2 waits for its turn
		}
		lines := make(chan error)
		go func() {
			_, err := b.Connect(ctx, hall.Joiner{Actor: clerk("weber")})
			lines <- err
		}()
		synctest.Wait()
		cancel()
		for range 2 {
			if err := <-errs; !errors.Is(err, context.Canceled) {
				t.Fatalf("got %v", err)
			}
		}
		if err := <-lines; !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
		close(gate)
		synctest.Wait()
		_, err := b.Visit(context.Background(), "v1")
		b.must(err) // it had begun
		_, err = b.Visit(context.Background(), "v2")
		b.refused(err, "visit-unknown") // it had not
		time.Sleep(3 * time.Minute)     // the clerk's line did not stay: the desk is empty
		town, err := b.Town(context.Background())
		b.must(err)
		if town.Offices[0].Staff != 0 {
			t.Fatal("a line stayed behind")
		}
	})
}

func TestFullInboxIsBusy(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		gate := make(chan struct{})
		b.disk.gate.Store(&gate)
		var all sync.WaitGroup
		var busy, done atomic.Int64
		ask := func() {
			_, err := b.Do(context.Background(), hall.Request{Actor: clerk("weber"), Event: appliance.SetDesk{State: appliance.Pause}})
			if refusal := (*appliance.Error)(nil); errors.As(err, &refusal) && refusal.Code == "busy" {
				busy.Add(1)
			} else if err == nil {
				done.Add(1)
			}
		}
		all.Go(ask)
		synctest.Wait()
		for range 1100 {
			all.Go(ask)
		}
		synctest.Wait()
		if n := busy.Load(); n != 1100-1024 {
			t.Fatalf("%d were told busy", n)
		}
		close(gate)
		all.Wait()
		if n := done.Load(); n != 1025 {
			t.Fatalf("%d were answered", n)
		}
	})
}
