package media

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v3"
)

// gatherWithin bounds the wait for the library to register a connection's ufrag with the port. It opens nothing, so
// this takes microseconds; without it the browser's first check could be earlier.
const gatherWithin = 2 * time.Second

// closeWithin is how long closing a connection may take before it is reported.
const closeWithin = 10 * time.Second

// connection is one of a seat's two peer connections, with all goroutines that belong to it.
type connection struct {
	way   direction
	pc    *webrtc.PeerConnection
	guard *guard
	quit  chan struct{} // closed first of all when the connection ends
	rtcp  func([]rtcp.Packet) error

	// Of the newest descriptions, for the port to ask for consent with. Owned by the room.
	ufrag, theirUfrag, theirPassword string

	mu      sync.Mutex
	closing bool // guarded by mu
	wg      sync.WaitGroup
}

// newConnection opens one. changed is called, from a goroutine of the connection, whenever its state may be another.
func newConnection(e *engine, room RoomID, way direction, changed func(*connection)) (*connection, error) {
	c := &connection{way: way, guard: &guard{}, quit: make(chan struct{})}
	c.guard.flooded = func() { c.run(func() { changed(c) }) }
	pc, err := e.open(room, way, c.guard)
	if err != nil {
		return nil, err
	}
	c.pc, c.rtcp = pc, pc.WriteRTCP
	// The library calls these from goroutines of its own, in no certain order, one of them with a lock held: so only
	// that something changed is told, and whoever hears it looks for himself.
	tell := func() { c.run(func() { changed(c) }) }
	pc.OnICEConnectionStateChange(func(webrtc.ICEConnectionState) { tell() })
	pc.SCTP().Transport().OnStateChange(func(s webrtc.DTLSTransportState) {
		if s == webrtc.DTLSTransportStateConnected {
			c.guard.settled.Store(true)
		}
		tell()
	})
	return c, nil
}

// run does f in a goroutine that the connection's end waits for. It does nothing when the end has begun.
func (c *connection) run(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closing {
		c.wg.Go(f)
	}
}

// condition is how a connection stands.
type condition uint8

const (
	opening condition = iota
	up
	failed
)

// condition is the connection's as it is now. It is made from the two transports: the library's own summary of them
// is computed in several goroutines at once, and may be left at an older value.
func (c *connection) condition() condition {
	ice, dtls := c.pc.ICEConnectionState(), c.pc.SCTP().Transport().State()
	switch {
	case c.guard.reports.Load() > maxReports, ice == webrtc.ICEConnectionStateFailed, dtls == webrtc.DTLSTransportStateFailed:
		return failed
	case dtls == webrtc.DTLSTransportStateConnected:
		// ICE was up for DTLS to get there; a disturbance since then is ICE's to end one way or the other.
		return up
	}
	return opening
}

// handshakeFailed tells whether it was DTLS that failed.
func (c *connection) handshakeFailed() bool {
	return c.pc.SCTP().Transport().State() == webrtc.DTLSTransportStateFailed
}

// close ends the connection and waits for its goroutines. stop is called in between: what makes our own goroutines end
// that the library does not.
func (c *connection) close(stop func()) error {
	c.mu.Lock()
	if c.closing {
		c.mu.Unlock()
		c.wg.Wait()
		return nil
	}
	c.closing = true
	c.mu.Unlock()
	close(c.quit)
	// No new stream from here on: the library can lock itself up when two begin in the moment of its end.
	c.guard.admit(nil)
	done := make(chan error, 1)
	c.wg.Go(func() {
		stop()
		err := c.pc.GracefulClose()
		c.guard.close()
		done <- err
	})
	select {
	case err := <-done:
		c.wg.Wait()
		if err != nil {
			return fmt.Errorf("close connection: %w", err)
		}
		return nil
	case <-time.After(closeWithin):
		return errors.New("close connection: the library does not let go of it")
	}
}

// local applies our own side's description as the library made it, and reads its transport from it.
func (c *connection) local(d webrtc.SessionDescription) (description, error) {
	gathered := webrtc.GatheringCompletePromise(c.pc)
	if err := c.pc.SetLocalDescription(d); err != nil {
		return description{}, fmt.Errorf("set own description: %w", err)
	}
	select {
	case <-gathered:
	case <-time.After(gatherWithin):
		return description{}, errors.New("set own description: the port gave no address")
	}
	own, err := readDescription(d.SDP, maxLanes)
	c.ufrag = own.ufrag
	return own, err
}

// report sends RTCP. The library marshals and encrypts it and hands it to the port, which does not block.
func (c *connection) report(packets ...rtcp.Packet) {
	// An error means that the connection is not up yet or no more; both are told by its state.
	_ = c.rtcp(packets)
}
