package apart

import (
	"crypto/tls"
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"schalter/media/port"
)

// pairBuffer is what lies between the two processes, in bytes each way: some 50 packets, lest they grow old there.
const pairBuffer = 64 << 10

// Pass passes a connection on to the media process, whose it is from now on. While that is away the connection is closed.
func (p *Plane) Pass(c port.Passed) {
	l := p.present()
	if l == nil || len(c.Read) > mostRead {
		_ = c.Conn.Close() // the browser finds out and comes again
		return
	}
	tcp, ok := c.Conn.(*net.TCPConn)
	if !ok {
		p.passInside(l, c)
		return
	}
	n := note{way: iceTCP, read: c.Read}
	if c.TURN {
		n.way = turnTCP
	}
	if err := passOn(l.door, n, tcp); err != nil {
		p.log.Debug("connection not passed on", "turn", c.TURN)
	}
	_ = tcp.Close() // this process's end of it
}

// passInside passes on the inside of a TLS connection, whose keys stay here.
func (p *Plane) passInside(l *life, c port.Passed) {
	out, caller := takeOver(c.Conn)
	if out == nil {
		_ = c.Conn.Close() // nobody whom limits could count, or no TLS of the listener's
		return
	}
	near, far, err := Pair(unix.SOCK_STREAM)
	if err != nil {
		p.log.Warn("connection not passed on", "turn", true, "error", err)
		out.close()
		return
	}
	for _, c := range []*net.UnixConn{near, far} {
		_ = c.SetWriteBuffer(pairBuffer) // a larger one works too
	}
	n := note{way: turnTLS, network: port.Network(caller.Addr()).Addr(), read: c.Read}
	err = passOn(l.door, n, far)
	_ = far.Close() // media has its own by now, or never will
	if err == nil {
		out.media.fd, err = port.Descriptor(near)
	}
	if err != nil {
		_ = near.Close() // the browser finds out, and so does media
		out.close()
		return
	}
	p.pump.add(out)
}

// takeOver takes the socket below TLS out of the runtime's hands. Nil: it cannot be done.
func takeOver(c net.Conn) (*carried, netip.AddrPort) {
	t, ok := c.(*tls.Conn)
	if !ok {
		return nil, netip.AddrPort{}
	}
	under, ok := t.NetConn().(*port.Underlay)
	if !ok {
		return nil, netip.AddrPort{}
	}
	tcp := under.Socket()
	if tcp == nil {
		return nil, netip.AddrPort{}
	}
	caller, ok := tcp.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return nil, netip.AddrPort{}
	}
	fd, err := port.Descriptor(tcp)
	if err != nil {
		return nil, netip.AddrPort{}
	}
	w := &wire{socket: socket{fd: fd}, Conn: tcp}
	under.Conn = w
	return &carried{tls: t, wire: w, media: socket{fd: -1}}, caller.AddrPort()
}

// Pair makes two connected Unix sockets of the kind: unix.SOCK_STREAM for control, unix.SOCK_SEQPACKET for the door.
func Pair(kind int) (near, far *net.UnixConn, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	if near, err = unixConn(fds[0]); err != nil {
		_ = unix.Close(fds[1]) // not in use yet
		return nil, nil, err
	}
	if far, err = unixConn(fds[1]); err != nil {
		_ = near.Close() // as above
		return nil, nil, err
	}
	return near, far, nil
}

// unixConn takes over a descriptor.
func unixConn(fd int) (*net.UnixConn, error) {
	file := os.NewFile(uintptr(fd), "pair")
	defer file.Close()
	c, err := net.FileConn(file)
	if err != nil {
		return nil, err
	}
	return c.(*net.UnixConn), nil
}
