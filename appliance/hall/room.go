package hall

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"schalter/appliance"
	"schalter/media"
)

const (
	// roomInbox bounds what pages have in flight to a room. More is refused with Unavailable "busy".
	roomInbox = 256
	// mediaWait bounds one call to the media plane.
	mediaWait = 5 * time.Second
	// seatPause is between two seats of one side, and between tries to give or take one.
	seatPause = time.Second
	// leaveTries is how often a room that ends tries to take a seat away.
	leaveTries = 3
)

// talk tells one talk of a visit from the next.
type talk struct {
	clerk appliance.ClerkID
	since int64 // nanoseconds since 1970
}

func (t talk) runs() bool { return t.clerk != "" }

// want is what the house wants a room to be. Only the newest counts, so that the house never waits for a room.
type want struct {
	talk        talk // zero: none runs
	citizen     place
	clerk       place // zero without a talk
	citizenName string
	clerkName   string // as citizens read it
	over        bool
}

// room is where one visit's talks take place. It opens with the first talk and ends with the visit. Its goroutine
// brings the seats in line with what the house wants, and talks to the media plane; the house never does.
type room struct {
	id    media.RoomID
	visit appliance.VisitID
	plane Media
	seats *directory
	now   func() time.Time
	log   *slog.Logger
	inbox chan roomMessage
	kick  chan struct{} // room for one: wanted or heard changed
	gone  chan struct{} // closed when the goroutine has ended

	mu     sync.Mutex
	wanted want                     // guarded by mu
	heard  map[media.SeatID]heardOf // guarded by mu; bounded by the seats
	ended  bool                     // guarded by mu: the media plane lost the room
	spoke  *media.SeatID            // guarded by mu: who speaks, if that was told and not looked at; none: nobody

	// Owned by the goroutine.
	want    want
	sides   map[Side]*side
	leaving []media.SeatID // seats that could not be taken away yet
	leaveAt time.Time
	text    []Text       // of the running talk, oldest first
	speaker media.SeatID // none: nobody speaks
}

// heardOf is what the media plane told of a seat and the room has not looked at: the newest offer, the newest list of paused pictures,
// whether it is interrupted, that it came up, and the loss.
type heardOf struct {
	offer       *media.SubscribeOffer
	paused      *[]media.Picture
	interrupted *bool
	up, lost    bool
}

// side is one end of the talk.
type side struct {
	name    Side
	place   place // as seated
	seat    *seat
	devices *Devices  // nil: not told yet
	next    time.Time // no new seat before
	told    bool      // that media does not work

	interrupted bool // its seat is, or the one before that has not come up again
}

// seat is a side's place in the media plane.
type seat struct {
	id     media.SeatID
	access media.Access
	offer  *media.SubscribeOffer // not answered yet
	paused *[]media.Picture      // the newest; nil: nothing was told
	up     bool                  // it came up once
	asked  time.Time             // its page, whether it still wants another seat
}

// roomMessage is what pages send: the closed set in calls.go and text.go.
type roomMessage interface {
	handle(ctx context.Context, r *room)
}

func newRoom(
	visit appliance.VisitID, plane Media, seats *directory, now func() time.Time, log *slog.Logger,
) *room {
	r := &room{
		id: media.RoomID(unguessable()), visit: visit, plane: plane, seats: seats, now: now,
		inbox: make(chan roomMessage, roomInbox), kick: make(chan struct{}, 1), gone: make(chan struct{}),
		heard: make(map[media.SeatID]heardOf),
		sides: map[Side]*side{SideCitizen: {name: SideCitizen}, SideClerk: {name: SideClerk}},
	}
	r.log = log.With("room", r.id, "visit", visit)
	return r
}

// set tells the room what the house wants. It never waits.
func (r *room) set(w want) {
	r.mu.Lock()
	r.wanted = w
	r.mu.Unlock()
	r.wake()
}

// hear tells the room what the media plane said. It never waits; an older offer that nobody looked at is dropped.
func (r *room) hear(e media.Event) {
	r.mu.Lock()
	h := r.heard[e.Seat]
	switch e.Kind {
	case media.Subscribe:
		if e.Subscribe != nil && (h.offer == nil || e.Subscribe.Revision > h.offer.Revision) {
			h.offer = e.Subscribe
		}
		r.heard[e.Seat] = h
	case media.Paused:
		h.paused = &e.Paused
		r.heard[e.Seat] = h
	case media.Interrupted, media.Resumed, media.Connected: // a new seat has come up where an interrupted one was
		interrupted := e.Kind == media.Interrupted
		h.interrupted = &interrupted
		h.up = h.up || e.Kind == media.Connected
		r.heard[e.Seat] = h
	case media.Lost:
		h.lost = true
		r.heard[e.Seat] = h
	case media.Speaker:
		r.spoke = &e.Speaker
	case media.RoomEnded:
		r.ended = true
	}
	r.mu.Unlock()
	r.wake()
}

