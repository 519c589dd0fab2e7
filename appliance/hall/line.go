package hall

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"schalter/appliance"
	"schalter/media"
)

// Why a line ends.
const (
	endSignedOut = "signed-out"
	endVisitOver = "visit-over"
	endShutdown  = "shutdown"
	endSlow      = "slow" // does not read, or fell silent: the page may connect again
)

const (
	// maxQueue bounds what waits for a slow reader, beside the one view. One more ends the line with "slow": a page
	// that missed an offer or an answer is lost anyway, and a new line tells it all from the start.
	maxQueue = 256
	// farewellFor is how long a line that has ended waits for its reader to take what is left.
	farewellFor = 2 * time.Second

	maxTextLength = 1000    // code points of a line of real-time text
	maxTextLine   = 100_000 // lines of one side
)

// Line is one live connection of one person's page. Its methods never block for long: what does not fit the room's
// inbox is refused with Unavailable. Refusals come as *appliance.Error.
//
// It ends with "slow" when its reader lets too much wait, when nothing was heard of the page for 25 s, when the same page
// opened another one, and when a person has too many: the page may connect again.
type Line struct {
	hall    *Hall
	actor   appliance.Actor
	page    string
	signIn  string
	reached string
	pushes  chan Push
	kick    chan struct{} // room for one: there is something new for pump
	closed  chan struct{}
	close   sync.Once

	mu      sync.Mutex
	view    Push // guarded by mu; the newest one that is not sent
	viewed  int  // guarded by mu; counts views
	queue   []Push
	head    int    // guarded by mu, as queue: the number of its first push
	ended   string // guarded by mu; empty while it lives
	room    *room  // guarded by mu; where this line has the person's place
	seat    media.SeatID
	heard   time.Time // guarded by mu, as seat
	writing pace      // guarded by mu
	calling pace      // guarded by mu
}

func newLine(h *Hall, j Joiner) *Line {
	page := j.Page
	if page == "" {
		page = unguessable() // a page of its own
	}
	now := h.now()
	return &Line{
		hall: h, actor: j.Actor, page: page, signIn: j.SignIn, reached: j.Reached,
		pushes: make(chan Push), kick: make(chan struct{}, 1), closed: make(chan struct{}),
		heard: now,
		// Letters come one message each; twenty a second is faster than anybody types. A page that is pasted is more.
		writing: pace{each: time.Second / 20, burst: 100},
		calling: pace{each: time.Second / 10, burst: 20},
	}
}

// Pushes gives what to send, newest view first; it closes when the line has ended. A reader that is too slow is cut
// off with Ended "slow".
func (l *Line) Pushes() <-chan Push { return l.pushes }

// Ended tells why the line ended, for a reader that came too late for the push; empty while it lives.
func (l *Line) Ended() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ended
}

// Seen is the page's heartbeat. A line that was not heard of for 25 s is ended: so any sign of life of the browser
// counts, the answer to a WebSocket ping too.
func (l *Line) Seen() {
	l.mu.Lock()
	l.heard = l.hall.now()
	l.mu.Unlock()
	_ = l.hall.offer(&heartbeat{line: l}) // the next one follows soon
}

func (l *Line) lastHeard() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.heard
}

// Publish hands in the browser's offer; the answer comes as a push.
func (l *Line) Publish(ctx context.Context, seat media.SeatID, o media.Offer) error {
	return l.call(ctx, &seat, &published{line: l, seat: seat, offer: o})
}

// Subscribed hands in the browser's answer to an offer.
func (l *Line) Subscribed(ctx context.Context, seat media.SeatID, revision int, sdp string) error {
	return l.call(ctx, &seat, &subscribed{line: l, seat: seat, revision: revision, sdp: sdp})
}

// Show tells at which sizes the page shows the pictures that it receives: all of them; what is not named is not shown.
func (l *Line) Show(ctx context.Context, seat media.SeatID, shown []media.Shown) error {
	return l.call(ctx, &seat, &showing{line: l, seat: seat, shown: shown})
}

// Rejoin says that the page's media failed; a new seat is pushed.
func (l *Line) Rejoin(ctx context.Context, seat media.SeatID) error {
	return l.call(ctx, &seat, &rejoin{line: l, seat: seat})
}

// Restart says that the page's way to the box is another now: its receiving connection is offered anew. The other one the
// page offers by itself.
func (l *Line) Restart(ctx context.Context, seat media.SeatID) error {
	return l.call(ctx, &seat, &restart{line: l, seat: seat})
}

// SetDevices tells the other side what is sent now.
func (l *Line) SetDevices(ctx context.Context, d Devices) error {
	return l.call(ctx, nil, &devices{line: l, devices: d})
}

// Type sends one line of real-time text as it stands. It needs a talk, but no seat: text goes on when sound and
// picture do not.
func (l *Line) Type(ctx context.Context, line int, text string, done bool) error {
	if line < 1 || line > maxTextLine {
		return &appliance.Error{Kind: appliance.Invalid, Code: "text-line", Field: "line"}
	}
	if len(text) > maxTextLength*utf8.UTFMax || !utf8.ValidString(text) || utf8.RuneCountInString(text) > maxTextLength {
		return &appliance.Error{Kind: appliance.Invalid, Code: "text-too-long", Field: "text"}
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' ' // a line is a line
		}
		return r
	}, text)
	return l.send(ctx, &l.writing, nil, &typed{line: l, number: line, text: text, done: done})
}

func (l *Line) call(ctx context.Context, seat *media.SeatID, m roomMessage) error {
	return l.send(ctx, &l.calling, seat, m)
}

