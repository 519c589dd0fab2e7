package hall

import (
	"log/slog"
	"sync"

	"schalter/media"
)

// directory finds the room of a seat, for what the media plane tells.
type directory struct {
	mu    sync.Mutex
	seats map[media.SeatID]*room // guarded by mu
	rooms map[media.RoomID]*room // guarded by mu
}

func newDirectory() *directory {
	return &directory{seats: make(map[media.SeatID]*room), rooms: make(map[media.RoomID]*room)}
}

func (d *directory) enter(r *room) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rooms[r.id] = r
}

func (d *directory) remove(r *room) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.rooms, r.id)
}

func (d *directory) seat(id media.SeatID, r *room) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seats[id] = r
}

func (d *directory) unseat(id media.SeatID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.seats, id)
}

func (d *directory) find(e media.Event) *room {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e.Kind == media.RoomEnded {
		return d.rooms[e.Room]
	}
	return d.seats[e.Seat]
}

// dispatch hands the media plane's events to their rooms, until either has ended. It never waits for a room.
func (d *directory) dispatch(events <-chan media.Event, done <-chan struct{}, log *slog.Logger) {
	for {
		select {
		case e, ok := <-events:
			if !ok {
				log.Warn("media plane closed")
				return
			}
			if r := d.find(e); r != nil {
				r.hear(e)
			}
		case <-done:
			return
		}
	}
}
