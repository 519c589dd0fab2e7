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

// socket is one UDP socket. Batched reading and segmented writing will have their place here.
type socket struct {
	udp    *net.UDPConn
	local  netip.AddrPort
	takes4 bool
	takes6 bool
}

func newSocket(u *net.UDPConn) (*socket, error) {
	a, ok := u.LocalAddr().(*net.UDPAddr)
	if !ok {
		return nil, fmt.Errorf("socket: no UDP address")
	}
	ap := a.AddrPort()
	s := &socket{udp: u, local: netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())}
	if err := s.prepare(); err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	// The kernel gives what net.core.rmem_max allows; less than asked for is no error.
	_ = u.SetReadBuffer(socketBuffer)
	_ = u.SetWriteBuffer(socketBuffer)
	return s, nil
}

func (s *socket) receive(b, oob []byte) (int, netip.AddrPort, localAddr, error) {
	n, oobn, _, from, err := s.udp.ReadMsgUDPAddrPort(b, oob)
	if err != nil {
		return 0, from, localAddr{}, err
	}
	return n, from, parseLocal(oob[:oobn]), nil
}

func (s *socket) send(b []byte, p *path) error {
	_, _, err := s.udp.WriteMsgUDPAddrPort(b, p.oob[:p.oobLen], p.to)
	return err
}
