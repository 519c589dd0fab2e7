package media

import (
	"time"

	"schalter/media/bandwidth"
)

// A dead peer is to be noticed within five seconds, and one whose address changed is to be back within three. Whoever is
// there is heard all the time: packets, reports, checks. A connection that is silent is asked, and a browser answers at
// once whatever its page does. On a way that loses a third of all packets five questions in a row get no answer in one
// case of thirty, and only where nothing else is sent.
const (
	lookEvery  = 200 * time.Millisecond
	quietAfter = 600 * time.Millisecond // then it is asked, at each look
	downAfter  = 1600 * time.Millisecond
	leastAsked = 5 // questions without an answer, beside downAfter: where we were asleep it is not the other side that is silent
	againEvery = 3 * time.Second
	overAfter  = iceDisconnected + iceFailed // the seat is lost, also one whose page restarts ICE again and again
)

// pulse tells whether the other side of a connection is there. It is pure; the room looks with it.
type pulse struct {
	heard time.Time // when a look found a sign; the zero time: there was no look yet
	asked int       // questions since then
	down  bool
	flows bool // media come, on a connection that the browser sends on
}

// counts tells whether what came since the last look is a sign of a connection. Where media flow in, an answer is none: Firefox keeps
// several sockets, answers us by one and sends by another, whose address we do not know any more after a change, for up to five
// seconds. So media that stop are an interruption, once: they may have been switched off. From then on an answer counts again.
func (p *pulse) counts(media, answered bool, way direction) bool {
	if p.down {
		p.flows = false
	}
	if media {
		p.flows = way == publishing
	}
	return media || answered && !p.flows
}

// look is told whether anything genuine came since the last look. It says whether the other side is to be asked.
func (p *pulse) look(now time.Time, sign bool) (ask bool) {
	if sign || p.heard.IsZero() {
		*p = pulse{heard: now, flows: p.flows}
		return false
	}
	silent := now.Sub(p.heard)
	if silent >= downAfter && p.asked >= leastAsked {
		p.down = true
	}
	if silent < quietAfter {
		return false
	}
	p.asked++
	return true
}

// over tells whether nothing came for so long that nothing is to be hoped for.
func (p *pulse) over(now time.Time) bool { return p.down && now.Sub(p.heard) >= overAfter }

// look looks whether the other side is there, and asks it where it is silent. It tells whether it is given up for now, or has
// come back, perhaps elsewhere. There may be no connection.
func (c *connection) look(now time.Time) (down, back bool) {
	if c == nil || c.condition() != up {
		return false, false
	}
	out := c.outlet.Load()
	if out == nil {
		return false, false
	}
	c.inbound.rest() // what came last before a pause is to be acknowledged
	was, flowed := c.pulse.down, c.pulse.flows
	// Both are to be asked: each forgets its sign.
	sign := c.pulse.counts(c.sign.Swap(false), out.Heard(), c.way)
	out.Look(c.pulse.look(now, sign))
	// Media that flow again after an answer was heard left a hole of their own.
	back = !c.pulse.down && (was || out.Moved() || c.pulse.flows && !flowed)
	if back {
		c.estimate.with(func(e *bandwidth.Estimator) { e.Moved(now) })
	}
	return c.pulse.down, back
}

// struck is when a clock that all share last struck, on its way from one multiple of the period to the next. Whoever looks at
// something now and then counts from there: so all do at the same time, and the process is woken once for all of them.
func struck(now time.Time, every time.Duration) time.Time {
	return now.Add(-now.Sub(now.Truncate(every))) // and not Truncate alone, which forgets the clock that nobody sets
}

// nextLook is when the seats are to be looked at; false: nobody is connected.
func (r *room) nextLook() (time.Time, bool) {
	for _, p := range r.peers {
		if !p.lost && (p.in != nil && p.in.condition() == up || p.out != nil && p.out.condition() == up) {
			return r.looked.Add(lookEvery), true
		}
	}
	return time.Time{}, false
}

// look looks at everybody's connections. A seat one of whose connections is silent is told as interrupted, and as resumed when
// both are heard. Its receiving connection is offered another way at once, whichever is silent: what changed the address of one mostly
// changed the other's. For the publishing one the browser must offer.
// Whoever tries a new way while there is none gives up on it, so both are repeated.
func (r *room) look(now time.Time) {
	if now.Before(r.looked.Add(lookEvery)) {
		return
	}
	r.looked = struck(now, lookEvery)
	for _, id := range r.order {
		p := r.peers[id]
		if p.lost {
			continue
		}
		in, cameIn := p.in.look(now)
		out, cameOut := p.out.look(now)
		p.anew(cameIn, cameOut)
		renew := out && !p.astray
		p.astray = out
		switch {
		case in && p.in.pulse.over(now) || out && p.out.pulse.over(now):
			r.lose(p, "nothing heard", nil)
			continue
		case (in || out) && (!p.interrupted || !now.Before(p.told.Add(againEvery))):
			renew = out || !p.interrupted
			p.interrupted, p.told = true, now
			r.plane.events.tell(Event{Kind: Interrupted, Room: r.id, Seat: p.seat})
		case !in && !out && p.interrupted:
			p.interrupted, p.due = false, now.Add(answerWithin)
			r.plane.events.tell(Event{Kind: Resumed, Room: r.id, Seat: p.seat})
		}
		if renew {
			r.renew(p)
		}
	}
}

// anew has the pictures begin with a key frame behind the hole that a connection left which is heard again. Otherwise a
// browser would wait for three seconds for what is missing until it asks for one.
func (p *peer) anew(in, out bool) {
	if in {
		for _, t := range p.tracks {
			for _, r := range t.receivers() {
				r.wantKey()
			}
		}
	}
	if out {
		for _, l := range p.lanes {
			l.sender.wantKey()
		}
	}
}

// renew offers a seat its receiving connection with other credentials, so that ICE looks for a way anew while keys and
// numbers go on. An offer that is out is replaced by this one. Where one of this kind is out already, its answer is waited
// for.
func (r *room) renew(p *peer) {
	if p.foreign || p.lost || p.out == nil || p.out.condition() != up || p.out.next.ufrag != "" {
		return
	}
	p.out.next = newCredentials()
	stale := p.stale
	offer, err := p.offer(r.plane.addresses(), r.plane.now())
	if err != nil {
		r.lose(p, "offer another way", err)
		return
	}
	p.stale = stale
	r.plane.events.tell(Event{Kind: Subscribe, Room: r.id, Seat: p.seat, Subscribe: &offer})
}
