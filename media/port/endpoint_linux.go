package port

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// endpoint is a socket's descriptor, taken out of the runtime's poller. That one asks to be told when a socket can be
// written to as well as read, and a UDP socket says so anew whenever the kernel has freed a packet that we sent: with a
// net.UDPConn each message that leaves wakes a thread for nothing. So an epoll of our own asks for readability alone, and
// the runtime watches that.
//
// Calls that cannot wait are raw. An ordinary one tells the scheduler, and when all processors were idle that wakes the runtime's
// monitor, a thread that then looks around every 20 µs: more than a quarter of all that ten viewers cost.
type endpoint struct {
	ready *os.File // the epoll
	raw   syscall.RawConn

	mu     sync.RWMutex
	fd     int  // used under mu while not closed
	closed bool // guarded by mu
}

// newEndpoint takes over a socket; c is closed when it succeeds.
func newEndpoint(c socketConn) (*endpoint, error) {
	fd, err := duplicate(c)
	if err != nil {
		return nil, err
	}
	e := &endpoint{fd: fd}
	if err := e.watch(); err != nil {
		_ = unix.Close(e.fd) // not in use yet
		return nil, err
	}
	_ = c.Close() // its descriptor alone: ours keeps the socket
	return e, nil
}

// socketConn is any of package net's sockets.
type socketConn interface {
	syscall.Conn
	Close() error
}

// Descriptor takes a socket out of the runtime's hands: c is closed, and the descriptor is the caller's. It does not wait.
func Descriptor(c socketConn) (int, error) {
	fd, err := duplicate(c)
	if err == nil {
		_ = c.Close() // its descriptor alone: the other keeps the socket
	}
	return fd, err
}

func duplicate(c syscall.Conn) (int, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return -1, err
	}
	var inner error
	copied := -1
	err = raw.Control(func(fd uintptr) { copied, inner = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) })
	return copied, errors.Join(err, os.NewSyscallError("fcntl", inner))
}

func (e *endpoint) watch() error {
	poll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	err = unix.EpollCtl(poll, unix.EPOLL_CTL_ADD, e.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(e.fd)})
	if err == nil {
		err = unix.SetNonblock(poll, true) // or the runtime takes it for something that it cannot watch
	}
	if err != nil {
		_ = unix.Close(poll) // as above
		return os.NewSyscallError("epoll_ctl", err)
	}
	e.ready = os.NewFile(uintptr(poll), "epoll")
	if e.raw, err = e.ready.SyscallConn(); err != nil {
		_ = e.ready.Close() // as above
		return fmt.Errorf("watch socket: %w", err)
	}
	return nil
}

// use calls f with the descriptor, which stays open meanwhile.
func (e *endpoint) use(f func(fd uintptr)) error {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.closed {
		return net.ErrClosed
	}
	f(uintptr(e.fd))
	return nil
}

// read calls f until it says that it is done, each time when there may be something to read.
func (e *endpoint) read(f func(epoll uintptr) bool) error {
	err := e.raw.Read(f)
	if err != nil && e.use(func(uintptr) {}) != nil {
		return net.ErrClosed // the file's own error for it is not exported
	}
	return err
}

// send sends one packet. It does not wait.
func (e *endpoint) send(b []byte, p *path) error {
	if len(b) == 0 {
		return nil
	}
	var v unix.Iovec
	v.Base = &b[0]
	v.SetLen(len(b))
	h := unix.Msghdr{Name: &p.name.b[0], Namelen: p.name.n, Iov: &v}
	h.SetIovlen(1)
	if p.oobLen > 0 {
		h.Control = &p.oob[0]
		h.SetControllen(p.oobLen)
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.closed {
		return net.ErrClosed
	}
	for {
		_, _, errno := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(e.fd), uintptr(unsafe.Pointer(&h)), unix.MSG_DONTWAIT)
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
		case unix.EAGAIN:
			return errFull
		default:
			return errno
		}
	}
}

// close ends a read that waits, and the socket.
func (e *endpoint) close() error {
	e.mu.Lock()
	was := e.closed
	e.closed = true
	e.mu.Unlock()
	if was {
		return net.ErrClosed
	}
	// Nobody uses the descriptor any more.
	return errors.Join(e.ready.Close(), os.NewSyscallError("close", unix.Close(e.fd)))
}
