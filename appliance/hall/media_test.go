package hall_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"schalter/appliance"
	"schalter/media"
)

func TestMediaFails(t *testing.T) {
	setup := func(b *box) (c, w page) {
		b.arrive("v1", "buergerbuero")
		return b.page(citizen("v1"), "c1"), b.page(clerk("weber"), "w1")
	}
	t.Run("join is refused for a while", func(t *testing.T) {
		inBox(t, func(t *testing.T, b *box) {
			c, w := setup(b)
			b.plane.set(func(p *plane) { p.refuse = errors.New("away") })
			b.talk("weber")
			time.Sleep(3500 * time.Millisecond)
			b.want("told once", c.sent(), "visit:talking problem:no-media")
			b.must(c.Type(t.Context(), 1, "Ich höre nichts", true))
			b.want("text goes on", w.sent(), "desk problem:no-media text:citizen:1:Ich höre nichts")
			b.plane.set(func(p *plane) { p.refuse = nil })
			time.Sleep(time.Second)
			b.want("then", c.sent(), "seat")
			b.want("then", w.sent(), "seat")
		})
	})
	t.Run("join hangs while the talk ends", func(t *testing.T) {
		inBox(t, func(t *testing.T, b *box) {
			c, w := setup(b)
			gate := make(chan struct{})
			b.plane.set(func(p *plane) { p.gate = gate })
			b.talk("weber")
			time.Sleep(time.Second)
			b.do(clerk("weber"), appliance.Transfer{Visit: "v1", Office: "bauamt"})
			close(gate)
			time.Sleep(time.Second)
			b.want("citizen", c.sent(), "visit:waiting")
			b.want("clerk", w.sent(), "desk")
			if left := b.seated(); len(left) > 0 {
				t.Fatalf("seated %v", left)
			}
		})
	})
	t.Run("a connection is lost, again and again", func(t *testing.T) {
		inBox(t, func(t *testing.T, b *box) {
			c, _ := setup(b)
			b.talk("weber")
			s := c.seat()
			time.Sleep(5 * time.Second)
			c.got()
			before := b.plane.ever()
			for range 100 { // every new seat is lost at once, for ten seconds
				b.plane.events <- media.Event{Kind: media.Lost, Seat: s.Seat}
				time.Sleep(100 * time.Millisecond)
				for _, x := range c.got() {
					if x.Seat != nil {
						s = x.Seat
					}
				}
				c.Seen()
			}
			if n := b.plane.ever() - before; n < 9 || n > 11 {
				t.Fatalf("%d new seats within ten seconds, want one each", n)
			}
			time.Sleep(2 * time.Second)
			if n := len(b.seated()); n != 2 {
				t.Fatalf("%d sit", n)
			}
		})
	})
	t.Run("the page asks to rejoin", func(t *testing.T) {
		inBox(t, func(t *testing.T, b *box) {
			c, _ := setup(b)
			b.talk("weber")
			s := c.seat()
			time.Sleep(2 * time.Second)
			c.got()
			b.must(c.Rejoin(t.Context(), s.Seat))
			b.want("rejoined", c.sent(), "unseat seat")
			b.refused(c.Rejoin(t.Context(), s.Seat), "seat-stale")
		})
	})
	t.Run("the page asks to rejoin from a seat that worked: it is asked back", func(t *testing.T) {
		inBox(t, func(t *testing.T, b *box) {
			c, w := setup(b)
			b.talk("weber")
			s := c.seat()
			b.plane.events <- media.Event{Kind: media.Connected, Seat: s.Seat}
			time.Sleep(2 * time.Second)
			c.got()
			w.got()
			b.must(c.Rejoin(t.Context(), s.Seat)) // it lay in a dead line; the page has taken it back
			b.want("asked back", c.sent(), "seat")
			if seats := b.seated(); len(seats) != 2 {
				t.Fatalf("%d sit", len(seats))
			}
			time.Sleep(10 * time.Second)
			b.must(c.Rejoin(t.Context(), s.Seat))
			b.want("asked back later, too", c.sent(), "seat")
			b.must(c.Rejoin(t.Context(), s.Seat))
			b.want("it says so again", c.sent(), "unseat seat")
			b.want("the other side", w.sent(), "")
		})
	})
	t.Run("pictures pause and flow again, for one side alone", func(t *testing.T) {
		inBox(t, func(t *testing.T, b *box) {
			c, w := setup(b)
			b.talk("weber")
			s := c.seat()
			w.got()
			b.plane.events <- media.Event{Kind: media.Paused, Seat: s.Seat, Paused: []media.Picture{{Seat: "w", Source: media.Camera}}}
			b.want("paused", c.sent(), "paused:1")
			b.plane.events <- media.Event{Kind: media.Paused, Seat: s.Seat}
			b.want("all flow", c.sent(), "paused:0")
			b.want("the other side", w.sent(), "")
			b.plane.events <- media.Event{Kind: media.Paused, Seat: "nobody", Paused: []media.Picture{{Seat: "w", Source: media.Camera}}}
			b.want("of no seat here", c.sent()+w.sent(), "")
		})
	})
	t.Run("a side is not heard: it looks for another way, and the other side waits", func(t *testing.T) {
		inBox(t, func(t *testing.T, b *box) {
			c, w := setup(b)
			b.talk("weber")
			s := c.seat()
			time.Sleep(2 * time.Second)
			c.got()
			w.got()
			tell := func(k media.EventKind, seat media.SeatID) { b.plane.events <- media.Event{Kind: k, Seat: seat} }
			tell(media.Resumed, s.Seat)
			tell(media.Interrupted, "nobody")
			b.want("nothing was amiss", c.sent()+w.sent(), "")
			tell(media.Interrupted, s.Seat)
			b.want("citizen", c.sent(), "interrupted:citizen:true")
			b.want("clerk", w.sent(), "interrupted:citizen:true")
			tell(media.Interrupted, s.Seat)
			b.want("citizen tries again", c.sent(), "interrupted:citizen:true")
			b.want("the clerk knows", w.sent(), "")
			w.Close()
			w = b.page(clerk("weber"), "w1")
			b.want("a clerk who comes back", w.sent(), "desk seat interrupted:citizen:true")
			c.Close()
			c = b.page(citizen("v1"), "c1")
			b.want("a citizen who comes back", c.sent(), "visit:talking seat interrupted:citizen:true")
			tell(media.Resumed, s.Seat)
			b.want("citizen", c.sent(), "interrupted:citizen:false")
			b.want("clerk", w.sent(), "interrupted:citizen:false")
		})
	})
	t.Run("an interruption lasts until the next seat is up", func(t *testing.T) {
		inBox(t, func(t *testing.T, b *box) {
			c, w := setup(b)
			b.talk("weber")
			s := c.seat()
			time.Sleep(2 * time.Second)
			b.plane.events <- media.Event{Kind: media.Interrupted, Seat: s.Seat}
			c.sent()
			w.got()
			b.must(c.Rejoin(t.Context(), s.Seat))
			time.Sleep(2 * time.Second)
			s = c.seat()
			b.want("not yet", w.sent(), "")
			b.plane.events <- media.Event{Kind: media.Connected, Seat: s.Seat}
			b.want("clerk", w.sent(), "interrupted:citizen:false")
			c.got()
			b.plane.events <- media.Event{Kind: media.Interrupted, Seat: s.Seat}
			c.sent()
			w.sent()
			b.do(clerk("weber"), appliance.Transfer{Visit: "v1", Office: "bauamt"})
			w.got()
			c.got()
			b.talk("petersen")
			p := b.page(clerk("petersen"), "p1")
			b.want("the next clerk", p.sent(), "desk seat interrupted:citizen:true")
		})
	})
	t.Run("the page looks for another way", func(t *testing.T) {
		inBox(t, func(t *testing.T, b *box) {
			c, w := setup(b)
			b.talk("weber")
			s := c.seat()
			w.got()
			b.must(c.Restart(t.Context(), s.Seat))
			b.want("nothing to say", c.sent(), "")
			b.plane.set(func(p *plane) {
				if p.restarts != 1 {
					t.Errorf("%d restarts", p.restarts)
				}
				delete(p.seats, s.Seat) // media does not know it: the page will rejoin
			})
			b.refused(w.Restart(t.Context(), s.Seat), "seat-stale") // another's seat
			b.must(c.Restart(t.Context(), s.Seat))
			b.want("nothing to say", c.sent(), "")
		})
	})
	t.Run("both sides are told who speaks", func(t *testing.T) {
		inBox(t, func(t *testing.T, b *box) {
			c, w := setup(b)
			b.talk("weber")
			s := c.seat()
			w.got()
			said := func(room media.RoomID, who media.SeatID) {
				b.plane.events <- media.Event{Kind: media.Speaker, Room: room, Speaker: who}
			}
			said(s.Room, s.Seat)
			b.want("the citizen speaks", c.sent(), "speaker:"+string(s.Seat))
			b.want("the citizen speaks", w.sent(), "speaker:"+string(s.Seat))
			said(s.Room, s.Seat)
			b.want("told once", c.sent()+w.sent(), "")
			said("another room", "x")
			b.want("of another room", c.sent()+w.sent(), "")
			said(s.Room, "")
			b.want("nobody speaks", c.sent()+w.sent(), "speaker:speaker:")
			said(s.Room, s.Seat)
			b.want("again", c.sent(), "speaker:"+string(s.Seat))
			time.Sleep(2 * time.Second)
			c.got()
			b.must(c.Rejoin(t.Context(), s.Seat))
			b.want("a new seat", c.sent(), "unseat seat speaker:"+string(s.Seat))
			w.got()
			b.plane.events <- media.Event{Kind: media.RoomEnded, Room: s.Room}
			time.Sleep(2 * time.Second)
			b.want("new seats, in which nobody has spoken", c.sent(), "unseat seat")
		})
	})
	t.Run("the page tells how large it shows the pictures", func(t *testing.T) {
		inBox(t, func(t *testing.T, b *box) {
			c, w := setup(b)
			b.talk("weber")
			s := c.seat()
			w.got()
			shown := []media.Shown{{Seat: "w", Source: media.Camera, Width: 640, Height: 360}}
			b.must(c.Show(t.Context(), s.Seat, shown))
			b.want("nothing to say", c.sent(), "")
			b.plane.set(func(p *plane) {
				if len(p.shown) != 1 || !slices.Equal(p.shown[0], shown) {
					t.Errorf("media was told %v", p.shown)
				}
			})
			b.refused(w.Show(t.Context(), s.Seat, shown), "seat-stale") // another's seat
			b.plane.set(func(p *plane) { delete(p.seats, s.Seat) })     // media does not know it: nobody is troubled with that
			b.must(c.Show(t.Context(), s.Seat, shown))
			b.want("nothing to say", c.sent(), "")
		})
	})
	t.Run("the room is lost", func(t *testing.T) {
		inBox(t, func(t *testing.T, b *box) {
			c, w := setup(b)
			b.talk("weber")
			s := c.seat()
			time.Sleep(2 * time.Second)
			c.got()
			w.got()
			b.plane.events <- media.Event{Kind: media.RoomEnded, Room: s.Room}
			b.want("citizen", c.sent(), "unseat seat")
			b.want("clerk", w.sent(), "unseat seat")
		})
	})
	t.Run("a seat that cannot be taken away keeps the next clerk out", func(t *testing.T) {
		inBox(t, func(t *testing.T, b *box) {
			c, _ := setup(b)
			p := b.page(clerk("petersen"), "p1")
			b.talk("weber")
			c.seat()
			b.plane.set(func(p *plane) { p.stuck = errors.New("away") })
			b.do(clerk("weber"), appliance.Transfer{Visit: "v1", Office: "bauamt"})
			b.talk("petersen")
			time.Sleep(3 * time.Second)
			b.want("next clerk waits", p.sent(), "desk")
			b.plane.set(func(p *plane) { p.stuck = nil })
			time.Sleep(time.Second)
			b.want("next clerk", p.sent(), "seat")
			if b.plane.most > 2 {
				t.Fatalf("%d in the room at once", b.plane.most)
			}
		})
	})
	t.Run("nonsense", func(t *testing.T) {
		inBox(t, func(t *testing.T, b *box) {
			c, w := setup(b)
			b.talk("weber")
			s := c.seat()
			w.got()
			b.must(c.Publish(t.Context(), s.Seat, media.Offer{SDP: "nonsense"}))
			b.must(c.Subscribed(t.Context(), s.Seat, 1, "nonsense"))
			b.want("told", c.sent(), "problem:offer-refused problem:answer-refused")
		})
	})
}

func TestRoomPanic(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		b.arrive("v1", "buergerbuero")
		b.arrive("v2", "bauamt")
		c, w := b.page(citizen("v1"), "c1"), b.page(clerk("weber"), "w1")
		c2 := b.page(citizen("v2"), "c2")
		b.talk("weber")
		s := c.seat()
		time.Sleep(2 * time.Second)
		c.got()
		w.got()
		b.plane.set(func(p *plane) { p.faulty = true })
		b.must(c.Rejoin(t.Context(), s.Seat))
		synctest.Wait()
		b.plane.set(func(p *plane) { p.faulty = false })
		if n := b.log.count("room failed"); n != 1 {
			t.Fatalf("%d log lines about it, want 1", n)
		}
		// The house goes on.
		b.do(clerk("petersen"), appliance.Next{})
		b.want("another visit", c2.sent(), "visit:called")
		time.Sleep(2 * time.Second)
		b.want("citizen", c.sent(), "unseat seat")
		b.want("clerk", w.sent(), "desk unseat seat")
		if n := len(b.seated()); n != 2 {
			t.Fatalf("%d sit, want 2", n)
		}
	})
}
