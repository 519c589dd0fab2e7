package media

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Errors that a caller may want to tell apart. A description that was refused is ErrRefused.
var (
	ErrNoSeat  = errors.New("no such seat")
	ErrTaken   = errors.New("the seat is taken")
	ErrClosed  = errors.New("the media plane is closed")
	ErrRefused = errDescription
)

// Limits of one plane. A box is sized for some hundred seats; these only keep a fault elsewhere from eating it up.
const (
	maxRooms   = 1000
	maxPerRoom = 250
)

// Relay issues credentials for the relay, bound to a seat. Package relay's server does it.
type Relay interface {
	Issue(seat string) (username, password string, expires time.Time)
	Revoke(seat string)
}

// Config is what a plane needs. Mux is required; everything else may be left out.
type Config struct {
	Mux       UDPMux                        // the one UDP port
	Relay     Relay                         // nil: no relay is offered
	Addresses func() Addresses              // what is offered to browsers; asked for each description, since addresses change
	RelayURLs func(reached string) []string // turn: and turns: URLs for a seat, see Seat.Reached
	Now       func() time.Time
	Log       *slog.Logger
	// Certificate for DTLS. Without one the plane makes its own and renews it.
	Certificate *tls.Certificate
	// Uplink is what the box may send in all, in bit/s: it is shared out, and pictures get smaller or pause before sound
	// suffers. 0: everybody is sent the best there is, whatever the ways take.
	Uplink int64
}

// Plane is the media plane: rooms, their seats, and the media between them. All methods may be called concurrently.
type Plane struct {
	config Config
	engine *engine
	events *events
	shares *sharing           // nil: nothing is shared out
	stop   context.CancelFunc // of the sharing
	log    *slog.Logger
	serial atomic.Uint64 // of incoming streams
	wg     sync.WaitGroup

	mu     sync.Mutex
	closed bool             // guarded by mu
	rooms  map[RoomID]*room // guarded by mu
	seats  map[SeatID]*room // guarded by mu
	filled map[*room]int    // guarded by mu; seats of each room
}

