package hall

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"schalter/appliance"
	"schalter/media"
)

// Limits of one open room. A stage has a few cameras; viewers are as many as the media plane seats in a room.
const (
	maxPublishers = 8
	maxViewers    = 200
)

// guestRoom is a room that an operator opened, and whose seats are guests. Its goroutine begins with the first of them and ends
// when the room is closed, by a fault, or with the hall.
type guestRoom struct {
	name  appliance.RoomName
	id    media.RoomID // in the media plane; another one after a fault there
	rows  RoomStore
	plane Media
	seats *directory
	now   func() time.Time
	log   *slog.Logger
	inbox chan guestMessage
	kick  chan struct{} // room for one: lost, ended or closed changed
	gone  chan struct{} // closed when the goroutine has ended

	mu      sync.Mutex
	lost    map[media.SeatID]bool // guarded by mu: told by the media plane; bounded by the seats
	ended   bool                  // guarded by mu: the media plane lost the room
	closed  bool                  // guarded by mu: the operator closed the room
	present [2]int                // guarded by mu: publishers and viewers

	// Owned by the goroutine.
	guests  map[media.SeatID]*guest
	leaving []media.SeatID // seats that could not be taken away yet
	leaveAt time.Time
}

// guest is one seat of an open room.
type guest struct {
	Guest
	seat media.SeatID
	tag  string // of the ICE session
	ice  credentials
}

// guestMessage is what guests send: welcome, revise, dismiss.
type guestMessage interface {
	handle(ctx context.Context, r *guestRoom)
}

// renew gives the room a new place in the media plane: a room that ended there by a fault is not the one that opens next.
func (r *guestRoom) renew() {
	if r.id != "" {
		r.seats.remove(r.id)
	}
	r.id = media.RoomID(unguessable())
	r.seats.enter(r.id, r)
}

// hear takes what the media plane said. It never waits.
func (r *guestRoom) hear(e media.Event) {
	r.mu.Lock()
	switch e.Kind {
	case media.Lost:
		r.lost[e.Seat] = true
	case media.RoomEnded:
		r.ended = true
	case media.Subscribe, media.Connected, media.Paused, media.Speaker, media.Interrupted, media.Resumed:
		// Guests receive what they asked for, and see their own connection.
	}
	r.mu.Unlock()
	r.wake()
}

// close lets the room end. It never waits.
func (r *guestRoom) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.wake()
}

func (r *guestRoom) wake() {
	select {
	case r.kick <- struct{}{}:
	default:
	}
}

// load counts publishers and viewers.
func (r *guestRoom) load() (publishers, viewers int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.present[0], r.present[1]
}

// run is the room's goroutine.
func (r *guestRoom) run(ctx context.Context, quit <-chan struct{}) {
	defer close(r.gone)
	defer func() {
		if fault := recover(); fault != nil {
			r.log.Error("room failed", "fault", fmt.Sprint(fault), "stack", string(debug.Stack()))
			r.abandon(ctx)
		}
		r.seats.remove(r.id)
	}()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		var m guestMessage
		select {
		case <-r.kick:
		case m = <-r.inbox:
		case <-timer.C:
		case <-quit:
			r.end(ctx)
			return
		}
		if closed := r.listen(ctx); closed {
			r.end(ctx)
			return
		}
		r.leaveAgain(ctx)
		if m != nil {
			m.handle(ctx, r)
		}
		if len(r.leaving) == 0 {
			timer.Stop()
		} else {
			timer.Reset(r.leaveAt.Sub(r.now()))
		}
	}
}

// listen acts on what was heard, and tells whether the room was closed.
func (r *guestRoom) listen(ctx context.Context) (closed bool) {
	r.mu.Lock()
	lost, ended, closed := r.lost, r.ended, r.closed
	r.lost, r.ended = make(map[media.SeatID]bool), false
	r.mu.Unlock()
	for id := range r.guests {
		if lost[id] || ended {
			r.log.Info("seat lost", "seat", id)
			r.release(ctx, id)
		}
	}
	if ended {
		r.renew()
	}
	return closed
}

// count is called with every change of guests, before anybody hears of it.
func (r *guestRoom) count() {
	var present [2]int
	for _, g := range r.guests {
		if g.Part == Publishes {
			present[0]++
		} else {
			present[1]++
		}
	}
	r.mu.Lock()
	r.present = present
	r.mu.Unlock()
}

// release takes a seat away.
func (r *guestRoom) release(ctx context.Context, id media.SeatID) {
	delete(r.guests, id)
	r.count()
	r.seats.unseat(id)
	if err := r.leave(ctx, id); err != nil {
		r.log.Warn("seat not taken away", "seat", id, "err", err)
		r.leaving = append(r.leaving, id)
		r.leaveAt = r.now().Add(seatPause)
	}
}

func (r *guestRoom) leave(ctx context.Context, id media.SeatID) error {
	call, cancel := context.WithTimeout(ctx, mediaWait)
	defer cancel()
	return r.plane.Leave(call, id)
}

// leaveAgain tries again to take away seats that should be gone.
func (r *guestRoom) leaveAgain(ctx context.Context) {
	if len(r.leaving) == 0 || r.now().Before(r.leaveAt) {
		return
	}
	var left []media.SeatID
	for _, id := range r.leaving {
		if err := r.leave(ctx, id); err != nil {
			left = append(left, id)
		}
	}
	r.leaving, r.leaveAt = left, r.now().Add(seatPause)
}

