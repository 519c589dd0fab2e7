package hall_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"schalter/appliance"
	"schalter/appliance/hall"
	"schalter/media"
)

// chance lets people do whatever comes to their mind and checks after each moment who sits where.
type chance struct {
	*box
	r      *rand.Rand
	pages  map[string]*browser
	owner  map[media.SeatID]appliance.Actor
	rooms  map[media.RoomID]appliance.VisitID
	visits []appliance.VisitID
	made   int
}

type browser struct {
	page
	by    appliance.Actor
	holds media.SeatID
}

var staff = []appliance.ClerkID{"weber", "petersen", "platz1", "platz2"}

// Whatever happens, in a room sit its citizen and the clerk of the running talk, each once, and nobody else; and
// whoever should sit does.
func TestWhoSitsWhereByChance(t *testing.T) {
	seeds := 12
	if testing.Short() {
		seeds = 3
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			inBox(t, func(t *testing.T, b *box) {
				c := &chance{
					box: b, r: rand.New(rand.NewPCG(uint64(seed), 1)), pages: map[string]*browser{},
					owner: map[media.SeatID]appliance.Actor{}, rooms: map[media.RoomID]appliance.VisitID{},
				}
				for range 250 {
					for range c.r.IntN(4) + 1 {
						c.step()
					}
					time.Sleep(time.Duration(c.r.IntN(6000)) * time.Millisecond)
					c.read()
					c.check()
				}
			})
		})
	}
}

// step is one thing that somebody does. Most are refused now and then; that is part of it.
func (c *chance) step() {
	switch c.r.IntN(12) {
	case 0:
		if len(c.visits) < 6 {
			c.made++
			id := appliance.VisitID(fmt.Sprint("v", c.made))
			c.arrive(id, []appliance.OfficeID{"buergerbuero", "bauamt"}[c.r.IntN(2)])
			c.visits = append(c.visits, id)
		}
	case 1, 2:
		c.open()
	case 3:
		if p := c.anyPage(); p != nil {
			p.Close()
		}
	case 4:
		if p := c.anyPage(); p != nil {
			_ = p.TakeOver(context.Background())
		}
	case 5:
		if seats := c.seated(); len(seats) > 0 {
			kinds := []media.EventKind{media.Lost, media.Interrupted, media.Resumed, media.Connected}
			c.plane.events <- media.Event{Kind: kinds[c.r.IntN(len(kinds))], Seat: seats[c.r.IntN(len(seats))]}
		}
	case 6:
		c.plane.set(func(p *plane) {
			p.refuse = nil
			if c.r.IntN(6) == 0 {
				p.refuse = errors.New("away")
			}
		})
	case 7:
		if p := c.anyPage(); p != nil && p.holds != "" {
			_ = p.Rejoin(context.Background(), p.holds)
		}
	default:
		c.work()
	}
}

func (c *chance) open() {
	name := fmt.Sprint("page", c.r.IntN(3))
	by := clerk(staff[c.r.IntN(len(staff))])
	if len(c.visits) > 0 && c.r.IntN(2) == 0 {
		by = citizen(c.visits[c.r.IntN(len(c.visits))])
	}
	name += string(by.Clerk) + string(by.Visit)
	p, err := c.Connect(context.Background(), hall.Joiner{Actor: by, Page: name})
	c.must(err)
	if old := c.pages[name]; old != nil {
		old.Close()
	}
	c.pages[name] = &browser{page: page{p, c.box}, by: by}
}

func (c *chance) anyPage() *browser {
	names := slices.Sorted(maps.Keys(c.pages))
	if len(names) == 0 {
		return nil
	}
	return c.pages[names[c.r.IntN(len(names))]]
}

// work is what clerks and called citizens do.
func (c *chance) work() {
	by := clerk(staff[c.r.IntN(len(staff))])
	d, err := c.Desk(context.Background(), by.Clerk)
	c.must(err)
	var e appliance.Event = appliance.Next{}
	if d.Current != nil {
		id := d.Current.ID
		switch c.r.IntN(6) {
		case 0, 1:
			by, e = citizen(id), appliance.Accept{}
		case 2:
			e = appliance.Transfer{Visit: id, Office: "bauamt", Reason: "dort"}
		case 3:
			e = appliance.Park{Visit: id}
		case 4:
			e = appliance.Finish{Visit: id, Outcome: appliance.OutcomeDone}
		case 5:
			by, e = citizen(id), appliance.Leave{}
		}
	} else if len(d.Parked) > 0 {
		e = appliance.Recall{Visit: d.Parked[0].ID}
	}
	_, _ = c.Do(context.Background(), hall.Request{Actor: by, Event: e})
}

// read lets every page take what it was sent.
func (c *chance) read() {
	for _, name := range slices.Sorted(maps.Keys(c.pages)) {
		p := c.pages[name]
		p.Seen()
		for _, x := range p.got() {
			switch {
			case x.Seat != nil:
				if o, known := c.owner[x.Seat.Seat]; known && o != p.by {
					c.t.Fatalf("seat of %v was given to %v", o, p.by)
				}
				c.owner[x.Seat.Seat] = p.by
				if p.by.Visit != "" {
					if v, known := c.rooms[x.Seat.Room]; known && v != p.by.Visit {
						c.t.Fatalf("%s was let into the room of %s", p.by.Visit, v)
					}
					c.rooms[x.Seat.Room] = p.by.Visit
				}
				p.holds = x.Seat.Seat
			case x.Unseat != nil && *x.Unseat == p.holds:
				p.holds = ""
			}
		}
		if p.Ended() != "" {
			p.Close()
			delete(c.pages, name)
		}
	}
}

func (c *chance) check() {
	taken := c.plane.taken()
	seen := map[string]bool{}
	talks := map[appliance.VisitID]appliance.ClerkID{}
	for _, id := range staff {
		d, err := c.Desk(context.Background(), id)
		c.must(err)
		if d.Current != nil && d.Current.State == appliance.Talking {
			talks[d.Current.ID] = id
		}
	}
	for seat, room := range taken {
		by, known := c.owner[seat]
		if !known {
			continue // given to a page that closed before it read so: it is checked by the number below
		}
		who := fmt.Sprint(room, by)
		if seen[who] {
			c.t.Fatalf("%v sits twice", by)
		}
		seen[who] = true
		visit, known := c.rooms[room]
		if by.Clerk != "" && known && talks[visit] != by.Clerk {
			c.t.Fatalf("%s sits with %s, who talks with %q", by.Clerk, visit, talks[visit])
		}
	}
	in := map[media.RoomID]int{}
	for _, room := range taken {
		if in[room]++; in[room] > 2 || in[room] > 1 && c.rooms[room] != "" && talks[c.rooms[room]] == "" {
			c.t.Fatalf("%d sit with %s", in[room], c.rooms[room])
		}
	}
	for _, p := range c.pages {
		if _, there := taken[p.holds]; p.holds != "" && !there {
			c.t.Fatalf("%v was not told that the seat is gone", p.by)
		}
	}
	for i, id := range slices.Backward(c.visits) {
		if v, err := c.Visit(context.Background(), id); err == nil && v.State.Over() {
			c.visits = slices.Delete(c.visits, i, i+1)
		}
	}
}