func (r *room) wake() {
	select {
	case r.kick <- struct{}{}:
	default:
	}
}

// offer hands in a page's message.
func (r *room) offer(m roomMessage) error {
	select {
	case <-r.gone:
		return errNoTalk()
	default:
	}
	select {
	case r.inbox <- m:
		return nil
	default:
		return errBusy()
	}
}

// run is the room's goroutine. It tells whether it ended by a fault.
func (r *room) run(ctx context.Context) (failed bool) {
	defer close(r.gone)
	defer func() {
		if fault := recover(); fault != nil {
			failed = true
			r.log.Error("room failed", "fault", fmt.Sprint(fault), "stack", string(debug.Stack()))
			r.abandon(ctx)
		}
	}()
	r.loop(ctx)
	return false
}

func (r *room) loop(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		var m roomMessage
		select {
		case <-r.kick:
		case m = <-r.inbox:
		case <-timer.C:
		case <-ctx.Done():
			r.end(ctx)
			return
		}
		// What the house wants comes before what a page wants.
		if r.settle(ctx); r.want.over {
			r.end(ctx)
			return
		}
		if m != nil {
			m.handle(ctx, r)
			r.settle(ctx)
		}
		if next := r.nextTry(); next.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(next.Sub(r.now()))
		}
	}
}

// settle brings the room in line with what is wanted and what was heard.
func (r *room) settle(ctx context.Context) {
	r.mu.Lock()
	w, heard, ended, spoke := r.wanted, r.heard, r.ended, r.spoke
	r.heard, r.ended, r.spoke = make(map[media.SeatID]heardOf), false, nil
	r.mu.Unlock()
	if w.over {
		r.want = w
		return
	}
	r.listen(ctx, heard, ended)
	r.point(spoke, ended)
	r.leaveAgain(ctx)
	if w.talk != r.want.talk {
		// Another talk, or none: the clerk of the last one goes, whoever is next.
		r.dismiss(ctx, r.sides[SideClerk])
		r.sides[SideClerk].forget(r)
		r.text = nil
	}
	r.want = w
	r.fit(ctx, r.sides[SideCitizen], w.citizen)
	r.fit(ctx, r.sides[SideClerk], w.clerk)
}

// listen acts on what the media plane told.
func (r *room) listen(ctx context.Context, heard map[media.SeatID]heardOf, ended bool) {
	for _, s := range r.sides {
		if s.seat == nil {
			continue
		}
		h := heard[s.seat.id]
		if h.lost || ended {
			r.log.Info("seat lost", "seat", s.seat.id)
			r.dismiss(ctx, s)
			continue
		}
		s.seat.up = s.seat.up || h.up
		if h.interrupted != nil { // before the offer that goes with it: the page is to know why
			r.interrupt(s, *h.interrupted)
		}
		if h.offer != nil {
			s.seat.offer = h.offer
			s.tell(Push{Subscribe: &Subscribed{Seat: s.seat.id, Offer: *h.offer}})
		}
		if h.paused != nil {
			s.seat.paused = h.paused
			s.tell(Push{Paused: &Paused{Seat: s.seat.id, Pictures: *h.paused}})
		}
	}
}

// point tells both sides who speaks, when it is somebody else than before. A room that the media plane lost tells nobody any
// more: its seats are gone, and everybody's page with them forgets who spoke.
func (r *room) point(spoke *media.SeatID, ended bool) {
	switch {
	case ended:
		r.speaker = ""
	case spoke != nil && *spoke != r.speaker:
		r.speaker = *spoke
		for _, s := range r.sides {
			if s.seat != nil {
				s.tell(Push{Speaker: spoke})
			}
		}
	}
}

// interrupt notes whether a side is interrupted, and tells both. The side itself is told each time, so that it tries again.
func (r *room) interrupt(s *side, now bool) {
	p := Push{Interrupted: &Interrupted{Side: s.name, Now: now}}
	if now || s.interrupted {
		s.tell(p)
	}
	if now != s.interrupted {
		r.other(s).tell(p)
	}
	s.interrupted = now
}

// repeat tells a page that was given its seat, for the first time or again, who is interrupted.
func (r *room) repeat(to *side, sides ...*side) {
	for _, s := range sides {
		if s.interrupted {
			to.tell(Push{Interrupted: &Interrupted{Side: s.name, Now: true}})
		}
	}
}

