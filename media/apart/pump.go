package apart

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// mostCarried is what the relay serves, and some that it is about to replace.
	mostCarried = 2048 + 256
	// A TLS record holds 16 KiB: several packets to the browser leave in one. From the browser comes one at a time.
	toBrowser, fromBrowser = 16 << 10, 4 << 10
	// turns is how often one connection is served in a row while others wait.
	turns = 8
	// backlogMost bounds what a browser has not taken, in bytes: one read of media as TLS sends it. More comes only of a browser
	// that asks for answers of TLS and does not take them.
	backlogMost = 64 << 10
	// takesWithin is how long a side may take nothing of what waits for it. Then it counts as gone.
	takesWithin = 10 * time.Second
)

// pump carries the insides of all TLS connections between browsers and the media process, in one goroutine. The packets of a
// picture come for all viewers at once: one wake-up serves them all, where a goroutine for each way of each connection
// had the scheduler wake up for each. Its sockets are in an epoll of its own, which asks for what can be done alone (see
// port's endpoint), and its calls are raw: none of them waits.
//
// What a side does not take waits, at most backlogMost bytes, and meanwhile nothing is read for it: so the other side waits
// too, and media's relay drops by its own rule. Nobody else waits for a slow one.
type pump struct {
	ready *os.File // the epoll, as the runtime watches it
	takes time.Duration
	ended chan struct{}

	mu      sync.Mutex
	closed  bool               // guarded by mu
	all     map[int32]*carried // guarded by mu
	serial  int32              // guarded by mu; the last name given
	again   []*carried         // guarded by mu; had more than their turns
	sweeper *time.Timer        // guarded by mu; nil while nobody is behind
	events  [64]unix.EpollEvent
	buf     [toBrowser]byte // guarded by mu
}

// Sides of a connection, as the epoll names them.
const (
	browserSide int32 = iota
	mediaSide
)

// newPump starts one; close ends it. A side that takes nothing for so long is given up.
func newPump(takes time.Duration) (*pump, error) {
	poll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err == nil {
		if err = unix.SetNonblock(poll, true); err != nil { // or the runtime takes it for something that it cannot watch
			_ = unix.Close(poll) // not in use yet
		}
	}
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	p := &pump{takes: takes, ready: os.NewFile(uintptr(poll), "epoll"), ended: make(chan struct{}), all: make(map[int32]*carried)}
	raw, err := p.ready.SyscallConn()
	if err != nil {
		_ = p.ready.Close() // as above
		return nil, fmt.Errorf("watch sockets: %w", err)
	}
	go p.run(raw)
	return p, nil
}

// run serves until the epoll is closed.
func (p *pump) run(raw syscall.RawConn) {
	defer close(p.ended)
	for raw.Read(p.serve) == nil {
	}
}

// serve does what can be done. False: nothing, so it is time to wait.
func (p *pump) serve(poll uintptr) bool {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_WAIT, poll, uintptr(unsafe.Pointer(&p.events[0])), uintptr(len(p.events)), 0, 0, 0)
	if errno != 0 {
		n = 0 // EINTR: what there is will be told again
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	again := p.again
	p.again = nil
	for _, e := range p.events[:n] {
		if c := p.all[e.Fd]; c != nil {
			p.look(c, e.Pad, e.Events)
		}
	}
	for _, c := range again {
		if !c.over {
			p.look(c, browserSide, unix.EPOLLIN)
		}
	}
	return n > 0 || len(p.again) > 0
}

// look serves one side of a connection. p.mu is held.
func (p *pump) look(c *carried, side int32, events uint32) {
	var err error
	if events&unix.EPOLLOUT != 0 {
		err = c.moveOn(side)
	}
	if err == nil && events&(unix.EPOLLIN|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		err = p.carry(c, side)
	}
	if err == nil && events&unix.EPOLLOUT != 0 {
		err = p.carry(c, 1-side) // it had to wait
	}
	if err == nil && events&(unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		err = io.EOF
	}
	if err == nil {
		err = p.watch(c)
	}
	if err != nil {
		p.drop(c)
	}
}

// carry takes what a side has, as far as the other takes it.
func (p *pump) carry(c *carried, from int32) error {
	if from == mediaSide {
		return c.outward(p.buf[:])
	}
	more, err := c.inward(p.buf[:fromBrowser])
	if more {
		p.again = append(p.again, c)
	}
	return err
}

