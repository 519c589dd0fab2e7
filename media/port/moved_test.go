package port_test

import (
	"bytes"
	"net"
	"testing"
	"time"

	"schalter/media/port"
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

// moving is a peer that is reached at its first address, and has another one.
func moving(t *testing.T) (m *port.Mux, q net.PacketConn, pass func(time.Duration), before, after *client) {
	t.Helper()
	m, at, pass := muxAt(t)
	q = queue(t, m, "ours", "127.0.0.1")
	m.Consent("ours", "them", "theirs")
	before, after = newClient(t, "127.0.0.1:0", at), newClient(t, "127.0.0.1:0", at)
	own := before.asks(q, "ours")
	before.send(success(own, "theirs"))
	before.goesTo(q, 1)
	return m, q, pass, before, after
}

// Behind a router that forgot about it a browser has another address, and nominates nothing. Packets follow it there when
// the old address is silent, and not before.
func TestPacketsFollowAnAddressThatChanged(t *testing.T) {
	m, q, pass, before, after := moving(t)
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

// Nobody checks for long, as Firefox: packets follow the address by looks alone, and not while the old one answers.
func TestLooksFindAnAddressThatChanged(t *testing.T) {
	m, q, pass, before, after := moving(t)
	b, o := m.NewBatch(), m.Outlet("ours")
	if !o.Heard() || o.Heard() {
		t.Error("a check and an answer are one sign until it is looked at")
	}
	goes := func(n int) (to *client) {
		t.Helper()
		put(b, o, numbered(99, n))
		b.Flush()
		for _, c := range []*client{before, after} {
			for in, _ := c.receive(20 * time.Millisecond); in != nil; in, _ = c.receive(20 * time.Millisecond) {
				if bytes.Equal(in, numbered(99, n)) {
					to = c
				}
			}
		}
		return to
	}
	after.quietly(q, 10)
	for n := range 10 { // the old one answers every look
		pass(250 * time.Millisecond)
		o.Look(false)
		before.heeds()
		before.goesTo(q, 20+n)
	}
	if !o.Heard() {
		t.Error("answers are no sign")
	}
	if o.Moved() || goes(1) != before {
		t.Error("packets left an address that answers")
	}
	after.quietly(q, 11)
	for n := range 6 {
		pass(250 * time.Millisecond)
		o.Look(false)
		after.heeds()
		after.goesTo(q, 40+n)
	}
	if !o.Moved() || o.Moved() || goes(2) != after {
		t.Error("packets did not follow")
	}
	if m.Stats().Unasked != 0 {
		t.Error("packets left without consent")
	}
	// A peer that is silent everywhere is asked, and loses nothing by it.
	o.Heard()
	for range 20 {
		pass(250 * time.Millisecond)
		o.Look(true)
	}
	if in, _ := after.receive(20 * time.Millisecond); in == nil {
		t.Error("it was not asked")
	}
	if o.Heard() {
		t.Error("silence is no sign")
	}
}
