package port

import (
	"net"
	"net/netip"
	"time"
)

// NewMuxAt is NewMux with a clock of the test's own.
func NewMuxAt(c MuxConfig, clock func() time.Duration) (*Mux, error) { return newMux(c, clock) }

// Limits that tests go to.
const (
	MaxRemotes = maxRemotes
	QueueSize  = queueSize
	QueueMedia = queueMedia

	HandshakesOfNetwork = handshakesOfNetwork
)

// Reserved tells whether only a virtual remote can have an address.
func Reserved(a netip.Addr) bool { return reserved(a) }

// NewGuard is what TURN connections are wrapped in.
func NewGuard(c net.Conn) net.Conn { return newGuard(c) }

// MaxStreams is how many ICE-TCP streams there may be.
const MaxStreams = maxStreams

// MaxClaims is how many peers may claim one address.
const MaxClaims = maxClaims

// Claims counts all claims.
func (m *Mux) Claims() (n int) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, all := range m.claims {
		n += len(all)
	}
	return n
}

// Hold keeps readers from going on after their next system call, until Resume.
func (m *Mux) Hold() { m.mu.Lock() }

// Resume lets them go on.
func (m *Mux) Resume() { m.mu.Unlock() }
