package hall

import (
	"context"
	"log/slog"
	"time"

	"schalter/appliance"
)

const (
	// batchSize is how many messages share one write at most. A batch is what came in while the last one was written.
	batchSize = 64
	// tickPause keeps a clock that has nothing to decide, or cannot store it, from turning in a circle.
	tickPause = time.Second
	// refreshEvery is how often views are looked at although nothing happened: presence and waits move with the clock.
	refreshEvery = 5 * time.Second
	// sleepFor bounds how long the house sleeps, so that a clock that was set is noticed.
	sleepFor = time.Minute
)

// steward is the one goroutine that owns the house: it decides, stores, and tells lines and rooms.
type steward struct {
	hall  *Hall
	house *appliance.House
	store Store
	plane Media
	log   *slog.Logger
	now   func() time.Time
	seats *directory

	group   group // the batch at hand
	failing bool  // the last write failed

	tickAt  time.Time // zero: nothing waits for time
	rested  time.Time // no tick before
	people  map[who]*person
	away    map[who]time.Time // whose place is kept until
	rooms   map[appliance.VisitID]*room
	talks   map[appliance.ClerkID]appliance.VisitID
	retry   map[appliance.VisitID]time.Time // rooms that failed, to be opened again not before
	news    news
	refresh time.Time
}

// message is what the house's goroutine takes: the closed set of types in this file's neighbours. All of a batch begin
// in order, are stored together, and finish in order.
type message interface {
	begin(ctx context.Context, s *steward, now time.Time)
	finish(s *steward, now time.Time)
}

func newSteward(c Config, h *Hall, seats *directory, stored appliance.Snapshot) *steward {
	s := &steward{
		hall: h, house: appliance.NewHouse(stored, c.Terms, c.Now()), store: c.Store, plane: c.Media, log: c.Log,
		now: c.Now, seats: seats,
		people: make(map[who]*person), away: make(map[who]time.Time),
		rooms: make(map[appliance.VisitID]*room), talks: make(map[appliance.ClerkID]appliance.VisitID),
		retry: make(map[appliance.VisitID]time.Time), news: newNews(),
	}
	for _, v := range stored.Visits {
		if v.State == appliance.Talking {
			s.talks[v.Clerk] = v.ID
		}
	}
	return s
}

// run is the house's goroutine.
func (s *steward) run(ctx context.Context) {
	defer close(s.hall.done)
	timer := time.NewTimer(sleepFor)
	defer timer.Stop()
	for {
		s.plan(timer)
		select {
		case m := <-s.hall.inbox:
			s.batch(ctx, m)
		case <-timer.C:
		case <-s.hall.quit:
			s.shut(ctx)
			return
		}
		now := s.now()
		s.tick(ctx, now)
		s.keepPlaces(now)
		s.patrol(now)
		s.arrangeRooms(ctx, now)
		s.show(now)
	}
}

// plan sets the timer to the next thing that waits for time.
func (s *steward) plan(timer *time.Timer) {
	now := s.now()
	next := now.Add(sleepFor)
	sooner := func(at time.Time) {
		if !at.IsZero() && at.Before(next) {
			next = at
		}
	}
	if s.tickAt = s.house.Due(now); !s.tickAt.IsZero() && !s.tickAt.After(now) && s.rested.After(now) {
		s.tickAt = s.rested
	}
	sooner(s.tickAt)
	for _, at := range s.away {
		sooner(at)
	}
	for _, at := range s.retry {
		sooner(at)
	}
	if len(s.people) > 0 {
		sooner(s.refresh)
		sooner(s.news.at())
	}
	timer.Reset(next.Sub(now))
}

// batch takes what is there, at most batchSize, and sees it through.
func (s *steward) batch(ctx context.Context, first message) {
	messages := make([]message, 1, batchSize)
	messages[0] = first
	for len(messages) < batchSize {
		select {
		case m := <-s.hall.inbox:
			messages = append(messages, m)
			continue
		default:
		}
		break
	}
	now := s.now()
	s.group.open()
	for _, m := range messages {
		m.begin(ctx, s, now)
	}
	s.commit(ctx)
	// Rooms and farewells first: they are part of what the answers say. Neither waits for anything.
	s.arrangeRooms(ctx, now)
	for _, m := range messages {
		m.finish(s, now)
	}
}

// tick lets the house look at its clocks, until there is nothing more to decide; a batch's worth at a time.
func (s *steward) tick(ctx context.Context, now time.Time) {
	if s.tickAt.IsZero() || now.Before(s.tickAt) {
		return
	}
	// What is due may be something that only views show: that somebody has become absent.
	s.news.all, s.news.changed = true, true
	s.hall.town.drop()
	s.group.open()
	more := false
	for range batchSize {
		change, err := s.decide(now, appliance.Actor{Role: appliance.TheHouse}, appliance.Tick{})
		if err != nil {
			s.log.Error("clock not decided", "err", err)
			break
		}
		if more = !change.Empty(); !more {
			break
		}
		s.house.Apply(change)
		s.enter(change, nil, nil, nil)
	}
	s.commit(ctx)
	if s.group.failed || !more {
		s.rested = now.Add(tickPause)
	}
}

// shut is the drain: what was taken is decided and stored, then lines and rooms end.
func (s *steward) shut(ctx context.Context) {
	for {
		select {
		case m := <-s.hall.inbox:
			s.batch(ctx, m)
			continue
		default:
		}
		break
	}
	for _, p := range s.people {
		for _, l := range p.lines {
			l.end(endShutdown, false)
		}
	}
	for _, r := range s.rooms {
		r.set(want{over: true})
	}
}

// saw notes a sign of life.
func (s *steward) saw(now time.Time, by appliance.Actor) {
	if by.Visit == "" && by.Clerk == "" {
		return
	}
	if s.house.Seen(now, by) {
		s.notePresence(by)
	}
}

// notePresence remembers whom somebody's coming or going may concern.
func (s *steward) notePresence(by appliance.Actor) {
	s.hall.town.drop()
	if by.Visit != "" {
		if v, ok := s.house.Visit(by.Visit); ok {
			s.news.office(v.Office)
			s.news.visit(v.ID)
		}
		return
	}
	s.noteClerk(by.Clerk)
	if id, ok := s.talks[by.Clerk]; ok {
		s.news.visit(id)
	}
}

// noteClerk remembers that the desks of a clerk's offices changed.
func (s *steward) noteClerk(id appliance.ClerkID) {
	if c, ok := s.house.Clerk(id); ok {
		for _, office := range c.Offices {
			s.news.office(office)
		}
	}
}
