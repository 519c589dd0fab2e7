package hall

import (
	"context"
	"time"

	"schalter/appliance"
)

// roomPause is how long a room that failed stays closed.
const roomPause = time.Second

// arrangeRooms tells rooms what their talks are now, opens them and ends them. It waits for nothing.
func (s *steward) arrangeRooms(ctx context.Context, now time.Time) {
	for id, at := range s.retry {
		if !now.Before(at) {
			delete(s.retry, id)
			s.news.touch(id)
		}
	}
	for id := range s.news.rooms {
		s.arrange(ctx, now, id)
	}
	clear(s.news.rooms)
}

// arrange is where it is decided who may be in a visit's room: the citizen from the first talk until the visit is
// over, and the clerk who talks with the citizen now. Nobody else, ever.
func (s *steward) arrange(ctx context.Context, now time.Time, id appliance.VisitID) {
	r := s.rooms[id]
	v, ok := s.house.Visit(id)
	if !ok || v.State.Over() {
		delete(s.rooms, id)
		delete(s.retry, id)
		if r != nil {
			r.set(want{over: true})
		}
		s.farewell(now, id)
		return
	}
	w := want{citizen: s.placeOf(who{visit: id}), citizenName: v.Name}
	if v.State == appliance.Talking {
		w.talk = talk{clerk: v.Clerk, since: v.TalksAt.UnixNano()}
		w.clerk = s.placeOf(who{clerk: v.Clerk})
		if c, ok := s.house.Clerk(v.Clerk); ok {
			w.clerkName = c.Title
		}
	}
	if r == nil {
		if !w.talk.runs() || w.citizen.line == nil && w.clerk.line == nil {
			return
		}
		if _, waits := s.retry[id]; waits {
			return
		}
		r = s.openRoom(ctx, id)
	}
	r.set(w)
}

func (s *steward) openRoom(ctx context.Context, id appliance.VisitID) *room {
	r := newRoom(id, s.plane, s.seats, s.now, s.log)
	s.rooms[id] = r
	s.seats.enter(r.id, r)
	s.hall.running.Go(func() {
		defer s.seats.remove(r.id)
		if r.run(ctx) {
			s.hall.tell(&roomFailed{room: r})
		}
	})
	return r
}

// roomFailed is a room whose goroutine ended by a fault. A new one is opened for the talk, with new seats.
type roomFailed struct{ room *room }

func (f *roomFailed) begin(context.Context, *steward, time.Time) {}

func (f *roomFailed) finish(s *steward, now time.Time) {
	if id := f.room.visit; s.rooms[id] == f.room {
		delete(s.rooms, id)
		s.retry[id] = now.Add(roomPause)
	}
}
