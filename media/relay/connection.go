package relay

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/turn/v2"

	"schalter/media/port"
)

const (
	// Silence after which an allocation may be replaced by a new one of the same seat: a live browser checks every few
	// seconds.
	silence = 10 * time.Second
	// Silence after which an allocation gives its right to carry media to another one of the same seat: the browser has
	// moved a connection over. One that only listens reports every second or so, and gets the right back by that.
	pause = 500 * time.Millisecond
)

var (
	errClosed   = errors.New("relay is closed")
	errCrowded  = errors.New("too many connections")
	errQuota    = errors.New("allocation quota reached")
	errNoSeat   = errors.New("no seat")
	errTCPRelay = errors.New("no relayed tcp")
)

// connection is one browser's TURN connection and its own server of the library.
type connection struct {
	net.Conn
	relay   *Relay
	server  *turn.Server
	network netip.Prefix
	ended   chan struct{} // the connection is closed

	heard    atomic.Int64 // when the browser last sent a packet through the allocation, Unix nanoseconds
	carried  atomic.Int64 // when it last sent one of DTLS or media, likewise
	carrying atomic.Bool  // may carry media; set under relay.mu
	holds    atomic.Bool  // has an allocation
	came     time.Time

	once sync.Once
	out  *port.Outflow

	mu      sync.Mutex  // taken before the relay's
	timer   *time.Timer // closes the connection when it holds no allocation; guarded by mu
	signed  string      // seat of the request that is being handled; guarded by mu
	holder  string      // seat that holds, or last held, the allocation; guarded by mu
	pipe    *pipe       // the live allocation, or nil; guarded by mu
	closing bool        // guarded by mu
}

// oneShot is the listener of a connection's own server: it yields the connection and then waits for its end.
type oneShot struct {
	c     *connection
	given bool
}

func (o *oneShot) Accept() (net.Conn, error) {
	if !o.given {
		o.given = true
		return o.c, nil
	}
	<-o.c.ended
	return nil, net.ErrClosed
}

func (o *oneShot) Close() error   { o.c.close(); return nil }
func (o *oneShot) Addr() net.Addr { return o.c.LocalAddr() }

func (r *Relay) serve(nc net.Conn) error {
	c := &connection{Conn: nc, relay: r, out: port.NewOutflow(nc), ended: make(chan struct{}), came: time.Now()}
	if t, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		c.network = port.Network(t.AddrPort().Addr())
	}
	if err := r.enter(c); err != nil {
		return err
	}
	var err error
	c.server, err = turn.NewServer(turn.ServerConfig{
		Realm:         r.cfg.Realm,
		LoggerFactory: logFactory{r},
		AuthHandler:   c.authenticate,
		InboundMTU:    4096, // more than port's guard lets through
		ListenerConfigs: []turn.ListenerConfig{{
			Listener: &oneShot{c: c}, RelayAddressGenerator: c, PermissionHandler: c.permitted,
		}},
	})
	if err != nil {
		c.close()
		return fmt.Errorf("serve turn connection: %w", err)
	}
	return nil
}

// enter takes the connection in; close takes it out. Where there is no room, the oldest one without an allocation makes
// it: whoever has credentials uses them at once, so strangers' connections do not keep them out.
func (r *Relay) enter(c *connection) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return errClosed
	}
	if len(r.conns) >= r.most {
		oldest := r.idlestLocked()
		if oldest == nil {
			return errCrowded
		}
		delete(r.conns, oldest)
		r.wg.Go(oldest.close)
	}
	c.timer = time.AfterFunc(r.idle, c.close)
	r.conns[c] = true
	r.wg.Add(1)
	r.wg.Go(c.out.Run)
	return nil
}

// idlestLocked finds the oldest connection that has no allocation; nil when all have.
func (r *Relay) idlestLocked() *connection {
	var oldest *connection
	for c := range r.conns {
		if !c.holds.Load() && (oldest == nil || c.came.Before(oldest.came)) {
			oldest = c
		}
	}
	return oldest
}

// Close is called by the library when its read loop has ended.
func (c *connection) Close() error {
	c.close()
	return nil
}

// close ends the connection and its allocation.
func (c *connection) close() {
	c.once.Do(func() {
		_ = c.Conn.Close()
		c.out.End()
		c.mu.Lock()
		c.timer.Stop()
		c.closing = true
		p := c.pipe
		c.mu.Unlock()
		if p != nil {
			_ = p.Close()
		}
		close(c.ended)
		r := c.relay
		r.mu.Lock()
		delete(r.conns, c)
		r.mu.Unlock()
		r.wg.Done()
	})
}

