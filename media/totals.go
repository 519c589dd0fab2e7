package media

import "sync/atomic"

// Totals is what the plane has counted since its start, and what it holds now. Counts never fall: what a connection has
// counted stays when it ends. It names no room and no seat.
type Totals struct {
	Rooms       int `json:"rooms"`
	Seats       int `json:"seats"`
	Publishing  int `json:"publishing"`  // connections that seats send on, from their first description to their end
	Subscribing int `json:"subscribing"` // those that they receive on

	Received Inward  `json:"received"`
	Sent     Outward `json:"sent"`
}

// Inward counts what came in of all tracks. Octets are those of payloads.
type Inward struct {
	Packets     uint64 `json:"packets"`
	Octets      uint64 `json:"octets"`
	Malformed   uint64 `json:"malformed"`    // genuine, and not what was agreed
	Duplicates  uint64 `json:"duplicates"`   // there already
	Late        uint64 `json:"late"`         // too late to be of use
	Strangers   uint64 `json:"strangers"`    // of streams that no description named
	Forged      uint64 `json:"forged"`       // could not be authenticated, or were replayed
	Nacks       uint64 `json:"nacks"`        // packets that were asked for again
	KeyRequests uint64 `json:"key_requests"` // sent to publishers
}

// Outward counts what went out to all receivers. Octets are those of payloads.
type Outward struct {
	Packets     uint64 `json:"packets"` // with repetitions
	Octets      uint64 `json:"octets"`
	Held        uint64 `json:"held"`         // did not leave: padding, or before a key frame
	Failed      uint64 `json:"failed"`       // did not leave: the connection was going
	Nacked      uint64 `json:"nacked"`       // packets that receivers asked for again: they were lost on the way
	Repeated    uint64 `json:"repeated"`     // sent again
	Missing     uint64 `json:"missing"`      // asked for and not there any more
	Refused     uint64 `json:"refused"`      // asked for beyond the budget
	KeyRequests uint64 `json:"key_requests"` // of receivers
}

// sum is what connections that have ended had counted, and which ones live. The engine's mu guards it.
type sum struct {
	ended Totals
	live  map[*connection]struct{}
}

// enrol takes a new connection's counters into the totals.
func (e *engine) enrol(c *connection) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.sum.live == nil {
		e.sum.live = map[*connection]struct{}{}
	}
	e.sum.live[c] = struct{}{}
}

// retire keeps what a connection has counted. It is called when nothing counts there any more.
func (e *engine) retire(c *connection) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, live := e.sum.live[c]; live {
		delete(e.sum.live, c)
		c.addTo(&e.sum.ended)
	}
}

func (e *engine) totals() Totals {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.sum.ended
	for c := range e.sum.live {
		c.addTo(&t)
		if c.way == publishing {
			t.Publishing++
		} else {
			t.Subscribing++
		}
	}
	return t
}

func (c *connection) addTo(t *Totals) {
	for _, n := range []struct {
		to *uint64
		by *atomic.Uint64
	}{
		{&t.Received.Packets, &c.came.packets}, {&t.Received.Octets, &c.came.octets}, {&t.Received.Malformed, &c.came.malformed},
		{&t.Received.Duplicates, &c.came.duplicates}, {&t.Received.Late, &c.came.late}, {&t.Received.Nacks, &c.came.nacks},
		{&t.Received.KeyRequests, &c.came.keyRequests},
		{&t.Received.Strangers, &c.inbound.strangers}, {&t.Received.Forged, &c.inbound.forged},
		{&t.Sent.Packets, &c.went.packets}, {&t.Sent.Octets, &c.went.octets}, {&t.Sent.Held, &c.went.held},
		{&t.Sent.Failed, &c.went.failed}, {&t.Sent.Nacked, &c.went.nacked}, {&t.Sent.Repeated, &c.went.repeated},
		{&t.Sent.Missing, &c.went.missing}, {&t.Sent.Refused, &c.went.refused}, {&t.Sent.KeyRequests, &c.went.keyRequests},
	} {
		*n.to += n.by.Load()
	}
}

// Totals counts. It is quick and waits for no room.
func (p *Plane) Totals() Totals {
	t := p.engine.totals()
	p.mu.Lock()
	defer p.mu.Unlock()
	t.Rooms, t.Seats = len(p.rooms), len(p.seats)
	return t
}
