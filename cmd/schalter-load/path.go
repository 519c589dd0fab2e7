package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/net/ipv4"
)

// path carries datagrams between us and one address of the server. One goroutine receives; any may send.
type path interface {
	// receive waits for datagrams until the deadline and gives each to take; they are valid during the call.
	receive(take func(datagram []byte)) error
	send(datagram []byte) error
	deadline(time.Time)
	peer() netip.AddrPort
	close()
}

// errQuiet is what receive gives when nothing came until the deadline.
var errQuiet = errors.New("nothing came")

const (
	largest  = 1500 // bytes of a datagram
	atOnce   = 16   // datagrams read by one system call
	bigQueue = 2 << 20
)

// socket is a UDP socket of its own, as every browser has one. It does not ask the kernel for joined datagrams (UDP_GRO):
// over loopback that would spare the sender the work of splitting, which on a real line it has to pay for.
type socket struct {
	conn     *net.UDPConn
	batch    *ipv4.PacketConn
	messages []ipv4.Message
	remote   netip.AddrPort
}

func openSocket(local netip.Addr) (*socket, error) {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(local, 0)))
	if err != nil {
		return nil, fmt.Errorf("open socket: %w", err)
	}
	_ = conn.SetReadBuffer(bigQueue) // so that our being late is not read as the server's loss; the kernel gives what it may
	_ = conn.SetWriteBuffer(bigQueue)
	s := &socket{conn: conn, batch: ipv4.NewPacketConn(conn), messages: make([]ipv4.Message, atOnce)}
	for i := range s.messages {
		s.messages[i].Buffers = [][]byte{make([]byte, largest)}
	}
	return s, nil
}

func (s *socket) local() netip.AddrPort {
	a := s.conn.LocalAddr().(*net.UDPAddr).AddrPort()
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

func (s *socket) receive(take func([]byte)) error {
	n, err := s.batch.ReadBatch(s.messages, 0)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errQuiet
	}
	if err != nil {
		return fmt.Errorf("receive: %w", err)
	}
	for _, m := range s.messages[:n] {
		take(m.Buffers[0][:m.N])
	}
	return nil
}

func (s *socket) send(datagram []byte) error {
	_, err := s.conn.WriteToUDPAddrPort(datagram, s.remote)
	return err
}

func (s *socket) deadline(t time.Time) { _ = s.conn.SetReadDeadline(t) } // fails on a closed socket, which receive tells

func (s *socket) peer() netip.AddrPort { return s.remote }

func (s *socket) close() { _ = s.conn.Close() } // nothing is to be saved
