package appliance

import (
	"cmp"
	"slices"
	"time"
)

// board is every queue in calling order. It is worked out in one pass over the living visits and kept until a row
// changes or time alone would change it, so that telling five hundred people their place costs five hundred look-ups.
type board struct {
	from, until time.Time // until zero: time alone changes nothing
	queues      map[OfficeID]*queue
	ahead       map[VisitID]int // of waiting visits: those before it who may be called
}

// queue is one office's waiting room.
type queue struct {
	waiting  []*Visit // in calling order, those who are absent too
	held     []*Visit // called or talking, by arrival
	first    *Visit   // who may be called next; nil for nobody
	callable int
	opening  opening
	desks    int           // at work for this office
	talk     time.Duration // how long one takes
}

// Ranks within a queue. Within a rank who was in the house first is first.
const (
	rankFront = iota // its talk broke off through no fault of its own
	rankArrival
	rankMissed // did not answer a moment ago: others go first
	ranks
)

func (h *House) rank(v *Visit, now time.Time) int {
	switch {
	case !v.MissedAt.IsZero() && now.Before(v.MissedAt.Add(h.terms.SkipMissed)):
		return rankMissed
	case v.Front:
		return rankFront
	default:
		return rankArrival
	}
}

// before is the calling order over all offices.
func (h *House) before(a, b *Visit, now time.Time) bool {
	return cmp.Or(cmp.Compare(h.rank(a, now), h.rank(b, now)), byArrival(a, b)) < 0
}

// queuesAt gives the board of a moment.
func (h *House) queuesAt(now time.Time) *board {
	if b := h.board; b != nil && !now.Before(b.from) && (b.until.IsZero() || now.Before(b.until)) {
		return b
	}
	b := &board{
		from: now, queues: make(map[OfficeID]*queue, len(h.offices)), ahead: make(map[VisitID]int, len(h.living)),
	}
	for _, o := range h.order {
		w := h.opening(o, now)
		b.queues[o.ID] = &queue{opening: w, talk: h.typicalTalk(o)}
		b.worth(now, w.until) // zero is never to come
	}
	h.staffBoard(b, now)
	byRank := make(map[OfficeID]*[ranks][]*Visit, len(h.order))
	for _, v := range h.living {
		q := b.queues[v.Office]
		switch {
		case q == nil:
		case v.State == Waiting:
			if byRank[v.Office] == nil {
				byRank[v.Office] = new([ranks][]*Visit)
			}
			r := h.rank(v, now)
			byRank[v.Office][r] = append(byRank[v.Office][r], v)
			b.worth(now, v.MissedAt.Add(h.terms.SkipMissed))
		case v.held():
			q.held = append(q.held, v)
		}
	}
	for office, rank := range byRank {
		for _, visits := range rank {
			for _, v := range visits {
				h.line(b, b.queues[office], v, now)
			}
		}
	}
	h.board = b
	return b
}

// line puts a visit at the end of its queue.
func (h *House) line(b *board, q *queue, v *Visit, now time.Time) {
	q.waiting = append(q.waiting, v)
	b.ahead[v.ID] = q.callable
	if h.presence(v.ID, now) == Absent {
		return
	}
	if q.first == nil {
		q.first = v
	}
	q.callable++
	if at, ends := h.citizens[v.ID].absentFrom(h.terms); ends {
		b.worth(now, at)
	}
}

// staffBoard counts the desks at work.
func (h *House) staffBoard(b *board, now time.Time) {
	for id, c := range h.clerks {
		if h.clerkPresence(id, now) == Absent {
			continue
		}
		if at, ends := h.clerkGone(id); ends {
			b.worth(now, at)
		}
		if h.deskState(id) == Pause || !slices.Contains(c.Roles, ClerkRole) {
			continue
		}
		for i, office := range c.Offices {
			if q := b.queues[office]; q != nil && !slices.Contains(c.Offices[:i], office) {
				q.desks++
			}
		}
	}
}

// worth ends the board's worth at a moment to come.
func (b *board) worth(now, at time.Time) {
	if at.After(now) && (b.until.IsZero() || at.Before(b.until)) {
		b.until = at
	}
}

// deskState is how a desk stands. Who pauses while a talk still runs is shown to pause: it takes nobody after it.
func (h *House) deskState(id ClerkID) DeskState {
	if d := h.desks[id]; d != nil && d.State == Pause {
		return Pause
	}
	if h.open[id] != "" {
		return Busy
	}
	return Available
}

// officeState is open, closed or full.
func (h *House) officeState(o *Office, now time.Time) OfficeState {
	q := h.queuesAt(now).queues[o.ID]
	switch {
	case o.Closed || !q.opening.open:
		return ClosedOffice
	case o.Limit > 0 && len(q.waiting) >= o.Limit:
		return Full
	default:
		return Open
	}
}

// opens and closes are when an office's state changes next by its hours, for views; nil: not known.
func (q *queue) opens(o *Office) *time.Time {
	if o.Closed {
		return when(o.OpensAt)
	}
	return when(q.opening.opensAt)
}

func (q *queue) closes(o *Office) *time.Time {
	if o.Closed {
		return nil
	}
	return when(q.opening.closesAt)
}
