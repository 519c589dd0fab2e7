package hall

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"schalter/appliance"
	"schalter/media"
)

// RoomStore is what the hall needs of the open rooms in package store.
type RoomStore interface {
	PutRoom(ctx context.Context, room appliance.OpenRoom, publish, view []byte) (appliance.OpenRoom, error)
	CloseRoom(ctx context.Context, name appliance.RoomName, at time.Time) error
	Rooms(ctx context.Context) ([]appliance.OpenRoom, error)
	Room(ctx context.Context, name appliance.RoomName) (appliance.OpenRoom, error)
	RoomOf(ctx context.Context, token []byte) (appliance.RoomPass, error)
}

// Part is what somebody with a room's token is there for.
type Part string

// Parts of a guest.
const (
	Publishes Part = "publishes"
	Views     Part = "views"
)

// role is whose token gives this part.
func (p Part) role() appliance.Role {
	if p == Publishes {
		return appliance.RoomDevice
	}
	return appliance.Viewer
}

// Guest is who asks for a seat in an open room: an encoder that publishes, or a viewer. Token is the hash of the token it
// came with, SDP its offer, Reached the host:port under which it reached the box.
type Guest struct {
	Room    appliance.RoomName
	Part    Part
	Token   []byte
	SDP     string
	Reached string
}

// Welcome is a guest's new seat: the answer to its offer, relays, and the tag of its ICE session.
type Welcome struct {
	Seat  media.SeatID
	SDP   string
	Tag   string
	Relay []media.RelayServer
}

// GuestSeat names a seat that a guest has. Whoever does not come with the token that the seat was given for does not find it.
type GuestSeat struct {
	Room  appliance.RoomName
	Part  Part
	Token []byte
	Seat  media.SeatID
}

// Revision is what a guest adds to its offer later: an SDP fragment (RFC 8840), for the ICE session of one of the tags; "*"
// is any.
type Revision struct {
	Fragment string
	Tags     []string
}

// Revised answers a Revision: after an ICE restart the box's own fragment and the new session's tag, else nothing.
type Revised struct {
	Fragment string
	Tag      string
}

// RoomLoad is an open room and who is in it.
type RoomLoad struct {
	appliance.OpenRoom
	Publishers, Viewers int
}

// guestRooms are the open rooms that somebody came to since the start. Each has a goroutine, up to appliance.MaxRooms and
// those that are just ending.
type guestRooms struct {
	rows  RoomStore
	begin func(appliance.RoomName) *guestRoom // starts its goroutine

	mu     sync.Mutex
	closed bool                              // guarded by mu: the hall is ending
	rooms  map[appliance.RoomName]*guestRoom // guarded by mu; by key
}

func newGuestRooms(running context.Context, c Config, h *Hall, seats *directory) *guestRooms {
	g := &guestRooms{rows: c.Store, rooms: make(map[appliance.RoomName]*guestRoom)}
	g.begin = func(name appliance.RoomName) *guestRoom {
		r := newGuestRoom(name, c.Store, c.Media, seats, c.Now, c.Log)
		h.running.Go(func() {
			r.run(running, h.quit)
			g.forget(r)
		})
		return r
	}
	return g
}

// at gives a room's goroutine; begin starts one where none is.
func (g *guestRooms) at(name appliance.RoomName, begin bool) *guestRoom {
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.rooms[name.Key()]
	if r == nil && begin && !g.closed {
		r = g.begin(name)
		g.rooms[name.Key()] = r
	}
	return r
}

func (g *guestRooms) forget(r *guestRoom) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.rooms[r.name.Key()] == r {
		delete(g.rooms, r.name.Key())
	}
}

// close lets no further goroutine begin. Those that run end by the hall's quit.
func (g *guestRooms) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
}

// OpenRoom opens a room for who holds one of two tokens, whose hashes it takes, and gives it as it is stored. A room of
// that name that is open already gets the new tokens and origins: the old tokens open nothing any more, while who is in
// stays, so that nobody's picture ends because a token was asked for.
func (h *Hall) OpenRoom(ctx context.Context, room appliance.OpenRoom, publish, view []byte) (appliance.OpenRoom, error) {
	room, err := appliance.CheckRoom(room)
	if err != nil {
		return room, err
	}
	room.OpenedAt = h.now()
	return h.guests.rows.PutRoom(ctx, room, publish, view)
}

