package hall

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"schalter/appliance"
	"schalter/media"
)

// Config is what a hall is made of.
type Config struct {
	Store Store
	Media Media
	Terms appliance.Terms // zero: the values of the specification
	Now   func() time.Time
	Log   *slog.Logger
}

// inboxSize bounds what waits for the house. When it is full, requests and reads are refused with Unavailable "busy"
// and heartbeats are dropped (the next one follows in ten seconds); the ends of lines and sign-outs wait.
const inboxSize = 1024

// Hall is the running house.
type Hall struct {
	inbox   chan message
	quit    chan struct{} // closed by Close: nothing new is taken
	done    chan struct{} // closed when the house's goroutine has ended
	closing sync.Once
	running sync.WaitGroup // every goroutine of the hall
	cancel  context.CancelFunc
	now     func() time.Time
	town    townCache
	guests  *guestRooms
}

// Open loads the house and starts it. It stops by Close.
func Open(ctx context.Context, c Config) (*Hall, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Terms == (appliance.Terms{}) {
		c.Terms = appliance.DefaultTerms()
	}
	stored, err := c.Store.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("load house: %w", err)
	}
	// The house outlives the context that it was opened with; Close ends it.
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	h := &Hall{
		inbox: make(chan message, inboxSize), quit: make(chan struct{}), done: make(chan struct{}),
		cancel: cancel, now: c.Now, town: townCache{turn: make(chan struct{}, 1)},
	}
	seats := newDirectory()
	h.guests = newGuestRooms(running, c, h, seats)
	s := newSteward(c, h, seats, stored)
	h.running.Go(func() { s.run(running) })
	h.running.Go(func() { seats.dispatch(c.Media.Events(), h.done, c.Log) })
	return h, nil
}

// Close stops taking requests, ends the lines and the rooms and waits for every goroutine. What was taken is still
// decided and stored. When ctx ends first, calls to store and media are cancelled and waited for.
func (h *Hall) Close(ctx context.Context) error {
	h.closing.Do(func() {
		h.guests.close()
		close(h.quit)
	})
	defer h.cancel()
	ended := make(chan struct{})
	go func() { // owned by this call: it is waited for on both ways below
		h.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		h.cancel()
		<-ended
		return fmt.Errorf("close hall: %w", context.Cause(ctx))
	}
}

// Do decides one request, makes it durable and answers. A refusal is an *appliance.Error. It counts as a sign of life
// of the actor.
//
// When ctx ends before the request's turn, nothing is changed. When it ends later, the change may have happened: the
// error then is the context's, and only a repetition with the same Key tells.
func (h *Hall) Do(ctx context.Context, r Request) (Answer, error) {
	a := &ask{request: r, gone: ctx.Done(), reply: make(chan result[Answer], 1)}
	return exchange(ctx, h, a, a.reply)
}

// Town reads what anyone may see. It is always as new as the last acknowledged change, and costs the house next to
// nothing however many ask.
func (h *Hall) Town(ctx context.Context) (appliance.TownView, error) {
	if v, ok := h.town.fresh(h.now()); ok {
		return v, nil
	}
	// One asks for all, so that a crowd before the door does not fill the inbox.
	select {
	case h.town.turn <- struct{}{}:
	case <-ctx.Done():
		return appliance.TownView{}, fmt.Errorf("read town: %w", context.Cause(ctx))
	}
	defer func() { <-h.town.turn }()
	if v, ok := h.town.fresh(h.now()); ok {
		return v, nil
	}
	return readView(ctx, h, appliance.Actor{}, func(s *steward, now time.Time) (appliance.TownView, bool) {
		v := s.house.TownView(now)
		h.town.keep(v, now)
		return v, true
	})
}

// Organisation reads the house as an administrator changes it. It counts as a sign of life.
func (h *Hall) Organisation(ctx context.Context, by appliance.Actor) (appliance.OrganisationView, error) {
	return readView(ctx, h, by, func(s *steward, now time.Time) (appliance.OrganisationView, bool) {
		return s.house.OrganisationView(now), true
	})
}

