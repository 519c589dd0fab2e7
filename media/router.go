package media

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"
)

// orders is how many orders may wait for a room. Callers wait when it is full, until their context ends.
const orders = 64

// room routes media between its seats: everybody gets everything of everybody else. One goroutine owns its state;
// others send it orders. The packet path does not pass through it.
type room struct {
	id    RoomID
	plane *Plane
	log   *slog.Logger
	inbox chan order
	quit  chan struct{} // closed by the plane when the last seat has left
	done  chan struct{} // closed when the goroutine has ended
	wg    sync.WaitGroup

	peers  map[SeatID]*peer
	looked time.Time // at everybody's connections
	order  []SeatID  // in the order of arrival, so that offers are the same from run to run
	floor  floor
}

// order is the closed set of what a room is asked to do.
type order interface{ isOrder() }

type (
	joinOrder struct {
		seat    SeatID
		foreign bool
	}
	publishOrder struct {
		seat   SeatID
		offer  Offer
		answer chan<- published
	}
	viewOrder struct {
		seat   SeatID
		sdp    string
		answer chan<- published
	}
	answerOrder struct {
		seat     SeatID
		revision int
		sdp      string
		err      chan<- error
	}
	leaveOrder struct {
		seat SeatID
		err  chan<- error
	}
	restartOrder struct {
		seat SeatID
		err  chan<- error
	}
	// changedOrder: a connection may be in another state.
	changedOrder struct {
		seat SeatID
		conn *connection
	}
	// failedOrder: a goroutine of the packet path panicked.
	failedOrder struct {
		cause any
		stack []byte
	}
	statsOrder struct{ stats chan<- RoomStats }
	// testOrder runs something in the room's goroutine; tests alone send it.
	testOrder struct{ f func(*room) }
)

type published struct {
	answer Answer
	err    error
}

func (joinOrder) isOrder()    {}
func (publishOrder) isOrder() {}
func (viewOrder) isOrder()    {}
func (answerOrder) isOrder()  {}
func (leaveOrder) isOrder()   {}
func (restartOrder) isOrder() {}
func (changedOrder) isOrder() {}
func (failedOrder) isOrder()  {}
func (statsOrder) isOrder()   {}
func (testOrder) isOrder()    {}

var errRoomEnded = errors.New("the room has ended")

func newRoom(p *Plane, id RoomID) *room {
	return &room{
		id: id, plane: p, log: p.log.With("room", string(id)), inbox: make(chan order, orders),
		quit: make(chan struct{}), done: make(chan struct{}), peers: map[SeatID]*peer{}, floor: newFloor(p.now()),
	}
}

