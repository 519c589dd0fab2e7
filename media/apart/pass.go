package apart

import (
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"schalter/media/port"
)

const (
	// mostCopies is what the relay serves, and some that it is about to replace.
	mostCopies = 2048 + 256
	// A TLS record holds 16 KiB: several packets to the browser leave in one. From the browser comes one at a time.
	toBrowser, fromBrowser = 16 << 10, 4 << 10
	// copyFor is how long a write of a copied connection may take. Who takes nothing for so long is gone.
	copyFor = 10 * time.Second
	// pairBuffer is what lies between the two processes, in bytes each way: some 50 packets, lest they grow old there.
	pairBuffer = 64 << 10
)

// Pass passes a connection on to the media process, whose it is from now on. While that is away the connection is closed.
func (p *Plane) Pass(c port.Passed) {
	l := p.present()
	if l == nil || len(c.Read) > mostRead {
		_ = c.Conn.Close() // the browser finds out and comes again
		return
	}
	tcp, ok := c.Conn.(*net.TCPConn)
	if !ok {
		p.passInside(l, c)
		return
	}
	n := note{way: iceTCP, read: c.Read}
	if c.TURN {
		n.way = turnTCP
	}
	if err := passOn(l.door, n, tcp); err != nil {
		p.log.Debug("connection not passed on", "turn", c.TURN)
	}
	_ = tcp.Close() // this process's end of it
}

// passInside passes on the inside of a TLS connection, whose keys stay here.
func (p *Plane) passInside(l *life, c port.Passed) {
	caller, ok := c.Conn.RemoteAddr().(*net.TCPAddr)
	if !ok {
		_ = c.Conn.Close() // nobody whom limits could count
		return
	}
	near, far, err := Pair(unix.SOCK_STREAM)
	if err != nil {
		p.log.Warn("connection not passed on", "turn", true, "error", err)
		_ = c.Conn.Close() // as above
		return
	}
	for _, c := range []*net.UnixConn{near, far} {
		_ = c.SetWriteBuffer(pairBuffer) // a larger one works too
	}
	n := note{way: turnTLS, network: port.Network(caller.AddrPort().Addr()).Addr(), read: c.Read}
	err = passOn(l.door, n, far)
	_ = far.Close() // media has its own by now, or never will
	if err != nil || !p.copies.add(&copied{c.Conn, near}) {
		_ = c.Conn.Close() // the browser finds out, and so does media
		_ = near.Close()
	}
}

// Pair makes two connected Unix sockets of the kind: unix.SOCK_STREAM for control, unix.SOCK_SEQPACKET for the door.
func Pair(kind int) (near, far *net.UnixConn, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	if near, err = unixConn(fds[0]); err != nil {
		_ = unix.Close(fds[1]) // not in use yet
		return nil, nil, err
	}
	if far, err = unixConn(fds[1]); err != nil {
		_ = near.Close() // as above
		return nil, nil, err
	}
	return near, far, nil
}

// unixConn takes over a descriptor.
func unixConn(fd int) (*net.UnixConn, error) {
	file := os.NewFile(uintptr(fd), "pair")
	defer file.Close()
	c, err := net.FileConn(file)
	if err != nil {
		return nil, err
	}
	return c.(*net.UnixConn), nil
}

// copied is a TLS connection and the socket by which its inside goes to media.
type copied struct {
	browser net.Conn
	media   *net.UnixConn
}

func (c *copied) close() {
	_ = c.media.Close() // whatever becomes of them, it is over
	_ = c.browser.Close()
}

// run copies both ways until one side ends. Silence ends nothing here: media knows how long it may last.
func (c *copied) run() {
	var way sync.WaitGroup
	way.Go(func() {
		defer c.close()
		carry(c.media, c.browser, make([]byte, fromBrowser))
	})
	defer way.Wait()
	defer c.close()
	carry(c.browser, c.media, make([]byte, toBrowser))
}

func carry(to, from net.Conn, buf []byte) {
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if to.SetWriteDeadline(time.Now().Add(copyFor)) != nil {
				return
			}
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// copies are all that are copied now.
type copies struct {
	wg sync.WaitGroup

	mu     sync.Mutex
	closed bool                 // guarded by mu
	all    map[*copied]struct{} // guarded by mu
}

// add begins to copy. False: there are too many.
func (s *copies) add(c *copied) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.all) >= mostCopies {
		return false
	}
	if s.all == nil {
		s.all = make(map[*copied]struct{})
	}
	s.all[c] = struct{}{}
	s.wg.Go(func() {
		c.run()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.all, c)
	})
	return true
}

func (s *copies) close() {
	s.mu.Lock()
	s.closed = true
	for c := range s.all {
		s.wg.Go(c.close) // TLS takes leave of a browser, who may not listen
	}
	s.mu.Unlock()
	s.wg.Wait()
}
