package port_test

import (
	"bytes"
	"net"
	"testing"
	"time"
)

// quietly checks without a nomination, as a browser does that does not know that its address is another now. It answers
// the check that the mux sends itself, if there is one. Serial is of a packet that must come through behind it.
func (c *client) quietly(q net.PacketConn, serial int) {
	c.Helper()
	id := c.check("ours", false)
	_, from := got(c, q)
	if _, err := q.WriteTo(success(id, "password"), from); err != nil {
		c.Fatal(err)
	}
	c.heeds()
	c.goesTo(q, serial)
}

// heeds answers the mux's own checks that wait.
func (c *client) heeds() {
	c.Helper()
	for {
		switch b, _ := c.receive(50 * time.Millisecond); {
		case b == nil:
			return
		case b[0] == tBinding>>8 && b[1] == tBinding&0xff:
			c.send(success([12]byte(b[8:20]), "theirs"))
		}
	}
}

// Behind a router that forgot about it a browser has another address, and nominates nothing. Packets follow it there when
// the old address is silent, and not before.
func TestPacketsFollowAnAddressThatChanged(t *testing.T) {
	m, at, pass := muxAt(t)
	q := queue(t, m, "ours", "127.0.0.1")
	m.Consent("ours", "them", "theirs")
	before, after := newClient(t, "127.0.0.1:0", at), newClient(t, "127.0.0.1:0", at)
	own := before.asks(q, "ours")
	before.send(success(own, "theirs"))
	before.goesTo(q, 1)
	b, o := m.NewBatch(), m.Outlet("ours")
	arrives := func(at, not *client, n int) {
		t.Helper()
		put(b, o, numbered(99, n))
		b.Flush()
		for {
			in, _ := at.receive(5 * time.Second)
			if in == nil {
				t.Fatalf("packet %d did not arrive", n)
			}
			if bytes.Equal(in, numbered(99, n)) {
				break
			}
		}
		if in, _ := not.receive(time.Millisecond); bytes.Equal(in, numbered(99, n)) {
			t.Fatalf("packet %d arrived at both", n)
		}
	}
	arrives(before, after, 1)
	for n := range 8 { // a second way of the same browser: both answer
		pass(2 * time.Second)
		after.quietly(q, 10+n)
		before.heeds()
		before.goesTo(q, 20+n)
		arrives(before, after, 10+n)
		before.heeds()
		before.goesTo(q, 30+n)
	}
	for n := range 3 {
		pass(2 * time.Second)
		after.quietly(q, 40+n)
	}
	arrives(after, before, 50)
	// Whoever is nominated is it at once.
	before.asks(q, "ours")
	arrives(before, after, 60)
}
