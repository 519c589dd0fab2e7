package hall

import (
	"context"
	"slices"
	"time"

	"schalter/appliance"
)

const (
	// placeFor is how long a page that went away keeps its place, and with it its seat in a talk: a reload makes a new
	// page, so this is for a lost connection (a tunnel, a change from one network to another).
	placeFor = 30 * time.Second
	// silentFor ends a line that was not heard of, so that a dead connection does not count as presence. Pages give a
	// sign every 10 s; after two misses somebody counts as interrupted (reception.md 6.4).
	silentFor = 25 * time.Second
	// maxLines bounds one person's pages. One more ends the oldest that has no place.
	maxLines = 12
	// maxOlder bounds what is remembered about which page is older than which.
	maxOlder = 16
)

// who names a person, whatever role or page.
type who struct {
	visit appliance.VisitID
	clerk appliance.ClerkID
}

func whoOf(a appliance.Actor) who { return who{visit: a.Visit, clerk: a.Clerk} }

// person is somebody with open pages. One page has the place: only there are a talk's sound and picture.
type person struct {
	lines []*Line // open, oldest first
	visit *appliance.VisitView
	desk  *appliance.DeskView // what the lines were told last

	page   string   // has the place; empty: nobody has
	signIn string   // under which that page signed in
	line   *Line    // of that page; nil while it is away
	older  []string // pages that had the place before, the latest last
}

// place is who may be seated for a person in a room.
type place struct {
	page string
	line *Line
}

func (s *steward) placeOf(w who) place {
	if p := s.people[w]; p != nil {
		return place{p.page, p.line}
	}
	return place{}
}

// connect is a page that opens a line.
type connect struct {
	line  *Line
	reply chan result[*Line]
}

func (c *connect) begin(context.Context, *steward, time.Time) {}

func (c *connect) finish(s *steward, now time.Time) {
	l := c.line
	over, err := s.mayConnect(l.actor)
	if err != nil {
		c.reply <- result[*Line]{err: err}
		return
	}
	// The line tells by itself when it has ended, whoever ended it.
	s.hall.running.Go(func() {
		l.pump()
		s.hall.tell(&disconnect{line: l})
	})
	if over {
		if v, ok := s.house.VisitView(now, l.actor.Visit); ok {
			l.push(Push{Visit: &v})
		}
		l.end(endVisitOver, true)
	} else {
		s.welcome(now, l)
	}
	c.reply <- result[*Line]{value: l}
}

// mayConnect tells whether there is anything to see for an actor, and whether it is over.
func (s *steward) mayConnect(by appliance.Actor) (over bool, err error) {
	switch {
	case by.Role == appliance.Citizen && by.Visit != "" && by.Clerk == "":
		v, ok := s.house.Visit(by.Visit)
		if !ok {
			return false, &appliance.Error{Kind: appliance.NotFound, Code: "visit-unknown"}
		}
		return v.State.Over(), nil
	case by.Clerk != "" && by.Visit == "":
		if c, ok := s.house.Clerk(by.Clerk); !ok || !c.Works() {
			return false, &appliance.Error{Kind: appliance.Forbidden, Code: "role"}
		}
		return false, nil
	default:
		return false, &appliance.Error{Kind: appliance.Forbidden, Code: "role"}
	}
}

// welcome enters a line: view first, then the place.
func (s *steward) welcome(now time.Time, l *Line) {
	w := whoOf(l.actor)
	p := s.people[w]
	if p == nil {
		p = &person{}
		s.people[w] = p
	}
	if s.house.Connected(now, l.actor) {
		s.notePresence(l.actor)
	}
	p.lines = append(p.lines, l)
	if !s.view(now, w, p) { // nothing new for the others; but this one knows nothing yet
		l.push(p.shown())
	}
	switch {
	case p.page == l.page:
		before := p.line
		p.line, p.signIn = l, l.signIn
		delete(s.away, w)
		if before != nil { // the page came back before its old connection was known to be dead
			before.end(endSlow, false)
			s.drop(now, before, true)
		}
		s.touchPlace(w)
	case p.page != "" && slices.Contains(p.older, l.page):
		l.push(Push{Replaced: true}) // an older page that lost its connection for a moment
	default:
		s.give(w, p, l)
	}
	if len(p.lines) > maxLines {
		at := slices.IndexFunc(p.lines, func(o *Line) bool { return o != p.line })
		p.lines[at].end(endSlow, false)
		s.drop(now, p.lines[at], true)
	}
}

// give gives a person's place to a page.
func (s *steward) give(w who, p *person, l *Line) {
	before := p.line
	p.older = slices.DeleteFunc(p.older, func(page string) bool { return page == l.page })
	if p.page != "" {
		p.older = append(p.older, p.page)
		p.older = p.older[max(len(p.older)-maxOlder, 0):]
	}
	p.page, p.signIn, p.line = l.page, l.signIn, l
	delete(s.away, w)
	if before != nil {
		before.push(Push{Replaced: true})
	}
	s.touchPlace(w)
}

