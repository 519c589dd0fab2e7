package port

import (
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

const (
	queueSize  = 512 // packets
	queueMedia = 480 // media is dropped from here on, so that checks and handshakes still get through
)

// conn is the queue of one ufrag and family: the net.PacketConn that an ICE agent reads and writes.
type conn struct {
	mux   *Mux
	peer  *peer
	ufrag string
	v6    bool
	local *net.UDPAddr

	known atomic.Pointer[[]*remote] // addresses seen, at most maxRemotes; replaced, never changed, under mux.mu
	ended atomic.Bool               // closed, for writers, who do not take mu

	mu     sync.Mutex
	some   sync.Cond          // something came, or the end
	ring   [queueSize]*packet // guarded by mu
	head   int                // guarded by mu
	length int                // guarded by mu
	closed bool               // guarded by mu
}

func newConn(m *Mux, p *peer, ufrag string, local *net.UDPAddr) *conn {
	c := &conn{mux: m, peer: p, ufrag: ufrag, v6: local.IP.To4() == nil, local: local}
	c.some.L = &c.mu
	return c
}

func (c *conn) remotes() []*remote {
	if p := c.known.Load(); p != nil {
		return *p
	}
	return nil
}

func (c *conn) find(key netip.AddrPort) *remote {
	for _, r := range c.remotes() {
		if r.key == key {
			return r
		}
	}
	return nil
}

// push queues a packet, or refuses it by the queue's drop rule.
func (c *conn) push(p *packet, k kind) bool {
	c.mu.Lock()
	queued := c.pushLocked(p, k)
	c.mu.Unlock()
	c.some.Signal()
	return queued
}

func (c *conn) pushLocked(p *packet, k kind) bool {
	if c.closed || c.length == queueSize || k == mediaPacket && c.length >= queueMedia {
		return false
	}
	c.ring[(c.head+c.length)%queueSize] = p
	c.length++
	return true
}

// Waiting tells how many packets are in the queue: a reader that finds none has taken all that came at one go, and sends
// what it has made of them.
func (c *conn) Waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.length
}

// ReadFrom gives the next packet. It ends with io.EOF.
func (c *conn) ReadFrom(b []byte) (int, net.Addr, error) {
	c.mu.Lock()
	for c.length == 0 && !c.closed {
		c.some.Wait()
	}
	if c.closed {
		c.mu.Unlock()
		return 0, nil, io.EOF
	}
	p := c.ring[c.head]
	c.ring[c.head] = nil
	c.head = (c.head + 1) % queueSize
	c.length--
	c.mu.Unlock()
	from := p.from
	if len(b) < p.n {
		c.mux.release(p)
		return 0, from, io.ErrShortBuffer
	}
	n := copy(b, p.buf[:p.n])
	c.mux.release(p)
	return n, from, nil
}

// WriteTo sends a packet to an address that has passed a check, and drops it otherwise: that is no error, as a datagram
// may always be lost.
func (c *conn) WriteTo(b []byte, to net.Addr) (int, error) {
	u, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, net.InvalidAddrError("not a UDP address")
	}
	if c.ended.Load() {
		return 0, io.ErrClosedPipe
	}
	r := c.find(keyOf(u))
	if r == nil {
		c.mux.count.unasked.Add(1)
		return len(b), nil
	}
	r.write(b)
	return len(b), nil
}

// Close ends the queue; a waiting ReadFrom returns.
func (c *conn) Close() error {
	c.shut()
	c.mux.removed(c)
	return nil
}

// shut ends the queue without telling the mux, whose lock may be held.
func (c *conn) shut() {
	c.mu.Lock()
	c.closed = true
	c.ended.Store(true)
	for c.length > 0 {
		c.mux.release(c.ring[c.head])
		c.ring[c.head] = nil
		c.head = (c.head + 1) % queueSize
		c.length--
	}
	c.mu.Unlock()
	c.some.Broadcast()
}

// LocalAddr is the address that GetConn was asked for.
func (c *conn) LocalAddr() net.Addr { return c.local }

// SetDeadline and its siblings do nothing: the ICE agent sets one only to wake the reader, which Close does.
func (c *conn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing.
func (c *conn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing.
func (c *conn) SetWriteDeadline(time.Time) error { return nil }

func (m *Mux) take() *packet {
	return m.pool.Get().(*packet)
}

func (m *Mux) release(p *packet) {
	p.from = nil
	m.pool.Put(p)
}

// keyOf is the address without zone, as agents keep none.
func keyOf(u *net.UDPAddr) netip.AddrPort {
	a, _ := netip.AddrFromSlice(u.IP)
	return netip.AddrPortFrom(a.Unmap(), uint16(u.Port))
}