// watch asks the epoll for what can be done next. Whatever has to wait is swept up when it has waited too long.
func (p *pump) watch(c *carried) error {
	if p.sweeper == nil && (c.wire.behind() || c.media.behind()) {
		p.sweeper = time.AfterFunc(p.takes, p.sweep)
	}
	browser, media := uint32(unix.EPOLLIN), uint32(unix.EPOLLIN)
	if c.media.behind() {
		browser, media = 0, media|unix.EPOLLOUT
	}
	if c.wire.behind() {
		browser, media = browser|unix.EPOLLOUT, media&^unix.EPOLLIN
	}
	return errors.Join(p.ask(c.id, browserSide, &c.wire.socket, browser), p.ask(c.id, mediaSide, &c.media, media))
}

func (p *pump) ask(id, side int32, s *socket, events uint32) error {
	if s.asked == events && s.watched {
		return nil
	}
	how := unix.EPOLL_CTL_MOD
	if !s.watched {
		how = unix.EPOLL_CTL_ADD
	}
	var err error
	raw, inner := p.ready.SyscallConn()
	if inner == nil {
		inner = raw.Control(func(poll uintptr) {
			err = unix.EpollCtl(int(poll), how, s.fd, &unix.EpollEvent{Events: events, Fd: id, Pad: side})
		})
	}
	s.asked, s.watched = events, true
	return errors.Join(inner, err)
}

// add begins to carry. False: there are too many, or the pump is closed, or the connection is over; then it is closed.
func (p *pump) add(c *carried) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.all) >= mostCarried {
		c.close()
		return false
	}
	for p.serial++; p.all[p.serial] != nil; p.serial++ {
	}
	c.id = p.serial
	p.all[c.id] = c
	// TLS may hold a record that it read with its handshake, of which no epoll knows: that much is taken in two rounds.
	for range 2 {
		if p.look(c, browserSide, unix.EPOLLIN); c.over {
			return false
		}
	}
	return true
}

func (p *pump) drop(c *carried) {
	delete(p.all, c.id)
	c.close()
}

// sweep ends those that take nothing.
func (p *pump) sweep() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweeper = nil
	if p.closed {
		return
	}
	now, behind := time.Now(), false
	for _, c := range p.all {
		switch {
		case c.wire.stuck(now, p.takes) || c.media.stuck(now, p.takes):
			p.drop(c)
		case c.wire.behind() || c.media.behind():
			behind = true
		}
	}
	if behind {
		p.sweeper = time.AfterFunc(p.takes/4, p.sweep)
	}
}

// close ends all connections and waits.
func (p *pump) close() {
	p.mu.Lock()
	p.closed = true
	for _, c := range p.all {
		p.drop(c)
	}
	if p.sweeper != nil {
		p.sweeper.Stop()
	}
	p.mu.Unlock()
	_ = p.ready.Close() // ends run; a second time does nothing
	<-p.ended
}

// carried is a TLS connection and the socket by which its inside goes to media. It is the pump's, under its lock.
type carried struct {
	id    int32
	tls   net.Conn // over wire
	wire  *wire
	media socket
	over  bool
}

// moveOn sends what a side had not taken.
func (c *carried) moveOn(side int32) error {
	if side == browserSide {
		return c.wire.moveOn()
	}
	return c.media.moveOn()
}

// outward takes what media has for the browser.
func (c *carried) outward(buf []byte) error {
	for range turns {
		if c.wire.behind() {
			return nil
		}
		n, err := c.media.receive(buf)
		if n > 0 {
			if _, err := c.tls.Write(buf[:n]); err != nil {
				return err
			}
		}
		if err != nil || n < len(buf) {
			return waits(err)
		}
	}
	return nil // the epoll tells again
}

// inward takes what the browser has for media. More: TLS may hold more, of which the epoll does not know.
func (c *carried) inward(buf []byte) (more bool, err error) {
	for range turns {
		if c.media.behind() {
			return false, nil
		}
		n, err := c.tls.Read(buf)
		if n > 0 {
			if err := c.media.send(buf[:n]); err != nil {
				return false, err
			}
		}
		if err != nil {
			return false, waits(err)
		}
	}
	return true, nil
}

// close ends both sides. The browser is told if it listens.
func (c *carried) close() {
	if c.over {
		return
	}
	c.over = true
	_ = c.tls.Close() // says so over the wire, as far as that takes it
	c.wire.socket.shut()
	c.media.shut()
}
