package apart

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"schalter/media/port"
)

// way says what comes through the door.
type way byte

const (
	iceTCP  way = 1 + iota // the TCP socket itself
	turnTCP                // likewise
	turnTLS                // one end of a socket pair, behind which is the inside of TLS
)

const (
	// mostRead is how many bytes may have been read from a connection that is passed on; its protocol is known after ten.
	mostRead = 64
	// anyPort stands for the caller's, which media is not told. It goes back to the browser as its mapped address, and Firefox's
	// transport hangs over a port of 0 (seen with 140). The discard protocol's says what it is.
	anyPort = 9
	// noteSize is the longest note: way, length of the network's address, address, bytes read.
	noteSize = 2 + 16 + mostRead
	// doorQueue is how many TURN connections wait for the relay to accept them; it does so at once. A further one is closed.
	doorQueue = 64
)

// note goes with a descriptor.
type note struct {
	way     way
	network netip.Addr // of turnTLS: the first address of the caller's network
	read    []byte
}

func (n note) pack() []byte {
	address := n.network.AsSlice()
	b := append([]byte{byte(n.way), byte(len(address))}, address...)
	return append(b, n.read...)
}

var errNote = errors.New("a note at the door is malformed")

func readNote(b []byte) (note, error) {
	if len(b) < 2 || len(b) > noteSize || len(b) < 2+int(b[1]) {
		return note{}, errNote
	}
	n := note{way: way(b[0]), read: b[2+int(b[1]):]}
	var ok bool
	n.network, ok = netip.AddrFromSlice(b[2 : 2+int(b[1])])
	switch {
	case len(n.read) > mostRead, n.way < iceTCP, n.way > turnTLS, n.way == turnTLS && !ok, n.way != turnTLS && b[1] != 0:
		return note{}, errNote
	}
	return n, nil
}

// passOn sends a note and a descriptor.
func passOn(door *net.UnixConn, n note, conn syscall.Conn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	err = raw.Control(func(fd uintptr) {
		if sent = door.SetWriteDeadline(time.Now().Add(sendFor)); sent == nil {
			_, _, sent = door.WriteMsgUnix(n.pack(), unix.UnixRights(int(fd)), nil)
		}
	})
	return errors.Join(err, sent)
}

// Door is where the media process gets the connections that the office passes on.
type Door struct {
	conn *net.UnixConn
	ice  func(net.Conn)
	turn *turnListener
	log  *slog.Logger
	wg   sync.WaitGroup

	mu     sync.Mutex
	closed bool                  // guarded by mu
	conns  map[net.Conn]struct{} // of ICE; guarded by mu
}

// NewDoor opens media's end. Ice serves one ICE-TCP connection until it ends: port.Mux.Stream. It ends by Close, or with the
// office.
func NewDoor(conn *net.UnixConn, ice func(net.Conn), log *slog.Logger) *Door {
	d := &Door{conn: conn, ice: ice, log: log, conns: make(map[net.Conn]struct{}),
		turn: &turnListener{conns: make(chan net.Conn, doorQueue), done: make(chan struct{})}}
	d.wg.Go(d.serve)
	return d
}

// TURN gives TURN connections, whose Read yields checked messages only. The address of their other side is that of its
// network where it came by TLS.
func (d *Door) TURN() net.Listener { return d.turn }

// Close takes nothing more, and ends the ICE connections.
func (d *Door) Close() error {
	d.mu.Lock()
	d.closed = true
	for c := range d.conns {
		_ = c.Close() // whatever becomes of it, it is over
	}
	d.mu.Unlock()
	err := d.conn.Close()
	d.wg.Wait()
	_ = d.turn.Close() // cannot fail
	return err
}

func (d *Door) serve() {
	b, oob := make([]byte, noteSize+1), make([]byte, unix.CmsgSpace(8*4))
	for {
		n, oobn, _, _, err := d.conn.ReadMsgUnix(b, oob)
		if err != nil || n == 0 {
			return // the office is gone, which Serve finds out too, or Close was called
		}
		conn, m, err := receive(b[:n], oob[:oobn])
		if err != nil {
			d.log.Warn("connection not taken over", "reason", err.Error())
			continue
		}
		if m.way == iceTCP {
			d.serveICE(conn)
			continue
		}
		d.turn.offer(port.Checked(conn))
	}
}

func (d *Door) serveICE(c net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		_ = c.Close() // nobody waits for it
		return
	}
	d.conns[c] = struct{}{}
	d.wg.Go(func() {
		d.ice(c)
		_ = c.Close() // it has ended
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.conns, c)
	})
}

// receive makes a connection of a note and a descriptor. It closes descriptors that it has no use for.
func receive(b, oob []byte) (net.Conn, note, error) {
	fds, err := descriptors(oob)
	if err != nil {
		return nil, note{}, err
	}
	defer func() {
		for _, fd := range fds {
			_ = unix.Close(fd) // what is used was duplicated
		}
	}()
	n, err := readNote(b)
	if err != nil {
		return nil, note{}, err
	}
	if len(fds) != 1 {
		return nil, note{}, errNote
	}
	file := os.NewFile(uintptr(fds[0]), "passed on")
	fds = nil
	defer file.Close()
	given, err := net.FileConn(file)
	if err != nil {
		return nil, note{}, fmt.Errorf("take over connection: %w", err)
	}
	c, err := port.Quiet(given)
	if err != nil {
		_ = given.Close() // not in use yet
		return nil, note{}, fmt.Errorf("take over connection: %w", err)
	}
	p := &passedOn{Conn: c, read: append([]byte(nil), n.read...), remote: c.RemoteAddr()}
	if n.way == turnTLS {
		p.remote = net.TCPAddrFromAddrPort(netip.AddrPortFrom(n.network, anyPort))
	}
	return p, n, nil
}

func descriptors(oob []byte) ([]int, error) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, errNote
	}
	var all []int
	for i := range messages {
		if fds, err := unix.ParseUnixRights(&messages[i]); err == nil {
			all = append(all, fds...)
		}
	}
	return all, nil
}

// passedOn is a connection that another process accepted.
type passedOn struct {
	net.Conn
	read   []byte // by that process already
	remote net.Addr
}

func (p *passedOn) Read(b []byte) (int, error) {
	if len(p.read) > 0 {
		n := copy(b, p.read)
		p.read = p.read[n:]
		return n, nil
	}
	return p.Conn.Read(b)
}

// RemoteAddr is the caller's; of a caller by TLS no more than the network is known.
func (p *passedOn) RemoteAddr() net.Addr { return p.remote }

// turnListener is the relay's listener.
type turnListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once

	mu     sync.Mutex
	closed bool // guarded by mu: nothing is put in conns any more
}

// offer queues a connection, or closes it by the queue's rule.
func (t *turnListener) offer(c net.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		select {
		case t.conns <- c:
			return
		default:
		}
	}
	_ = c.Close() // nobody takes it
}

func (t *turnListener) Accept() (net.Conn, error) {
	select {
	case c := <-t.conns:
		return c, nil
	case <-t.done:
		return nil, fmt.Errorf("accept: %w", net.ErrClosed)
	}
}

// Close ends Accept, and closes what nobody has accepted.
func (t *turnListener) Close() error {
	t.once.Do(func() {
		t.mu.Lock()
		t.closed = true
		t.mu.Unlock()
		close(t.done)
		for {
			select {
			case c := <-t.conns:
				_ = c.Close() // nobody takes it
			default:
				return
			}
		}
	})
	return nil
}

// Addr is unknown to the media process, which has no listening socket.
func (t *turnListener) Addr() net.Addr { return &net.TCPAddr{} }
