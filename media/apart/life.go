package apart

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"schalter/media"
)

const (
	// startFor is how long a new process may take until its first frame.
	startFor = 5 * time.Second
	// beat is how often it is asked for a sign of life, HungAfter when one that gives none counts as hung: so that it is back
	// within 2 s. On two cores with fifteen others at work no honest one was taken for it.
	// Each costs a millisecond of processor time in the two processes, as much as a hundred packets.
	beat      = 500 * time.Millisecond
	HungAfter = 2 * beat
	// sendFor bounds a write to the sockets. A process that takes nothing for so long hangs.
	sendFor = time.Second
	// mostCalls under way.
	mostCalls = 2048
	// mostSeats is what media's rooms could hold, and more than a box can bear.
	mostSeats = 250_000
)

var errHung = errors.New("no sign of life")

// life is one media process from its first frame to its end.
type life struct {
	plane   *Plane
	control *net.UnixConn
	door    *net.UnixConn
	gone    chan struct{} // closed when nothing of it goes on any more
	writing sync.Mutex    // of control

	mu     sync.Mutex
	over   bool                    // guarded by mu
	number uint64                  // of the last call; guarded by mu
	calls  map[uint64]chan reply   // guarded by mu
	seats  map[media.SeatID]*place // guarded by mu
	asked  uint64                  // the last ping; guarded by mu
	missed int                     // beats since it was asked and not answered; guarded by mu
	waits  bool                    // it is not answered yet; guarded by mu
}

// place is where a seat is. It is known before the process has said that it is there.
type place struct {
	room   media.RoomID
	seated bool
}

// reply is an answer's body.
type reply struct {
	Fault *fault          `json:"fault,omitempty"`
	Value json.RawMessage `json:"value,omitempty"`
}

func newLife(p *Plane, control, door *net.UnixConn) *life {
	return &life{plane: p, control: control, door: door, gone: make(chan struct{}),
		calls: make(map[uint64]chan reply), seats: make(map[media.SeatID]*place)}
}

// hangUp ends the connection, and with it the life.
func (l *life) hangUp() {
	_ = l.control.Close() // once is enough, more do no harm
	_ = l.door.Close()
}

// greet tells the process what is around it, and waits until it is ready.
func (l *life) greet() error {
	l.pushAround()
	if err := l.control.SetReadDeadline(time.Now().Add(startFor)); err != nil {
		return err
	}
	f, err := readFrame(l.control, mostToOffice)
	switch {
	case err != nil:
		return err
	case f.kind != ready || f.number != 0 || len(f.body) > 0:
		return errMalformed
	}
	return l.control.SetReadDeadline(time.Time{})
}

// run reads until the end, and gives the reason.
func (l *life) run() error {
	var pulse sync.WaitGroup
	stop := make(chan struct{})
	hung := make(chan error, 1)
	pulse.Go(func() { hung <- l.pulse(stop) })
	err := l.read()
	close(stop)
	l.hangUp()
	pulse.Wait()
	if h := <-hung; errors.Is(h, errHung) {
		return h // it made read end
	}
	return err
}

func (l *life) read() error {
	left := newBudget(time.Now())
	for {
		f, err := readFrame(l.control, mostToOffice)
		if err != nil {
			return err
		}
		if !left.take(len(f.body), time.Now()) {
			return errFlood
		}
		if err := l.take(f); err != nil {
			return err
		}
	}
}

// pulse asks for signs of life until stop, or until there is none: then it hangs up.
func (l *life) pulse(stop <-chan struct{}) error {
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for {
		number, wanted, err := l.beat()
		if err == nil && wanted {
			err = l.send(ping, number, nil)
		}
		if err != nil {
			l.hangUp()
			return err
		}
		select {
		case <-stop:
			return nil
		case <-tick.C:
		}
	}
}

// beat is one tick: a new ping, or one more that was missed. Ticks are counted and not the time, so that a machine that
// slept, or had no time for this process either, is not taken for a process that hangs.
func (l *life) beat() (number uint64, wanted bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waits {
		if l.missed++; time.Duration(l.missed)*beat >= HungAfter {
			return 0, false, errHung
		}
		return 0, false, nil
	}
	l.asked++
	l.waits, l.missed = true, 0
	return l.asked, true, nil
}

// take is what the office does with a frame of the media process. An error is the end of the life. It never waits.
func (l *life) take(f frame) error {
	switch f.kind {
	case answer:
		return l.answered(f)
	case event:
		return l.told(f)
	case alive:
		l.mu.Lock()
		defer l.mu.Unlock()
		if !l.waits || f.number != l.asked || len(f.body) > 0 {
			return errUnasked
		}
		l.waits = false
		return nil
	default:
		return errMalformed
	}
}

func (l *life) answered(f frame) error {
	l.mu.Lock()
	waits, asked := l.calls[f.number]
	delete(l.calls, f.number)
	l.mu.Unlock()
	if !asked {
		return errUnasked
	}
	if waits == nil {
		return nil // who had asked has gone
	}
	defer close(waits)
	var r reply
	if err := unpack(f.body, &r); err != nil {
		return err
	}
	if r.Fault != nil && (r.Value != nil || r.Fault.error() == nil) {
		return errMalformed
	}
	waits <- r // has room for the one
	return nil
}

