package port

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

const (
	packetSize   = 2048 // bytes; a datagram that fills it was cut off and is dropped
	maxRemotes   = 32   // addresses of one ufrag and family
	maxVirtual   = 8192 // streams and relay pipes in all
	socketBuffer = 4 << 20
)

// MuxConfig is what a Mux is made of.
type MuxConfig struct {
	// Conns are sockets of one port: one, or several for the reuse of a port by several readers. Wildcard addresses and
	// both families are fine. The mux closes them, unless NewMux fails.
	Conns []*net.UDPConn
	Log   *slog.Logger
}

// Mux shares one UDP port among ICE-lite agents. It has the methods of pion/ice's UDPMux.
type Mux struct {
	log      *slog.Logger
	sockets  []*socket
	has4     bool // some socket takes IPv4
	has6     bool // some socket takes IPv6
	port     uint16
	pool     sync.Pool     // *packet
	outboxes sync.Pool     // *outbox
	batches  atomic.Uint32 // made so far
	count    counters
	clock    func() time.Duration // monotonic
	wg       sync.WaitGroup       // readers and streams

	moves atomic.Uint64 // changes of owners

	mu      sync.RWMutex
	closed  bool                         // guarded by mu
	peers   map[string]*peer             // by ufrag; guarded by mu
	owners  map[netip.AddrPort]*remote   // addresses that passed a check; guarded by mu
	claims  map[netip.AddrPort][]*remote // who wants an address of another, at most maxClaims; lists are replaced, never changed; guarded by mu
	virtual map[netip.AddrPort]*Remote   // guarded by mu
	streams map[net.Conn]time.Duration   // guarded by mu; clock when it came, 0 once its first frame was a check of a peer
	serial  uint32                       // last address given to a virtual remote; guarded by mu
}

// peer is one ICE agent: its queues for IPv4 and IPv6, either may be nil.
type peer struct {
	v4, v6 *conn // guarded by the mux's mu
	theirs atomic.Pointer[credentials]
	outlet Outlet
}

// packet is one datagram on its way from a reader to a queue's taker.
type packet struct {
	n    int
	from *net.UDPAddr // shared by all packets of the remote, never written
	buf  [packetSize]byte
}

// NewMux starts reading. It stops by Close.
func NewMux(c MuxConfig) (*Mux, error) {
	start := time.Now()
	return newMux(c, func() time.Duration { return time.Since(start) })
}

func newMux(c MuxConfig, clock func() time.Duration) (*Mux, error) {
	if len(c.Conns) == 0 {
		return nil, errors.New("new mux: no socket")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	m := &Mux{
		log:     c.Log,
		clock:   clock,
		peers:   make(map[string]*peer),
		owners:  make(map[netip.AddrPort]*remote),
		claims:  make(map[netip.AddrPort][]*remote),
		virtual: make(map[netip.AddrPort]*Remote),
		streams: make(map[net.Conn]time.Duration),
	}
	m.pool.New = func() any { return new(packet) }
	m.outboxes.New = func() any { return newOutbox(m) }
	for _, u := range c.Conns {
		s, err := newSocket(u, &m.count)
		if err != nil {
			return nil, fmt.Errorf("new mux: %w", err)
		}
		if m.port != 0 && s.local.Port() != m.port {
			return nil, errors.New("new mux: sockets of different ports")
		}
		m.port = s.local.Port()
		m.has4 = m.has4 || s.takes4
		m.has6 = m.has6 || s.takes6
		m.sockets = append(m.sockets, s)
	}
	for _, s := range m.sockets {
		for _, other := range m.sockets {
			if other.local == s.local {
				s.same = append(s.same, other)
			}
		}
	}
	for _, s := range m.sockets {
		m.wg.Go(func() { m.read(s) })
	}
	return m, nil
}

// Close ends all queues, streams and sockets and waits for their goroutines.
func (m *Mux) Close() error {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		m.wg.Wait()
		return nil
	}
	m.closed = true
	for _, p := range m.peers {
		p.close()
	}
	clear(m.peers)
	clear(m.owners)
	clear(m.claims)
	m.moves.Add(1)
	for c := range m.streams {
		_ = c.Close()
	}
	m.mu.Unlock()
	var err error
	for _, s := range m.sockets {
		err = errors.Join(err, s.end.close())
	}
	m.wg.Wait()
	return err
}

func (p *peer) close() {
	for _, c := range []*conn{p.v4, p.v6} {
		if c != nil {
			c.shut()
		}
	}
}

