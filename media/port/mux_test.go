package port_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"schalter/media/port"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bound opens a socket at an address with a free port.
func bound(tb testing.TB, address string) *net.UDPConn {
	tb.Helper()
	a, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		tb.Fatal(err)
	}
	network := "udp"
	if a.IP.To4() != nil {
		network = "udp4"
	}
	c, err := net.ListenUDP(network, a)
	if err != nil {
		tb.Skipf("no socket at %s: %v", address, err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

func newMux(tb testing.TB, address string) (*port.Mux, uint16) {
	tb.Helper()
	c := bound(tb, address)
	m, err := port.NewMux(port.MuxConfig{Conns: []*net.UDPConn{c}})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := m.Close(); err != nil {
			tb.Error(err)
		}
	})
	return m, uint16(c.LocalAddr().(*net.UDPAddr).Port)
}

// queue is the agent's end of a peer.
func queue(tb testing.TB, m *port.Mux, ufrag, address string) net.PacketConn {
	tb.Helper()
	c, err := m.GetConn(ufrag, &net.UDPAddr{IP: net.ParseIP(address), Port: 1})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// got reads one packet from a queue.
func got(tb testing.TB, c net.PacketConn) ([]byte, net.Addr) {
	tb.Helper()
	type result struct {
		b    []byte
		from net.Addr
		err  error
	}
	done := make(chan result, 1)
	go func() {
		b := make([]byte, 4096)
		n, from, err := c.ReadFrom(b)
		done <- result{b[:n], from, err}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			tb.Fatal(r.err)
		}
		return r.b, r.from
	case <-time.After(5 * time.Second):
		tb.Fatal("no packet")
		return nil, nil
	}
}

// client is a browser's UDP socket.
type client struct {
	testing.TB
	*net.UDPConn
	to     *net.UDPAddr
	serial byte
}

func newClient(tb testing.TB, from string, to netip.AddrPort) *client {
	return &client{TB: tb, UDPConn: bound(tb, from), to: net.UDPAddrFromAddrPort(to)}
}

func (c *client) send(b []byte) {
	c.Helper()
	if _, err := c.WriteToUDP(b, c.to); err != nil {
		c.Fatal(err)
	}
}

// receive gives the next packet, or nil after a short while.
func (c *client) receive(wait time.Duration) ([]byte, netip.AddrPort) {
	c.Helper()
	b := make([]byte, 4096)
	_ = c.SetReadDeadline(time.Now().Add(wait))
	n, from, err := c.ReadFromUDPAddrPort(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, netip.AddrPort{}
	}
	if err != nil {
		c.Fatal(err)
	}
	return b[:n], netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
}

// check sends a Binding request for a ufrag and gives its id.
func (c *client) check(ufrag string, nominate bool) [12]byte {
	c.Helper()
	c.serial++
	id := [12]byte{0: c.serial, 11: byte(c.LocalAddr().(*net.UDPAddr).Port)}
	c.send(binding(id, ufrag+":them", "password", nominate))
	return id
}

// join checks and is answered: the address is the queue's from now on.
func (c *client) join(q net.PacketConn, ufrag string) net.Addr {
	c.Helper()
	id := c.check(ufrag, true)
	_, from := got(c, q)
	if _, err := q.WriteTo(success(id, "password"), from); err != nil {
		c.Fatal(err)
	}
	if b, _ := c.receive(5 * time.Second); b == nil {
		c.Fatal("no answer to the check")
	}
	return from
}

func rtp(n int) []byte  { return append([]byte{0x80, 96}, make([]byte, n)...) }
func dtls(n int) []byte { return append([]byte{22, 0xfe, 0xfd}, make([]byte, n)...) }

func local(port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port)
}

