package apart

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"schalter/media"
)

// ErrOfficeGone says that the office process has ended, or wants to hear no more. The media process must end at once.
var ErrOfficeGone = errors.New("the office is gone")

// ServeConfig is what Serve works with.
type ServeConfig struct {
	Control *net.UnixConn // media's end
	Plane   *media.Plane
	Around  func(Around) // takes what is around media now; the first comes before any call
	// Alive is asked several times a second whether the port and what else may hang still works; it must be quick.
	Alive   func()
	Figures func() Figures
	Log     *slog.Logger
}

// server drives the plane as the office asks.
type server struct {
	ServeConfig
	running sync.WaitGroup
	writing sync.Mutex // of Control

	mu   sync.Mutex
	last map[media.SeatID]chan struct{} // of each seat the newest call under way, closed when it is done; guarded by mu
}

// Serve does what the office asks for, until that asks for the end (nil) or is gone (ErrOfficeGone). It closes neither the
// plane nor the socket.
func Serve(ctx context.Context, c ServeConfig) error {
	s := &server{ServeConfig: c, last: make(map[media.SeatID]chan struct{})}
	ctx, cancel := context.WithCancel(ctx)
	defer s.wait()
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = c.Control.SetReadDeadline(time.Now()) })
	defer stop()
	if err := s.send(ready, 0, nil); err != nil {
		return err
	}
	s.running.Go(func() { s.tell(ctx, cancel) })
	return s.read(ctx)
}

// lastCallsFor is how long Serve waits for calls that its end has cancelled. The process ends with it.
const lastCallsFor = 500 * time.Millisecond

func (s *server) wait() {
	over := make(chan struct{})
	go func() {
		s.running.Wait()
		close(over)
	}()
	select {
	case <-over:
	case <-time.After(lastCallsFor):
		s.Log.Warn("calls cut off")
	}
}

func (s *server) read(ctx context.Context) error {
	pings := make(chan uint64, 1) // the office sends the next one after the answer
	defer close(pings)
	s.running.Go(func() { s.answerPings(ctx, pings) })
	for {
		f, err := readFrame(s.Control, mostToMedia)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrOfficeGone, err)
		}
		switch f.kind {
		case around:
			var a Around
			if err := unpack(f.body, &a); err != nil {
				return fmt.Errorf("%w: %w", ErrOfficeGone, err)
			}
			s.Around(a)
		case call:
			if err := s.begin(ctx, f); err != nil {
				return fmt.Errorf("%w: %w", ErrOfficeGone, err)
			}
		case ping:
			select {
			case pings <- f.number:
			default:
			}
		case end:
			return nil
		default:
			return fmt.Errorf("%w: %w", ErrOfficeGone, errMalformed)
		}
	}
}

// answerPings gives signs of life as long as the plane and the port do.
func (s *server) answerPings(ctx context.Context, pings <-chan uint64) {
	for number := range pings {
		if s.Plane.Leave(ctx, "") != nil { // nobody's seat: it asks the plane for no more than to look
			return
		}
		s.Alive()
		if s.send(alive, number, nil) != nil {
			return
		}
	}
}