// told hands an event on, when it is one of a seat that is there.
func (l *life) told(f frame) error {
	var e media.Event
	if err := unpack(f.body, &e); err != nil {
		return err
	}
	if f.number != 0 || (e.Kind == media.Subscribe) != (e.Subscribe != nil) || e.Kind != media.Paused && e.Paused != nil ||
		e.Kind != media.Speaker && e.Speaker != "" {
		return errMalformed
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch e.Kind {
	case media.RoomEnded:
		if e.Seat != "" {
			return errMalformed
		}
		there := false
		for id, at := range l.seats {
			if at.room == e.Room {
				there = true
				delete(l.seats, id)
				l.plane.news.forget(id)
			}
		}
		if !there {
			return nil
		}
	case media.Speaker:
		if e.Seat != "" {
			return errMalformed
		}
		if !l.seatedLocked(e.Room, e.Speaker) {
			return nil // they left meanwhile
		}
	case media.Subscribe, media.Connected, media.Paused, media.Interrupted, media.Resumed, media.Lost:
		at := l.seats[e.Seat]
		if at == nil {
			return nil // it left meanwhile
		}
		e.Room = at.room
	default:
		return errMalformed
	}
	l.plane.news.tell(e)
	return nil
}

// seatedLocked tells whether a seat is there in this room; with none named, whether any is.
func (l *life) seatedLocked(room media.RoomID, seat media.SeatID) bool {
	if seat != "" {
		at := l.seats[seat]
		return at != nil && at.room == room
	}
	for _, at := range l.seats {
		if at.room == room {
			return true
		}
	}
	return false
}

// send writes a frame. The first one that cannot be written ends the life.
func (l *life) send(k kind, number uint64, value any) error {
	b, err := pack(k, number, value, mostToMedia)
	if err != nil {
		return err
	}
	l.writing.Lock()
	defer l.writing.Unlock()
	return l.write(b)
}

// write needs l.writing.
func (l *life) write(b []byte) error {
	err := l.control.SetWriteDeadline(time.Now().Add(sendFor))
	if err == nil {
		_, err = l.control.Write(b)
	}
	if err != nil { // a frame may have got through in part: nothing can follow
		l.hangUp()
		return errAway
	}
	return nil
}

// pushAround sends the newest value: of two that push at once the last one writes what is true then.
func (l *life) pushAround() {
	l.writing.Lock()
	defer l.writing.Unlock()
	b, err := pack(around, 0, l.plane.around.Load(), mostToMedia)
	if err != nil { // a machine with thousands of addresses
		l.plane.log.Error("media not told its addresses", "error", err)
		return
	}
	_ = l.write(b) // the life has ended then
}

// ask makes a call and waits for its answer, for ctx, or for the end of the life.
func ask[R any](ctx context.Context, l *life, method string, seat media.SeatID, given any) (R, error) {
	var value R
	r, err := l.ask(ctx, request{Method: method, Seat: seat, Within: within(ctx).Milliseconds(), Given: given})
	switch {
	case err != nil:
		return value, fmt.Errorf("%s: %w", method, err)
	case r.Fault != nil:
		return value, r.Fault.error()
	}
	if err := unpack(r.Value, &value); err != nil {
		l.hangUp()
		return value, fmt.Errorf("%s: %w", method, err)
	}
	return value, nil
}

// longest is how long a call may take at most.
const longest = 10 * time.Second

func within(ctx context.Context) time.Duration {
	if until, ok := ctx.Deadline(); ok {
		return max(min(time.Until(until), longest), time.Millisecond)
	}
	return longest
}

func (l *life) ask(ctx context.Context, r request) (reply, error) {
	waits := make(chan reply, 1)
	l.mu.Lock()
	switch {
	case l.over:
		l.mu.Unlock()
		return reply{}, errAway
	case len(l.calls) >= mostCalls:
		l.mu.Unlock()
		return reply{}, errBusy
	}
	l.number++
	number := l.number
	l.calls[number] = waits
	l.mu.Unlock()
	if err := l.send(call, number, r); err != nil {
		l.mu.Lock()
		delete(l.calls, number)
		l.mu.Unlock()
		return reply{}, err
	}
	select {
	case got, ok := <-waits:
		if !ok {
			return reply{}, errAway
		}
		return got, nil
	case <-ctx.Done():
		l.mu.Lock()
		defer l.mu.Unlock()
		if _, ok := l.calls[number]; ok {
			l.calls[number] = nil // its answer will come, for nobody
		}
		return reply{}, context.Cause(ctx)
	}
}

// fail ends all calls that wait.
func (l *life) fail() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	for _, waits := range l.calls {
		if waits != nil {
			close(waits)
		}
	}
	clear(l.calls)
}

// end gives the rooms in which somebody was seated.
func (l *life) end() []media.RoomID {
	l.mu.Lock()
	defer l.mu.Unlock()
	rooms := map[media.RoomID]bool{}
	var all []media.RoomID
	for _, at := range l.seats {
		if at.seated && !rooms[at.room] {
			rooms[at.room] = true
			all = append(all, at.room)
		}
	}
	clear(l.seats)
	close(l.gone)
	return all
}

func (l *life) enter(s media.Seat) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.seats[s.ID] != nil:
		return media.ErrTaken
	case len(l.seats) >= mostSeats:
		return errBusy
	}
	l.seats[s.ID] = &place{room: s.Room}
	return nil
}

func (l *life) seated(id media.SeatID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at := l.seats[id]; at != nil {
		at.seated = true
	}
}

func (l *life) holds(id media.SeatID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seats[id] != nil
}

func (l *life) left(id media.SeatID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.seats, id)
}