// send hands a message to the room in which this line has a place, and checks the seat it is meant for.
func (l *Line) send(ctx context.Context, p *pace, seat *media.SeatID, m roomMessage) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("send to room: %w", err)
	}
	l.mu.Lock()
	room, mine := l.room, l.seat
	wait := p.take(l.hall.now())
	l.mu.Unlock()
	switch {
	case wait > 0:
		return &appliance.Error{Kind: appliance.TooMany, Code: "too-fast", Wait: wait}
	case seat != nil && (mine == "" || *seat != mine):
		return errSeatStale()
	case room == nil:
		return errNoTalk()
	}
	return room.offer(m)
}

// TakeOver takes the place back from a newer page.
func (l *Line) TakeOver(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("take over: %w", err)
	}
	l.mu.Lock()
	wait := l.calling.take(l.hall.now())
	l.mu.Unlock()
	if wait > 0 {
		return &appliance.Error{Kind: appliance.TooMany, Code: "too-fast", Wait: wait}
	}
	return l.hall.offer(&takeOver{line: l})
}

// Close ends the line; the seat stays for 30 s for the same page to come back.
func (l *Line) Close() { l.close.Do(func() { close(l.closed) }) }

// push queues. It never waits. A view takes the place of one that is not sent yet; all else keeps its order.
func (l *Line) push(p Push) {
	l.mu.Lock()
	l.pushLocked(p)
	l.mu.Unlock()
	l.wake()
}

func (l *Line) pushLocked(p Push) {
	switch {
	case l.ended != "":
	case p.Visit != nil || p.Desk != nil:
		l.view = p
		l.viewed++
	case len(l.queue) >= maxQueue:
		l.endLocked(endSlow, false)
	default:
		l.queue = append(l.queue, p)
	}
}

// end lets the line end with a reason. What is queued is still sent when keep is true.
func (l *Line) end(reason string, keep bool) {
	l.mu.Lock()
	if l.ended == "" {
		l.endLocked(reason, keep)
	}
	l.mu.Unlock()
	l.wake()
}

func (l *Line) endLocked(reason string, keep bool) {
	if keep && l.seat != "" {
		seat := l.seat
		l.pushLocked(Push{Unseat: &seat})
	}
	l.room, l.seat = nil, ""
	l.ended = reason
	if !keep {
		l.view, l.viewed = Push{}, l.viewed+1
		l.head += len(l.queue)
		l.queue = nil
	}
}

func (l *Line) wake() {
	select {
	case l.kick <- struct{}{}:
	default:
	}
}

// place tells the line where it has its person's place; nil: nowhere any more.
func (l *Line) place(r *room) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended == "" {
		l.room = r
	}
}

// leave takes the place in a room away, unless it is in another by now.
func (l *Line) leave(r *room) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.room == r {
		l.room = nil
	}
}

// give hands out a seat.
func (l *Line) give(g SeatGiven) {
	l.mu.Lock()
	if l.ended == "" {
		l.seat = g.Seat
		l.pushLocked(Push{Seat: &g})
	}
	l.mu.Unlock()
	l.wake()
}

// unseat takes a seat away, if the line has it.
func (l *Line) unseat(seat media.SeatID) {
	l.mu.Lock()
	if l.seat == seat {
		l.seat = ""
		l.pushLocked(Push{Unseat: &seat})
	}
	l.mu.Unlock()
	l.wake()
}

// pump is the line's goroutine: it hands out what is queued until the line has ended.
func (l *Line) pump() {
	defer close(l.pushes)
	var late <-chan time.Time // when a line that has ended stops waiting for its reader
	for {
		p, sent, ended := l.next()
		if ended && late == nil {
			timer := time.NewTimer(farewellFor)
			defer timer.Stop()
			late = timer.C
		}
		out := l.pushes
		if sent == nil {
			out = nil
		}
		select {
		case out <- p:
			sent()
			if p.Ended != "" {
				return
			}
		case <-l.kick: // a newer view, or the end
		case <-late:
			return
		case <-l.closed:
			l.end(endSlow, false) // so that nothing is queued any more
			return
		}
	}
}

// next is what to send now and what to do when it was sent. Views come first.
func (l *Line) next() (p Push, sent func(), ended bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ended = l.ended != ""
	switch {
	case l.view != Push{}:
		n := l.viewed
		return l.view, func() { l.sentView(n) }, ended
	case len(l.queue) > 0:
		n := l.head
		return l.queue[0], func() { l.sentQueued(n) }, ended
	case ended:
		return Push{Ended: l.ended}, func() {}, ended
	default:
		return Push{}, nil, ended
	}
}

func (l *Line) sentView(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.viewed == n {
		l.view = Push{}
	}
}

func (l *Line) sentQueued(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.head == n && len(l.queue) > 0 {
		l.queue[0] = Push{}
		l.queue = l.queue[1:]
		l.head++
	}
}

// pace is a leaky bucket: burst at once, then one each.
type pace struct {
	each  time.Duration
	burst int
	free  time.Time // when the bucket is empty again
}

// take gives zero when one more may pass, else how long to wait.
func (p *pace) take(now time.Time) time.Duration {
	if p.free.Before(now) {
		p.free = now
	}
	full := now.Add(time.Duration(p.burst-1) * p.each)
	if p.free.After(full) {
		return p.free.Sub(full)
	}
	p.free = p.free.Add(p.each)
	return 0
}

func errSeatStale() error {
	return &appliance.Error{Kind: appliance.Conflict, Code: "seat-stale"}
}

func errLineClosed() error {
	return &appliance.Error{Kind: appliance.Conflict, Code: "text-line-closed"}
}

func errNoTalk() error {
	return &appliance.Error{Kind: appliance.Conflict, Code: "no-talk"}
}
