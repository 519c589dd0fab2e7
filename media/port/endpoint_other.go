//go:build !linux

package port

import "net"

// endpoint is the socket as the library has it.
type endpoint struct {
	udp *net.UDPConn
}

func newEndpoint(u *net.UDPConn) (*endpoint, error) { return &endpoint{udp: u}, nil }

func (e *endpoint) send(b []byte, p *path) error {
	_, _, err := e.udp.WriteMsgUDPAddrPort(b, p.oob[:p.oobLen], p.to)
	return err
}

func (e *endpoint) close() error { return e.udp.Close() }