// Visit reads a citizen's own visit. It counts as a sign of life.
func (h *Hall) Visit(ctx context.Context, id appliance.VisitID) (appliance.VisitView, error) {
	by := appliance.Actor{Role: appliance.Citizen, Visit: id}
	return readView(ctx, h, by, func(s *steward, now time.Time) (appliance.VisitView, bool) {
		return s.house.VisitView(now, id)
	})
}

// Desk reads a clerk's view. It counts as a sign of life.
func (h *Hall) Desk(ctx context.Context, id appliance.ClerkID) (appliance.DeskView, error) {
	by := appliance.Actor{Role: appliance.ClerkRole, Clerk: id}
	return readView(ctx, h, by, func(s *steward, now time.Time) (appliance.DeskView, bool) {
		return s.house.DeskView(now, id)
	})
}

// Joiner is who opens a live connection. Page names the browser page (32 hex digits), SignIn the sign-in session
// (its hash in hex) of a clerk, Reached the host:port under which the browser reached the box.
type Joiner struct {
	Actor   appliance.Actor
	Page    string
	SignIn  string
	Reached string
}

// Connect opens a live connection. It ends by Line.Close or when Pushes closes; the caller calls Line.Close in any
// case. On a visit that is over the line says so and ends.
func (h *Hall) Connect(ctx context.Context, j Joiner) (*Line, error) {
	c := &connect{line: newLine(h, j), reply: make(chan result[*Line], 1)}
	line, err := exchange(ctx, h, c, c.reply)
	if err != nil {
		c.line.Close() // so that a line that came too late for its asker ends
		return nil, err
	}
	return line, nil
}

// SignedOut ends every line of a sign-in session. When it returns, they have ended.
func (h *Hall) SignedOut(signIn string) {
	if signIn == "" {
		return
	}
	m := &signOut{signIn: signIn, reply: make(chan struct{})}
	if !h.tell(m) {
		return // the house has ended, and every line with it
	}
	select {
	case <-m.reply:
	case <-h.done:
	}
}

// tell hands the house something that must not be lost. It waits for a place in the inbox, which the house always
// empties. False when the house has ended.
func (h *Hall) tell(m message) bool {
	select {
	case h.inbox <- m:
		return true
	case <-h.done:
		return false
	}
}

// offer hands the house something that may be refused.
func (h *Hall) offer(m message) error {
	select {
	case <-h.quit:
		return errShutdown()
	default:
	}
	select {
	case h.inbox <- m:
		return nil
	default:
		return errBusy()
	}
}

// result is what the house answers.
type result[T any] struct {
	value T
	err   error
}

// exchange hands in a message and waits for its answer.
func exchange[T any](ctx context.Context, h *Hall, m message, reply <-chan result[T]) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, fmt.Errorf("ask house: %w", err)
	}
	if err := h.offer(m); err != nil {
		return none, err
	}
	select {
	case r := <-reply:
		return r.value, r.err
	case <-ctx.Done():
		return none, fmt.Errorf("ask house: %w", context.Cause(ctx))
	case <-h.done:
	}
	select { // the last batch may have answered
	case r := <-reply:
		return r.value, r.err
	default:
		return none, errShutdown()
	}
}

func readView[T any](
	ctx context.Context, h *Hall, by appliance.Actor, view func(*steward, time.Time) (T, bool),
) (T, error) {
	m := &read[T]{actor: by, view: view, reply: make(chan result[T], 1)}
	return exchange(ctx, h, m, m.reply)
}

func errBusy() error {
	return &appliance.Error{Kind: appliance.Unavailable, Code: "busy"}
}

func errShutdown() error {
	return &appliance.Error{Kind: appliance.Unavailable, Code: "shutdown"}
}

// unguessable gives 128 random bits in hex.
func unguessable() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24: it ends the process instead
	return hex.EncodeToString(b[:])
}

func newSeatID() media.SeatID { return media.SeatID(unguessable()) }
