package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"schalter/systemd"
)

// sockets are the one port: TCP and UDP with the same number.
type sockets struct {
	tcp   net.Listener
	udp   *net.UDPConn
	given bool // by systemd
}

// port is its number.
func (s sockets) port() int { return s.tcp.Addr().(*net.TCPAddr).Port }

func (s sockets) tcpAddress() netip.AddrPort {
	return s.tcp.Addr().(*net.TCPAddr).AddrPort()
}

func (s sockets) udpAddress() netip.AddrPort {
	return s.udp.LocalAddr().(*net.UDPAddr).AddrPort()
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
	s := sockets{given.TCP[0], given.UDP[0], true}
	if s.tcpAddress().Port() != s.udpAddress().Port() {
		return sockets{}, errors.Join(errors.New("systemd's tcp and udp sockets have different ports: see schalterd.socket"), given.Close())
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
	udp, err := net.ListenUDP("udp", udpAt)
	if err != nil {
		return sockets{}, errors.Join(err, tcp.Close())
	}
	return sockets{tcp: tcp, udp: udp}, nil
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