func TestPacketsGoBothWays(t *testing.T) {
	for _, at := range []struct{ listen, from, to string }{
		{"127.0.0.1:0", "127.0.0.1:0", "127.0.0.1"},
		{"0.0.0.0:0", "127.0.0.1:0", "127.0.0.1"},
		{"[::]:0", "127.0.0.1:0", "127.0.0.1"},
		{"[::]:0", "[::1]:0", "::1"},
		{"[::1]:0", "[::1]:0", "::1"},
	} {
		t.Run(at.listen+" "+at.to, func(t *testing.T) {
			m, p := newMux(t, at.listen)
			q := queue(t, m, "ours", at.to)
			c := newClient(t, at.from, netip.AddrPortFrom(netip.MustParseAddr(at.to), p))
			remote := c.join(q, "ours")
			if want := c.LocalAddr().String(); remote.String() != want {
				t.Errorf("the remote is %v, not %v", remote, want)
			}
			for _, b := range [][]byte{rtp(100), dtls(100), rtp(1400)} {
				c.send(b)
				if in, from := got(t, q); !bytes.Equal(in, b) || from.String() != remote.String() {
					t.Errorf("%d bytes from %v", len(in), from)
				}
				if _, err := q.WriteTo(b, remote); err != nil {
					t.Fatal(err)
				}
				if out, from := c.receive(5 * time.Second); !bytes.Equal(out, b) || from.Addr().String() != at.to {
					t.Errorf("%d bytes back from %v", len(out), from)
				}
			}
		})
	}
}

// A wildcard socket answers from the address that the packet came to, for two of them at the same time.
func TestAnswersLeaveFromTheAddressAsked(t *testing.T) {
	for _, listen := range []string{"0.0.0.0:0", "[::]:0"} {
		t.Run(listen, func(t *testing.T) {
			m, p := newMux(t, listen)
			q := queue(t, m, "ours", "127.0.0.1")
			c := newClient(t, "0.0.0.0:0", local(p))
			second := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), p)
			first := c.check("ours", true)
			c.to = net.UDPAddrFromAddrPort(second)
			other := c.check("ours", false)
			_, from := got(t, q)
			got(t, q)
			// Answered in the other order.
			for id, want := range map[[12]byte]string{other: "127.0.0.2", first: "127.0.0.1"} {
				if _, err := q.WriteTo(success(id, "password"), from); err != nil {
					t.Fatal(err)
				}
				if b, from := c.receive(5 * time.Second); b == nil || from.Addr().String() != want {
					t.Errorf("answer from %v, want %v", from, want)
				}
			}
			if _, err := q.WriteTo(rtp(10), from); err != nil {
				t.Fatal(err)
			}
			if b, from := c.receive(5 * time.Second); b == nil || from.Addr().String() != "127.0.0.1" {
				t.Errorf("media from %v, want the nominated 127.0.0.1", from)
			}
		})
	}
}

// Whoever knows a ufrag but not the password gets nothing but what the agent answers, which is nothing.
func TestUncheckedAddressGetsNoMedia(t *testing.T) {
	m, p := newMux(t, "127.0.0.1:0")
	q := queue(t, m, "ours", "127.0.0.1")
	c := newClient(t, "127.0.0.1:0", local(p))
	c.check("ours", true)
	_, from := got(t, q)
	for _, b := range [][]byte{rtp(100), dtls(100), raw(tBinding, [12]byte{1}), success([12]byte{99}, "password")} {
		if _, err := q.WriteTo(b, from); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := q.WriteTo(rtp(100), &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9}); err != nil {
		t.Fatal(err)
	}
	if b, _ := c.receive(20 * time.Millisecond); b != nil {
		t.Errorf("%d bytes left", len(b))
	}
	if s := m.Stats(); s.Sent != 0 || s.Unasked != 5 {
		t.Errorf("sent %d, unasked %d", s.Sent, s.Unasked)
	}
	// And its packets reach nobody.
	c.send(dtls(100))
	id := c.check("ours", true)
	if b, _ := got(t, q); !bytes.Equal(b[8:20], id[:]) {
		t.Errorf("got %x", b)
	}
}

