package port_test

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"schalter/media/port"
)

// numbered is a packet of n bytes that says which one it is.
func numbered(n, serial int) []byte {
	b := rtp(n - 2)
	binary.BigEndian.PutUint32(b[4:], uint32(serial))
	return b
}

// put writes a packet into the batch's space and sends it.
func put(b *port.Batch, o *port.Outlet, packet []byte) {
	b.Send(o, append(b.Space(len(packet)), packet...))
}

// joined are peers of a mux, each with its browser.
func joined(tb testing.TB, m *port.Mux, to netip.AddrPort, n int) ([]*port.Outlet, []*client) {
	tb.Helper()
	outlets, clients := make([]*port.Outlet, n), make([]*client, n)
	for i := range n {
		ufrag := "peer" + string(rune('0'+i/10)) + string(rune('0'+i%10))
		q := queue(tb, m, ufrag, to.Addr().String())
		clients[i] = newClient(tb, netip.AddrPortFrom(to.Addr(), 0).String(), to)
		clients[i].join(q, ufrag)
		outlets[i] = m.Outlet(ufrag)
	}
	return outlets, clients
}

func TestBatchReachesEverybodyInOrder(t *testing.T) {
	for _, at := range []struct{ listen, to string }{
		{"127.0.0.1:0", "127.0.0.1"}, {"0.0.0.0:0", "127.0.0.2"}, {"[::]:0", "127.0.0.2"}, {"[::]:0", "::1"}, {"[::1]:0", "::1"},
	} {
		t.Run(at.listen+" "+at.to, func(t *testing.T) {
			m, p := newMux(t, at.listen)
			to := netip.AddrPortFrom(netip.MustParseAddr(at.to), p)
			outlets, clients := joined(t, m, to, 5)
			b := m.NewBatch()
			// Frames of several sizes: runs, shorter last packets, longer ones, single ones.
			sizes := []int{1200, 1200, 1200, 700, 1200, 1200, 60, 90, 1200, 2000, 100, 100, 100}
			serial := 0
			for range 3 {
				for _, n := range sizes {
					for _, o := range outlets {
						put(b, o, numbered(n, serial))
					}
					serial++
				}
				for _, o := range outlets { // what belongs together comes together
					for i, n := range sizes {
						put(b, o, numbered(n, serial+i))
					}
				}
				serial += len(sizes)
			}
			b.Flush()
			for i, c := range clients {
				for want := range serial {
					in, from := c.receive(5 * time.Second)
					if !bytes.Equal(in, numbered(sizes[want%len(sizes)], want)) || from != to {
						t.Fatalf("peer %d, packet %d: %d bytes from %v", i, want, len(in), from)
					}
				}
				if in, _ := c.receive(10 * time.Millisecond); in != nil {
					t.Errorf("peer %d: %d bytes too many", i, len(in))
				}
			}
			if s := m.Stats(); s.Sent != uint64(5*serial+5) || s.Failed+s.Unasked+s.Overflow != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestBatchWithoutConsentSendsNothing(t *testing.T) {
	m, at, pass := muxAt(t)
	q := queue(t, m, "ours", "127.0.0.1")
	b, o := m.NewBatch(), m.Outlet("ours")
	if m.Outlet("nobody") != nil {
		t.Error("an outlet of nobody")
	}
	put(b, o, rtp(10)) // nobody was nominated
	put(b, nil, rtp(10))
	b.Flush()
	if s := m.Stats(); s.Unasked != 2 || s.Sent != 0 {
		t.Errorf("%+v", s)
	}
	m.Consent("ours", "theirs", "their password")
	c := newClient(t, "127.0.0.1:0", at)
	id := c.check("ours", true)
	_, remote := got(t, q)
	if _, err := q.WriteTo(success(id, "password"), remote); err != nil {
		t.Fatal(err)
	}
	check, _ := c.receive(5 * time.Second)
	c.receive(5 * time.Second)
	passes := func() (arrived bool) {
		t.Helper()
		put(b, o, rtp(10))
		b.Flush()
		in, _ := c.receive(30 * time.Millisecond)
		for in != nil {
			if binary.BigEndian.Uint16(in) == tBinding {
				check = in
			} else {
				arrived = true
			}
			in, _ = c.receive(30 * time.Millisecond)
		}
		return arrived
	}
	if passes() {
		t.Error("media leaves without consent")
	}
	answer := func() {
		c.send(success([12]byte(check[8:20]), "their password"))
		c.settle(q, remote)
	}
	answer()
	if !passes() {
		t.Error("nothing passes with consent")
	}
	pass(31 * time.Second)
	if passes() {
		t.Error("packets leave without consent after 31 s")
	}
	answer() // it was asked for
	if !passes() {
		t.Error("nothing passes after the consent was renewed")
	}
	before := m.Stats()
	m.RemoveConnByUfrag("ours")
	if passes() {
		t.Error("packets leave after the end")
	}
	if s := m.Stats(); s.Unasked != before.Unasked+1 {
		t.Errorf("%+v", s)
	}
}

func TestBatchFollowsTheNomination(t *testing.T) {
	m, p := newMux(t, "[::]:0")
	four, six := queue(t, m, "ours", "127.0.0.1"), queue(t, m, "ours", "::1")
	one := newClient(t, "127.0.0.1:0", local(p))
	two := newClient(t, "127.0.0.1:0", local(p))
	three := newClient(t, "[::1]:0", netip.AddrPortFrom(netip.IPv6Loopback(), p))
	b, o := m.NewBatch(), m.Outlet("ours")
	reaches := func(want *client) {
		t.Helper()
		put(b, o, rtp(10))
		b.Flush()
		for _, c := range []*client{one, two, three} {
			wait := 10 * time.Millisecond
			if c == want {
				wait = 5 * time.Second
			}
			if in, _ := c.receive(wait); (in != nil) != (c == want) {
				t.Fatalf("%v got %d bytes", c.LocalAddr(), len(in))
			}
		}
	}
	answer := func(c *client, q net.PacketConn, nominate bool) {
		t.Helper()
		id := c.check("ours", nominate)
		_, from := got(t, q)
		if _, err := q.WriteTo(success(id, "password"), from); err != nil {
			t.Fatal(err)
		}
		c.receive(5 * time.Second)
	}
	answer(one, four, false)
	reaches(one)
	answer(two, four, false)
	reaches(one)
	answer(three, six, true)
	reaches(three)
	answer(one, four, false)
	reaches(three)
	answer(two, four, true)
	reaches(two)
	_ = four.Close() // the family of the nominated address ends
	answer(three, six, false)
	reaches(three)
}

func TestBatchServesVirtualRemotesAtOnce(t *testing.T) {
	m, p := newMux(t, "127.0.0.1:0")
	var mu sync.Mutex
	var sent [][]byte
	flushes := 0
	r, err := m.Attach(func(b []byte, at netip.AddrPort) error {
		mu.Lock()
		defer mu.Unlock()
		if at != local(p) {
			t.Errorf("from %v", at)
		}
		if len(b) == 99 {
			return port.Full()
		}
		sent = append(sent, bytes.Clone(b))
		return nil
	}, func() {
		mu.Lock()
		defer mu.Unlock()
		flushes++
	})
	if err != nil {
		t.Fatal(err)
	}
	q := queue(t, m, "ours", "127.0.0.1")
	id := [12]byte{1}
	r.Deliver(binding(id, "ours:them", "password", true), local(p))
	_, from := got(t, q)
	if _, err := q.WriteTo(success(id, "password"), from); err != nil {
		t.Fatal(err)
	}
	b, o := m.NewBatch(), m.Outlet("ours")
	put(b, o, numbered(100, 1))
	put(b, o, rtp(97))
	put(b, o, numbered(50, 2))
	if flushes != 1 {
		t.Errorf("%d flushes after an answer and before the batch's", flushes)
	}
	if b.Flush(); flushes != 2 {
		t.Errorf("%d flushes after the batch's", flushes)
	}
	if len(sent) != 3 || !bytes.Equal(sent[1], numbered(100, 1)) || !bytes.Equal(sent[2], numbered(50, 2)) {
		t.Errorf("sent %d", len(sent))
	}
	before := m.Stats()
	if before.Overflow != 1 {
		t.Errorf("%+v", before)
	}
	r.Close()
	put(b, o, rtp(10))
	b.Flush()
	if s := m.Stats(); len(sent) != 3 || s.Unasked != before.Unasked+1 || s.Failed != 0 {
		t.Errorf("after the end: %+v", s)
	}
}

// What a caller may get wrong does no harm.
func TestBatchTakesWhatItIsGiven(t *testing.T) {
	m, p := newMux(t, "127.0.0.1:0")
	outlets, clients := joined(t, m, local(p), 1)
	b, o, c := m.NewBatch(), outlets[0], clients[0]
	b.Flush()
	before := m.Stats()
	b.Send(o, nil)
	b.Send(o, make([]byte, 2049))
	if s := m.Stats(); s.Failed != before.Failed+2 {
		t.Errorf("%+v", s)
	}
	if s := b.Space(1 << 20); len(s) != 0 || cap(s) < 2048 {
		t.Errorf("a space of %d", cap(s))
	}
	b.Space(-1)
	b.Send(o, numbered(1000, 1))                        // not in the space
	b.Send(o, append(b.Space(10), numbered(500, 2)...)) // larger than asked for
	_ = append(b.Space(100), "never sent"...)
	put(b, o, numbered(2048, 3))
	b.Flush()
	for i, n := range []int{1000, 500, 2048} {
		if in, _ := c.receive(5 * time.Second); !bytes.Equal(in, numbered(n, i+1)) {
			t.Errorf("packet %d: %d bytes", i, len(in))
		}
	}
}

func TestBatchesGoSideBySide(t *testing.T) {
	m, p := newMux(t, "127.0.0.1:0")
	outlets, clients := joined(t, m, local(p), 4)
	const packets = 40
	var all sync.WaitGroup
	for g, o := range outlets {
		all.Go(func() {
			b := m.NewBatch()
			for i := range packets {
				put(b, o, numbered(200+g, i))
				if i%7 == 0 {
					b.Flush()
				}
			}
			b.Flush()
		})
	}
	all.Wait()
	for g, c := range clients {
		for i := range packets {
			if in, _ := c.receive(5 * time.Second); !bytes.Equal(in, numbered(200+g, i)) {
				t.Fatalf("peer %d, packet %d: %d bytes", g, i, len(in))
			}
		}
	}
}

func TestBatchAllocatesNothing(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:0", "0.0.0.0:0", "[::]:0"} {
		m, p := newMux(t, listen)
		outlets, clients := joined(t, m, local(p), 10)
		b, packet, buf := m.NewBatch(), rtp(1200), make([]byte, 2048)
		for _, c := range clients {
			_ = c.SetReadDeadline(time.Time{})
		}
		if n := testing.AllocsPerRun(100, func() {
			for _, o := range outlets {
				for range 4 {
					put(b, o, packet)
				}
			}
			b.Flush()
			for _, c := range clients {
				for range 4 {
					if _, _, err := c.ReadFromUDPAddrPort(buf); err != nil {
						panic(err)
					}
				}
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", listen, n)
		}
	}
}
