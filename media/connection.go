package media

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v2"
	"github.com/pion/ice/v2"
	"github.com/pion/rtcp"
	"github.com/pion/transport/v2/packetio"

	"schalter/media/port"
)

// gatherWithin bounds the wait for the agent to register a connection's ufrag with the port. It opens nothing, so this
// takes microseconds; without it the browser's first check could be earlier.
const gatherWithin = 2 * time.Second

// closeWithin is how long closing a connection may take before it is reported.
const closeWithin = 10 * time.Second

// connection is one of a seat's two connections: ICE, DTLS and the SRTP that they lead to, with all goroutines that
// belong to it. See outbound.go and inbound.go for the ways of its packets.
type connection struct {
	engine   *engine
	way      direction
	profiles []dtls.SRTPProtectionProfile
	agent    *ice.Agent
	gathered chan struct{} // the agent has registered its ufrag
	ctx      context.Context
	quit     <-chan struct{} // closed first of all when the connection ends
	cancel   context.CancelFunc

	// changed is called, from a goroutine of the connection, whenever its state may be another; goes runs something in a
	// goroutine of the connection whose panic ends the room; broken is told of one that happened elsewhere.
	changed func()
	goes    func(func())
	broken  func(cause any, stack []byte)

	// rtcp puts a compound of reports into a batch; tests put something else in its place.
	rtcp func(*port.Batch, []rtcp.Packet) error

	// Of the newest descriptions. Owned by the room.
	ours, theirs credentials
	next         credentials // ours in an offer that is out and restarts ICE; empty: there is none
	started      bool
	pulse        pulse

	sign atomic.Bool // something genuine came since this was looked at

	reached   atomic.Uint32 // a condition
	refused   atomic.Bool   // the DTLS handshake failed
	protected atomic.Pointer[protection]
	outlet    atomic.Pointer[port.Outlet]
	chosen    atomic.Pointer[ice.Candidate] // by which the agent tells whether the other side lives
	numbers   atomic.Uint32                 // the last transport-wide sequence number
	estimate  *estimate                     // of a receiving connection, where it is to be known
	unread    atomic.Uint64                 // reports that were genuine and malformed

	records *packetio.Buffer // of DTLS, on their way in
	guard   guard
	inbound inbound

	came trackSum  // of all tracks that came in by it
	went senderSum // of all that went out

	ended sync.WaitGroup // establish

	mu      sync.Mutex
	closing bool // guarded by mu
	wg      sync.WaitGroup
}

