package port

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// path is how packets reach a remote: the socket its packets came to, and the control message that makes replies leave
// from the address they came to; for a virtual one that address alone. Immutable but for single.
type path struct {
	socket *socket
	to     netip.AddrPort // with zone
	name   sockaddr       // the same for system calls
	oob    [oobSize]byte
	oobLen int
	at     netip.AddrPort
	single atomic.Bool // the kernel refused a message of several packets, mostly for the path's MTU
}

// segments tells whether several packets may leave as one message.
func (p *path) segments() bool { return !p.single.Load() && p.socket.segments() }

// remote is an address as seen by one conn. An address known to several conns has a remote in each; at most one of them
// owns it.
type remote struct {
	conn    *conn
	key     netip.AddrPort
	addr    *net.UDPAddr // key, for packets; shared, never written
	virtual *Remote      // nil for a real one
	route   atomic.Pointer[path]
	consent atomic.Int64 // mux.clock when it last allowed us to send to it; 0 never
	owned   atomic.Bool  // a check of it was answered
	claims  atomic.Bool  // it wants its address, which is another's; written under mux.mu
	gone    atomic.Bool  // conn does not know it any more
	asking  atomic.Int64 // mux.clock of our own last check
	unheard atomic.Int64 // mux.clock of our first check since the last one that was answered
	credit  atomic.Int64 // bytes of DTLS sent before it first allowed us to send

	mu     sync.Mutex
	checks [8]check    // the last Binding requests; guarded by mu
	next   int         // guarded by mu
	own    [4][12]byte // ids of our own last checks; guarded by mu
	ownAt  int         // guarded by mu
}

// check is a Binding request that waits for its answer.
type check struct {
	id       [12]byte
	path     *path
	nominate bool
}

// source is where a packet came from.
type source struct {
	key     netip.AddrPort
	virtual *Remote
	at      netip.AddrPort // where a virtual remote sent it
	socket  *socket
	from    netip.AddrPort // with zone
	local   localAddr
}

func (s *source) newPath() *path {
	if s.virtual != nil {
		return &path{at: s.at}
	}
	p := &path{socket: s.socket, to: s.from}
	s.socket.putName(&p.name, s.from)
	p.oobLen = s.socket.putLocal(p.oob[:], s.local)
	return p
}

// samePath tells whether packets of this source already take p.
func (s *source) samePath(p *path) bool {
	if p == nil || s.virtual != nil {
		return p != nil && p.at == s.at
	}
	var oob [oobSize]byte
	n := s.socket.putLocal(oob[:], s.local)
	return p.socket == s.socket && p.to == s.from && p.oobLen == n && p.oob == oob
}

// asked notes a Binding request, so that its answer leaves from the address it came to: the same remote may check
// several addresses of the box at once, and an answer from another one fails the check (RFC 8445 section 7.2.5.2.1).
func (r *remote) asked(b []byte, s *source, nominate bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := &r.checks[r.next]
	r.next = (r.next + 1) % len(r.checks)
	copy(c.id[:], b[8:20])
	c.nominate = nominate
	if p := r.route.Load(); s.samePath(p) {
		c.path = p
		return
	}
	for i := range r.checks {
		if p := r.checks[i].path; p != nil && s.samePath(p) {
			c.path = p
			return
		}
	}
	c.path = s.newPath()
}

// answered finds the request that a response answers.
func (r *remote) answered(b []byte) (p *path, nominate, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.checks {
		if c := &r.checks[i]; c.id == [12]byte(b[8:20]) {
			return c.path, c.nominate, true
		}
	}
	return nil, false, false
}

// write sends one packet of the agent to this remote, if it may be sent to.
func (r *remote) write(b []byte) {
	m := r.conn.mux
	if len(b) >= stunHeader && isSTUN(b) {
		switch binary.BigEndian.Uint16(b) {
		case bindingSuccess, bindingError:
			r.respond(b)
			return
		}
	}
	if !r.allowedAt(b, m.clock()) {
		m.count.unasked.Add(1)
		return
	}
	r.send(b, r.route.Load())
}

