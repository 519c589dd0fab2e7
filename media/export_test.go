package media

import "context"

// Break makes a room's goroutine panic, or with a seat given, a goroutine of the packet path of that seat.
func Break(p *Plane, id RoomID, seat SeatID) {
	p.mu.Lock()
	r := p.rooms[id]
	p.mu.Unlock()
	_ = r.send(context.Background(), testOrder{func(r *room) {
		if seat == "" {
			panic("a test broke the room")
		}
		r.goes(r.peers[seat].in, func() { panic("a test broke a stream") })
	}})
}

// BreakWay makes the goroutine that reads a seat's publishing connection panic with its next packet.
func BreakWay(p *Plane, id RoomID, seat SeatID) {
	p.mu.Lock()
	r := p.rooms[id]
	p.mu.Unlock()
	_ = r.send(context.Background(), testOrder{func(r *room) {
		for _, t := range r.peers[seat].tracks {
			t.senders.Store(&[]*sender{nil})
		}
	}})
}

// Hurry makes the answer to a seat's open offer overdue.
func Hurry(p *Plane, seat SeatID) {
	p.mu.Lock()
	r := p.seats[seat]
	p.mu.Unlock()
	_ = r.send(context.Background(), testOrder{func(r *room) { r.peers[seat].due = r.plane.now() }})
}
