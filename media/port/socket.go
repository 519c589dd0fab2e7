package port

import (
	"fmt"
	"net"
	"net/netip"
)

// localAddr is the address and interface that a datagram came to.
type localAddr struct {
	addr  netip.Addr // unmapped; invalid when the socket does not tell
	index uint32     // interface, for IPv6 link-local replies
}

// socket is one UDP socket. The mux owns it; its batched calls are in batch_linux.go and inbox_linux.go.
type socket struct {
	end    *endpoint
	count  *counters
	local  netip.AddrPort
	takes4 bool
	takes6 bool
	same   []*socket // those of the same address, this one among them, for batches to share
	able   able      // what the kernel does for this socket
}

// sender is the socket that packets for one of the same address leave by.
func (s *socket) sender(turn int) *socket { return s.same[turn%len(s.same)] }

func newSocket(u *net.UDPConn, count *counters) (*socket, error) {
	a, ok := u.LocalAddr().(*net.UDPAddr)
	if !ok {
		return nil, fmt.Errorf("socket: no UDP address")
	}
	ap := a.AddrPort()
	// The kernel gives what net.core.rmem_max allows; less than asked for is no error.
	_ = u.SetReadBuffer(socketBuffer)
	_ = u.SetWriteBuffer(socketBuffer)
	end, err := newEndpoint(u)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	s := &socket{end: end, count: count, local: netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())}
	if err := s.prepare(); err != nil {
		_ = end.close() // not in use yet
		return nil, fmt.Errorf("socket: %w", err)
	}
	return s, nil
}

// send sends one packet by a plain call.
func (s *socket) send(b []byte, p *path) error {
	s.count.callsOut.Add(1)
	return s.end.send(b, p)
}