// respond sends an answer the way its request came. A success response says that the agent found the request genuine:
// it makes this conn the owner of the address, or at least a claimant.
func (r *remote) respond(b []byte) {
	m := r.conn.mux
	p, nominate, ok := r.answered(b)
	if !ok {
		m.count.unasked.Add(1)
		return
	}
	if binary.BigEndian.Uint16(b) == bindingSuccess {
		if p != nil && (nominate || r.route.Load() == nil) {
			r.route.Store(p)
		}
		m.own(r)
		r.owned.Store(true)
		r.conn.peer.outlet.answered(r, nominate)
		r.renew(p)
	}
	r.send(b, p)
}

// send sends one packet.
func (r *remote) send(b []byte, p *path) {
	r.give(b, p)
	r.virtual.flushed()
}

// give is send, but a virtual remote may keep the packet back until it is flushed.
func (r *remote) give(b []byte, p *path) {
	m := r.conn.mux
	var err error
	switch {
	case r.virtual != nil:
		err = r.virtual.forward(b, p)
	case p != nil:
		err = p.socket.send(b, p)
	}
	switch {
	case err == nil:
		m.count.sent.Add(1)
	case errors.Is(err, errFull):
		m.count.overflow.Add(1)
	default:
		m.count.failed.Add(1)
	}
}

// admit finds or makes the remote of this source in the conn that a Binding request names. Nil: no such ufrag, or too
// many addresses.
func (m *Mux) admit(ufrag []byte, s *source) *remote {
	m.mu.RLock()
	c := m.connLocked(ufrag, s.key)
	m.mu.RUnlock()
	if c == nil {
		m.count.strangers.Add(1)
		return nil
	}
	if r := c.find(s.key); r != nil && r.virtual == s.virtual {
		return r
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if c = m.connLocked(ufrag, s.key); c == nil {
		m.count.strangers.Add(1)
		return nil
	}
	kept := c.remotes()
	if r := c.find(s.key); r != nil && r.virtual == s.virtual {
		return r
	}
	if s.virtual != nil && m.virtual[s.key] != s.virtual { // closed meanwhile
		return nil
	}
	if len(kept) >= maxRemotes {
		if kept = m.makeRoomLocked(kept); len(kept) >= maxRemotes {
			m.count.crowded.Add(1)
			return nil
		}
	}
	r := &remote{conn: c, key: s.key, addr: net.UDPAddrFromAddrPort(s.key), virtual: s.virtual}
	grown := append(append(make([]*remote, 0, len(kept)+1), kept...), r)
	c.known.Store(&grown)
	return r
}

// makeRoomLocked leaves out the oldest address that has no consent. Only one: an attacker who knows a ufrag and forges
// sources pushes out other unchecked addresses, never one in use.
func (m *Mux) makeRoomLocked(all []*remote) []*remote {
	now := m.clock()
	for i, r := range all {
		if c := r.consent.Load(); c == 0 || now-time.Duration(c) > consentTime {
			m.freeLocked(r)
			r.gone.Store(true)
			return append(append(make([]*remote, 0, len(all)), all[:i]...), all[i+1:]...)
		}
	}
	return all
}

// connLocked finds the queue of a ufrag for the family of an address.
func (m *Mux) connLocked(ufrag []byte, key netip.AddrPort) *conn {
	p := m.peers[string(ufrag)]
	switch {
	case p == nil:
		return nil
	case key.Addr().Is4():
		return p.v4
	}
	return p.v6
}

// alive tells whether a ufrag has a queue.
func (m *Mux) alive(ufrag []byte) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.peers[string(ufrag)] != nil
}

// Remote is a virtual remote: an ICE-TCP stream or a relay pipe, which the peers behind the mux see as one more UDP
// address.
type Remote struct {
	mux    *Mux
	key    netip.AddrPort
	send   func([]byte, netip.AddrPort) error
	flush  func() // nil: nothing waits
	closed atomic.Bool
}

// errFull is what a virtual remote's send function answers when it dropped the packet by its queue's rule.
const errFull fault = "queue full"