// tell sends the plane's events on.
func (s *server) tell(ctx context.Context, cancel func()) {
	for {
		select {
		case e, ok := <-s.Plane.Events():
			if !ok {
				return
			}
			if err := s.send(event, 0, e); errors.Is(err, errTooLong) {
				s.Log.Error("event too long for the office", "kind", e.Kind, "seat", e.Seat)
			} else if err != nil {
				cancel()
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// asked is a request as it comes.
type asked struct {
	Method string          `json:"method"`
	Seat   media.SeatID    `json:"seat"`
	Within int64           `json:"within"`
	Given  json.RawMessage `json:"given"`
}

// begin starts a call. The office bounds how many are under way.
func (s *server) begin(ctx context.Context, f frame) error {
	var a asked
	if err := unpack(f.body, &a); err != nil {
		return err
	}
	do, ok := methods()[a.Method]
	if !ok {
		return errMalformed
	}
	before, done := s.queue(a.Seat)
	ctx, cancel := context.WithTimeout(ctx, time.Duration(a.Within)*time.Millisecond)
	s.running.Go(func() {
		defer s.done(a.Seat, done)
		defer cancel()
		var value any
		var err error
		select {
		case <-before:
			value, err = do(ctx, s, a.Seat, a.Given)
		case <-ctx.Done():
			err = context.Cause(ctx)
			<-before // calls for a seat keep their order, also when nobody waits for them any more
		}
		s.answer(f.number, value, err)
	})
	return nil
}

// queue puts a call behind the seat's last one.
func (s *server) queue(seat media.SeatID) (before, done chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	done = make(chan struct{})
	before, busy := s.last[seat]
	if !busy || seat == "" {
		before = make(chan struct{})
		close(before)
	}
	s.last[seat] = done
	return before, done
}

func (s *server) done(seat media.SeatID, done chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(done)
	if s.last[seat] == done {
		delete(s.last, seat)
	}
}

func (s *server) answer(number uint64, value any, err error) {
	var r reply
	if err == nil {
		r.Value, err = json.Marshal(value)
	}
	if err != nil {
		r = reply{Fault: faultOf(err)}
	}
	if err := s.send(answer, number, r); errors.Is(err, errTooLong) {
		_ = s.send(answer, number, reply{Fault: faultOf(err)}) // the reader sees it when the office is gone
	}
}

// sendToOfficeFor bounds a write: an office that takes nothing for so long is gone.
const sendToOfficeFor = 10 * time.Second

func (s *server) send(k kind, number uint64, value any) error {
	b, err := pack(k, number, value, mostToOffice)
	if err != nil {
		return err
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	err = s.Control.SetWriteDeadline(time.Now().Add(sendToOfficeFor))
	if err == nil {
		_, err = s.Control.Write(b)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrOfficeGone, err)
	}
	return nil
}

// do carries out one call.
type do func(ctx context.Context, s *server, seat media.SeatID, given []byte) (any, error)

// methods are the calls that the office can make.
func methods() map[string]do {
	return map[string]do{
		join: on(func(ctx context.Context, s *server, _ media.SeatID, given media.Seat) (media.Access, error) {
			return s.Plane.Join(ctx, given)
		}),
		publish: on(func(ctx context.Context, s *server, seat media.SeatID, given media.Offer) (media.Answer, error) {
			return s.Plane.Publish(ctx, seat, given)
		}),
		view: on(func(ctx context.Context, s *server, seat media.SeatID, sdp string) (media.Answer, error) {
			return s.Plane.View(ctx, seat, sdp)
		}),
		subscribed: on(func(ctx context.Context, s *server, seat media.SeatID, given settled) (nothing, error) {
			return nothing{}, s.Plane.Subscribed(ctx, seat, given.Revision, given.SDP)
		}),
		show: on(func(ctx context.Context, s *server, seat media.SeatID, shown []media.Shown) (nothing, error) {
			return nothing{}, s.Plane.Show(ctx, seat, shown)
		}),
		restart: on(func(ctx context.Context, s *server, seat media.SeatID, _ nothing) (nothing, error) {
			return nothing{}, s.Plane.Restart(ctx, seat)
		}),
		leave: on(func(ctx context.Context, s *server, seat media.SeatID, _ nothing) (nothing, error) {
			return nothing{}, s.Plane.Leave(ctx, seat)
		}),
		stats: on(func(ctx context.Context, s *server, _ media.SeatID, _ nothing) (media.Stats, error) {
			return s.Plane.Stats(ctx), nil
		}),
		figures: on(func(_ context.Context, s *server, _ media.SeatID, _ nothing) (Figures, error) {
			return s.Figures(), nil
		}),
	}
}

// on makes a call of a function.
func on[G, R any](f func(ctx context.Context, s *server, seat media.SeatID, given G) (R, error)) do {
	return func(ctx context.Context, s *server, seat media.SeatID, given []byte) (any, error) {
		var g G
		if err := unpack(given, &g); err != nil {
			return nil, err
		}
		return f(ctx, s, seat, g)
	}
}