// send gives the room an order. It fails when the room has ended or the caller has no time any more.
func (r *room) send(ctx context.Context, o order) error {
	select {
	case r.inbox <- o:
		return nil
	case <-r.done:
		return errRoomEnded
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// run is the room's goroutine.
func (r *room) run() {
	defer close(r.done)
	defer func() {
		if cause := recover(); cause != nil {
			r.fail(failedOrder{cause, debug.Stack()})
		}
		r.shut()
	}()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(r.untilDue())
		select {
		case o := <-r.inbox:
			if failed, ok := o.(failedOrder); ok {
				r.fail(failed)
				return
			}
			r.handle(o)
		case <-timer.C:
			now := r.plane.now() // the same for all, or what is due together comes one after the other
			r.overdue(now)
			r.hear(now)
			r.look(now)
		case <-r.quit:
			return
		}
	}
}

// fail ends the room after a fault: its seats have to rejoin, all others never notice.
func (r *room) fail(f failedOrder) {
	r.log.Error("room ended by a fault", "fault", fmt.Sprint(f.cause), "stack", string(f.stack))
	r.plane.roomFailed(r)
}

// shut closes what is left and waits for it.
func (r *room) shut() {
	for _, id := range r.order {
		r.close(r.peers[id], nil)
	}
	r.wg.Wait()
}

func (r *room) handle(o order) {
	switch o := o.(type) {
	case joinOrder:
		r.peers[o.seat] = &peer{seat: o.seat, foreign: o.foreign, tracks: map[string]*track{}}
		r.order = append(r.order, o.seat)
		r.negotiate(r.peers[o.seat])
	case publishOrder:
		answer, err := r.publish(o.seat, o.offer)
		o.answer <- published{answer, err}
		if err == nil {
			r.refresh()
		}
	case viewOrder:
		answer, err := r.view(o.seat, o.sdp)
		o.answer <- published{answer, err}
	case answerOrder:
		o.err <- r.subscribed(o)
	case showOrder:
		o.err <- r.show(o)
	case restartOrder:
		o.err <- r.restart(o.seat)
	case leaveOrder:
		r.leave(o)
	case changedOrder:
		r.changed(o)
	case statsOrder:
		o.stats <- r.stats()
	case testOrder:
		o.f(r)
	}
}

// wanted lists the tracks that a seat is to receive.
func (r *room) wanted(p *peer) []*track { return r.published(p.seat) }

// published lists all tracks but those of one seat.
func (r *room) published(but SeatID) []*track {
	var list []*track
	for _, id := range r.order {
		if id == but || r.peers[id].lost {
			continue
		}
		for _, s := range r.peers[id].settled {
			if t := r.peers[id].tracks[s.mid]; t != nil {
				list = append(list, t)
			}
		}
	}
	return list
}

// refresh brings every seat's receiving connection in line with what is published now.
func (r *room) refresh() {
	for _, id := range r.order {
		r.negotiate(r.peers[id])
	}
	r.floor.gather(r.published(""))
	r.prefer()
}

// negotiate offers a seat what it should receive, if that is not what it was offered last. While an offer is out, the
// next one waits for its answer; only what is gone stops at once.
func (r *room) negotiate(p *peer) {
	if p.lost {
		return
	}
	if p.foreign {
		r.arrange(p)
		return
	}
	wanted := r.wanted(p)
	p.withdraw(wanted)
	if p.offered != nil {
		p.stale = true
		return
	}
	if p.out == nil {
		if len(wanted) == 0 {
			return
		}
		c, err := r.open(p, subscribing)
		if err != nil {
			r.lose(p, "open receiving connection", err)
			return
		}
		p.out = c
	}
	changed, err := p.assign(wanted)
	if err != nil {
		r.lose(p, "assign tracks", err)
		return
	}
	if !changed {
		return
	}
	offer, err := p.offer(r.plane.addresses(), r.plane.now())
	if err != nil {
		r.lose(p, "offer tracks", err)
		return
	}
	r.plane.events.tell(Event{Kind: Subscribe, Room: r.id, Seat: p.seat, Subscribe: &offer})
}

// goes runs f in a goroutine of the connection. If it panics, the room ends.
func (r *room) goes(c *connection, f func()) {
	c.run(func() {
		defer func() {
			if cause := recover(); cause != nil {
				r.post(c, failedOrder{cause, debug.Stack()})
			}
		}()
		f()
	})
}

// post gives the room an order from one of its connection's goroutines.
func (r *room) post(c *connection, o order) {
	select {
	case r.inbox <- o:
	case <-r.done:
	case <-c.quit:
	}
}

func (r *room) open(p *peer, way direction) (*connection, error) {
	c, err := newConnection(r.plane.engine, way, r.plane.engine.profiles(r.id, p.foreign))
	if err != nil {
		return nil, err
	}
	c.changed = func() { r.post(c, changedOrder{seat: p.seat, conn: c}) }
	c.goes = func(f func()) { r.goes(c, f) }
	c.broken = func(cause any, stack []byte) { r.post(c, failedOrder{cause, stack}) }
	return c, nil
}

// subscribed takes a seat's answer.
func (r *room) subscribed(o answerOrder) error {
	p := r.peers[o.seat]
	switch {
	case p == nil || p.lost:
		return ErrNoSeat
	case o.revision > p.revision || o.revision < 1:
		return refuse("revision %d was never offered", o.revision)
	case o.revision < p.revision || p.offered == nil:
		return nil // an older one, or the same again
	}
	if err := p.answered(o.sdp); err != nil {
		return err
	}
	if err := r.flow(p); err != nil {
		r.lose(p, "begin flow", err)
		return ErrNoSeat
	}
	if p.stale {
		r.negotiate(p)
	}
	return nil
}

// changed looks at a connection whose state may be another.
func (r *room) changed(o changedOrder) {
	p := r.peers[o.seat]
	if p == nil || p.lost || (o.conn != p.in && o.conn != p.out) {
		return
	}
	switch o.conn.condition() {
	case up:
		if o.conn == p.in && !p.published {
			p.published = true
			r.plane.events.tell(Event{Kind: Connected, Room: r.id, Seat: p.seat})
		}
		if o.conn == p.out && !p.receiving {
			p.receiving = true
			if err := r.flow(p); err != nil {
				r.lose(p, "begin flow", err)
			}
		}
	case failed:
		if o.conn.refused.Load() {
			r.plane.engine.relax(r.id)
		}
		r.lose(p, "connection failed", nil)
	}
}

// lose gives a seat up: it must rejoin. Its connections stay until it leaves; what it published ends now.
func (r *room) lose(p *peer, operation string, err error) {
	if p.lost {
		return
	}
	p.lost = true
	if err != nil {
		r.log.Warn("seat lost", "seat", string(p.seat), "operation", operation, "fault", err.Error())
	}
	p.withdraw(nil)
	r.plane.events.tell(Event{Kind: Lost, Room: r.id, Seat: p.seat})
	r.refresh()
}

// restart is a seat that looks for another way to the box.
func (r *room) restart(seat SeatID) error {
	p := r.peers[seat]
	if p == nil || p.lost {
		return ErrNoSeat
	}
	r.renew(p)
	return nil
}

func (r *room) leave(o leaveOrder) {
	p := r.peers[o.seat]
	if p == nil {
		o.err <- nil
		return
	}
	delete(r.peers, o.seat)
	for i, id := range r.order {
		if id == o.seat {
			r.order = append(r.order[:i:i], r.order[i+1:]...)
		}
	}
	p.withdraw(nil)
	r.refresh()
	r.close(p, o.err)
}

// close ends a seat's connections in a goroutine of its own, since the library takes its time. done, if any, is told.
func (r *room) close(p *peer, done chan<- error) {
	p.withdraw(nil)
	if p.out != nil {
		r.plane.shares.set(p.out, nil, nil)
	}
	r.wg.Go(func() {
		var errs [2]error
		var both sync.WaitGroup
		for i, c := range []*connection{p.in, p.out} {
			if c == nil {
				continue
			}
			both.Go(func() {
				errs[i] = c.close()
			})
		}
		both.Wait()
		if err := errors.Join(errs[0], errs[1]); done != nil {
			done <- err
		} else if err != nil {
			r.log.Warn("close seat", "seat", string(p.seat), "fault", err.Error())
		}
	})
}

// untilDue is how long until an offer's answer is overdue, or it is time to look at who speaks or at the seats.
func (r *room) untilDue() time.Duration {
	wait := time.Hour
	now := r.plane.now()
	if r.floor.busy() {
		wait = r.floor.next.Sub(now)
	}
	for _, p := range r.peers {
		if p.awaited() {
			wait = min(wait, p.due.Sub(now))
		}
	}
	if next, any := r.nextLook(); any {
		wait = min(wait, next.Sub(now))
	}
	return max(wait, 0)
}

// awaited tells whether an answer is waited for with a clock. Whoever is not reached cannot answer.
func (p *peer) awaited() bool { return p.offered != nil && !p.lost && !p.interrupted }

func (r *room) overdue(now time.Time) {
	for _, id := range r.order {
		if p := r.peers[id]; p.awaited() && !now.Before(p.due) {
			r.lose(p, "offer not answered", nil)
		}
	}
}