// Full is the error with which a send function says that it dropped the packet because its queue is full; it is counted
// as such.
func Full() error { return errFull }

// Attach makes a virtual remote. The mux calls send for each packet to it, from many goroutines; send must not block
// and must not keep the packet. From is the address at which the remote had asked the peer, see Deliver. Flush, which may be
// nil and must not block either, is called after one or more packets: what was kept back to leave together leaves then.
func (m *Mux) Attach(send func(packet []byte, from netip.AddrPort) error, flush func()) (*Remote, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, fmt.Errorf("attach: %w", net.ErrClosed)
	}
	if len(m.virtual) >= maxVirtual {
		m.count.crowded.Add(1)
		return nil, errors.New("attach: too many remotes")
	}
	key := m.nextAddressLocked()
	r := &Remote{mux: m, key: key, send: send, flush: flush}
	m.virtual[key] = r
	return r, nil
}

// nextAddressLocked counts through 240.0.0.1 to 255.254.255.255 (RFC 1112 section 4: reserved), or through 100::/64 (RFC
// 6666: discard only) when no socket takes IPv4.
func (m *Mux) nextAddressLocked() netip.AddrPort {
	for {
		m.serial = m.serial%0x0ffe_ffff + 1
		var a netip.Addr
		if m.has4 {
			var b [4]byte
			binary.BigEndian.PutUint32(b[:], 0xf000_0000|m.serial)
			a = netip.AddrFrom4(b)
		} else {
			b := [16]byte{0: 1}
			binary.BigEndian.PutUint32(b[12:], m.serial)
			a = netip.AddrFrom16(b)
		}
		// Any port will do; the discard protocol's says what it is.
		if key := netip.AddrPortFrom(a, 9); m.virtual[key] == nil {
			return key
		}
	}
}

// reserved tells whether only a virtual remote can have this address.
func reserved(a netip.Addr) bool {
	if a.Is4() {
		return a.As4()[0] >= 240
	}
	b := a.As16()
	return binary.BigEndian.Uint64(b[:8]) == 0x0100_0000_0000_0000
}

// Addr is the address by which the peers behind the mux know this remote.
func (r *Remote) Addr() *net.UDPAddr { return net.UDPAddrFromAddrPort(r.key) }

// Deliver hands in a packet that came from this remote, sent to an address of the port; the zero value when there is but
// one. It goes the way of any datagram, checks included. The packet is copied.
func (r *Remote) Deliver(b []byte, to netip.AddrPort) {
	m := r.mux
	if r.closed.Load() || len(b) >= packetSize {
		m.count.malformed.Add(1)
		return
	}
	p := m.take()
	p.n = copy(p.buf[:], b)
	s := source{key: r.key, virtual: r, at: to}
	if !m.arrive(p, &s) {
		m.release(p)
	}
}

func (r *Remote) forward(b []byte, p *path) error {
	if r.closed.Load() {
		return net.ErrClosed
	}
	var from netip.AddrPort
	if p != nil {
		from = p.at
	}
	return r.send(b, from)
}

// flushed sends what the remote has kept back; nil is a real one, which keeps nothing.
func (r *Remote) flushed() {
	if r != nil && r.flush != nil && !r.closed.Load() {
		r.flush()
	}
}

// Close forgets the remote. Send is not called any more, except by calls that have begun.
func (r *Remote) Close() {
	if r.closed.Swap(true) {
		return
	}
	m := r.mux
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.virtual, r.key)
	delete(m.owners, r.key)
	m.moves.Add(1)
	for _, p := range m.peers {
		for _, c := range []*conn{p.v4, p.v6} {
			if c != nil {
				c.forgetLocked(r.key)
			}
		}
	}
}

func (c *conn) forgetLocked(key netip.AddrPort) {
	all := c.remotes()
	for i, r := range all {
		if r.key == key {
			r.gone.Store(true)
			kept := append(append(make([]*remote, 0, len(all)), all[:i]...), all[i+1:]...)
			c.known.Store(&kept)
			return
		}
	}
}