func TestAddressMovesWithAnAnsweredCheckOnly(t *testing.T) {
	m, p := newMux(t, "127.0.0.1:0")
	one, two := queue(t, m, "one", "127.0.0.1"), queue(t, m, "two", "127.0.0.1")
	c := newClient(t, "127.0.0.1:0", local(p))
	c.join(one, "one")
	// A check that names another peer reaches it, but until it is answered everything else stays where it was.
	id := c.check("two", false)
	_, from := got(t, two)
	c.send(rtp(10))
	if b, _ := got(t, one); !bytes.Equal(b, rtp(10)) {
		t.Errorf("got %x", b)
	}
	if _, err := two.WriteTo(success(id, "password"), from); err != nil {
		t.Fatal(err)
	}
	c.receive(5 * time.Second)
	c.send(rtp(20))
	if b, _ := got(t, two); !bytes.Equal(b, rtp(20)) {
		t.Errorf("got %x", b)
	}
	// It comes back the same way, and it is free when its owner goes.
	c.join(one, "one")
	c.send(rtp(30))
	if b, _ := got(t, one); !bytes.Equal(b, rtp(30)) {
		t.Errorf("got %x", b)
	}
	m.RemoveConnByUfrag("one")
	c.send(rtp(40))
	c.join(two, "two")
	c.send(rtp(50))
	if b, _ := got(t, two); !bytes.Equal(b, rtp(50)) {
		t.Errorf("got %x", b)
	}
	if s := m.Stats(); s.Strangers != 1 {
		t.Errorf("%d strangers, want the one packet after the owner went", s.Strangers)
	}
}

func TestAddressesOfOneUfragAreBounded(t *testing.T) {
	m, p := newMux(t, "127.0.0.1:0")
	q := queue(t, m, "ours", "127.0.0.1")
	friend := newClient(t, "127.0.0.1:0", local(p))
	remote := friend.join(q, "ours")
	for range 3 * port.MaxRemotes {
		c := newClient(t, "127.0.0.1:0", local(p))
		c.check("ours", true)
		got(t, q) // unanswered: it knows the ufrag alone
	}
	friend.send(rtp(10))
	if b, from := got(t, q); !bytes.Equal(b, rtp(10)) || from.String() != remote.String() {
		t.Errorf("got %x from %v", b, from)
	}
	if _, err := q.WriteTo(rtp(10), remote); err != nil {
		t.Fatal(err)
	}
	if b, _ := friend.receive(5 * time.Second); b == nil {
		t.Error("the address in use was pushed out")
	}
	// Checked ones are not pushed out: the next is refused.
	for i := range port.MaxRemotes {
		c := newClient(t, "127.0.0.1:0", local(p))
		if i < port.MaxRemotes-1 {
			c.join(q, "ours")
		} else {
			c.check("ours", true)
			friend.send(rtp(11))
			if b, _ := got(t, q); !bytes.Equal(b, rtp(11)) {
				t.Errorf("got %x", b)
			}
		}
	}
	if s := m.Stats(); s.Crowded != 1 {
		t.Errorf("crowded %d times", s.Crowded)
	}
}

