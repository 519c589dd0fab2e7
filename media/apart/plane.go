package apart

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"schalter/media"
)

// errAway is told while there is no media process, and when it ended under a call. To hall that is a call that was cancelled.
var errAway = fmt.Errorf("the media process is away: %w", context.Canceled)

// ErrNotReady says that a media process ended, or was given up, before it could serve.
var ErrNotReady = errors.New("the media process did not get ready")

var errBusy = errors.New("too many calls to the media process")

// Plane is the media plane of another process. It has the methods of media.Plane that the house uses. All may be called at
// any time; what they do while the process is away stands in the package's text.
type Plane struct {
	log    *slog.Logger
	news   *news
	around atomic.Pointer[Around]
	pump   *pump

	mu     sync.Mutex
	closed bool          // guarded by mu
	life   *life         // guarded by mu; nil while away
	came   chan struct{} // guarded by mu; closed when a life begins or Close is called, replaced when one ends
}

// New makes a plane whose process is away until Attend gets one. It ends by Close.
func New(a Around, log *slog.Logger) (*Plane, error) {
	carry, err := newPump(takesWithin)
	if err != nil {
		return nil, fmt.Errorf("carry connections: %w", err)
	}
	p := &Plane{log: log, news: newNews(), pump: carry, came: make(chan struct{})}
	p.around.Store(&a)
	return p, nil
}

// Around tells the media process, this one and those to come, what is around it now.
func (p *Plane) Around(a Around) {
	p.around.Store(&a)
	if l := p.present(); l != nil {
		l.pushAround()
	}
}

// present is the running life; nil while away.
func (p *Plane) present() *life {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.life
}

// Present tells whether a media process is there.
func (p *Plane) Present() bool { return p.present() != nil }

// Await waits until a media process is there.
func (p *Plane) Await(ctx context.Context) error {
	_, err := p.await(ctx)
	return err
}

func (p *Plane) await(ctx context.Context) (*life, error) {
	for {
		p.mu.Lock()
		l, came, closed := p.life, p.came, p.closed
		p.mu.Unlock()
		switch {
		case closed:
			return nil, media.ErrClosed
		case l != nil:
			return l, nil
		}
		select {
		case <-came:
		case <-ctx.Done():
			return nil, fmt.Errorf("the media process is away: %w", context.Cause(ctx))
		}
	}
}

// Join seats somebody; see media.Plane. It waits for a process that is on its way back: whoever joins has lost nothing yet.
func (p *Plane) Join(ctx context.Context, seat media.Seat) (media.Access, error) {
	for {
		l, err := p.await(ctx)
		if err != nil {
			return media.Access{}, fmt.Errorf("join: %w", err)
		}
		if err := l.enter(seat); err != nil {
			return media.Access{}, fmt.Errorf("join: %w", err)
		}
		access, err := ask[media.Access](ctx, l, join, seat.ID, seat)
		switch {
		case err == nil:
			l.seated(seat.ID)
			return access, nil
		case errors.Is(err, errAway): // the next process does not know this seat yet
			select {
			case <-l.gone:
				continue
			case <-ctx.Done():
			}
		}
		return media.Access{}, err // wrapped over there
	}
}

// Publish answers the browser's offer; see media.Plane.
func (p *Plane) Publish(ctx context.Context, seat media.SeatID, offer media.Offer) (media.Answer, error) {
	return of[media.Answer](ctx, p, publish, seat, offer)
}

// View answers a viewer's offer; see media.Plane.
func (p *Plane) View(ctx context.Context, seat media.SeatID, sdp string) (media.Answer, error) {
	return of[media.Answer](ctx, p, view, seat, sdp)
}

// Subscribed hands in the browser's answer to a SubscribeOffer; see media.Plane.
func (p *Plane) Subscribed(ctx context.Context, seat media.SeatID, revision int, sdp string) error {
	_, err := of[nothing](ctx, p, subscribed, seat, settled{revision, sdp})
	return err
}

