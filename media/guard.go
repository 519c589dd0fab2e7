package media

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"

	"github.com/pion/ice/v2"
	"github.com/pion/stun"
	"github.com/pion/transport/v2"

	"schalter/media/port"
)

// UDPMux shares one UDP port among all connections: what package port offers, in the methods of an ICE library's
// interface. WriteTo of its connections must not block: it hands the packet to the system or to a bounded queue.
type UDPMux interface {
	GetConn(ufrag string, addr net.Addr) (net.PacketConn, error)
	RemoveConnByUfrag(ufrag string)
	GetListenAddresses() []net.Addr
	Close() error
	// Outlet is where packets to a ufrag's other side leave, NewBatch what they leave in.
	Outlet(ufrag string) *port.Outlet
	NewBatch() *port.Batch
}

// maxPlain is how many unencrypted datagrams of DTLS are let through after the handshake. A browser that has lost its end
// sends its last flight again, a few times.
const maxPlain = 64

// guard stands between the port and the libraries for one connection. What it lets through is what they are for: checks
// for ICE, records for DTLS. Media never reaches them.
type guard struct {
	settled atomic.Bool  // the DTLS handshake is over
	plain   atomic.Int32 // unencrypted datagrams since then
}

// isRecord tells DTLS from what else comes in by the port (RFC 7983).
func isRecord(b []byte) bool { return len(b) > 0 && b[0] >= 20 && b[0] <= 63 }

// takes tells whether a datagram of DTLS may go on.
func (g *guard) takes(b []byte) bool { return !g.settled.Load() || g.takesRecords(b) }

// takesRecords tells whether a datagram of DTLS may go on after the handshake. The library believes unencrypted records
// even then: one forged alert, or one record that it cannot read, makes it send the browser an alert that is genuine,
// and the browser hangs up. So only what a repeated last flight is made of comes in without encryption.
func (g *guard) takesRecords(b []byte) bool {
	plain := false
	for len(b) > 0 { // RFC 6347, section 4.1: type, version, epoch, number, length
		if len(b) < 13 {
			return false
		}
		body, epoch := int(binary.BigEndian.Uint16(b[11:])), binary.BigEndian.Uint16(b[3:])
		if len(b)-13 < body {
			return false
		}
		if epoch == 0 {
			plain = true
			changes := b[0] == 20 && body == 1 && b[13] == 1 // ChangeCipherSpec
			if b[0] != 22 && !changes {
				return false
			}
		}
		b = b[13+body:]
	}
	return !plain || g.plain.Add(1) <= maxPlain
}

// guardedMux is the port for the agent of one connection, which gets the checks out of it and nothing else. The port
// outlives it.
type guardedMux struct {
	UDPMux
	conn *connection
}

var _ ice.UDPMux = guardedMux{}

// GetConn implements ice.UDPMux.
func (m guardedMux) GetConn(ufrag string, addr net.Addr) (net.PacketConn, error) {
	c, err := m.UDPMux.GetConn(ufrag, addr)
	if err != nil {
		return nil, err
	}
	q, _ := c.(queue)
	return guardedConn{PacketConn: c, queue: q, conn: m.conn, places: newPlaces(m.conn.ours.password)}, nil
}

// Close implements ice.UDPMux: the port is not the agent's to close.
func (guardedMux) Close() error { return nil }

// queue tells how many packets wait to be read.
type queue interface{ Waiting() int }

type guardedConn struct {
	net.PacketConn
	queue  queue // nil: it cannot tell
	conn   *connection
	places *places
}

// maxPlaces is from how many addresses a seat may check, of one family and until ICE restarts: the agent keeps a candidate for
// each, and looks through all of them at every check. A browser has a handful; a bad router gives it one more now and then.
const maxPlaces = 512

// places are the addresses that genuine checks came from. Its owner is the goroutine that reads.
type places struct {
	password stun.MessageIntegrity
	known    map[netip.AddrPort]struct{}
}