// pointLine tells a line who speaks that has just been given a seat: with one, nobody speaks until it is told otherwise.
func (r *room) pointLine(l *Line) {
	if speaker := r.speaker; speaker != "" {
		l.push(Push{Speaker: &speaker})
	}
}

// fit brings one side in line: who left goes, who came back is told everything, who may be seated is.
func (r *room) fit(ctx context.Context, s *side, p place) {
	if s.place.page != p.page {
		r.dismiss(ctx, s)
		s.forget(r)
	}
	if s.place.line != p.line {
		if s.place.line != nil {
			s.place.line.leave(r)
		}
		s.place = p
		r.receive(s)
	}
	s.place = p
	if r.want.talk.runs() && s.seat == nil && p.line != nil && len(r.leaving) == 0 && !r.now().Before(s.next) {
		r.take(ctx, s)
	}
}

// receive tells a line that came (back) all it needs to go on.
func (r *room) receive(s *side) {
	l := s.place.line
	if l == nil || !r.may(s, l) {
		return
	}
	l.place(r)
	if s.seat != nil {
		r.giveAgain(s)
	}
	for _, t := range r.text {
		l.push(Push{Text: &t})
	}
	if d := r.other(s).devices; d != nil && r.want.talk.runs() {
		l.push(Push{Devices: d})
	}
}

// giveAgain repeats a side's seat, with all that goes with it.
func (r *room) giveAgain(s *side) {
	l := s.place.line
	l.give(SeatGiven{Seat: s.seat.id, Room: r.id, Access: s.seat.access})
	if s.seat.offer != nil {
		l.push(Push{Subscribe: &Subscribed{Seat: s.seat.id, Offer: *s.seat.offer}})
	}
	if s.seat.paused != nil {
		l.push(Push{Paused: &Paused{Seat: s.seat.id, Pictures: *s.seat.paused}})
	}
	r.pointLine(l)
	r.repeat(s, s, r.other(s))
}

// may checks once more, at the last moment, that a line belongs to one of the two people of this talk.
func (r *room) may(s *side, l *Line) bool {
	switch s.name {
	case SideCitizen:
		return l.actor.Visit == r.visit && l.actor.Clerk == ""
	case SideClerk:
		return r.want.talk.runs() && l.actor.Clerk == r.want.talk.clerk && l.actor.Visit == ""
	default:
		return false
	}
}

func (r *room) other(s *side) *side {
	if s.name == SideCitizen {
		return r.sides[SideClerk]
	}
	return r.sides[SideCitizen]
}

// nextTry is when to look again without being asked; zero: not.
func (r *room) nextTry() time.Time {
	if len(r.leaving) > 0 {
		return r.leaveAt
	}
	var next time.Time
	for _, s := range r.sides {
		if r.want.talk.runs() && s.seat == nil && s.place.line != nil && (next.IsZero() || s.next.Before(next)) {
			next = s.next
		}
	}
	return next
}

// end takes everybody out. What could not be taken out after some tries is left to the media plane, which ends seats
// that nobody answers for.
func (r *room) end(ctx context.Context) {
	for _, s := range r.sides {
		r.dismiss(ctx, s)
		s.forget(r)
	}
	r.text = nil
	for range leaveTries {
		if len(r.leaving) == 0 {
			return
		}
		select {
		case <-time.After(seatPause):
		case <-ctx.Done():
		}
		r.leaveAt = time.Time{}
		r.leaveAgain(ctx)
	}
	if len(r.leaving) > 0 {
		r.log.Error("seats left behind", "seats", len(r.leaving))
	}
}

// abandon is end for a room that failed: whatever may fail again is kept from ending the house.
func (r *room) abandon(ctx context.Context) {
	for _, s := range r.sides {
		seat := s.seat
		s.forget(r)
		if seat == nil {
			continue
		}
		r.seats.unseat(seat.id)
		func() {
			defer func() { _ = recover() }() // it has been logged
			_ = r.leave(ctx, seat.id)
		}()
	}
	r.text = nil
}

// tell pushes to the side's line, if there is one.
func (s *side) tell(p Push) {
	if s.place.line != nil {
		s.place.line.push(p)
	}
}

// forget makes the side empty for the next one.
func (s *side) forget(r *room) {
	if l := s.place.line; l != nil {
		if s.seat != nil {
			l.unseat(s.seat.id)
		}
		l.leave(r)
	}
	s.place = place{}
	r.interrupt(s, false)
	s.seat, s.devices, s.told = nil, nil, false
	if s.name == SideClerk {
		s.next = time.Time{} // the next one is another person
	}
}
