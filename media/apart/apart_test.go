package apart_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"schalter/media"
	"schalter/media/apart"
	"schalter/media/port"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come. Only a failing test waits that long.
const patience = 20 * time.Second

// office is the office's end, and what starts media's.
type office struct {
	t     testing.TB
	plane *apart.Plane
	lives sync.WaitGroup // both ends of each
	mu    sync.Mutex
	told  []media.Event // guarded by mu
}

func newOffice(t testing.TB) *office {
	t.Helper()
	plane, err := apart.New(apart.Around{Reached: "box:1"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	o := &office{t: t, plane: plane}
	over := make(chan struct{})
	go func() {
		defer close(over)
		for e := range o.plane.Events() {
			o.mu.Lock()
			o.told = append(o.told, e)
			o.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		if err := o.plane.Close(context.Background()); err != nil {
			t.Error(err)
		}
		o.lives.Wait()
		<-over
	})
	return o
}

func (o *office) rooms() (ended []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range o.told {
		if e.Kind == media.RoomEnded {
			ended = append(ended, string(e.Room))
		}
	}
	slices.Sort(ended)
	return ended
}

func (o *office) eventually(what string, is func() bool) {
	o.t.Helper()
	for deadline := time.Now().Add(patience); !is(); {
		if time.Now().After(deadline) {
			o.t.Fatalf("not so: %s", what)
		}
		time.Sleep(time.Millisecond) // a poll: there is nothing to wait on
	}
}

// attend begins a life whose other end is the given one, and gives its reason to end.
func (o *office) attend(theirs func(control, door *net.UnixConn)) <-chan error {
	o.t.Helper()
	control, farControl, err := apart.Pair(unix.SOCK_STREAM)
	if err != nil {
		o.t.Fatal(err)
	}
	door, farDoor, err := apart.Pair(unix.SOCK_SEQPACKET)
	if err != nil {
		o.t.Fatal(err)
	}
	over := make(chan error, 1)
	o.lives.Go(func() { theirs(farControl, farDoor) })
	o.lives.Go(func() { over <- o.plane.Attend(context.Background(), control, door) })
	return over
}

// process is a media process, but for being one.
type process struct {
	control *net.UnixConn
	mux     *port.Mux
	plane   *media.Plane
	around  atomic.Pointer[apart.Around]
	turn    net.Listener
	served  error // after its end
	over    chan struct{}
}

// kill ends it without a word.
func (p *process) kill() {
	_ = p.control.Close() // all that the office sees of a kill
	<-p.over
}

// relays gives credentials of nobody.
type relays struct{}

func (relays) Issue(string) (string, string, time.Time) { return "name", "word", time.Unix(1, 0) }
func (relays) Revoke(string)                            {}

// begin starts a whole media process on its sockets.
func (o *office) begin() (*process, <-chan error) {
	o.t.Helper()
	u, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		o.t.Fatal(err)
	}
	p := &process{over: make(chan struct{})}
	if p.mux, err = port.NewMux(port.MuxConfig{Conns: []*net.UDPConn{u}}); err != nil {
		o.t.Fatal(err)
	}
	p.around.Store(&apart.Around{})
	p.plane, err = media.New(media.Config{Mux: p.mux, Relay: relays{},
		RelayURLs: func(reached string) []string { return []string{"turn:" + reached + p.around.Load().Reached} }})
	if err != nil {
		o.t.Fatal(err)
	}
	known := make(chan struct{})
	over := o.attend(func(control, door *net.UnixConn) {
		log := slog.New(slog.DiscardHandler)
		d := apart.NewDoor(door, p.mux.Stream, log)
		p.control, p.turn = control, d.TURN()
		close(known)
		p.served = apart.Serve(context.Background(), apart.ServeConfig{Control: control, Plane: p.plane, Log: log,
			Around: func(a apart.Around) { p.around.Store(&a) }, Alive: func() { p.mux.Stats() },
			Figures: func() apart.Figures { return apart.Figures{Port: p.mux.Stats(), Goroutines: 1} }})
		_ = errors.Join(p.plane.Close(), d.Close(), p.mux.Close(), control.Close()) // the door may be gone
		close(p.over)
	})
	<-known
	ctx, cancel := context.WithTimeout(o.t.Context(), patience)
	defer cancel()
	if err := o.plane.Await(ctx); err != nil {
		o.t.Fatal(err)
	}
	return p, over
}

func TestPlaneOfAnotherProcess(t *testing.T) {
	o := newOffice(t)
	p, over := o.begin()
	ctx := t.Context()
	access, err := o.plane.Join(ctx, media.Seat{ID: "a", Room: "r"})
	if err != nil || len(access.Relay) != 1 || access.Relay[0].URLs[0] != "turn:box:1" || access.Relay[0].Username != "name" {
		t.Fatalf("%+v, error %v", access, err)
	}
	o.plane.Around(apart.Around{Reached: "box:2"})
	if access, err = o.plane.Join(ctx, media.Seat{ID: "b", Room: "r"}); err != nil || access.Relay[0].URLs[0] != "turn:box:2" {
		t.Errorf("after a change: %+v, error %v", access, err)
	}
	if _, err := o.plane.Join(ctx, media.Seat{ID: "a", Room: "q"}); !errors.Is(err, media.ErrTaken) {
		t.Errorf("a seat that is taken: %v", err)
	}
	if _, err := o.plane.Publish(ctx, "a", media.Offer{SDP: "none"}); !errors.Is(err, media.ErrRefused) {
		t.Errorf("an offer that is none: %v", err)
	}
	if _, err := o.plane.Publish(ctx, "a", media.Offer{SDP: strings.Repeat("x", 2<<20)}); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("an offer of 2 MiB: %v", err)
	}
	if o.plane.Subscribed(ctx, "a", 1, "") == nil {
		t.Error("an answer to no offer was taken")
	}
	fine := errors.Join(o.plane.Restart(ctx, "a"), o.plane.Show(ctx, "a", []media.Shown{{Seat: "b", Source: media.Camera, Width: 640, Height: 360}}))
	if err := o.plane.Show(ctx, "a", []media.Shown{{Seat: "b", Source: media.Microphone}}); fine != nil || !errors.Is(err, media.ErrRefused) {
		t.Errorf("show a picture, and restart: %v, a sound: %v", fine, err)
	}
	if s := o.plane.Stats(ctx); len(s.Rooms) != 1 || len(s.Rooms[0].Seats) != 2 {
		t.Errorf("%+v", s)
	}
	if f, err := o.plane.Figures(ctx); err != nil || f.Goroutines != 1 {
		t.Errorf("%+v, error %v", f, err)
	}
	for range 2 {
		if err := o.plane.Leave(ctx, "a"); err != nil {
			t.Error(err)
		}
	}
	if s := o.plane.Stats(ctx); len(s.Rooms) != 1 || len(s.Rooms[0].Seats) != 1 {
		t.Errorf("%+v", s)
	}
	if err := o.plane.Close(ctx); err != nil {
		t.Error(err)
	}
	if err := <-over; err != nil {
		t.Errorf("attended until %v", err)
	}
	if <-p.over; p.served != nil {
		t.Errorf("served until %v", p.served)
	}
	if _, err := o.plane.Join(ctx, media.Seat{ID: "c", Room: "r"}); !errors.Is(err, media.ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
	if rooms := o.rooms(); len(rooms) > 0 {
		t.Errorf("of a plane that was closed %v ended", rooms)
	}
}

func TestEndOfTheProcessEndsItsRooms(t *testing.T) {
	o := newOffice(t)
	ctx := t.Context()
	p, over := o.begin()
	for seat, room := range map[media.SeatID]media.RoomID{"a": "r", "b": "r", "c": "q", "d": "left"} {
		if _, err := o.plane.Join(ctx, media.Seat{ID: seat, Room: room}); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.plane.Leave(ctx, "d"); err != nil {
		t.Fatal(err)
	}
	p.kill()
	if err := <-over; !errors.Is(err, io.EOF) {
		t.Errorf("it ended by %v", err)
	}
	o.eventually("both rooms are told", func() bool { return fmt.Sprint(o.rooms()) == "[q r]" })
	// Nobody is there: what the hall makes of each.
	if _, err := o.plane.Publish(ctx, "a", media.Offer{}); !errors.Is(err, context.Canceled) {
		t.Errorf("publish: %v", err)
	}
	if err := o.plane.Subscribed(ctx, "a", 1, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("subscribed: %v", err)
	}
	if err := o.plane.Leave(ctx, "a"); err != nil {
		t.Errorf("leave: %v", err)
	}
	if s := o.plane.Stats(ctx); s.Rooms == nil || len(s.Rooms) > 0 {
		t.Errorf("%+v", s)
	}
	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	if _, err := o.plane.Join(short, media.Seat{ID: "e", Room: "r"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("join that cannot wait: %v", err)
	}
	joined := make(chan error, 1)
	go func() {
		_, err := o.plane.Join(ctx, media.Seat{ID: "f", Room: "r"})
		joined <- err
	}()
	o.begin()
	if err := <-joined; err != nil {
		t.Errorf("join that waited: %v", err)
	}
	if _, err := o.plane.Publish(ctx, "a", media.Offer{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a seat of the last process: %v", err)
	}
	if fmt.Sprint(o.rooms()) != "[q r]" {
		t.Errorf("ended: %v", o.rooms())
	}
}

// silentlyReady is a process that is ready and then reads and says nothing but what is given.
func silentlyReady(say ...byte) func(control, door *net.UnixConn) {
	return func(control, door *net.UnixConn) {
		defer door.Close()
		defer control.Close()
		_, _ = control.Write(append(frame(5, ""), say...)) // the office may have hung up
		_, _ = io.Copy(io.Discard, control)                // until it does
	}
}

// frame is as package apart writes it: length, kind, number, body.
func frame(kind byte, body string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	return append(append(b, kind, 0, 0, 0, 0, 0, 0, 0, 0), body...)
}

func TestProcessThatHangsIsGivenUp(t *testing.T) {
	for name, theirs := range map[string]func(control, door *net.UnixConn){
		"reads": silentlyReady(),
		"reads nothing": func(control, door *net.UnixConn) {
			defer door.Close()
			_, _ = control.Write(frame(5, "")) // cannot be gone yet
			time.Sleep(2 * apart.HungAfter)    // it is the hanging that is tested
			control.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t)
			began := time.Now()
			over := o.attend(theirs)
			if err := o.plane.Await(t.Context()); err != nil {
				t.Fatal(err)
			}
			// More than the socket holds. Nobody waits for more than a moment.
			var calls sync.WaitGroup
			for i := range 20 {
				calls.Go(func() {
					short, cancel := context.WithTimeout(t.Context(), apart.HungAfter/2)
					defer cancel()
					_, _ = o.plane.Join(short, media.Seat{ID: media.SeatID(fmt.Sprint(i)), Room: "r", Reached: strings.Repeat("x", 100_000)})
				})
			}
			err := <-over
			if took := time.Since(began); err == nil || took > 2*apart.HungAfter {
				t.Errorf("after %v: %v", took, err)
			}
			calls.Wait()
		})
	}
}

// TestCallsEndWithTheProcess: nobody waits for an answer that cannot come any more.
func TestCallsEndWithTheProcess(t *testing.T) {
	o := newOffice(t)
	over := o.attend(func(control, door *net.UnixConn) {
		defer door.Close()
		defer control.Close()
		_, _ = control.Write(frame(5, "")) // as above
		b := make([]byte, 64<<10)
		for !bytes.Contains(b, []byte(`"figures"`)) {
			if _, err := control.Read(b); err != nil {
				t.Error(err)
				return
			}
		}
	})
	if err := o.plane.Await(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := o.plane.Figures(t.Context()); !errors.Is(err, context.Canceled) {
		t.Errorf("the call ended with %v", err)
	}
	if err := <-over; err == nil {
		t.Error("no reason")
	}
}

func TestHostileProcessIsCutOff(t *testing.T) {
	lost := frame(7, `{"kind":"lost","room":"r","seat":"s"}`)
	for name, say := range map[string][]byte{
		"no frame": []byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), "too long": {0, 0x40, 0, 1, 7, 0, 0, 0, 0, 0, 0, 0, 0},
		"malformed": frame(7, `{"kind":`), "unknown kind": frame(7, `{"kind":"fire"}`), "unknown field": frame(7, `{"kind":"lost","x":1}`),
		"answer to nothing": frame(6, `{}`), "ready again": frame(5, ""), "call": frame(2, `{}`), "deep": frame(7, strings.Repeat("[", 1<<20)),
		"flood": bytes.Repeat(lost, 20_000),
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t)
			began := time.Now()
			if err := <-o.attend(silentlyReady(say...)); err == nil || time.Since(began) > apart.HungAfter {
				t.Errorf("after %v: %v", time.Since(began), err)
			} else if strings.Contains(err.Error(), "fire") {
				t.Errorf("its own words are in the reason: %v", err)
			}
			if o.begin(); len(o.rooms()) > 0 {
				t.Errorf("ended: %v", o.rooms())
			}
		})
	}
}

// TestCallsForASeatKeepTheirOrder: whoever gave up waiting for a seat, and takes it away, leaves nobody behind.
func TestCallsForASeatKeepTheirOrder(t *testing.T) {
	o := newOffice(t)
	o.begin()
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			seat := media.Seat{ID: media.SeatID(fmt.Sprint("s", i)), Room: media.RoomID(fmt.Sprint("r", i%20))}
			short, cancel := context.WithTimeout(t.Context(), time.Duration(i%10)*100*time.Microsecond)
			defer cancel()
			_, _ = o.plane.Join(short, seat) // some get a seat, some do not
			if err := o.plane.Leave(t.Context(), seat.ID); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if s := o.plane.Stats(t.Context()); len(s.Rooms) > 0 {
		t.Errorf("left behind: %+v", s)
	}
}
