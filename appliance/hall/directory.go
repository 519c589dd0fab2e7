package hall

import (
	"log/slog"
	"sync"

	"schalter/media"
)

// hearer is a room, of whichever kind. It never waits.
type hearer interface{ hear(media.Event) }

// directory finds the room of a seat, for what the media plane tells.
type directory struct {
	mu    sync.Mutex
	seats map[media.SeatID]hearer // guarded by mu
	rooms map[media.RoomID]hearer // guarded by mu
}

func newDirectory() *directory {
	return &directory{seats: make(map[media.SeatID]hearer), rooms: make(map[media.RoomID]hearer)}
}

func (d *directory) enter(id media.RoomID, r hearer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rooms[id] = r
}

func (d *directory) remove(id media.RoomID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.rooms, id)
}

func (d *directory) seat(id media.SeatID, r hearer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seats[id] = r
}

func (d *directory) unseat(id media.SeatID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.seats, id)
}

func (d *directory) find(e media.Event) hearer {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e.Kind == media.RoomEnded || e.Kind == media.Speaker {
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
