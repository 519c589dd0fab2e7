package port_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"schalter/media/port"
)

// What is for one peer is one message, and all messages leave by one call.
func TestBatchNeedsFewCalls(t *testing.T) {
	m, p := newMux(t, "[::]:0")
	outlets, clients := joined(t, m, local(p), 3)
	before := m.Stats()
	b := m.NewBatch()
	for _, o := range outlets {
		for i := range 64 {
			put(b, o, numbered(1000, i))
		}
	}
	b.Flush()
	after := m.Stats()
	if calls, messages := after.CallsOut-before.CallsOut, after.Segmented-before.Segmented; calls > 1 || messages != 3 {
		t.Errorf("%d calls, %d messages", calls, messages)
	}
	for _, c := range clients {
		for i := range 64 {
			if in, _ := c.receive(5 * time.Second); !bytes.Equal(in, numbered(1000, i)) {
				t.Fatalf("packet %d: %d bytes", i, len(in))
			}
		}
	}
}

// Several readers share one address, and the other family has a socket of its own: everybody is reached, in order.
func TestBatchOverSeveralSockets(t *testing.T) {
	shared := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var inner error
		err := c.Control(func(fd uintptr) { inner = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
		if err != nil {
			return err
		}
		return inner
	}}
	var all []*net.UDPConn
	at := "127.0.0.1:0"
	for range 3 {
		c, err := shared.ListenPacket(context.Background(), "udp4", at)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		at = c.LocalAddr().String()
		all = append(all, c.(*net.UDPConn))
	}
	four := netip.MustParseAddrPort(at)
	six := netip.AddrPortFrom(netip.IPv6Loopback(), four.Port())
	all = append(all, bound(t, six.String()))
	m, err := port.NewMux(port.MuxConfig{Conns: all})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var outlets []*port.Outlet
	var clients []*client
	for i := range 8 {
		to := []netip.AddrPort{four, six}[i%2]
		c := newClient(t, netip.AddrPortFrom(to.Addr(), 0).String(), to)
		ufrag := fmt.Sprint("peer", i)
		c.join(queue(t, m, ufrag, to.Addr().String()), ufrag)
		clients, outlets = append(clients, c), append(outlets, m.Outlet(ufrag))
	}
	for range 3 { // batches differ in the socket that they use
		b, before := m.NewBatch(), m.Stats()
		for i := range 12 {
			for _, o := range outlets {
				put(b, o, numbered(300, i))
			}
		}
		b.Flush() // 96 messages, 64 at one go
		if calls := m.Stats().CallsOut - before.CallsOut; calls > 4 {
			t.Errorf("%d calls", calls)
		}
		for n, c := range clients {
			for i := range 12 {
				in, from := c.receive(5 * time.Second)
				if !bytes.Equal(in, numbered(300, i)) || from.String() != c.to.String() {
					t.Fatalf("peer %d, packet %d: %d bytes from %v", n, i, len(in), from)
				}
			}
		}
	}
}

// What waits in the socket is taken at one go, and each queue has its own in order.
func TestReceiveTakesMany(t *testing.T) {
	m, p := newMux(t, "[::]:0")
	queues := []net.PacketConn{queue(t, m, "one", "127.0.0.1"), queue(t, m, "two", "127.0.0.1")}
	clients := []*client{newClient(t, "127.0.0.1:0", local(p)), newClient(t, "127.0.0.1:0", local(p))}
	clients[0].join(queues[0], "one")
	clients[1].join(queues[1], "two")
	stranger := newClient(t, "127.0.0.1:0", local(p))
	before := m.Stats()
	m.Hold()
	for i := range 100 {
		clients[0].send(numbered(100, i))
		stranger.send(rtp(20))
		clients[1].send(numbered(100, i))
		clients[1].send(numbered(200, i))
	}
	m.Resume()
	for i := range 100 {
		for k, want := range [][]byte{numbered(100, i), numbered(100, i), numbered(200, i)} {
			if b, _ := got(t, queues[min(k, 1)]); !bytes.Equal(b, want) {
				t.Fatalf("packet %d: %d bytes", i, len(b))
			}
		}
	}
	s := m.Stats()
	if s.Received-before.Received != 300 || s.Strangers-before.Strangers != 100 || s.CallsIn-before.CallsIn > 20 {
		t.Errorf("%+v after %+v", s, before)
	}
}

// A reader sees how much is left.
func TestWaiting(t *testing.T) {
	m, p := newMux(t, "127.0.0.1:0")
	q := queue(t, m, "ours", "127.0.0.1")
	c := newClient(t, "127.0.0.1:0", local(p))
	c.join(q, "ours")
	other, last := queue(t, m, "other", "127.0.0.1"), newClient(t, "127.0.0.1:0", local(p))
	last.join(other, "other")
	w := q.(interface{ Waiting() int })
	if n := w.Waiting(); n != 0 {
		t.Errorf("%d packets wait", n)
	}
	for i := range 5 {
		c.send(numbered(100, i))
	}
	last.send(rtp(10)) // is in its queue after them
	got(t, other)
	for left := 5; left > 0; left-- {
		if n := w.Waiting(); n != left {
			t.Errorf("%d packets wait, not %d", n, left)
		}
		got(t, q)
	}
	if n := w.Waiting(); n != 0 {
		t.Errorf("%d packets wait", n)
	}
}

// An owner that changes while a batch is being told apart has the rest of it.
func TestAddressMovesWithinABatch(t *testing.T) {
	m, p := newMux(t, "127.0.0.1:0")
	one, two := queue(t, m, "one", "127.0.0.1"), queue(t, m, "two", "127.0.0.1")
	m.Consent("one", "theirs", "password of one")
	m.Consent("two", "theirs", "password of two")
	c, stranger := newClient(t, "127.0.0.1:0", local(p)), newClient(t, "127.0.0.1:0", local(p))
	c.asks(one, "one")
	own := c.asks(two, "two")
	m.Hold()
	stranger.send(rtp(20)) // what the reader has while it is held
	c.send(numbered(50, 1))
	c.send(success(own, "password of two"))
	c.send(numbered(50, 2))
	m.Resume()
	if b, _ := got(t, one); !bytes.Equal(b, numbered(50, 1)) {
		t.Errorf("got %x", b)
	}
	if b, _ := got(t, two); !bytes.Equal(b, numbered(50, 2)) {
		t.Errorf("got %x", b)
	}
}
