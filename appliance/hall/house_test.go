package hall_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"schalter/appliance"
	"schalter/appliance/hall"
	"schalter/media"
)

// Twenty clerks press next at once, a thousand times, on the real database, with open pages.
func TestTwentyClerksPressNextAtOnce(t *testing.T) {
	const clerks = 20
	rounds := 1000
	if testing.Short() {
		rounds = 50
	}
	b := newBox(t)
	var views atomic.Int64
	var readers sync.WaitGroup
	for i := range clerks {
		p := b.page(clerk(platz(i)), fmt.Sprint("page", i))
		readers.Go(func() {
			for range p.Pushes() {
				views.Add(1)
				p.Seen()
			}
		})
	}
	start := time.Now()
	called := make(map[appliance.VisitID]int)
	waiting := 0
	for round := range rounds {
		together(clerks, func(i int) { b.arrive(appliance.VisitID(fmt.Sprintf("r%04d-%02d", round, i)), "bauamt") })
		waiting += clerks
		got := make([]appliance.VisitID, clerks)
		together(clerks, func(i int) {
			a, err := b.Do(context.Background(), hall.Request{ // with a key, as the pages do
				Actor: clerk(platz(i)), Event: appliance.Next{}, Key: key("clerk:"+string(platz(i)), fmt.Sprint(round), 1),
			})
			if err != nil {
				t.Error(err)
			} else if a.Staff != nil {
				got[i] = a.Staff.ID
			}
		})
		for i, id := range got {
			if id == "" {
				t.Fatalf("round %d: clerk %d got nobody, %d wait", round, i, waiting)
			}
			if called[id]++; called[id] > 1 {
				t.Fatalf("round %d: %s was called twice", round, id)
			}
		}
		together(clerks, func(i int) {
			b.do(clerk(platz(i)), appliance.Finish{Visit: got[i], Outcome: appliance.OutcomeDone})
		})
		waiting -= clerks
	}
	took := time.Since(start)
	if len(called) != rounds*clerks {
		t.Fatalf("%d were called, want %d: somebody was skipped", len(called), rounds*clerks)
	}
	if a := b.do(clerk("platz1"), appliance.Next{}); !a.None {
		t.Fatal("somebody is left")
	}
	if took > time.Minute {
		t.Errorf("took %v", took)
	}
	writes := b.disk.writes.Load()
	b.stop()
	readers.Wait()
	t.Logf("%d rounds in %v: %d requests in %d transactions, %d views pushed", rounds, took.Round(time.Millisecond),
		3*rounds*clerks, writes, views.Load())
}

func platz(i int) appliance.ClerkID { return appliance.ClerkID(fmt.Sprintf("platz%d", i+1)) }

func together(n int, f func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { f(i) })
	}
	all.Wait()
}

func TestClocks(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		b.arrive("v1", "buergerbuero")
		c, w := b.page(citizen("v1"), "c1"), b.page(clerk("weber"), "w1")
		alive := func(d time.Duration) {
			for range d / (5 * time.Second) {
				time.Sleep(5 * time.Second)
				c.Seen()
				w.Seen()
			}
		}
		b.do(clerk("weber"), appliance.Next{})
		time.Sleep(time.Second)
		c.got()
		w.got()
		// The disk is full when the call lapses: tried again each second, and never in a circle.
		b.disk.failing.Store(true)
		before := b.disk.writes.Load()
		alive(60 * time.Second)
		if n := b.disk.writes.Load() - before; n < 10 || n > 20 {
			t.Fatalf("%d tries within 16 s", n)
		}
		b.disk.failing.Store(false)
		alive(5 * time.Second)
		b.want("lapsed", c.sent(), "visit:waiting")
		if n := b.log.count("changes are stored again"); n != 1 {
			t.Fatalf("%d lines about the recovery", n)
		}
		// Who falls silent is ended, shown as interrupted, then absent, by the clock alone.
		w.got()
		seen := map[appliance.Presence]bool{}
		for range 40 {
			time.Sleep(5 * time.Second)
			w.Seen()
			for _, x := range w.got() {
				for _, q := range x.Desk.Queues {
					for _, v := range q.Visits {
						seen[v.Presence] = true
					}
				}
			}
		}
		b.want("silent", c.Ended(), "slow")
		if !seen[appliance.Interrupted] || !seen[appliance.Absent] {
			t.Fatalf("the clerk saw %v", seen)
		}
	})
}

