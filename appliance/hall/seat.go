package hall

import (
	"context"
	"errors"
	"time"

	"schalter/appliance"
	"schalter/media"
)

// take gives a side a new seat. Seat ids are never used twice.
func (r *room) take(ctx context.Context, s *side) {
	l := s.place.line
	s.next = r.now().Add(seatPause)
	if !r.may(s, l) {
		return
	}
	id := newSeatID()
	s.seat = &seat{id: id}
	r.seats.seat(id, r) // the first offer may come before Join has returned
	call, cancel := context.WithTimeout(ctx, mediaWait)
	access, err := r.plane.Join(call, media.Seat{ID: id, Room: r.id, Reached: l.reached})
	cancel()
	if err != nil {
		r.log.Warn("seat not given", "seat", id, "err", err)
		r.dismiss(ctx, s) // it may be there all the same
		if !s.told {
			s.told = true
			l.push(Push{Problem: errNoMedia()})
		}
		return
	}
	if !r.stillWanted(s) { // the talk ended meanwhile: nobody hears of this seat
		r.dismiss(ctx, s)
		return
	}
	s.seat.access, s.told = access, false
	l.give(SeatGiven{Seat: id, Room: r.id, Access: access})
	r.pointLine(l)
	r.repeat(s, r.other(s)) // the side itself has a way of its own again
}

// stillWanted asks the house's newest wish.
func (r *room) stillWanted(s *side) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.wanted
	if w.over || w.talk != r.want.talk {
		return false
	}
	if s.name == SideCitizen {
		return w.citizen.page == s.place.page
	}
	return w.clerk.page == s.place.page
}

// dismiss takes a side's seat away.
func (r *room) dismiss(ctx context.Context, s *side) {
	if s.seat == nil {
		return
	}
	id := s.seat.id
	s.seat = nil
	if l := s.place.line; l != nil {
		l.unseat(id)
	}
	r.seats.unseat(id)
	if err := r.leave(ctx, id); err != nil {
		r.log.Warn("seat not taken away", "seat", id, "err", err)
		r.leaving = append(r.leaving, id)
		r.leaveAt = r.now().Add(seatPause)
	}
}

func (r *room) leave(ctx context.Context, id media.SeatID) error {
	call, cancel := context.WithTimeout(ctx, mediaWait)
	defer cancel()
	return r.plane.Leave(call, id)
}

// leaveAgain tries again to take away seats that should be gone. Until they are nobody new is seated: an earlier clerk
// must not hear the next talk.
func (r *room) leaveAgain(ctx context.Context) {
	if len(r.leaving) == 0 || r.now().Before(r.leaveAt) {
		return
	}
	var left []media.SeatID
	for _, id := range r.leaving {
		if err := r.leave(ctx, id); err != nil {
			left = append(left, id)
		}
	}
	r.leaving, r.leaveAt = left, r.now().Add(seatPause)
}

// holds finds the side on which a line has this seat now; nil and a problem pushed when it has not.
func (r *room) holds(l *Line, id media.SeatID) *side {
	for _, s := range r.sides {
		if s.place.line == l && s.seat != nil && s.seat.id == id {
			return s
		}
	}
	l.push(Push{Problem: problem(errSeatStale())})
	return nil
}

// published is a browser's offer for the connection that it sends on.
type published struct {
	line  *Line
	seat  media.SeatID
	offer media.Offer
}

func (p *published) handle(ctx context.Context, r *room) {
	s := r.holds(p.line, p.seat)
	if s == nil {
		return
	}
	call, cancel := context.WithTimeout(ctx, mediaWait)
	defer cancel()
	answer, err := r.plane.Publish(call, p.seat, p.offer)
	if err != nil {
		r.refused(p.line, p.seat, "offer-refused", err)
		return
	}
	p.line.push(Push{Answer: &Published{Seat: p.seat, Answer: answer}})
}

// subscribed is a browser's answer to the offer for the connection that it receives on.
type subscribed struct {
	line     *Line
	seat     media.SeatID
	revision int
	sdp      string
}

func (a *subscribed) handle(ctx context.Context, r *room) {
	s := r.holds(a.line, a.seat)
	if s == nil {
		return
	}
	if s.seat.offer != nil && s.seat.offer.Revision <= a.revision {
		s.seat.offer = nil
	}
	call, cancel := context.WithTimeout(ctx, mediaWait)
	defer cancel()
	if err := r.plane.Subscribed(call, a.seat, a.revision, a.sdp); err != nil {
		r.refused(a.line, a.seat, "answer-refused", err)
	}
}

// showing is how large a page shows what it receives.
type showing struct {
	line  *Line
	seat  media.SeatID
	shown []media.Shown
}

func (v *showing) handle(ctx context.Context, r *room) {
	if r.holds(v.line, v.seat) == nil {
		return
	}
	call, cancel := context.WithTimeout(ctx, mediaWait)
	defer cancel()
	if err := r.plane.Show(call, v.seat, v.shown); err != nil {
		// The person notices nothing of it, at worst a coarser picture; the next change of size heals it.
		r.log.Info("sizes of pictures not taken", "seat", v.seat)
	}
}

// restart is a page whose way to the box is another now.
type restart struct {
	line *Line
	seat media.SeatID
}

func (v *restart) handle(ctx context.Context, r *room) {
	if r.holds(v.line, v.seat) == nil {
		return
	}
	call, cancel := context.WithTimeout(ctx, mediaWait)
	defer cancel()
	if err := r.plane.Restart(call, v.seat); err != nil {
		// The old way may do; where it does not, the page asks for a new seat.
		r.log.Info("restart not taken", "seat", v.seat)
	}
}

// rejoinAnswered is how long a page has to say that it still wants another seat: less than it takes until it says so by itself.
const rejoinAnswered = 5 * time.Second

// rejoin is a page whose media failed.
type rejoin struct {
	line *Line
	seat media.SeatID
}

// handle asks the page back by repeating its seat, where that worked before: the wish may have waited in a line that was dead,
// and with the line the media came back. A page that still wants another seat says so again.
func (j *rejoin) handle(ctx context.Context, r *room) {
	s := r.holds(j.line, j.seat)
	if s == nil {
		return
	}
	if now := r.now(); s.seat.up && now.Sub(s.seat.asked) > rejoinAnswered {
		s.seat.asked = now
		r.giveAgain(s)
		return
	}
	r.log.Info("seat rejoins", "seat", j.seat)
	r.dismiss(ctx, s)
}

// refused tells a page that the media plane did not take what it sent. The error's text stays out of the log: it may
// quote the browser's addresses.
func (r *room) refused(l *Line, id media.SeatID, code string, err error) {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		r.log.Warn("media did not answer", "seat", id)
		l.push(Push{Problem: errNoMedia()})
		return
	}
	r.log.Info("description refused", "seat", id, "code", code)
	l.push(Push{Problem: &appliance.Error{Kind: appliance.Invalid, Code: code}})
}

func errNoMedia() *appliance.Error {
	return &appliance.Error{Kind: appliance.Unavailable, Code: "no-media", Wait: seatPause}
}

// problem gives a refusal as it is pushed.
func problem(err error) *appliance.Error {
	var refusal *appliance.Error
	if errors.As(err, &refusal) {
		return refusal
	}
	return &appliance.Error{Kind: appliance.Unavailable, Code: "fault"}
}
