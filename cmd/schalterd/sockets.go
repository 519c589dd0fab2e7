package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"schalter/systemd"
)

// sockets are the one port: TCP and UDP with the same number.
type sockets struct {
	tcp   net.Listener
	udp   *heldUDP
	given bool // by systemd
}

// port is its number.
func (s sockets) port() int { return s.tcp.Addr().(*net.TCPAddr).Port }

func (s sockets) tcpAddress() netip.AddrPort {
	return s.tcp.Addr().(*net.TCPAddr).AddrPort()
}

func (s sockets) udpAddress() netip.AddrPort {
	return s.udp.local
}

// close gives both back, when nobody else owns them yet.
func (s sockets) close() error { return errors.Join(s.tcp.Close(), s.udp.Close()) }

// openSockets takes systemd's sockets, or opens both at the address.
func openSockets(address string) (sockets, error) {
	given, err := systemd.Listen()
	if err != nil {
		return sockets{}, err
	}
	if given.None() {
		return bind(address)
	}
	if len(given.TCP) != 1 || len(given.UDP) != 1 {
		err := fmt.Errorf("systemd handed over %d tcp and %d udp sockets, one of each is needed: see schalterd.socket", len(given.TCP), len(given.UDP))
		return sockets{}, errors.Join(err, given.Close())
	}
	udp, err := hold(given.UDP[0])
	if err != nil {
		return sockets{}, errors.Join(err, given.Close())
	}
	s := sockets{given.TCP[0], udp, true}
	if s.tcpAddress().Port() != s.udpAddress().Port() {
		return sockets{}, errors.Join(errors.New("systemd's tcp and udp sockets have different ports: see schalterd.socket"), s.close())
	}
	return s, nil
}

const (
	// bindTries is how often a free port is looked for: TCP's choice may be taken in UDP.
	bindTries = 50
	// bindFor is how long a port may still be taken by the media process of a box that was killed a moment ago; it ends with its
	// box, but a few milliseconds later.
	bindFor, bindPause = time.Second, 20 * time.Millisecond
)

// bind opens both. For port 0 it tries until one number is free in both.
func bind(address string) (sockets, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return sockets{}, fmt.Errorf("listen: %w", err)
	}
	began := time.Now()
	for try := 1; ; try++ {
		s, err := bindOnce(host, port)
		if err == nil {
			return s, nil
		}
		if taken := errors.Is(err, syscall.EADDRINUSE); taken && port == "0" && try < bindTries {
			continue
		} else if taken && port != "0" && time.Since(began) < bindFor {
			time.Sleep(bindPause) // there is nothing to wait on
			continue
		}
		return sockets{}, bindHint(err, port)
	}
}

func bindOnce(host, port string) (sockets, error) {
	wanted, err := net.ResolveTCPAddr("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return sockets{}, err
	}
	tcp, err := net.ListenTCP("tcp", wanted)
	if err != nil {
		return sockets{}, err
	}
	// The address that TCP got, so that a name with several leads both to the same one.
	at := tcp.Addr().(*net.TCPAddr)
	udpAt := &net.UDPAddr{IP: at.IP, Port: at.Port, Zone: at.Zone}
	if host == "" {
		udpAt.IP = nil // both families, as TCP has it
	}
	u, err := net.ListenUDP("udp", udpAt)
	if err != nil {
		return sockets{}, errors.Join(err, tcp.Close())
	}
	udp, err := hold(u)
	if err != nil {
		return sockets{}, errors.Join(err, tcp.Close())
	}
	return sockets{tcp: tcp, udp: udp}, nil
}

// heldUDP is a UDP socket that this process keeps for others and never reads. It is a bare descriptor: a net.UDPConn would be
// known to Go's poller, and the kernel would wake this process for every datagram that the media process gets or sends by the
// same socket.
type heldUDP struct {
	local netip.AddrPort
	fd    int
	once  sync.Once
}

// hold takes a socket over, and closes it.
func hold(u *net.UDPConn) (*heldUDP, error) {
	h := &heldUDP{local: u.LocalAddr().(*net.UDPAddr).AddrPort()}
	raw, err := u.SyscallConn()
	if err == nil {
		var dup error
		err = raw.Control(func(fd uintptr) { h.fd, dup = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) })
		err = errors.Join(err, dup)
	}
	if err = errors.Join(err, u.Close()); err != nil {
		return nil, fmt.Errorf("hold udp socket: %w", err)
	}
	return h, nil
}

// File gives a descriptor of its own, for a child to inherit. Whoever asked closes it soon.
func (h *heldUDP) File() (*os.File, error) {
	fd, err := unix.FcntlInt(uintptr(h.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("pass udp socket on: %w", err)
	}
	return os.NewFile(uintptr(fd), "udp"), nil
}

// Close gives the port back, unless a child has it too.
func (h *heldUDP) Close() error {
	err := net.ErrClosed
	h.once.Do(func() { err = unix.Close(h.fd) })
	return err
}

// bindHint says what to do about a port that cannot be had.
func bindHint(err error, port string) error {
	n, _ := strconv.Atoi(port)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("der Anschluss %s ist schon belegt, von einem anderen Programm oder einer zweiten Box; mit --listen lässt sich ein anderer wählen: %w", port, err)
	case errors.Is(err, syscall.EACCES) && n < 1024:
		return fmt.Errorf("der Anschluss %s darf nur systemd öffnen: Benutzen Sie schalterd.socket oder --listen :8443: %w", port, err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("diese Adresse hat der Rechner nicht; lassen Sie in --listen den Teil vor dem Doppelpunkt weg: %w", err)
	}
	return fmt.Errorf("listen: %w", err)
}
