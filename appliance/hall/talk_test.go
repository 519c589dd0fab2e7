package hall_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"schalter/appliance"
	"schalter/appliance/hall"
	"schalter/media"
)

// A visit from arrival to end, as both pages are told.
func TestTalk(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		b.arrive("v1", "buergerbuero")
		c, w := b.page(citizen("v1"), "c1"), b.page(clerk("weber"), "w1")
		b.want("citizen waits", c.sent(), "visit:waiting")
		b.want("clerk", w.sent(), "desk")
		if a := b.do(clerk("weber"), appliance.Next{}); a.Staff == nil || a.Staff.ID != "v1" || a.Staff.State != appliance.Called {
			t.Fatalf("next: %+v", a)
		}
		time.Sleep(time.Second)
		b.want("called", c.sent(), "visit:called")
		if n := b.plane.ever(); n != 0 {
			t.Fatalf("being called gave %d seats", n)
		}
		b.do(citizen("v1"), appliance.Accept{})
		time.Sleep(time.Second)
		pushes := c.got()
		if len(pushes) != 2 || pushes[1].Seat == nil || pushes[0].Visit.State != appliance.Talking {
			t.Fatalf("citizen accepted, got %d pushes", len(pushes))
		}
		cs, ws := pushes[1].Seat, w.seat()
		if cs.Seat == ws.Seat || cs.Room != ws.Room {
			t.Fatalf("seats %v and %v are not two in one room", cs, ws)
		}
		b.must(c.Publish(t.Context(), cs.Seat, media.Offer{SDP: "o1"}))
		b.want("published", c.sent(), "answer")
		b.plane.events <- media.Event{Kind: media.Subscribe, Seat: ws.Seat, Room: ws.Room, Subscribe: &media.SubscribeOffer{Revision: 1}}
		b.want("subscribe", w.sent(), "subscribe:1")
		b.must(w.Subscribed(t.Context(), ws.Seat, 1, "a1"))
		b.must(c.SetDevices(t.Context(), hall.Devices{Microphone: true, Side: hall.SideClerk}))
		b.want("devices", w.sent(), "devices:citizen")
		b.do(clerk("weber"), appliance.Finish{Visit: "v1", Outcome: appliance.OutcomeDone})
		time.Sleep(time.Second)
		b.want("clerk at the end", w.sent(), "desk unseat")
		b.want("citizen at the end", c.sent(), "visit:done unseat ended:visit-over")
		if left := b.seated(); len(left) > 0 {
			t.Fatalf("seats left: %v", left)
		}
		b.want("coming back", b.page(citizen("v1"), "c1").sent(), "visit:done ended:visit-over")
	})
}

func TestTransferKeepsCitizensSeat(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		b.arrive("v1", "buergerbuero")
		c, w, p := b.page(citizen("v1"), "c1"), b.page(clerk("weber"), "w1"), b.page(clerk("petersen"), "p1")
		b.talk("weber")
		cs, ws := c.seat(), w.seat()
		b.must(w.Type(t.Context(), 1, "Guten Tag", true))
		b.must(c.Type(t.Context(), 1, "Mein Geheimnis", true))
		time.Sleep(time.Second)
		c.got()
		w.got()
		p.got()
		b.do(clerk("weber"), appliance.Transfer{Visit: "v1", Office: "bauamt", Note: "Garage"})
		time.Sleep(time.Second)
		b.want("first clerk", w.sent(), "desk unseat")
		b.want("citizen", c.sent(), "visit:waiting")
		if got := b.plane.taken(); len(got) != 1 || got[cs.Seat] != cs.Room {
			t.Fatalf("after the transfer sit %v, want the citizen alone", got)
		}
		b.refused(w.Publish(t.Context(), ws.Seat, media.Offer{}), "seat-stale")
		b.must(c.Type(t.Context(), 2, "Ist da wer?", true))
		b.want("citizen alone", c.sent(), "problem:no-talk")

		b.do(clerk("petersen"), appliance.Next{})
		time.Sleep(time.Second)
		b.want("called again", c.sent(), "visit:called")
		b.want("called: no seat yet", p.sent(), "desk")
		b.do(citizen("v1"), appliance.Accept{})
		time.Sleep(time.Second)
		b.want("citizen keeps the seat", c.sent(), "visit:talking")
		pushes := p.got()
		if len(pushes) != 2 || pushes[1].Seat == nil || pushes[1].Seat.Room != cs.Room {
			t.Fatalf("second clerk: want a seat in the same room and nothing of the earlier talk, got %d pushes", len(pushes))
		}
		b.must(p.Type(t.Context(), 1, "Bauamt hier", true))
		b.must(c.Type(t.Context(), 1, "Grüß Gott", true))
		b.want("a new talk begins with line 1", c.sent()+", "+p.sent(), "text:clerk:1:Bauamt hier, text:citizen:1:Grüß Gott")
		c = b.page(citizen("v1"), "c2")
		time.Sleep(time.Second)
		b.want("reloaded", c.sent(), "visit:talking text:clerk:1:Bauamt hier text:citizen:1:Grüß Gott seat")
		b.do(clerk("petersen"), appliance.Finish{Visit: "v1", Outcome: appliance.OutcomeDone})
		time.Sleep(time.Second)
		if left := b.seated(); len(left) > 0 || b.plane.most > 2 {
			t.Fatalf("left %v, at most %d in the room", left, b.plane.most)
		}
	})
}

