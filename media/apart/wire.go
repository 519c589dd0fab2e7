package apart

import (
	"errors"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"schalter/media/port"
)

// socket is a stream socket whose calls never wait. What it does not take at once waits in it.
type socket struct {
	fd      int
	backlog []byte
	since   time.Time // since when it has taken nothing of the backlog
	asked   uint32    // events that the epoll was asked for
	watched bool
}

// errWait says that there is nothing to read now. To crypto/tls it is no fault of the connection: reading may go on later, in the
// middle of a record too.
type errWait struct{}

func (errWait) Error() string   { return "nothing to read yet" }
func (errWait) Timeout() bool   { return true }
func (errWait) Temporary() bool { return true }

// waits makes of errWait none.
func waits(err error) error {
	if errors.As(err, new(errWait)) {
		return nil
	}
	return err
}

var errBacklog = errors.New("takes nothing and asks for more")

func (s *socket) behind() bool { return len(s.backlog) > 0 }

func (s *socket) stuck(now time.Time, takes time.Duration) bool {
	return s.behind() && now.Sub(s.since) >= takes
}

// receive reads what is there.
func (s *socket) receive(b []byte) (int, error) {
	n, errno := port.ReceiveNow(s.fd, b)
	switch {
	case errno == unix.EAGAIN:
		return 0, errWait{}
	case errno != 0:
		return 0, os.NewSyscallError("recv", errno)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// send sends b, or keeps what the socket does not take. It keeps a copy.
func (s *socket) send(b []byte) error {
	if s.behind() {
		if len(s.backlog)+len(b) > backlogMost {
			return errBacklog
		}
		s.backlog = append(s.backlog, b...)
		return nil
	}
	n, err := s.transmit(b)
	if err != nil {
		return err
	}
	if n < len(b) {
		s.backlog, s.since = append([]byte(nil), b[n:]...), time.Now()
	}
	return nil
}

// moveOn sends what was kept.
func (s *socket) moveOn() error {
	n, err := s.transmit(s.backlog)
	if n > 0 {
		s.backlog, s.since = s.backlog[n:], time.Now()
	}
	if len(s.backlog) == 0 {
		s.backlog = nil // a slow one keeps no memory
	}
	return err
}

// transmit sends as much as the socket takes.
func (s *socket) transmit(b []byte) (int, error) {
	n, errno := port.SendNow(s.fd, b)
	if errno != 0 && errno != unix.EAGAIN {
		return n, os.NewSyscallError("send", errno)
	}
	return n, nil
}

// shut closes the socket, if there is one, which takes it out of the epoll too: it is nobody else's.
func (s *socket) shut() {
	if s.fd >= 0 {
		_ = unix.Close(s.fd) // whatever becomes of it, it is over
	}
}

// wire is what TLS runs over: the browser's socket.
type wire struct {
	socket
	net.Conn // whose addresses these are; closed
}

func (w *wire) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	return w.receive(b)
}

// Write takes everything: after half a record TLS could not go on.
func (w *wire) Write(b []byte) (int, error) {
	if err := w.send(b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Close does nothing: the pump closes the socket once TLS has taken its leave.
func (w *wire) Close() error { return nil }

// SetDeadline does nothing, like its siblings: no call waits.
func (w *wire) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing.
func (w *wire) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing.
func (w *wire) SetWriteDeadline(time.Time) error { return nil }
