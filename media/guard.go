package media

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"

	"github.com/pion/ice/v2"
	"github.com/pion/transport/v2"
	"github.com/pion/transport/v2/packetio"
)

// UDPMux shares one UDP port among all connections: what package port offers, in the methods of an ICE library's
// interface. WriteTo of its connections must not block: it hands the packet to the system or to a bounded queue.
type UDPMux interface {
	GetConn(ufrag string, addr net.Addr) (net.PacketConn, error)
	RemoveConnByUfrag(ufrag string)
	GetListenAddresses() []net.Addr
	Close() error
}

// maxReports is how many different streams a peer may send reports about. A browser has as many as there are m-lines.
const maxReports = 256

// maxPlain is how many unencrypted datagrams of DTLS are let through after the handshake. A browser that has lost its end
// sends its last flight again, a few times.
const maxPlain = 64

// maxBuffered bounds what waits for a receiver, in bytes for each stream: half a second of very good video.
const maxBuffered = 256 << 10

// guard stands between the port and the library for one connection. The library opens a stream, with a goroutine and
// a buffer, for every SSRC that it sees, before it has authenticated the packet, and keeps it until the connection
// ends. So media is let through only for the streams that the description named.
type guard struct {
	allowed atomic.Pointer[[]uint32]
	reports atomic.Int32
	flooded func() // called once, when maxReports is exceeded

	settled atomic.Bool  // the DTLS handshake is over
	plain   atomic.Int32 // unencrypted datagrams since then

	strangers atomic.Uint64 // packets of streams that nobody named

	mu      sync.Mutex
	closed  bool               // guarded by mu
	buffers []*packetio.Buffer // guarded by mu
}

// admit replaces the list of streams that may come in.
func (g *guard) admit(streams []uint32) { g.allowed.Store(&streams) }

// takes tells whether a datagram may go on to the library.
func (g *guard) takes(b []byte) bool {
	if len(b) > 0 && b[0] >= 20 && b[0] <= 63 {
		return !g.settled.Load() || g.takesRecords(b)
	}
	if len(b) < 12 || b[0] < 128 || b[0] > 191 || b[1] >= 192 && b[1] <= 223 {
		return true // STUN, RTCP (RFC 7983, RFC 5761)
	}
	stream := binary.BigEndian.Uint32(b[8:12])
	if list := g.allowed.Load(); list != nil {
		for _, s := range *list {
			if s == stream {
				return true
			}
		}
	}
	g.strangers.Add(1)
	return false
}

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

// buffer is the library's place for packets of one stream. Reports are authenticated before they get here, so a peer
// that sends them about more streams than there can be does so itself.
func (g *guard) buffer(kind packetio.BufferPacketType, _ uint32) io.ReadWriteCloser {
	if kind == packetio.RTCPBufferPacket {
		switch n := g.reports.Add(1); {
		case n == maxReports+1:
			g.flooded()
			fallthrough
		case n > maxReports:
			return sink{}
		}
	}
	b := packetio.NewBuffer()
	b.SetLimitSize(maxBuffered)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		_ = b.Close()
		return b
	}
	g.buffers = append(g.buffers, b)
	return b
}

// close ends every buffer, and with it whoever reads from one. The library forgets those of streams that it opens
// while it is being closed.
func (g *guard) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for _, b := range g.buffers {
		_ = b.Close() // cannot fail
	}
	g.buffers = nil
}

// sink takes packets nowhere.
type sink struct{}

func (sink) Read([]byte) (int, error)    { return 0, io.EOF }
func (sink) Write(b []byte) (int, error) { return len(b), nil }
func (sink) Close() error                { return nil }

// guardedMux puts a guard in front of every connection of the one agent that it is given to. The mux outlives it.
type guardedMux struct {
	UDPMux
	guard *guard
}

var _ ice.UDPMux = guardedMux{}

// GetConn implements ice.UDPMux.
func (m guardedMux) GetConn(ufrag string, addr net.Addr) (net.PacketConn, error) {
	c, err := m.UDPMux.GetConn(ufrag, addr)
	if err != nil {
		return nil, err
	}
	return guardedConn{PacketConn: c, guard: m.guard}, nil
}

// Close implements ice.UDPMux: the port is not the agent's to close.
func (guardedMux) Close() error { return nil }

type guardedConn struct {
	net.PacketConn
	guard *guard
}

// ReadFrom implements net.PacketConn.
func (c guardedConn) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := c.PacketConn.ReadFrom(b)
		if err != nil {
			return n, from, err
		}
		if c.guard.takes(b[:n]) {
			return n, from, nil
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
