package media

import (
	"context"
	"fmt"
)

// Limits of what a seat may tell about the pictures that it shows. A screen side is at most 16,384 pixels.
const (
	maxShown = 64
	maxSide  = 16384
)

// showOrder says at which sizes a seat shows what it receives.
type showOrder struct {
	seat  SeatID
	shown []Shown
	err   chan<- error
}

func (showOrder) isOrder() {}

// Show tells at which sizes a seat shows the pictures that it receives: all of them, anew with each call; what is not named
// is not shown. At most 64, each once, at most 16,384 pixels wide and high. Until the first call all are taken to be shown
// in full. Pictures that are gone, or not there yet, are no error.
func (p *Plane) Show(ctx context.Context, seat SeatID, shown []Shown) error {
	if err := checkShown(shown); err != nil {
		return fmt.Errorf("show: %w", err)
	}
	r, err := p.room(seat)
	if err != nil {
		return fmt.Errorf("show: %w", err)
	}
	answer := make(chan error, 1)
	got, err := ask(ctx, r, showOrder{seat, shown, answer}, answer)
	if err == nil {
		err = got
	}
	if err != nil {
		return fmt.Errorf("show: %w", err)
	}
	return nil
}

func checkShown(shown []Shown) error {
	if len(shown) > maxShown {
		return refuse("more than %d pictures are shown", maxShown)
	}
	there := make(map[Picture]bool, len(shown))
	for _, s := range shown {
		picture := Picture{s.Seat, s.Source}
		switch {
		case !token(string(s.Seat), 64), s.Source != Camera && s.Source != Screen:
			return refuse("what is shown is no picture")
		case s.Width < 0 || s.Width > maxSide || s.Height < 0 || s.Height > maxSide:
			return refuse("a picture cannot be shown at this size")
		case there[picture]:
			return refuse("a picture is shown twice")
		}
		there[picture] = true
	}
	return nil
}

// show keeps it for the allocation.
func (r *room) show(o showOrder) error {
	p := r.peers[o.seat]
	if p == nil || p.lost {
		return ErrNoSeat
	}
	p.shown = make(map[Picture]Shown, len(o.shown))
	for _, s := range o.shown {
		p.shown[Picture{s.Seat, s.Source}] = s
	}
	p.size()
	return nil
}

// size tells the senders at which height their pictures are shown.
func (p *peer) size() {
	if p.shown == nil {
		return
	}
	for _, l := range p.lanes {
		if l.track != nil {
			l.sender.shown.Store(int32(p.shown[Picture{l.track.seat, l.track.source}].Height))
		}
	}
}

// flow starts what a seat is to receive, and tells it of pictures that pause.
func (r *room) flow(p *peer) error {
	seat := p.seat
	return p.flow(r.wanted(p), r.plane.shares, func(paused []*track) {
		list := []Picture{}
		for _, t := range paused {
			list = append(list, Picture{t.seat, t.source})
		}
		r.plane.events.tell(Event{Kind: Paused, Room: r.id, Seat: seat, Paused: list})
	})
}