func TestSlowLineIsCutOff(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		b.arrive("v1", "buergerbuero")
		c, w := b.page(citizen("v1"), "c1"), b.page(clerk("weber"), "w1")
		b.talk("weber")
		time.Sleep(time.Second)
		w.got()
		for i := range 300 { // nobody reads c
			time.Sleep(60 * time.Millisecond)
			if err := w.Type(t.Context(), 1, fmt.Sprint(i), false); err != nil {
				t.Fatal(err)
			}
			w.Seen()
		}
		b.want("slow reader", c.sent()+c.Ended(), "slow")
		if n := len(b.seated()); n != 2 {
			t.Fatalf("%d sit: the page may still come back", n)
		}
		if again := b.page(citizen("v1"), "c1").got(); len(again) < 3 || again[1].Seat == nil {
			t.Fatal("the page could not come back")
		}
		// A reader that never comes at all keeps nothing alive: the box closes (inBox checks that nothing is left).
	})
}

// However many changes there are, a slow reader has one view to read, the newest.
func TestOneViewWaits(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		w := b.page(clerk("platz1"), "w1")
		for i := range 50 {
			b.arrive(appliance.VisitID(fmt.Sprint("v", i)), "bauamt")
			time.Sleep(100 * time.Millisecond)
		}
		pushes := w.got()
		if len(pushes) != 1 || len(pushes[0].Desk.Queues[0].Visits) != 50 {
			t.Fatalf("%d pushes", len(pushes))
		}
		w.Seen()
		time.Sleep(10 * time.Second)
		b.want("nothing new", w.sent(), "")
	})
}

func TestSignedOutEndsLines(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		b.arrive("v1", "buergerbuero")
		c := b.page(citizen("v1"), "c1")
		w1 := b.join(hall.Joiner{Actor: clerk("weber"), Page: "w1", SignIn: "s1"})
		w2 := b.join(hall.Joiner{Actor: clerk("weber"), Page: "w2", SignIn: "s2"})
		b.must(w1.TakeOver(t.Context()))
		b.talk("weber")
		w1.seat()
		w2.got()
		b.SignedOut("s1")
		synctest.Wait()
		if n := len(b.seated()); n != 1 {
			t.Fatalf("%d sit, want the citizen", n)
		}
		b.want("signed out", w1.sent(), "ended:signed-out")
		b.want("another sign-in", w2.sent(), "")
		b.refused(w1.Type(t.Context(), 1, "a", true), "no-talk")
		b.must(w2.TakeOver(t.Context()))
		time.Sleep(time.Second)
		w2.seat()
		// Also while the page is away for a moment, and when the clerk is disabled.
		w2.Close()
		synctest.Wait()
		b.SignedOut("s2")
		synctest.Wait()
		if n := len(b.seated()); n != 1 {
			t.Fatalf("%d sit after the second sign-out", n)
		}
		w3 := b.join(hall.Joiner{Actor: clerk("weber"), Page: "w3", SignIn: "s3"})
		w3.seat()
		row := lindenau().Clerks[0]
		row.Disabled = true
		b.do(appliance.Actor{Role: appliance.TheHouse}, appliance.PutClerk{Clerk: row})
		time.Sleep(time.Second)
		b.want("disabled", w3.sent(), "ended:signed-out")
		_, err := b.Connect(t.Context(), hall.Joiner{Actor: clerk("weber")})
		b.refused(err, "role")
		b.SignedOut("")
		c.got()
	})
}

// Who keeps the sign-in but may not work at a desk any more sees no queue from then on.
func TestRoleTakenAwayEndsLines(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		b.arrive("v1", "buergerbuero")
		b.page(citizen("v1"), "c1")
		w := b.join(hall.Joiner{Actor: clerk("weber"), Page: "w1", SignIn: "s1"})
		b.talk("weber")
		w.seat()
		row := lindenau().Clerks[0]
		row.Roles = []appliance.Role{appliance.Host}
		b.do(appliance.Actor{Role: appliance.TheHouse}, appliance.PutClerk{Clerk: row})
		time.Sleep(time.Second)
		b.want("no clerk any more", w.sent(), "ended:signed-out")
		if n := len(b.seated()); n != 1 {
			t.Fatalf("%d sit, want the citizen", n)
		}
		_, err := b.Connect(t.Context(), hall.Joiner{Actor: clerk("weber")})
		b.refused(err, "role")
	})
}