// CloseRoom closes an open room. When it returns, nobody comes in any more, and who was in is on the way out.
func (h *Hall) CloseRoom(ctx context.Context, name appliance.RoomName) error {
	if err := h.guests.rows.CloseRoom(ctx, name, h.now()); err != nil {
		return err
	}
	if r := h.guests.at(name, false); r != nil {
		h.guests.forget(r) // a room that is opened again under this name is another one
		r.close()
	}
	return nil
}

// OpenRooms lists the open rooms and who is in them.
func (h *Hall) OpenRooms(ctx context.Context) ([]RoomLoad, error) {
	rows, err := h.guests.rows.Rooms(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]RoomLoad, 0, len(rows))
	for _, row := range rows {
		l := RoomLoad{OpenRoom: row}
		if r := h.guests.at(row.Name, false); r != nil {
			l.Publishers, l.Viewers = r.load()
		}
		all = append(all, l)
	}
	return all, nil
}

// Lets tells whether a page of a foreign origin may use a room. Of a room that is not open none may.
func (h *Hall) Lets(ctx context.Context, name appliance.RoomName, origin string) (bool, error) {
	room, err := h.guests.rows.Room(ctx, name)
	if isNotFound(err) {
		return false, nil
	}
	return err == nil && room.Lets(origin), err
}

// Welcome seats a guest and answers its offer. The seat ends by Dismiss, when its connection is lost, or with the room.
func (h *Hall) Welcome(ctx context.Context, g Guest) (Welcome, error) {
	m := &welcome{guest: g, asker: ctx.Done(), reply: make(chan result[Welcome], 1)}
	return visitRoom(ctx, h, g.Room, m, m.reply)
}

// Revise takes what a guest found out about its own connection later. The box needs no candidates of the other side, so
// only another ICE session changes anything.
func (h *Hall) Revise(ctx context.Context, at GuestSeat, by Revision) (Revised, error) {
	m := &revise{at: at, by: by, reply: make(chan result[Revised], 1)}
	return visitRoom(ctx, h, at.Room, m, m.reply)
}

// Dismiss ends a guest's seat.
func (h *Hall) Dismiss(ctx context.Context, at GuestSeat) error {
	m := &dismiss{at: at, reply: make(chan result[struct{}], 1)}
	_, err := visitRoom(ctx, h, at.Room, m, m.reply)
	return err
}

// visitRoom hands a message to a room's goroutine and waits for its answer.
func visitRoom[T any](ctx context.Context, h *Hall, name appliance.RoomName, m guestMessage, reply <-chan result[T]) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, fmt.Errorf("ask room: %w", err)
	}
	_, comes := m.(*welcome)
	r := h.guests.at(name, comes)
	switch {
	case r == nil && comes:
		return none, errShutdown()
	case r == nil:
		return none, errSeatUnknown()
	}
	select {
	case r.inbox <- m:
	default:
		return none, errBusy()
	}
	select {
	case a := <-reply:
		return a.value, a.err
	case <-ctx.Done():
		return none, fmt.Errorf("ask room: %w", context.Cause(ctx))
	case <-r.gone:
	}
	select { // the answer may have been its last
	case a := <-reply:
		return a.value, a.err
	default:
		return none, errRoomGone()
	}
}

func errSeatUnknown() error {
	return &appliance.Error{Kind: appliance.NotFound, Code: "not-found"}
}

func isNotFound(err error) bool {
	var refusal *appliance.Error
	return errors.As(err, &refusal) && refusal.Kind == appliance.NotFound
}

// errRoomGone is told when a room ended, by a fault or because it was closed, before it answered.
func errRoomGone() error {
	return &appliance.Error{Kind: appliance.Unavailable, Code: "busy", Wait: seatPause}
}

func newGuestRoom(
	name appliance.RoomName, rows RoomStore, plane Media, seats *directory, now func() time.Time, log *slog.Logger,
) *guestRoom {
	r := &guestRoom{
		name: name, rows: rows, plane: plane, seats: seats, now: now,
		inbox: make(chan guestMessage, roomInbox), kick: make(chan struct{}, 1), gone: make(chan struct{}),
		lost: make(map[media.SeatID]bool), guests: make(map[media.SeatID]*guest),
	}
	r.renew()
	r.log = log.With("room", string(r.id))
	return r
}
