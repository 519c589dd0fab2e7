package relay

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"schalter/media/port"
)

const (
	pipeSize  = 256  // packets to the browser
	pipeMedia = 224  // media is dropped from here on
	pipePeers = 16   // addresses of the SFU that one allocation talks to
	pipeMTU   = 1600 // the library's buffer
)

// pipe is the relay "socket" of an allocation.
type pipe struct {
	conn   *connection
	seat   string
	remote *port.Remote

	peers atomic.Pointer[[]*peer] // replaced, never changed, under mu

	mu     sync.Mutex
	some   sync.Cond
	ring   [pipeSize]parcel // guarded by mu; the buffers are used again
	head   int              // guarded by mu
	length int              // guarded by mu
	given  *peer            // whose packet the library has now; guarded by mu
	closed bool             // guarded by mu
}

// parcel is a packet to the browser.
type parcel struct {
	from *peer
	b    []byte
}

// peer is one address of the SFU that the browser has talked to.
type peer struct {
	key  netip.AddrPort
	addr *net.UDPAddr // for the library; shared, never written

	channel atomic.Uint32 // by which the library sends what comes from here; 0: not known
	until   atomic.Int64  // so long that is believed, Unix nanoseconds
}

func newPipe(c *connection, seat string) (*pipe, error) {
	p := &pipe{conn: c, seat: seat}
	p.some.L = &p.mu
	var err error
	if p.remote, err = c.relay.cfg.Attach(p.send, p.flush); err != nil {
		return nil, err
	}
	return p, nil
}

// WriteTo takes a packet of the browser to the SFU, or drops it: dropping is no error, lest the library writes a line for
// each.
func (p *pipe) WriteTo(b []byte, to net.Addr) (int, error) {
	r := p.conn.relay
	u, ok := to.(*net.UDPAddr)
	if !ok {
		r.count.astray.Add(1)
		return len(b), nil
	}
	a, _ := netip.AddrFromSlice(u.IP)
	peer := p.peer(netip.AddrPortFrom(a, uint16(u.Port)))
	if peer == nil {
		r.count.astray.Add(1)
		return len(b), nil
	}
	now := r.cfg.Now().UnixNano()
	p.conn.heard.Store(now)
	if len(b) > 0 && b[0] >= 20 { // DTLS or media: checks may take every way, these the two that are in use
		if !p.conn.carrying.Load() && !r.carry(p.conn, p.seat) {
			r.count.unused.Add(1)
			return len(b), nil
		}
		p.conn.carried.Store(now)
	}
	r.count.inbound.Add(1)
	p.remote.Deliver(b, peer.key)
	return len(b), nil
}

// peer finds the address of the SFU that a packet is for. Nil: not one, or too many.
func (p *pipe) peer(key netip.AddrPort) *peer {
	if q := p.known(key); q != nil {
		return q
	}
	if !p.conn.relay.advertised(key) {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []*peer
	if old := p.peers.Load(); old != nil {
		all = *old
	}
	if len(all) >= pipePeers {
		return nil
	}
	q := &peer{key: key, addr: net.UDPAddrFromAddrPort(key)}
	grown := append(append(make([]*peer, 0, len(all)+1), all...), q)
	p.peers.Store(&grown)
	return q
}

func (p *pipe) known(key netip.AddrPort) *peer {
	if all := p.peers.Load(); all != nil {
		for _, q := range *all {
			if q.key == key {
				return q
			}
		}
	}
	return nil
}

func (r *Relay) advertised(key netip.AddrPort) bool {
	for _, a := range r.cfg.Peers() {
		if a == key {
			return true
		}
	}
	return false
}

// push queues a packet for the library, or drops it by the queue's rule.
func (p *pipe) push(b []byte, from *peer, media bool) error {
	limit := pipeSize
	if media {
		limit = pipeMedia
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return net.ErrClosed
	}
	if p.length >= limit {
		p.mu.Unlock()
		return p.full()
	}
	slot := &p.ring[(p.head+p.length)%pipeSize]
	slot.b = append(slot.b[:0], b...)
	slot.from = from
	p.length++
	p.mu.Unlock()
	p.some.Signal()
	return nil
}

func (p *pipe) full() error {
	p.conn.relay.count.overflow.Add(1)
	return port.Full()
}

// ReadFrom gives the library the next packet for the browser.
func (p *pipe) ReadFrom(b []byte) (int, net.Addr, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.given = nil // without a word of it the library has dropped it
	for p.length == 0 && !p.closed {
		p.some.Wait()
	}
	if p.closed {
		return 0, nil, net.ErrClosed
	}
	slot := &p.ring[p.head]
	n := copy(b, slot.b)
	p.head = (p.head + 1) % pipeSize
	p.length--
	p.given = slot.from
	p.conn.relay.count.outbound.Add(1)
	return n, slot.from.addr, nil
}

// busy tells whether a packet is with the library, or on its way there: then others wait behind it, for the order.
func (p *pipe) busy() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.length > 0 || p.given != nil || p.closed
}

// Close ends the allocation.
func (p *pipe) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	p.mu.Unlock()
	p.some.Broadcast()
	p.remote.Close()
	p.conn.released()
	return nil
}

// LocalAddr is the relayed address: the one by which the SFU knows this allocation, so that a browser learns the same
// address from its checks and sees no further candidate in it.
func (p *pipe) LocalAddr() net.Addr { return p.remote.Addr() }

// SetDeadline does nothing: the library sets none.
func (p *pipe) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing.
func (p *pipe) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing.
func (p *pipe) SetWriteDeadline(time.Time) error { return nil }