// authenticate gives the key of a username. The library checks the message's integrity with it afterwards. A seat's
// credential is good until it expires; the connection that holds an allocation of the seat may use it until the seat is
// revoked.
func (c *connection) authenticate(name, _ string, _ net.Addr) ([]byte, bool) {
	r := c.relay
	expires, id, ok := parseUsername(name)
	if !ok {
		r.count.refused.Add(1)
		return nil, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	holds := c.pipe != nil
	r.mu.Lock()
	known := r.seats[id] != nil
	r.mu.Unlock()
	if !known || holds && c.holder != id || !holds && !r.cfg.Now().Before(expires) {
		r.count.refused.Add(1)
		return nil, false
	}
	c.signed = id
	return turn.GenerateAuthKey(name, r.cfg.Realm, r.password(name)), true
}

// Validate is part of turn's RelayAddressGenerator.
func (c *connection) Validate() error { return nil }

// AllocateConn is refused: no relayed TCP.
func (c *connection) AllocateConn(string, int) (net.Conn, net.Addr, error) {
	return nil, nil, errTCPRelay
}

// AllocatePacketConn makes the pipe of this connection's allocation. The library calls it in the goroutine that has just
// authenticated the request.
func (c *connection) AllocatePacketConn(string, int) (net.PacketConn, net.Addr, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing || c.pipe != nil || c.signed == "" {
		return nil, nil, errNoSeat
	}
	if err := c.relay.reserve(c); err != nil {
		c.relay.count.quota.Add(1)
		return nil, nil, err
	}
	p, err := newPipe(c, c.signed)
	if err != nil {
		c.relay.free(c, c.signed)
		return nil, nil, err
	}
	c.holder, c.pipe = c.signed, p
	c.holds.Store(true)
	c.heard.Store(c.relay.cfg.Now().UnixNano())
	c.timer.Stop()
	c.relay.count.allocated.Add(1)
	return p, p.LocalAddr(), nil
}

// released is called once by the pipe when the allocation has ended.
func (c *connection) released() {
	c.mu.Lock()
	id := c.holder
	c.pipe = nil
	c.holds.Store(false)
	if !c.closing {
		c.timer.Reset(c.relay.idle)
	}
	c.mu.Unlock()
	c.relay.free(c, id)
}

// permitted allows the addresses of the SFU and no other. The port is checked by the pipe.
func (c *connection) permitted(_ net.Addr, ip net.IP) bool {
	a, ok := netip.AddrFromSlice(ip)
	if ok {
		for _, p := range c.relay.cfg.Peers() {
			if p.Addr() == a {
				return true
			}
		}
	}
	c.relay.count.forbidden.Add(1)
	return false
}

// reserve counts an allocation against the limits. c.mu is held, c.signed is the seat.
func (r *Relay) reserve(c *connection) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.seats[c.signed]
	if s == nil || r.closed {
		return errNoSeat
	}
	if len(s.connections) >= spares {
		quietest, quiet := r.quietest(s)
		if quiet < silence {
			return errQuota
		}
		// It frees its place by itself; the seat is over its limit only until then.
		delete(s.connections, quietest)
		r.wg.Go(quietest.close)
	}
	if r.networks[c.network] >= r.cfg.PerNetwork {
		return errQuota
	}
	r.networks[c.network]++
	s.connections[c] = true
	return nil
}

// quietest finds the connection of a seat that has been silent for longest.
func (r *Relay) quietest(s *seat) (*connection, time.Duration) {
	var quietest *connection
	for o := range s.connections {
		if quietest == nil || o.heard.Load() < quietest.heard.Load() {
			quietest = o
		}
	}
	return quietest, time.Duration(r.cfg.Now().UnixNano() - quietest.heard.Load())
}

// carry asks for the right to carry media. Two allocations of a seat have it at a time.
func (r *Relay) carry(c *connection, id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.seats[id]
	if s == nil || !s.connections[c] {
		return false
	}
	now := r.cfg.Now().UnixNano()
	n := 0
	var oldest *connection
	for o := range s.connections {
		if !o.carrying.Load() {
			continue
		}
		n++
		if oldest == nil || o.carried.Load() < oldest.carried.Load() {
			oldest = o
		}
	}
	if n >= carriers {
		if time.Duration(now-oldest.carried.Load()) < pause {
			return false
		}
		oldest.carrying.Store(false)
	}
	c.carried.Store(now)
	c.carrying.Store(true)
	return true
}

func (r *Relay) free(c *connection, id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c.carrying.Store(false)
	if s := r.seats[id]; s != nil {
		delete(s.connections, c)
	}
	if r.networks[c.network]--; r.networks[c.network] <= 0 {
		delete(r.networks, c.network)
	}
}