// GetConn gives the queue of a ufrag for the family of addr; the same one when asked again.
func (m *Mux) GetConn(ufrag string, addr net.Addr) (net.PacketConn, error) {
	u, ok := addr.(*net.UDPAddr)
	if !ok {
		return nil, errors.New("get conn: not a UDP address")
	}
	if ufrag == "" {
		return nil, errors.New("get conn: no ufrag")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, fmt.Errorf("get conn: %w", net.ErrClosed)
	}
	p := m.peers[ufrag]
	if p == nil {
		p = new(peer)
		m.peers[ufrag] = p
	}
	slot := &p.v4
	if u.IP.To4() == nil {
		slot = &p.v6
	}
	if *slot == nil {
		*slot = newConn(m, p, ufrag, u)
	}
	return *slot, nil
}

// RemoveConnByUfrag ends the queues of a ufrag and frees its addresses.
func (m *Mux) RemoveConnByUfrag(ufrag string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.peers[ufrag]; p != nil {
		delete(m.peers, ufrag)
		p.close()
		m.disownLocked(p.v4)
		m.disownLocked(p.v6)
	}
}

// removed is called when an agent closes one of its queues by itself.
func (m *Mux) removed(c *conn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.peers[c.ufrag]
	if p == nil {
		return
	}
	switch c {
	case p.v4:
		p.v4 = nil
	case p.v6:
		p.v6 = nil
	default:
		return
	}
	m.disownLocked(c)
	if p.v4 == nil && p.v6 == nil {
		delete(m.peers, c.ufrag)
	}
}

func (m *Mux) disownLocked(c *conn) {
	if c == nil {
		return
	}
	for _, r := range c.remotes() {
		m.freeLocked(r)
	}
	c.known.Store(nil)
}

// GetListenAddresses gives one address for each family that the port takes, so that an agent has exactly one queue and
// one candidate per family. Which address of the machine it is does not matter to the packets, and it may be a loopback
// address when there is no other; what is advertised to browsers is the caller's matter (see Addresses).
func (m *Mux) GetListenAddresses() []net.Addr {
	var v4, v6 net.Addr
	for _, a := range m.Addresses() {
		switch {
		case a.Addr().Is4() && v4 == nil:
			v4 = net.UDPAddrFromAddrPort(a)
		case a.Addr().Is6() && v6 == nil:
			v6 = net.UDPAddrFromAddrPort(a)
		}
	}
	var all []net.Addr
	// An address may come later, and virtual remotes need their queue now.
	if v4 == nil && m.has4 {
		v4 = net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), m.port))
	}
	if v6 == nil && m.has6 {
		v6 = net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.IPv6Loopback(), m.port))
	}
	if v4 != nil {
		all = append(all, v4)
	}
	if v6 != nil {
		all = append(all, v6)
	}
	return all
}

// Addresses are the addresses of this machine at which the port can be reached: those the sockets are bound to, and for
// a wildcard every unicast address of the interfaces that are up. Loopback addresses are left out unless there is
// nothing else, link-local ones always.
func (m *Mux) Addresses() []netip.AddrPort {
	var all, loop []netip.AddrPort
	seen := make(map[netip.Addr]bool)
	add := func(a netip.Addr) {
		a = a.Unmap()
		if !a.IsValid() || a.IsUnspecified() || a.IsLinkLocalUnicast() || a.IsMulticast() || seen[a] {
			return
		}
		seen[a] = true
		if a.IsLoopback() {
			loop = append(loop, netip.AddrPortFrom(a, m.port))
		} else {
			all = append(all, netip.AddrPortFrom(a, m.port))
		}
	}
	for _, s := range m.sockets {
		if !s.local.Addr().IsUnspecified() {
			add(s.local.Addr())
			continue
		}
		for _, a := range interfaceAddresses() {
			if a.Is4() && s.takes4 || a.Is6() && s.takes6 {
				add(a)
			}
		}
	}
	if len(all) == 0 {
		return loop
	}
	return all
}

// interfaceAddresses are the unicast addresses of all interfaces that are up. In a sandbox without netlink there are none.
func interfaceAddresses() []netip.Addr {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil
	}
	var all []netip.Addr
	for _, i := range interfaces {
		addrs, err := i.Addrs()
		if i.Flags&net.FlagUp == 0 || err != nil {
			continue
		}
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok {
				if ip, ok := netip.AddrFromSlice(n.IP); ok {
					all = append(all, ip.Unmap())
				}
			}
		}
	}
	return all
}