// newConnection opens one: its ufrag is known to the port when this returns.
func newConnection(e *engine, way direction, profiles []dtls.SRTPProtectionProfile) (*connection, error) {
	c := &connection{
		engine: e, way: way, profiles: profiles, gathered: make(chan struct{}, 1),
		changed: func() {}, goes: func(f func()) { f() }, broken: func(any, []byte) {},
	}
	if way == subscribing && e.estimates {
		c.estimate = newEstimate()
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.quit = c.ctx.Done()
	c.rtcp = c.writeReports
	c.inbound.conn = c
	c.records = packetio.NewBuffer()
	c.records.SetLimitSize(recordsBuffered)
	c.ours = newCredentials()
	var err error
	if c.agent, err = e.agent(c); err != nil {
		return nil, err
	}
	err = errors.Join(
		c.agent.OnCandidate(func(candidate ice.Candidate) {
			if candidate == nil {
				select {
				case c.gathered <- struct{}{}:
				default:
				}
			}
		}),
		c.agent.OnSelectedCandidatePairChange(func(_, remote ice.Candidate) { c.chosen.Store(&remote) }),
		c.agent.OnConnectionStateChange(func(s ice.ConnectionState) {
			if s == ice.ConnectionStateFailed {
				c.reach(failed)
			}
		}))
	if err == nil {
		err = c.gather()
	}
	if err != nil {
		_ = c.agent.Close() // the error that led here is the one to tell
		return nil, fmt.Errorf("open connection: %w", err)
	}
	e.enrol(c)
	return c, nil
}

// gather lets the agent register with the port.
func (c *connection) gather() error {
	if err := c.agent.GatherCandidates(); err != nil {
		return fmt.Errorf("register with the port: %w", err)
	}
	select {
	case <-c.gathered:
	case <-time.After(gatherWithin):
		return errors.New("register with the port: no answer")
	}
	c.outlet.Store(c.engine.mux.Outlet(c.ours.ufrag))
	return nil
}

// meet is told of the other side's description, each time anew. The first starts the connection; one with other ICE
// credentials begins a new way for it, while keys and numbers go on (RFC 8445, section 9). client: we begin with DTLS.
func (c *connection) meet(d description, client bool) error {
	theirs := credentials{d.ufrag, d.password}
	switch {
	case !c.started:
		config, err := c.engine.handshake(c.ctx, c.profiles, d.fingerprint)
		if err != nil {
			return err
		}
		c.started = true
		c.theirs = theirs
		c.ended.Add(1)
		c.run(func() {
			defer c.ended.Done()
			c.establish(theirs, config, client)
		})
	case theirs != c.theirs || c.next.ufrag != "":
		if c.next.ufrag == "" {
			c.next = newCredentials()
		}
		c.theirs, c.ours, c.next = theirs, c.next, credentials{}
		if err := c.restart(); err != nil {
			return fmt.Errorf("restart ICE: %w", err)
		}
	}
	c.engine.ask(c)
	return nil
}

// restart lets the agent forget the old way. The browser's first checks of the new one may have come too early; it repeats
// them.
func (c *connection) restart() error {
	if err := c.agent.Restart(c.ours.ufrag, c.ours.password); err != nil {
		return err
	}
	if err := c.agent.SetRemoteCredentials(c.theirs.ufrag, c.theirs.password); err != nil {
		return err
	}
	return c.gather()
}

// establish brings the connection up and stays with it until DTLS ends.
func (c *connection) establish(theirs credentials, config *dtls.Config, client bool) {
	defer c.reach(failed)
	out, err := c.agent.Accept(c.ctx, theirs.ufrag, theirs.password)
	if err != nil {
		return // it is being closed
	}
	c.run(func() { // what guardedConn lets the agent see of media; it ends with the agent
		var none [16]byte
		for err := error(nil); err == nil; {
			_, err = out.Read(none[:])
		}
	})
	handshake := dtls.Server
	if client {
		handshake = dtls.Client
	}
	d, err := handshake(&records{Conn: out, in: c.records}, config)
	if err != nil {
		c.refused.Store(true)
		return
	}
	// Closing tells the browser, unless it was the browser who told us.
	defer d.Close()
	p, err := newProtection(d, client)
	if err != nil {
		c.refused.Store(true)
		return
	}
	stop := context.AfterFunc(c.ctx, func() { _ = d.Close() })
	defer stop()
	c.guard.settled.Store(true)
	c.inbound.begin(p)
	c.reach(up)
	// Nothing is sent over DTLS but its end.
	buf := make([]byte, 1600)
	for err == nil {
		_, err = d.Read(buf)
	}
}

// recordsBuffered bounds what waits for DTLS, in bytes: a handshake's largest flight is some 4 KiB.
const recordsBuffered = 32 << 10

// records is the connection that DTLS runs over: what the port brought in, out by the way that ICE has found.
type records struct {
	net.Conn
	in *packetio.Buffer
}

func (r *records) Read(b []byte) (int, error)        { return r.in.Read(b) }
func (r *records) SetReadDeadline(t time.Time) error { return r.in.SetReadDeadline(t) }
func (r *records) Close() error                      { return r.in.Close() }

// condition is how a connection stands. It only ever grows.
type condition uint8

const (
	opening condition = iota
	up
	failed
)

func (c *connection) condition() condition { return condition(c.reached.Load()) }

func (c *connection) reach(next condition) {
	for {
		now := c.reached.Load()
		if condition(now) >= next {
			return
		}
		if c.reached.CompareAndSwap(now, uint32(next)) {
			c.run(c.changed)
			return
		}
	}
}

// run does f in a goroutine that the connection's end waits for. It does nothing when the end has begun.
func (c *connection) run(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closing {
		c.wg.Go(f)
	}
}

// close ends the connection and waits for its goroutines.
func (c *connection) close() error {
	c.mu.Lock()
	if c.closing {
		c.mu.Unlock()
		c.wg.Wait()
		return nil
	}
	c.closing = true
	c.mu.Unlock()
	c.cancel()
	defer c.engine.retire(c)
	done := make(chan error, 1)
	go func() {
		if !c.started {
			_ = c.records.Close() // cannot fail; nobody else has it
		}
		c.ended.Wait() // DTLS says goodbye by the way that ICE has found
		err := c.agent.GracefulClose()
		c.wg.Wait()
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("close connection: %w", err)
		}
		return nil
	case <-time.After(closeWithin):
		return errors.New("close connection: the library does not let go of it")
	}
}

// credentials are what one side's checks are signed with (RFC 8445, section 5.3).
type credentials struct{ ufrag, password string }

func newCredentials() credentials { return credentials{rand.Text()[:16], rand.Text()} }

// own is our side of the description: everything but the sections.
func (c *connection) own(setup string) (description, error) {
	_, fingerprint, err := c.engine.identity()
	if err != nil {
		return description{}, err
	}
	ours := c.ours
	if c.next.ufrag != "" {
		ours = c.next
	}
	return description{ufrag: ours.ufrag, password: ours.password, fingerprint: fingerprint, setup: setup, lite: true}, nil
}

// report sends RTCP.
func (c *connection) report(packets ...rtcp.Packet) {
	c.engine.sending(func(b *port.Batch) { c.reportIn(b, packets...) })
}

// reportIn sends RTCP with the batch, beside what else is in it.
func (c *connection) reportIn(b *port.Batch, packets ...rtcp.Packet) {
	// An error means that the connection is not up yet or no more; both are told by its state.
	_ = c.rtcp(b, packets)
}