func TestRestartRestoresTalks(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		b.arrive("v1", "buergerbuero")
		b.arrive("v2", "buergerbuero")
		c, w := b.page(citizen("v1"), "c1"), b.page(clerk("weber"), "w1")
		b.talk("weber")
		cs := c.seat()
		w.got()
		b.stop()
		b.want("citizen is told", c.Ended(), "shutdown")
		b.want("clerk is told", w.Ended(), "shutdown")
		b.start()
		if n := b.plane.ever(); n != 0 {
			t.Fatalf("%d seats given before anybody came", n)
		}
		c = b.page(citizen("v1"), "c1")
		if s := c.seat(); s.Seat == cs.Seat {
			t.Fatal("an old seat was given")
		}
		b.want("clerk comes back", b.page(clerk("weber"), "w1").sent(), "desk seat")
		b.want("who waits still waits", b.page(citizen("v2"), "c2").sent(), "visit:waiting")
		if n := len(b.seated()); n != 2 {
			t.Fatalf("%d sit", n)
		}
	})
}

func TestWhoMayConnect(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		b.arrive("v1", "bauamt")
		for code, who := range map[string]appliance.Actor{
			"visit-unknown": citizen("nobody"),
			"role":          clerk("nobody"),
		} {
			_, err := b.Connect(t.Context(), hall.Joiner{Actor: who})
			b.refused(err, code)
		}
		for _, who := range []appliance.Actor{
			{}, {Role: appliance.Anonymous}, {Role: appliance.Companion, Visit: "v1"}, {Role: appliance.Citizen, Visit: "v1", Clerk: "weber"},
		} {
			_, err := b.Connect(t.Context(), hall.Joiner{Actor: who})
			b.refused(err, "role")
		}
	})
}

func TestTownIsAsNewAsTheLastAnswer(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		for i := range 5 {
			together(50, func(int) {
				town, err := b.Town(context.Background())
				if err != nil || town.Offices[1].Waiting != i {
					t.Errorf("town: %v, %d wait, want %d", err, town.Offices[1].Waiting, i)
				}
			})
			b.arrive(appliance.VisitID(fmt.Sprint("v", i)), "bauamt")
		}
	})
}

func TestClosed(t *testing.T) {
	b := newBox(t)
	w := b.page(clerk("weber"), "w1")
	h := b.Hall
	b.stop()
	_, err := h.Do(t.Context(), hall.Request{Actor: clerk("weber"), Event: appliance.Next{}})
	b.refused(err, "shutdown")
	_, err = h.Connect(t.Context(), hall.Joiner{Actor: clerk("weber")})
	b.refused(err, "shutdown")
	_, err = h.Desk(t.Context(), "weber")
	b.refused(err, "shutdown")
	h.SignedOut("s1")
	w.Seen()
	w.Close()
	b.must(h.Close(t.Context()))
}

// Two hundred visits from arrival to farewell, with pages and rooms, leave nothing running.
func TestTwoHundredVisitsLeaveNothing(t *testing.T) {
	b := newBox(t)
	var readers sync.WaitGroup
	follow := func(p page, publish bool) {
		readers.Go(func() {
			defer p.Close()
			for x := range p.Pushes() {
				if x.Seat != nil && publish {
					err := p.Publish(context.Background(), x.Seat.Seat, media.Offer{SDP: "o"})
					var gone *appliance.Error // the clerk may have finished meanwhile
					if err != nil && (!errors.As(err, &gone) || gone.Code != "seat-stale") {
						t.Error(err)
					}
				}
			}
		})
	}
	visits := func(n int, from string) {
		together(n, func(i int) {
			id := appliance.VisitID(fmt.Sprint(from, i))
			b.arrive(id, "bauamt")
			follow(b.page(citizen(id), string(id)), true)
		})
		together(20, func(i int) {
			for {
				a := b.do(clerk(platz(i)), appliance.Next{})
				if a.None {
					return
				}
				b.do(citizen(a.Staff.ID), appliance.Accept{})
				b.do(clerk(platz(i)), appliance.Finish{Visit: a.Staff.ID, Outcome: appliance.OutcomeDone})
			}
		})
		readers.Wait()
	}
	visits(20, "w")
	settle := func() int { // rooms end by themselves, a moment after their visits
		n := runtime.NumGoroutine()
		for range 100 {
			time.Sleep(10 * time.Millisecond)
			m := runtime.NumGoroutine()
			if len(b.plane.taken()) == 0 && m == n {
				break
			}
			n = m
		}
		return n
	}
	before := settle()
	visits(200, "v")
	if after := settle(); after > before+5 {
		t.Errorf("%d goroutines before, %d after", before, after)
	}
	if left := b.seated(); len(left) > 0 {
		t.Errorf("seats left: %v", left)
	}
}