// Show tells at which sizes a seat shows what it receives; see media.Plane.
func (p *Plane) Show(ctx context.Context, seat media.SeatID, shown []media.Shown) error {
	_, err := of[nothing](ctx, p, show, seat, shown)
	return err
}

// Restart offers a seat its receiving connection with other credentials of ICE; see media.Plane.
func (p *Plane) Restart(ctx context.Context, seat media.SeatID) error {
	_, err := of[nothing](ctx, p, restart, seat, nothing{})
	return err
}

// Leave closes the seat's connections; see media.Plane. A seat whose process has ended has none.
func (p *Plane) Leave(ctx context.Context, seat media.SeatID) error {
	l := p.present()
	if l == nil || !l.holds(seat) {
		return nil
	}
	if _, err := ask[nothing](ctx, l, leave, seat, nothing{}); err != nil && !errors.Is(err, errAway) {
		return err // wrapped over there
	}
	l.left(seat)
	p.news.forget(seat)
	return nil
}

// Events is where the plane tells what happened; see media.Plane. It is closed by Close.
func (p *Plane) Events() <-chan media.Event { return p.news.out }

// Stats counts what goes on now; nothing while the process is away or does not answer.
func (p *Plane) Stats(ctx context.Context) media.Stats {
	if l := p.present(); l != nil {
		if s, err := ask[media.Stats](ctx, l, stats, "", nothing{}); err == nil {
			return s
		}
	}
	return media.Stats{Rooms: []media.RoomStats{}}
}

// Figures are the process's counters.
func (p *Plane) Figures(ctx context.Context) (Figures, error) {
	l := p.present()
	if l == nil {
		return Figures{}, fmt.Errorf("figures: %w", errAway)
	}
	return ask[Figures](ctx, l, figures, "", nothing{})
}

// of asks for a seat that was given earlier. One that this process does not hold went with another.
func of[R any](ctx context.Context, p *Plane, method string, seat media.SeatID, given any) (R, error) {
	l := p.present()
	if l == nil || !l.holds(seat) {
		var none R
		return none, fmt.Errorf("%s: %w", method, errAway)
	}
	return ask[R](ctx, l, method, seat, given)
}

// Attend speaks with one media process until that ends, and tells why it did; nil when Close made it. Control and door are
// the office's ends of the two sockets; Attend closes them. The process is to be killed afterwards, whatever the reason.
func (p *Plane) Attend(ctx context.Context, control, door *net.UnixConn) error {
	l := newLife(p, control, door)
	defer l.hangUp()
	stop := context.AfterFunc(ctx, l.hangUp)
	defer stop()
	if err := l.greet(); err != nil {
		return p.why(ctx, fmt.Errorf("%w: %w", ErrNotReady, err))
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.life = l
	close(p.came)
	p.mu.Unlock()
	l.pushAround() // it may have changed since greet

	err := l.run()

	l.hangUp()
	l.fail() // calls that wait
	p.mu.Lock()
	p.life = nil
	closed := p.closed
	if !closed {
		p.came = make(chan struct{})
	}
	p.mu.Unlock()
	rooms := l.end()
	if closed {
		return nil
	}
	p.news.drop(func(e media.Event) bool { return e.Kind != media.RoomEnded })
	for _, r := range rooms {
		p.news.tell(media.Event{Kind: media.RoomEnded, Room: r})
	}
	return p.why(ctx, err)
}

// why is the reason that Attend gives.
func (p *Plane) why(ctx context.Context, err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return err
}

// closeFor is how long media has to take leave of browsers.
const closeFor = 2 * time.Second

// Close asks the media process to end, and waits until it has or its time is over. Nobody is told RoomEnded.
func (p *Plane) Close(ctx context.Context) error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	l := p.life
	if l == nil {
		close(p.came)
	}
	p.mu.Unlock()
	if l != nil {
		ctx, cancel := context.WithTimeout(ctx, closeFor)
		defer cancel()
		if l.send(end, 0, nil) == nil {
			select {
			case <-l.gone:
			case <-ctx.Done():
			}
		}
		l.hangUp()
	}
	p.pump.close()
	p.news.close()
	return nil
}