func TestQueueDropsMediaFirst(t *testing.T) {
	m, p := newMux(t, "127.0.0.1:0")
	q := queue(t, m, "ours", "127.0.0.1")
	r, err := m.Attach(func([]byte, netip.AddrPort) error { return nil }, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	id := [12]byte{1}
	r.Deliver(binding(id, "ours:them", "password", true), netip.AddrPort{})
	_, from := got(t, q)
	if _, err := q.WriteTo(success(id, "password"), from); err != nil {
		t.Fatal(err)
	}
	for range port.QueueSize {
		r.Deliver(rtp(10), netip.AddrPort{})
	}
	if s := m.Stats(); s.Overflow != port.QueueSize-port.QueueMedia {
		t.Errorf("%d packets of media dropped", s.Overflow)
	}
	for range port.QueueSize - port.QueueMedia {
		r.Deliver(dtls(20), netip.AddrPort{})
	}
	if s := m.Stats(); s.Overflow != port.QueueSize-port.QueueMedia {
		t.Errorf("%d packets dropped, the handshake's among them", s.Overflow)
	}
	r.Deliver(dtls(20), netip.AddrPort{})
	if s := m.Stats(); s.Overflow != port.QueueSize-port.QueueMedia+1 {
		t.Errorf("%d packets dropped, want one more", s.Overflow)
	}
	for i := range port.QueueSize {
		b, _ := got(t, q)
		if media := b[0] == 0x80; media != (i < port.QueueMedia) {
			t.Fatalf("packet %d is %x", i, b)
		}
	}
	_ = p
}

func TestQueuesEnd(t *testing.T) {
	m, p := newMux(t, "[::]:0")
	end := func(q net.PacketConn, how func()) {
		t.Helper()
		done := make(chan error, 1)
		go func() {
			_, _, err := q.ReadFrom(make([]byte, 10))
			done <- err
		}()
		how()
		select {
		case err := <-done:
			if !errors.Is(err, io.EOF) {
				t.Errorf("read ended with %v", err)
			}
		case <-time.After(5 * time.Second):
			t.Error("read did not end")
		}
		if _, err := q.WriteTo(rtp(10), &net.UDPAddr{}); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("write: %v", err)
		}
	}
	four, six := queue(t, m, "ours", "127.0.0.1"), queue(t, m, "ours", "::1")
	if again := queue(t, m, "ours", "10.1.2.3"); again != four || four == six {
		t.Error("one queue per family and ufrag is expected")
	}
	end(four, func() { _ = four.Close() })
	c := newClient(t, "[::1]:0", netip.AddrPortFrom(netip.IPv6Loopback(), p))
	c.join(six, "ours") // closing one leaves the other
	end(six, func() { m.RemoveConnByUfrag("ours") })
	if s := m.Stats(); s.Peers != 0 {
		t.Errorf("%d peers left", s.Peers)
	}
	last := queue(t, m, "last", "127.0.0.1")
	end(last, func() { _ = m.Close() })
	if _, err := m.GetConn("late", &net.UDPAddr{}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := m.Attach(nil, nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestListenAddressesAreOnePerFamily(t *testing.T) {
	for listen, want := range map[string][2]int{"127.0.0.1:0": {1, 0}, "[::1]:0": {0, 1}, "0.0.0.0:0": {1, 0}} {
		m, p := newMux(t, listen)
		var n [2]int
		for _, a := range m.GetListenAddresses() {
			u := a.(*net.UDPAddr)
			if u.Port != int(p) || u.IP.IsUnspecified() {
				t.Errorf("%s: %v", listen, u)
			}
			if u.IP.To4() != nil {
				n[0]++
			} else {
				n[1]++
			}
		}
		if n != want {
			t.Errorf("%s: %v addresses per family", listen, n)
		}
	}
}

func TestSeveralSocketsOfOnePort(t *testing.T) {
	four := bound(t, "127.0.0.1:0")
	p := four.LocalAddr().(*net.UDPAddr).Port
	m, err := port.NewMux(port.MuxConfig{Conns: []*net.UDPConn{four, bound(t, fmt.Sprintf("[::1]:%d", p))}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for _, ip := range []string{"127.0.0.1", "::1"} {
		q := queue(t, m, "ours", ip)
		c := newClient(t, net.JoinHostPort(ip, "0"), netip.AddrPortFrom(netip.MustParseAddr(ip), uint16(p)))
		c.join(q, "ours")
	}
	if _, err := port.NewMux(port.MuxConfig{Conns: []*net.UDPConn{bound(t, "127.0.0.1:0"), bound(t, "127.0.0.1:0")}}); err == nil {
		t.Error("sockets of different ports were taken")
	}
	if _, err := port.NewMux(port.MuxConfig{}); err == nil {
		t.Error("no socket was taken")
	}
}