// Nobody but the two of a talk is ever seated, whatever pages are open.
func TestWaitingPeopleNeverGetASeat(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		var pages []page
		for i := range 5 {
			id := appliance.VisitID(fmt.Sprintf("v%d", i))
			b.arrive(id, "bauamt")
			pages = append(pages, b.page(citizen(id), "c"+string(id)))
		}
		b.page(clerk("platz2"), "p2")
		clerkPage := b.page(clerk("platz1"), "p1")
		id := b.talk("platz1")
		b.do(clerk("platz2"), appliance.Next{}) // called, and not accepted
		time.Sleep(10 * time.Second)
		if n := b.plane.ever(); n != 2 {
			t.Fatalf("%d seats given, want the two of the talk", n)
		}
		for i, p := range pages[1:] {
			for _, x := range p.got() {
				if x.Seat != nil {
					t.Fatalf("visit %d got a seat", i+1)
				}
			}
			b.refused(p.Publish(t.Context(), clerkPage.seatOrNone(), media.Offer{}), "seat-stale")
			b.refused(p.Type(t.Context(), 1, "Hallo", true), "no-talk")
		}
		// Parked: the clerk goes. Reloaded meanwhile: no seat without a talk.
		b.do(clerk("platz1"), appliance.Park{Visit: id})
		time.Sleep(time.Second)
		if n := len(b.seated()); n != 1 {
			t.Fatalf("%d sit while parked, want the citizen", n)
		}
		again := b.page(citizen(id), "reloaded")
		time.Sleep(time.Second)
		if n := len(b.seated()); n != 0 || b.plane.ever() != 2 {
			t.Fatalf("%d sit after a reload without a talk, %d were ever given", n, b.plane.ever())
		}
		b.want("reloaded", again.sent(), "visit:parked")
		b.do(clerk("platz1"), appliance.Recall{Visit: id})
		b.do(citizen(id), appliance.Accept{})
		time.Sleep(time.Second)
		if n := len(b.seated()); n != 2 {
			t.Fatalf("%d sit after the recall", n)
		}
	})
}

func (p page) seatOrNone() media.SeatID {
	for _, x := range p.got() {
		if x.Seat != nil {
			return x.Seat.Seat
		}
	}
	return "none"
}