// New makes a plane. It ends by Close.
func New(c Config) (*Plane, error) {
	if c.Mux == nil {
		return nil, errors.New("new media plane: no port")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	e, err := newEngine(c)
	if err != nil {
		return nil, fmt.Errorf("new media plane: %w", err)
	}
	p := &Plane{
		config: c, engine: e, log: c.Log, events: newEvents(),
		rooms: map[RoomID]*room{}, seats: map[SeatID]*room{}, filled: map[*room]int{},
	}
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	if c.Uplink > 0 {
		p.shares, e.estimates = newSharing(e, c.Uplink), true
		p.wg.Go(func() { p.shares.run(ctx) })
	}
	return p, nil
}

func (p *Plane) now() time.Time { return p.config.Now() }

func (p *Plane) nextSerial() uint64 { return p.serial.Add(1) }

func (p *Plane) addresses() Addresses {
	if p.config.Addresses == nil {
		return Addresses{}
	}
	return p.config.Addresses()
}

// Join seats somebody, and issues relay credentials. What the others publish is offered at once, so a Subscribe event
// may follow immediately.
func (p *Plane) Join(ctx context.Context, seat Seat) (Access, error) {
	if !token(string(seat.ID), 64) || !token(string(seat.Room), 64) {
		return Access{}, refuse("a seat's or room's id is malformed")
	}
	r, err := p.enter(seat)
	if err != nil {
		return Access{}, err
	}
	// Layers are of use where somebody chooses among them.
	access := Access{Relay: []RelayServer{}, Layers: p.config.Uplink > 0}
	if p.config.Relay != nil && p.config.RelayURLs != nil {
		if urls := p.config.RelayURLs(seat.Reached); len(urls) > 0 {
			s := RelayServer{URLs: urls}
			s.Username, s.Password, s.Expires = p.config.Relay.Issue(string(seat.ID))
			access.Relay = append(access.Relay, s)
		}
	}
	if err := r.send(ctx, joinOrder{seat.ID, seat.Foreign}); err != nil {
		p.left(seat.ID, r)
		return Access{}, fmt.Errorf("join: %w", err)
	}
	return access, nil
}

// enter notes a new seat, and opens its room if it is the first one there.
func (p *Plane) enter(seat Seat) (*room, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.rooms[seat.Room]
	switch {
	case p.closed:
		return nil, fmt.Errorf("join: %w", ErrClosed)
	case p.seats[seat.ID] != nil:
		return nil, fmt.Errorf("join: %w", ErrTaken)
	case r == nil && len(p.rooms) == maxRooms, r != nil && p.filled[r] == maxPerRoom:
		return nil, errors.New("join: no room for another seat")
	}
	if r == nil {
		r = newRoom(p, seat.Room)
		p.rooms[seat.Room] = r
		p.wg.Go(r.run)
	}
	p.seats[seat.ID] = r
	p.filled[r]++
	return r, nil
}

// left forgets a seat, and ends its room when it was the last one.
func (p *Plane) left(seat SeatID, r *room) {
	p.revoke(seat)
	p.events.forget(seat)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seats[seat] != r {
		return
	}
	delete(p.seats, seat)
	if p.filled[r]--; p.filled[r] == 0 {
		p.endLocked(r)
	}
}

func (p *Plane) revoke(seat SeatID) {
	if p.config.Relay != nil {
		p.config.Relay.Revoke(string(seat))
	}
}

func (p *Plane) endLocked(r *room) {
	delete(p.filled, r)
	if p.rooms[r.id] == r {
		delete(p.rooms, r.id)
	}
	close(r.quit)
}

// roomFailed forgets a room that ended by a fault, with its seats.
func (p *Plane) roomFailed(r *room) {
	p.mu.Lock()
	var gone []SeatID
	for id, in := range p.seats {
		if in == r {
			gone = append(gone, id)
			delete(p.seats, id)
		}
	}
	if _, ok := p.filled[r]; ok {
		p.endLocked(r)
	}
	p.mu.Unlock()
	for _, id := range gone {
		p.events.forget(id)
		p.revoke(id)
	}
	p.events.tell(Event{Kind: RoomEnded, Room: r.id})
}

func (p *Plane) room(seat SeatID) (*room, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	if r := p.seats[seat]; r != nil {
		return r, nil
	}
	return nil, ErrNoSeat
}

// Publish answers the browser's offer.
func (p *Plane) Publish(ctx context.Context, seat SeatID, offer Offer) (Answer, error) {
	r, err := p.room(seat)
	if err != nil {
		return Answer{}, fmt.Errorf("publish: %w", err)
	}
	answer := make(chan published, 1)
	got, err := ask(ctx, r, publishOrder{seat, offer, answer}, answer)
	if err = cmp.Or(err, got.err); err != nil {
		return Answer{}, fmt.Errorf("publish: %w", err)
	}
	return got.answer, nil
}

// View answers the offer of a foreign seat that wants to receive (WHEP). Each section of it that receives gets the room's
// tracks of its kind, in the order of arrival, as they come and go. An offer with the same sections and other ICE
// credentials restarts ICE.
func (p *Plane) View(ctx context.Context, seat SeatID, sdp string) (Answer, error) {
	r, err := p.room(seat)
	if err != nil {
		return Answer{}, fmt.Errorf("view: %w", err)
	}
	answer := make(chan published, 1)
	got, err := ask(ctx, r, viewOrder{seat, sdp, answer}, answer)
	if err = cmp.Or(err, got.err); err != nil {
		return Answer{}, fmt.Errorf("view: %w", err)
	}
	return got.answer, nil
}

// Subscribed hands in the browser's answer to a SubscribeOffer.
func (p *Plane) Subscribed(ctx context.Context, seat SeatID, revision int, sdp string) error {
	r, err := p.room(seat)
	if err != nil {
		return fmt.Errorf("subscribed: %w", err)
	}
	answer := make(chan error, 1)
	got, err := ask(ctx, r, answerOrder{seat, revision, sdp, answer}, answer)
	if err = cmp.Or(err, got); err != nil {
		return fmt.Errorf("subscribed: %w", err)
	}
	return nil
}

// Restart offers the seat its receiving connection with other credentials of ICE, by a Subscribe event: its browser's way to
// the box is another now, or may be. For its publishing connection the browser restarts ICE by Publish. A seat that
// receives nothing yet is no error.
func (p *Plane) Restart(ctx context.Context, seat SeatID) error {
	r, err := p.room(seat)
	if err != nil {
		return fmt.Errorf("restart: %w", err)
	}
	answer := make(chan error, 1)
	got, err := ask(ctx, r, restartOrder{seat, answer}, answer)
	if err = cmp.Or(err, got); err != nil {
		return fmt.Errorf("restart: %w", err)
	}
	return nil
}

// Leave closes the seat's connections and waits until they are.
func (p *Plane) Leave(ctx context.Context, seat SeatID) error {
	r, err := p.room(seat)
	if err != nil {
		return nil //nolint:nilerr // unknown seats are no error
	}
	answer := make(chan error, 1)
	if err := r.send(ctx, leaveOrder{seat, answer}); err != nil && !errors.Is(err, errRoomEnded) {
		return fmt.Errorf("leave: %w", err) // the seat is still there
	}
	err = closed(ctx, r, answer)
	p.left(seat, r)
	if err != nil {
		return fmt.Errorf("leave: %w", err)
	}
	return nil
}

// ask sends an order and waits for its answer.
func ask[T any](ctx context.Context, r *room, o order, answer <-chan T) (T, error) {
	var none T
	if err := r.send(ctx, o); err != nil {
		return none, err
	}
	select {
	case got := <-answer:
		return got, nil
	case <-r.done:
		return none, errRoomEnded
	case <-ctx.Done():
		return none, context.Cause(ctx)
	}
}

// closed waits until a seat's connections are closed. A room that has ended has closed them too.
func closed(ctx context.Context, r *room, answer <-chan error) error {
	select {
	case err := <-answer:
		return err
	case <-r.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Events is where the plane tells what happened. It is closed when the plane is. Reading it slowly loses nothing but
// offers that newer ones have replaced.
func (p *Plane) Events() <-chan Event { return p.events.out }

// Stats counts what goes on now.
func (p *Plane) Stats(ctx context.Context) Stats {
	p.mu.Lock()
	rooms := make([]*room, 0, len(p.rooms))
	for _, r := range p.rooms {
		rooms = append(rooms, r)
	}
	p.mu.Unlock()
	slices.SortFunc(rooms, func(a, b *room) int { return cmp.Compare(a.id, b.id) })
	out := Stats{Rooms: []RoomStats{}}
	for _, r := range rooms {
		answer := make(chan RoomStats, 1)
		if s, err := ask(ctx, r, statsOrder{answer}, answer); err == nil {
			out.Rooms = append(out.Rooms, s)
		}
	}
	return out
}

// Close ends all rooms and waits for them. The port is not the plane's and stays open.
func (p *Plane) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		p.wg.Wait()
		return nil
	}
	p.closed = true
	p.stop()
	for r := range p.filled {
		p.endLocked(r)
	}
	seats := p.seats
	p.seats = map[SeatID]*room{}
	p.mu.Unlock()
	for id := range seats {
		p.revoke(id)
	}
	p.wg.Wait()
	p.events.close()
	return nil
}