// end takes everybody out. What could not be taken out after some tries is left to the media plane.
func (r *guestRoom) end(ctx context.Context) {
	for id := range r.guests {
		r.release(ctx, id)
	}
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
func (r *guestRoom) abandon(ctx context.Context) {
	for id := range r.guests {
		r.seats.unseat(id)
		func() {
			defer func() { _ = recover() }() // it has been logged
			_ = r.leave(ctx, id)
		}()
	}
}

// welcome is a guest who asks for a seat.
type welcome struct {
	guest Guest
	asker <-chan struct{} // closed when nobody waits for the answer any more
	reply chan result[Welcome]
}

func (w *welcome) handle(ctx context.Context, r *guestRoom) {
	select {
	case <-w.asker:
		return
	default:
	}
	seat, err := r.seat(ctx, w.guest)
	w.reply <- result[Welcome]{seat, err}
}

// seat gives a guest a seat and answers the offer. The token is looked up once more, here where the room's end is known: it
// may have been closed, or opened anew, since the request came in.
func (r *guestRoom) seat(ctx context.Context, g Guest) (Welcome, error) {
	pass, err := r.rows.RoomOf(ctx, g.Token)
	if isNotFound(err) {
		return Welcome{}, errSeatUnknown()
	}
	if err != nil {
		return Welcome{}, err
	}
	if pass.Room.Name.Key() != r.name.Key() || pass.Role != g.Part.role() {
		return Welcome{}, errSeatUnknown()
	}
	sources, err := sourcesOf(g.SDP, g.Part)
	if err != nil {
		return Welcome{}, err
	}
	if publishers, viewers := r.load(); g.Part == Publishes && publishers >= maxPublishers || g.Part == Views && viewers >= maxViewers {
		return Welcome{}, &appliance.Error{Kind: appliance.Unavailable, Code: "room-full", Wait: 30 * time.Second}
	}
	id := newSeatID()
	r.seats.seat(id, r) // it may be lost before its offer is answered
	r.guests[id] = &guest{Guest: g, seat: id, tag: newTag(), ice: credentialsOf(g.SDP)}
	r.count()
	call, cancel := context.WithTimeout(ctx, mediaWait)
	defer cancel()
	access, err := r.plane.Join(call, media.Seat{ID: id, Room: r.id, Reached: g.Reached, Foreign: true})
	var answer media.Answer
	if err == nil {
		answer, err = r.answer(call, r.guests[id], g.SDP, sources)
	}
	if err != nil {
		r.release(ctx, id)
		return Welcome{}, r.refused(id, err)
	}
	r.log.Info("guest seated", "seat", id, "part", string(g.Part))
	return Welcome{Seat: id, SDP: answer.SDP, Tag: r.guests[id].tag, Relay: access.Relay}, nil
}

func (r *guestRoom) answer(ctx context.Context, g *guest, sdp string, sources map[string]media.Source) (media.Answer, error) {
	if g.Part == Publishes {
		return r.plane.Publish(ctx, g.seat, media.Offer{SDP: sdp, Sources: sources})
	}
	return r.plane.View(ctx, g.seat, sdp)
}

// refused turns the media plane's error into what a guest is told. Its text stays out of the log: it may quote the
// guest's addresses.
func (r *guestRoom) refused(id media.SeatID, err error) error {
	if errors.Is(err, media.ErrRefused) {
		r.log.Info("description refused", "seat", id)
		return &appliance.Error{Kind: appliance.Invalid, Code: "offer-refused"}
	}
	r.log.Warn("guest not seated", "seat", id, "late", errors.Is(err, context.DeadlineExceeded))
	return errNoMedia()
}

// find looks for a seat as its guest names it.
func (r *guestRoom) find(at GuestSeat) *guest {
	g := r.guests[at.Seat]
	if g == nil || g.Part != at.Part || !slices.Equal(g.Token, at.Token) {
		return nil
	}
	return g
}

// revise is a guest with news of its connection.
type revise struct {
	at    GuestSeat
	by    Revision
	reply chan result[Revised]
}

func (v *revise) handle(ctx context.Context, r *guestRoom) {
	answer, err := r.revise(ctx, v.at, v.by)
	v.reply <- result[Revised]{answer, err}
}

func (r *guestRoom) revise(ctx context.Context, at GuestSeat, by Revision) (Revised, error) {
	g := r.find(at)
	if g == nil {
		return Revised{}, errSeatUnknown()
	}
	if !slices.Contains(by.Tags, "*") && !slices.Contains(by.Tags, g.tag) {
		return Revised{}, &appliance.Error{Kind: appliance.Conflict, Code: "tag-stale"}
	}
	ice, err := readFragment(by.Fragment)
	if err != nil {
		return Revised{}, err
	}
	if ice == (credentials{}) || ice == g.ice {
		return Revised{}, nil // candidates alone: the box never dials
	}
	sdp := withCredentials(g.SDP, ice)
	sources, err := sourcesOf(sdp, g.Part)
	if err != nil {
		return Revised{}, err
	}
	call, cancel := context.WithTimeout(ctx, mediaWait)
	defer cancel()
	answer, err := r.answer(call, g, sdp, sources)
	if err != nil {
		return Revised{}, r.refused(at.Seat, err)
	}
	g.SDP, g.ice, g.tag = sdp, ice, newTag()
	return Revised{Fragment: fragmentOf(answer.SDP), Tag: g.tag}, nil
}

// dismiss is a guest who goes.
type dismiss struct {
	at    GuestSeat
	reply chan result[struct{}]
}

func (d *dismiss) handle(ctx context.Context, r *guestRoom) {
	if r.find(d.at) == nil {
		d.reply <- result[struct{}]{err: errSeatUnknown()}
		return
	}
	r.release(ctx, d.at.Seat)
	d.reply <- result[struct{}]{}
}

// newTag makes an entity tag's word: no two ICE sessions have the same.
func newTag() string { return unguessable() }