// drop takes a line off the list. Its page keeps the place for a while, if it had it and may.
func (s *steward) drop(now time.Time, l *Line, keep bool) {
	w := whoOf(l.actor)
	p := s.people[w]
	if p == nil {
		return
	}
	at := slices.Index(p.lines, l)
	if at < 0 {
		return
	}
	p.lines = slices.Delete(p.lines, at, at+1)
	if s.house.Disconnected(now, l.actor) {
		s.notePresence(l.actor)
	}
	if p.line == l {
		p.line = nil
		if keep {
			s.away[w] = now.Add(placeFor)
		} else {
			s.vacate(w, p)
		}
		s.touchPlace(w)
	}
	s.forget(w, p)
}

func (s *steward) vacate(w who, p *person) {
	p.page, p.signIn, p.line = "", "", nil
	delete(s.away, w)
}

// forget drops a person of whom nothing is left to remember.
func (s *steward) forget(w who, p *person) {
	if len(p.lines) == 0 && p.page == "" {
		delete(s.people, w)
	}
}

// keepPlaces ends the places of pages that stayed away.
func (s *steward) keepPlaces(now time.Time) {
	for w, until := range s.away {
		if now.Before(until) {
			continue
		}
		p := s.people[w]
		s.vacate(w, p)
		s.touchPlace(w)
		s.forget(w, p)
	}
}

// touchPlace has the room looked at that a person's place may concern.
func (s *steward) touchPlace(w who) {
	if w.visit != "" {
		s.news.touch(w.visit)
	} else if id, ok := s.talks[w.clerk]; ok {
		s.news.touch(id)
	}
}

// endLines ends lines of a person: all, or those of one sign-in session.
func (s *steward) endLines(now time.Time, p *person, reason string, of func(*Line) bool) {
	for _, l := range slices.Clone(p.lines) {
		if of(l) {
			l.end(reason, reason == endVisitOver)
			s.drop(now, l, false)
		}
	}
}

// dismissClerk ends the lines of somebody who may not work here any more.
func (s *steward) dismissClerk(id appliance.ClerkID) {
	if p := s.people[who{clerk: id}]; p != nil {
		s.endLines(s.now(), p, endSignedOut, func(*Line) bool { return true })
		s.vacateNow(who{clerk: id}, p)
	}
}

func (s *steward) vacateNow(w who, p *person) {
	s.vacate(w, p)
	s.touchPlace(w)
	s.forget(w, p)
}

// farewell shows somebody the end of the visit and closes the lines.
func (s *steward) farewell(now time.Time, id appliance.VisitID) {
	w := who{visit: id}
	p := s.people[w]
	if p == nil {
		return
	}
	s.view(now, w, p)
	s.endLines(now, p, endVisitOver, func(*Line) bool { return true })
	s.vacate(w, p)
	s.forget(w, p)
}

// endSilent ends lines that were not heard of.
func (s *steward) endSilent(now time.Time) {
	for _, p := range s.people {
		for _, l := range slices.Clone(p.lines) {
			if now.Sub(l.lastHeard()) >= silentFor {
				l.end(endSlow, false)
				s.drop(now, l, true)
			}
		}
	}
}

// disconnect is a line that has ended.
type disconnect struct{ line *Line }

func (d *disconnect) begin(context.Context, *steward, time.Time) {}
func (d *disconnect) finish(s *steward, now time.Time)           { s.drop(now, d.line, true) }

// heartbeat is a page's sign of life.
type heartbeat struct{ line *Line }

func (b *heartbeat) begin(context.Context, *steward, time.Time) {}
func (b *heartbeat) finish(s *steward, now time.Time)           { s.saw(now, b.line.actor) }

// takeOver is a page that wants the place back.
type takeOver struct{ line *Line }

func (t *takeOver) begin(context.Context, *steward, time.Time) {}

func (t *takeOver) finish(s *steward, _ time.Time) {
	w := whoOf(t.line.actor)
	if p := s.people[w]; p != nil && p.line != t.line && slices.Contains(p.lines, t.line) {
		s.give(w, p, t.line)
	}
}

// signOut ends a sign-in session's lines.
type signOut struct {
	signIn string
	reply  chan struct{}
}

func (o *signOut) begin(context.Context, *steward, time.Time) {}

func (o *signOut) finish(s *steward, now time.Time) {
	for w, p := range s.people {
		s.endLines(now, p, endSignedOut, func(l *Line) bool { return l.signIn == o.signIn })
		// A page of this sign-in that is away for a moment must not come back to its seat either.
		if w.clerk != "" && p.line == nil && p.signIn == o.signIn {
			s.vacateNow(w, p)
		}
	}
	close(o.reply)
}

// read is somebody who wants to see.
type read[T any] struct {
	actor appliance.Actor
	view  func(*steward, time.Time) (T, bool)
	reply chan result[T]
}

func (r *read[T]) begin(context.Context, *steward, time.Time) {}

func (r *read[T]) finish(s *steward, now time.Time) {
	s.saw(now, r.actor)
	v, ok := r.view(s, now)
	if !ok {
		r.reply <- result[T]{err: &appliance.Error{Kind: appliance.NotFound, Code: "visit-unknown"}}
		return
	}
	r.reply <- result[T]{value: v}
}
