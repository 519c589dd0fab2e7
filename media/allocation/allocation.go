package allocation

import "time"

// Source is what a track carries.
type Source uint8

// Sources.
const (
	Microphone Source = iota
	Camera
	Screen
)

// Layer is one that a publisher sends at present. Bitrate is what leaves the box when it is chosen: of simulcast the
// stream itself, of a scalable codec the layer with all that it builds on, and in both up to its temporal layer.
type Layer struct {
	Spatial, Temporal uint8
	Bitrate           int64 // bit/s; 0: it has stopped
	Height            int   // pixels; 0 unknown
}

// Subscription is one track on its way to one person. The caller keeps it as long as it lasts, sets the first part
// before [Allocator.Allocate] and reads the decision after it.
type Subscription struct {
	Source Source
	First  bool    // who speaks or signs; a screen always counts as first
	Shown  int     // height in pixels at which it is shown; 0: it is not. Without meaning for a microphone
	Layers []Layer // in any order; at most 16 count. One for a microphone

	Decision Decision

	rungs  [maxRungs]Layer // ascending
	count  int
	half   int           // the highest rung of those for half the size
	got    int           // rung, -1 none
	most   int           // highest rung allowed
	rising time.Time     // since when a higher rung fits
	rose   time.Time     // last rise that was not taken back
	calm   time.Time     // last change
	hold   time.Duration // before the next rise
	began  bool
	bound  Reason // of the present run
	fits   int    // rung that would fit with room to spare
	barred Reason // from a higher one
}

// Decision is the layer to send, or that none is.
type Decision struct {
	On                bool
	Spatial, Temporal uint8
	Bitrate           int64 // bit/s, that were counted for it
	Reason            Reason
}

// Reason is why a picture is not better than it is.
type Reason uint8

// Reasons.
const (
	Whole        Reason = iota // it is as good as its size asks for, or as it is published
	ByConnection               // the person's connection takes no more
	ByBudget                   // the box's uplink takes no more
	Waiting                    // it will rise when that has fitted for a while
	NotShown                   // nobody looks
	NotThere                   // no layer arrives
)

// PausedForSound is what the person is told: the picture pauses so that the sound stays.
func (d Decision) PausedForSound() bool {
	return !d.On && (d.Reason == ByConnection || d.Reason == ByBudget || d.Reason == Waiting)
}

// Connection is all that one person receives.
type Connection struct {
	Estimate      int64 // bit/s that it takes, 0 none at all
	Subscriptions []*Subscription

	Allotted int64 // bit/s, the sum of the decisions
	Wanted   int64 // bit/s to probe for; not above the estimate when nothing would come of it

	left int64 // bit/s, in the course of a run
	top  int64 // bit/s, if nothing limited it
}

const (
	maxRungs = 16

	riseAfter   = 500 * time.Millisecond
	riseLatest  = 16 * time.Second
	tookBack    = 10 * time.Second
	settled     = 30 * time.Second
	riseShare   = 90 // percent of estimate and budget into which a rise must fit
	budgetShare = 95 // percent of the budget that is given out
	evenly      = 120
)

// Allocator shares one uplink. The zero value has no limit but the connections' own.
type Allocator struct {
	Budget int64 // bit/s of the box's uplink over everything; 0 unlimited

	members []*Subscription // of the present step
	owners  []*Connection   // of the members
	levels  []int64
}

// Allocate decides for every subscription of every connection.
func (a *Allocator) Allocate(connections []*Connection, at time.Time) {
	var sound int64
	for _, c := range connections {
		c.Allotted, c.top = 0, 0
		for _, s := range c.Subscriptions {
			if s.Source == Microphone {
				c.Allotted += s.sound()
				continue
			}
			s.climb()
			if s.count > 0 {
				c.top += s.rungs[s.count-1].Bitrate
			}
		}
		c.top += c.Allotted
		sound += c.Allotted
	}
	// What would be, if everything were to rise that fits with room to spare?
	for _, c := range connections {
		for _, s := range c.Subscriptions {
			s.most, s.barred = s.count-1, Whole
		}
	}
	a.run(connections, riseShare, sound)
	for _, c := range connections {
		for _, s := range c.Subscriptions {
			if s.Source != Microphone {
				s.allow(at)
			}
		}
	}
	a.run(connections, 100, sound)
	total := sound
	for _, c := range connections {
		for _, s := range c.Subscriptions {
			if s.Source == Microphone {
				continue
			}
			s.decide(at)
			c.Allotted += s.Decision.Bitrate
			total += s.Decision.Bitrate
		}
	}
	a.want(connections, total)
}

// want says how far each connection may be probed: up to its wishes, and all of them together within the budget.
func (a *Allocator) want(connections []*Connection, total int64) {
	wish := func(c *Connection) int64 { return max(c.top*100/riseShare+1, c.Allotted) }
	var n int64
	for _, c := range connections {
		if c.top > c.Allotted && wish(c) > c.Estimate {
			n++
		}
	}
	for _, c := range connections {
		switch {
		case c.top <= c.Allotted:
			c.Wanted = c.Allotted
		case a.Budget <= 0 || wish(c) <= c.Estimate:
			c.Wanted = wish(c)
		default:
			spare := max(a.Budget*budgetShare/100-total, 0) / n
			c.Wanted = min(wish(c), c.Allotted+spare*10/11) // a probe goes a tenth beyond
		}
	}
}

// run gives every picture its rung, within a share of the estimates and of the budget.
func (a *Allocator) run(connections []*Connection, percent, sound int64) {
	left := int64(1) << 60
	if a.Budget > 0 {
		left = (a.Budget*budgetShare/100 - sound) * percent / 100
	}
	for _, c := range connections {
		c.left = c.Estimate * percent / 100
		for _, s := range c.Subscriptions {
			s.got, s.bound = -1, Whole
			if s.Source == Microphone {
				c.left -= s.Decision.Bitrate
			}
		}
	}
	for _, step := range [...]struct{ first, half, begin, rise bool }{
		{first: true, half: true, begin: true, rise: true},
		{first: false, begin: true},
		{first: true, rise: true},
		{first: false, rise: true},
	} {
		a.gather(connections, step.first)
		if step.begin {
			left = a.begin(left)
		}
		if step.rise {
			left = a.rise(left, step.half)
		}
	}
}

// gather lists the pictures of a step, connection by connection.
func (a *Allocator) gather(connections []*Connection, first bool) {
	a.members, a.owners = a.members[:0], a.owners[:0]
	for _, c := range connections {
		for _, s := range c.Subscriptions {
			if s.Source != Microphone && s.count > 0 && s.first() == first {
				a.members, a.owners = append(a.members, s), append(a.owners, c)
			}
		}
	}
}

// begin gives the lowest rung to as many as fit: to those that are on first, so that nobody's place is taken by one who
// comes.
func (a *Allocator) begin(left int64) int64 {
	for _, on := range [...]bool{true, false} {
		for i, s := range a.members {
			if s.Decision.On != on || s.most < 0 {
				continue
			}
			c, lowest := a.owners[i], s.rungs[0].Bitrate
			switch {
			case lowest > c.left:
				s.bound = ByConnection
			case lowest > left:
				s.bound = ByBudget
			default:
				s.got = 0
				c.left -= lowest
				left -= lowest
			}
		}
	}
	return left
}
