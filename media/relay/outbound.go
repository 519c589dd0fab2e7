package relay

import "sync"

// mostTogether is how many bytes leave by one write at most: what fits into a TLS record.
const mostTogether = 16 << 10

// outbound gathers what goes to a browser. The packets of a picture come together, and each write costs a system call here, a
// wake-up of the office, and a record of TLS: so media waits while more of it is in the pipe.
type outbound struct {
	mu   sync.Mutex
	held []byte // guarded by mu; whole messages of ChannelData
}

// isChannelData tells it from STUN (RFC 8656, section 12).
func isChannelData(b []byte) bool { return len(b) > 0 && b[0]>>6 == 1 }

// Write sends a message to the browser. ChannelData may wait for what else is in the pipe, whose reader calls flush before it
// waits for more; STUN leaves at once, with all that waits.
func (c *connection) Write(b []byte) (int, error) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if len(c.out.held)+len(b) > mostTogether {
		if err := c.flushLocked(); err != nil {
			return 0, err
		}
	}
	c.out.held = append(c.out.held, b...)
	if isChannelData(b) && c.more() {
		return len(b), nil
	}
	if err := c.flushLocked(); err != nil {
		return 0, err
	}
	return len(b), nil
}

// more tells whether the pipe's reader will come with another packet.
func (c *connection) more() bool {
	c.mu.Lock()
	p := c.pipe
	c.mu.Unlock()
	return p != nil && p.waiting()
}

// flush sends what waits. An error means that the connection is over, which its reader finds out.
func (c *connection) flush() {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	_ = c.flushLocked()
}

func (c *connection) flushLocked() error {
	if len(c.out.held) == 0 {
		return nil
	}
	_, err := c.Conn.Write(c.out.held)
	c.out.held = c.out.held[:0]
	return err
}