func TestPages(t *testing.T) {
	setup := func(b *box) (c, w page, cs *hall.SeatGiven) {
		b.arrive("v1", "buergerbuero")
		c, w = b.page(citizen("v1"), "c1"), b.page(clerk("weber"), "w1")
		b.talk("weber")
		cs = c.seat()
		time.Sleep(2 * time.Second)
		c.got()
		w.got()
		return c, w, cs
	}
	t.Run("a second page takes the place", func(t *testing.T) {
		inBox(t, func(t *testing.T, b *box) {
			c, _, cs := setup(b)
			c2 := b.page(citizen("v1"), "c2")
			time.Sleep(time.Second)
			b.want("older page", c.sent(), "replaced unseat")
			if s := c2.seat(); s.Seat == cs.Seat || s.Room != cs.Room {
				t.Fatalf("newer page got %v", s)
			}
			b.refused(c.Publish(t.Context(), cs.Seat, media.Offer{}), "seat-stale")
			b.must(c.TakeOver(t.Context()))
			time.Sleep(2 * time.Second)
			b.want("taken over", c2.sent(), "replaced unseat")
			if s := c.seat(); s.Room != cs.Room {
				t.Fatalf("older page got %v", s)
			}
			// The page that was replaced still sees everything.
			b.do(clerk("weber"), appliance.Park{Visit: "v1"})
			time.Sleep(time.Second)
			b.want("replaced page", c2.sent(), "visit:parked")
		})
	})
	t.Run("a replaced page that reconnects takes nothing", func(t *testing.T) {
		inBox(t, func(t *testing.T, b *box) {
			c, _, _ := setup(b)
			c2 := b.page(citizen("v1"), "c2")
			time.Sleep(2 * time.Second)
			c2.got()
			c.Close()
			time.Sleep(time.Second)
			c = b.page(citizen("v1"), "c1")
			time.Sleep(time.Second)
			b.want("older page", c.sent(), "visit:talking replaced")
			b.want("newer page", c2.sent(), "")
		})
	})
	t.Run("the same page returns within 30 s", func(t *testing.T) {
		inBox(t, func(t *testing.T, b *box) {
			c, w, cs := setup(b)
			b.must(w.SetDevices(t.Context(), hall.Devices{Camera: true}))
			b.must(w.Type(t.Context(), 1, "Guten Tag", true))
			b.want("before", c.sent(), "devices:clerk text:clerk:1:Guten Tag")
			b.plane.events <- media.Event{Kind: media.Subscribe, Seat: cs.Seat, Subscribe: &media.SubscribeOffer{Revision: 3}}
			b.want("before", c.sent(), "subscribe:3")
			b.plane.events <- media.Event{Kind: media.Paused, Seat: cs.Seat, Paused: []media.Picture{{Seat: "w", Source: media.Camera}}}
			b.want("before", c.sent(), "paused:1")
			b.plane.events <- media.Event{Kind: media.Speaker, Room: cs.Room, Speaker: "w"}
			b.want("before", c.sent(), "speaker:w")
			c.Close()
			time.Sleep(25 * time.Second)
			c = b.page(citizen("v1"), "c1")
			pushes := c.got()
			if len(pushes) < 2 || pushes[1].Seat == nil || pushes[1].Seat.Seat != cs.Seat || len(pushes[1].Seat.Access.Relay) != 1 {
				t.Fatalf("want the same seat again")
			}
			var rest string
			for _, x := range pushes[2:] {
				rest += word(x) + " "
			}
			b.want("told again", rest, "subscribe:3 paused:1 speaker:w text:clerk:1:Guten Tag devices:clerk ")
			b.must(c.Publish(t.Context(), cs.Seat, media.Offer{SDP: "o"}))
			b.want("goes on", c.sent(), "answer")
			for range 6 {
				time.Sleep(10 * time.Second)
				c.Seen()
				w.Seen()
			}
			b.want("stays", c.sent(), "")
		})
	})
	t.Run("the same page returns before its old line is dead", func(t *testing.T) {
		inBox(t, func(t *testing.T, b *box) {
			c, _, cs := setup(b)
			c2 := b.page(citizen("v1"), "c1")
			b.want("old line", c.sent(), "ended:slow")
			if s := c2.seat(); s.Seat != cs.Seat {
				t.Fatal("want the same seat")
			}
		})
	})
	t.Run("the same page returns after 30 s", func(t *testing.T) {
		inBox(t, func(t *testing.T, b *box) {
			c, _, cs := setup(b)
			c.Close()
			time.Sleep(31 * time.Second)
			if n := len(b.seated()); n != 1 {
				t.Fatalf("%d sit, want the clerk alone", n)
			}
			if s := b.page(citizen("v1"), "c1").seat(); s.Seat == cs.Seat || s.Room != cs.Room {
				t.Fatal("want a new seat in the same room")
			}
		})
	})
	t.Run("a clerk with three tabs", func(t *testing.T) {
		inBox(t, func(t *testing.T, b *box) {
			b.arrive("v1", "buergerbuero")
			w1, w2, w3 := b.page(clerk("weber"), "w1"), b.page(clerk("weber"), "w2"), b.page(clerk("weber"), "w3")
			b.page(citizen("v1"), "c1")
			b.talk("weber")
			time.Sleep(time.Second)
			b.want("first", w1.sent(), "desk replaced")
			b.want("second", w2.sent(), "desk replaced")
			b.want("third", w3.sent(), "desk seat")
		})
	})
	t.Run("a crowd of pages", func(t *testing.T) {
		inBox(t, func(t *testing.T, b *box) {
			first := b.page(clerk("weber"), "w0")
			for i := range 12 {
				b.page(clerk("weber"), fmt.Sprint("w", i+1))
			}
			b.want("first", first.sent(), "ended:slow")
		})
	})
}

