package port

import (
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// quiet is a stream socket out of the runtime's poller, which would be woken each time the other side has taken something. Its
// calls are raw, see endpoint.
type quiet struct {
	end           *endpoint
	local, remote net.Addr

	reading sync.Mutex
	in      []byte // guarded by reading
	n       int    // guarded by reading
	errno   unix.Errno
	done    bool
	take    func(fd uintptr)
	look    func(epoll uintptr) bool

	writing sync.Mutex
	out     []byte     // guarded by writing
	sent    int        // guarded by writing
	failed  unix.Errno // guarded by writing
	give    func(fd uintptr)
	until   atomic.Int64 // writes are given up then, Unix nanoseconds; 0: never
}

// Waits of a writer whose socket is full. It is behind by 64 KiB, and so a second or so of pictures: nothing is gained by
// waking up the moment there is room again.
const (
	firstRoom = time.Millisecond
	lastRoom  = 32 * time.Millisecond
)

// Quiet takes a stream socket over: c must not be used any more. Read and Close work as ever; a Write that finds the socket full
// looks again after a while.
func Quiet(c net.Conn) (net.Conn, error) {
	s, ok := c.(socketConn)
	if !ok {
		return c, nil
	}
	q := &quiet{local: c.LocalAddr(), remote: c.RemoteAddr()}
	var err error
	if q.end, err = newEndpoint(s); err != nil {
		return nil, err
	}
	q.take, q.give = q.receive, q.transmit
	q.look = func(uintptr) bool {
		q.done = false
		return q.end.use(q.take) != nil || q.done
	}
	return q, nil
}

func (q *quiet) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	q.reading.Lock()
	defer q.reading.Unlock()
	q.in, q.n, q.errno = b, 0, 0
	err := q.end.read(q.look)
	q.in = nil
	switch {
	case err != nil:
		return 0, err
	case q.errno != 0:
		return 0, os.NewSyscallError("recv", q.errno)
	case q.n == 0:
		if q.end.use(func(uintptr) {}) != nil {
			return 0, net.ErrClosed
		}
		return 0, io.EOF
	}
	return q.n, nil
}

func (q *quiet) receive(fd uintptr) {
	q.n, q.errno = ReceiveNow(int(fd), q.in)
	if q.errno == unix.EAGAIN {
		q.errno = 0
		return
	}
	q.done = true
}

func (q *quiet) Write(b []byte) (int, error) {
	q.writing.Lock()
	defer q.writing.Unlock()
	q.out, q.sent = b, 0
	defer func() { q.out = nil }()
	for pause := firstRoom; ; pause = min(2*pause, lastRoom) {
		if err := q.end.use(q.give); err != nil {
			return q.sent, err
		}
		switch {
		case q.sent == len(b):
			return q.sent, nil
		case q.failed != unix.EAGAIN:
			return q.sent, os.NewSyscallError("send", q.failed)
		}
		if until := q.until.Load(); until != 0 && time.Now().UnixNano() >= until {
			return q.sent, os.ErrDeadlineExceeded
		}
		time.Sleep(pause)
	}
}

// WriteNow sends what the socket takes at once.
func (q *quiet) WriteNow(b []byte) (int, error) {
	if !q.writing.TryLock() {
		return 0, nil // a write waits
	}
	defer q.writing.Unlock()
	q.out, q.sent, q.failed = b, 0, 0
	defer func() { q.out = nil }()
	if err := q.end.use(q.give); err != nil {
		return 0, err
	}
	if q.failed != 0 && q.failed != unix.EAGAIN {
		return q.sent, os.NewSyscallError("send", q.failed)
	}
	return q.sent, nil
}

// transmit sends as much as the socket takes.
func (q *quiet) transmit(fd uintptr) {
	n, errno := SendNow(int(fd), q.out[q.sent:])
	q.sent, q.failed = q.sent+n, errno
}

func (q *quiet) Close() error         { return q.end.close() }
func (q *quiet) LocalAddr() net.Addr  { return q.local }
func (q *quiet) RemoteAddr() net.Addr { return q.remote }

func (q *quiet) SetDeadline(t time.Time) error {
	_ = q.SetWriteDeadline(t) // cannot fail
	return q.SetReadDeadline(t)
}

func (q *quiet) SetReadDeadline(t time.Time) error { return q.end.ready.SetReadDeadline(t) }

func (q *quiet) SetWriteDeadline(t time.Time) error {
	if t.IsZero() {
		q.until.Store(0)
	} else {
		q.until.Store(t.UnixNano())
	}
	return nil
}
