package port_test

import (
	"bytes"
	"net/netip"
	"sync"
	"testing"
	"time"

	"schalter/media/port"
)

func TestVirtualRemoteLooksLikeAnAddress(t *testing.T) {
	m, _ := newMux(t, "127.0.0.1:0")
	q := queue(t, m, "ours", "127.0.0.1")
	var mu sync.Mutex
	var sent [][]byte
	seen := make(map[string]bool)
	var remotes []*port.Remote
	for range 100 {
		r, err := m.Attach(func(b []byte, _ netip.AddrPort) error {
			mu.Lock()
			defer mu.Unlock()
			sent = append(sent, bytes.Clone(b))
			return nil
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if a := r.Addr(); seen[a.String()] || a.IP.To4() == nil || a.IP.To4()[0] < 240 {
			t.Fatalf("address %v", a)
		}
		seen[r.Addr().String()] = true
		remotes = append(remotes, r)
	}
	r := remotes[50]
	r.Deliver(rtp(10), netip.AddrPort{}) // a stranger still
	id := [12]byte{1}
	r.Deliver(binding(id, "ours:them", "password", true), netip.AddrPort{})
	b, from := got(t, q)
	if !bytes.Equal(b[8:20], id[:]) || from.String() != r.Addr().String() {
		t.Fatalf("got %x from %v", b, from)
	}
	for _, b := range [][]byte{success(id, "password"), rtp(10)} {
		if _, err := q.WriteTo(b, from); err != nil {
			t.Fatal(err)
		}
	}
	if len(sent) != 2 || !bytes.Equal(sent[1], rtp(10)) {
		t.Errorf("sent %x", sent)
	}
	r.Close()
	r.Close()
	if _, err := q.WriteTo(rtp(10), from); err != nil {
		t.Fatal(err)
	}
	r.Deliver(binding(id, "ours:them", "password", true), netip.AddrPort{})
	if s := m.Stats(); len(sent) != 2 || s.Unasked != 1 || s.Remotes != 99 || s.Failed != 0 {
		t.Errorf("after the end: %d sent, %+v", len(sent), s)
	}
	for _, r := range remotes {
		r.Close()
	}
}

func TestRealDatagramCannotBeAVirtualRemote(t *testing.T) {
	m, p := newMux(t, "127.0.0.1:0")
	q := queue(t, m, "ours", "127.0.0.1")
	friend := newClient(t, "127.0.0.1:0", local(p))
	friend.join(q, "ours")
	forge(t, netip.MustParseAddrPort("240.0.0.1:9"), local(p), binding([12]byte{1}, "ours:them", "password", true))
	friend.send(rtp(10)) // comes behind it
	if b, _ := got(t, q); !bytes.Equal(b, rtp(10)) {
		t.Errorf("got %x", b)
	}
	if s := m.Stats(); s.Forged != 1 {
		t.Errorf("%d forged", s.Forged)
	}
}

func TestReservedAddresses(t *testing.T) {
	for address, virtual := range map[string]bool{
		"240.0.0.1": true, "255.255.255.255": true, "100::1": true, "::ffff:240.0.0.9": true,
		"239.255.255.255": false, "10.0.0.1": false, "100:0:0:1::1": false, "2001:db8::1": false,
	} {
		if got := port.Reserved(netip.MustParseAddr(address).Unmap()); got != virtual {
			t.Errorf("%s: %v", address, got)
		}
	}
}

func TestReadPathAllocatesNothing(t *testing.T) {
	m, _ := newMux(t, "127.0.0.1:0")
	q := queue(t, m, "ours", "127.0.0.1")
	r, err := m.Attach(func([]byte, netip.AddrPort) error { return nil }, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	id := [12]byte{1}
	check, answer, media := binding(id, "ours:them", "password", true), success(id, "password"), rtp(1200)
	buf := make([]byte, 2048)
	r.Deliver(check, netip.AddrPort{})
	_, from, err := q.ReadFrom(buf)
	if err != nil {
		t.Fatal(err)
	}
	step := func(in, out []byte) func() {
		return func() {
			r.Deliver(in, netip.AddrPort{})
			if _, _, err := q.ReadFrom(buf); err != nil {
				panic(err)
			}
			if _, err := q.WriteTo(out, from); err != nil {
				panic(err)
			}
		}
	}
	step(check, answer)()
	for name, f := range map[string]func(){"media": step(media, media), "check": step(check, answer)} {
		if n := testing.AllocsPerRun(200, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// The same through a real socket: reading, delivering, and sending from the address that was asked.
func TestSocketPathAllocatesNothing(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:0", "0.0.0.0:0", "[::]:0"} {
		m, p := newMux(t, listen)
		q := queue(t, m, "ours", "127.0.0.1")
		c := newClient(t, "127.0.0.1:0", local(p))
		remote := c.join(q, "ours")
		to, buf, media := local(p), make([]byte, 2048), rtp(1200)
		_ = c.SetReadDeadline(time.Time{})
		if n := testing.AllocsPerRun(200, func() {
			if _, err := c.WriteToUDPAddrPort(media, to); err != nil {
				panic(err)
			}
			if _, _, err := q.ReadFrom(buf); err != nil {
				panic(err)
			}
			if _, err := q.WriteTo(media, remote); err != nil {
				panic(err)
			}
			if _, _, err := c.ReadFromUDPAddrPort(buf); err != nil {
				panic(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", listen, n)
		}
	}
}

func FuzzDatagram(f *testing.F) {
	for _, b := range strange(f) {
		f.Add(b)
	}
	f.Add(binding([12]byte{7}, "ours:them", "password", true))
	m, _ := newMux(f, "127.0.0.1:0")
	q := queue(f, m, "ours", "127.0.0.1")
	sent := 0
	r, err := m.Attach(func([]byte, netip.AddrPort) error { sent++; return nil }, nil)
	if err != nil {
		f.Fatal(err)
	}
	id := [12]byte{1}
	r.Deliver(binding(id, "ours:them", "password", true), netip.AddrPort{})
	_, from := got(f, q)
	if _, err := q.WriteTo(success(id, "password"), from); err != nil {
		f.Fatal(err)
	}
	unknown, err := m.Attach(func([]byte, netip.AddrPort) error { panic("a stranger was answered") }, nil)
	if err != nil {
		f.Fatal(err)
	}
	buf := make([]byte, 4096)
	f.Fuzz(func(t *testing.T, b []byte) {
		last := dtls(10)
		if bytes.Equal(b, last) {
			return
		}
		unknown.Deliver(b, netip.AddrPort{})
		r.Deliver(b, netip.AddrPort{})
		r.Deliver(last, netip.AddrPort{})
		// Whatever reaches the agent is a datagram of ours, and STUN among it well-formed.
		for {
			n, _, err := q.ReadFrom(buf)
			if err != nil {
				t.Fatal(err)
			}
			in := buf[:n]
			switch {
			case bytes.Equal(in, last):
				return
			case !bytes.Equal(in, b):
				t.Fatalf("%x became %x", b, in)
			case len(in) >= 8 && bytes.Equal(in[4:8], []byte{0x21, 0x12, 0xa4, 0x42}) && port.CheckSTUN(in) != nil:
				t.Fatalf("malformed STUN reached the agent: %x", in)
			}
		}
	})
}