func newPlaces(password string) *places {
	return &places{password: stun.NewShortTermIntegrity(password), known: map[netip.AddrPort]struct{}{}}
}

// admits tells whether the agent may see a message. A check from an address that is new must be genuine to count: else anybody
// could use them up for the seat.
func (p *places) admits(b []byte, from net.Addr) bool {
	u, ok := from.(*net.UDPAddr)
	if !ok || len(b) < 2 || b[0] != 0 || b[1] != 1 { // RFC 8489, section 5: a Binding request
		return true
	}
	at := u.AddrPort()
	if _, known := p.known[at]; known {
		return true
	}
	m := stun.Message{Raw: b}
	if len(p.known) >= maxPlaces || m.Decode() != nil || p.password.Check(&m) != nil {
		return false
	}
	p.known[at] = struct{}{}
	return true
}

// ReadFrom implements net.PacketConn. The agent's goroutine that calls it is the one that does all work on media: there
// is no other to wake.
func (c guardedConn) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := c.PacketConn.ReadFrom(b)
		switch {
		case err != nil:
			return n, from, err
		case isMedia(b[:n]):
			if c.conn.inbound.take(b[:n], c.queue == nil || c.queue.Waiting() == 0) {
				// libnice, that is GStreamer, checks no more once it has found a way. Its media tell that it is there; the
				// agent hears of it by a datagram that is neither check nor record.
				b[0] = 0
				return 1, from, nil
			}
		case isRecord(b[:n]):
			c.conn.inbound.rest()
			if c.conn.guard.takes(b[:n]) {
				_, _ = c.conn.records.Write(b[:n]) // full or closed: the handshake repeats it, or is over
			}
		default:
			c.conn.inbound.rest()
			if c.places.admits(b[:n], from) {
				return n, from, nil
			}
		}
	}
}

var errNoNetwork = errors.New("the media plane has one port and opens no other")

// noNetwork is all the network that the ICE agent gets besides the port: none. Whatever a description makes it want to
// ask, resolve or dial, it cannot.
type noNetwork struct{}

var _ transport.Net = noNetwork{}

func (noNetwork) ListenPacket(string, string) (net.PacketConn, error) { return nil, errNoNetwork }
func (noNetwork) ListenUDP(string, *net.UDPAddr) (transport.UDPConn, error) {
	return nil, errNoNetwork
}
func (noNetwork) ListenTCP(string, *net.TCPAddr) (transport.TCPListener, error) {
	return nil, errNoNetwork
}
func (noNetwork) Dial(string, string) (net.Conn, error) { return nil, errNoNetwork }
func (noNetwork) DialUDP(string, *net.UDPAddr, *net.UDPAddr) (transport.UDPConn, error) {
	return nil, errNoNetwork
}
func (noNetwork) DialTCP(string, *net.TCPAddr, *net.TCPAddr) (transport.TCPConn, error) {
	return nil, errNoNetwork
}
func (noNetwork) ResolveIPAddr(string, string) (*net.IPAddr, error)   { return nil, errNoNetwork }
func (noNetwork) ResolveUDPAddr(string, string) (*net.UDPAddr, error) { return nil, errNoNetwork }
func (noNetwork) ResolveTCPAddr(string, string) (*net.TCPAddr, error) { return nil, errNoNetwork }
func (noNetwork) Interfaces() ([]*transport.Interface, error)         { return nil, nil }
func (noNetwork) InterfaceByIndex(int) (*transport.Interface, error)  { return nil, errNoNetwork }
func (noNetwork) InterfaceByName(string) (*transport.Interface, error) {
	return nil, errNoNetwork
}
func (noNetwork) CreateDialer(*net.Dialer) transport.Dialer { return noDialer{} }

type noDialer struct{}

func (noDialer) Dial(string, string) (net.Conn, error) { return nil, errNoNetwork }