func TestText(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		b.arrive("v1", "buergerbuero")
		c, w := b.page(citizen("v1"), "c1"), b.page(clerk("weber"), "w1")
		b.refused(c.Type(t.Context(), 1, "zu früh", true), "no-talk")
		b.talk("weber")
		time.Sleep(time.Second)
		c.got()
		w.got()
		ctx := t.Context()
		b.must(c.Type(ctx, 1, "Gu", false))
		b.must(c.Type(ctx, 1, "Guten\tTag", true))
		b.want("letter by letter", w.sent(), "text:citizen:1:Gu text:citizen:1:Guten Tag")
		b.must(c.Type(ctx, 1, "Nie gesagt", true))
		b.want("what was said stays", c.sent(), "problem:text-line-closed")
		b.must(c.Type(ctx, 1, "Guten Tag", true))
		b.want("a repetition is nothing new", w.sent(), "")
		long := make([]rune, 1000)
		for i := range long {
			long[i] = 'ß'
		}
		b.must(c.Type(ctx, 2, string(long), false))
		b.refused(c.Type(ctx, 2, string(long)+"ß", false), "text-too-long")
		b.refused(c.Type(ctx, 2, "\xff", false), "text-too-long")
		b.refused(c.Type(ctx, 0, "a", false), "text-line")
		w.got()
		time.Sleep(10 * time.Second)
		passed := 0
		for i := range 140 {
			if c.Type(ctx, 3, fmt.Sprint(i), false) == nil {
				passed++
			}
			synctest.Wait()
		}
		if passed != 100 {
			t.Fatalf("%d of 140 at once passed, want 100", passed)
		}
		// Both sides read again after a reload; at most 200 lines are kept.
		for i := range 300 {
			time.Sleep(60 * time.Millisecond)
			b.must(w.Type(ctx, i+1, fmt.Sprint(i), true))
			c.Seen()
			w.Seen()
			c.got()
		}
		c2, w2 := b.page(citizen("v1"), "c2"), b.page(clerk("weber"), "w2")
		for _, p := range []page{c2, w2} {
			n := 0
			for _, x := range p.got() {
				if x.Text != nil {
					n++
				}
			}
			if n != 200 {
				t.Fatalf("%d lines read again, want 200", n)
			}
		}
	})
}

// A clerk's page that dies: the talk breaks off by the house's clock, the citizen keeps the seat, the next clerk comes.
func TestOrphanedTalk(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		b.arrive("v1", "bauamt")
		c, w := b.page(citizen("v1"), "c1"), b.page(clerk("platz1"), "w1")
		b.talk("platz1")
		cs := c.seat()
		w.Close()
		for range 13 {
			time.Sleep(10 * time.Second)
			c.Seen()
		}
		if got := b.plane.taken(); len(got) != 1 || got[cs.Seat] == "" {
			t.Fatalf("seated %v", got)
		}
		v, err := b.Visit(context.Background(), "v1")
		b.must(err)
		if v.State != appliance.Waiting {
			t.Fatalf("visit is %s", v.State)
		}
		b.page(clerk("platz2"), "w2")
		b.talk("platz2")
		synctest.Wait()
		if got := b.plane.taken(); len(got) != 2 || got[cs.Seat] == "" {
			t.Fatalf("seated %v", got)
		}
	})
}
