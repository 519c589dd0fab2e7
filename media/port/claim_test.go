package port_test

import (
	"bytes"
	"encoding/binary"
	"net"
	"testing"
	"time"

	"schalter/media/port"
)

// asks sends a check from c for a ufrag, has it answered by the agent, and gives the check that the mux sent itself.
func (c *client) asks(q net.PacketConn, ufrag string) [12]byte {
	c.Helper()
	id := c.check(ufrag, true)
	_, from := got(c, q)
	if _, err := q.WriteTo(success(id, "password"), from); err != nil {
		c.Fatal(err)
	}
	var own [12]byte
	for {
		switch b, _ := c.receive(5 * time.Second); {
		case b == nil:
			c.Fatal("no answer to the check")
		case binary.BigEndian.Uint16(b) == tBinding:
			own = [12]byte(b[8:20])
		default:
			return own
		}
	}
}

// goesTo tells whether what comes from c reaches q rather than other.
func (c *client) goesTo(q net.PacketConn, serial int) {
	c.Helper()
	c.send(numbered(50, serial))
	if b, _ := got(c, q); !bytes.Equal(b, numbered(50, serial)) {
		c.Fatalf("packet %d: got %x", serial, b)
	}
}

func TestAddressInUseMovesOnlyByAnAnswerToOurCheck(t *testing.T) {
	m, at, pass := muxAt(t)
	victims, forgers := queue(t, m, "victim", "127.0.0.1"), queue(t, m, "forger", "127.0.0.1")
	m.Consent("victim", "one", "password of one")
	m.Consent("forger", "two", "password of two")
	// The victim's socket stands for the forged source, too: what is sent to it in the forger's name arrives here.
	c := newClient(t, "127.0.0.1:0", at)
	own := c.asks(victims, "victim")
	c.goesTo(victims, 1) // nobody had it before: at once
	c.send(success(own, "password of one"))
	c.goesTo(victims, 2)

	var asked [][12]byte
	for i := range 20 {
		asked = append(asked, c.asks(forgers, "forger"))
		c.goesTo(victims, 10+i)
		pass(time.Second)
	}
	last := asked[len(asked)-1]
	if last == ([12]byte{}) {
		t.Fatal("a claimant is not checked")
	}
	// A browser answers what it cannot read with an error, or not at all.
	for i, b := range [][]byte{
		fingerprint(raw(0x0111, last)), success(last, "password of one"), success([12]byte{9}, "password of two"),
	} {
		c.send(b)
		c.goesToBeside(victims, 50+i, b)
	}
	c.send(success(last, "password of two"))
	c.goesTo(forgers, 60) // so it is no victim: it has both connections
	// Back again, the same way.
	if own = c.asks(victims, "victim"); own == ([12]byte{}) {
		t.Fatal("a claimant whose consent is fresh is not checked")
	}
	c.goesTo(forgers, 70)
	c.send(success(own, "password of one"))
	c.goesTo(victims, 80)
}

// goesToBeside is goesTo after an answer that may reach the owner's agent, or be taken by the mux.
func (c *client) goesToBeside(q net.PacketConn, serial int, answer []byte) {
	c.Helper()
	c.send(numbered(50, serial))
	for {
		switch b, _ := got(c, q); {
		case bytes.Equal(b, numbered(50, serial)):
			return
		case !bytes.Equal(b, answer):
			c.Fatalf("packet %d: got %x", serial, b)
		}
	}
}

// As long as the claimant's credentials are not known it cannot be asked, and does not get what belongs to one whose are.
func TestClaimWaitsForCredentials(t *testing.T) {
	m, at, pass := muxAt(t)
	one, two := queue(t, m, "one", "127.0.0.1"), queue(t, m, "two", "127.0.0.1")
	m.Consent("one", "theirs", "password of one")
	c := newClient(t, "127.0.0.1:0", at)
	c.asks(one, "one")
	c.asks(two, "two")
	c.goesTo(one, 1)
	m.Consent("two", "theirs", "password of two")
	pass(time.Second)
	own := c.asks(two, "two")
	c.goesTo(one, 2)
	c.send(success(own, "password of two"))
	c.goesTo(two, 3)
}

// An ICE restart takes the same address with a new ufrag, while the old one may still be there or may not.
func TestClaimOutlivesTheOwner(t *testing.T) {
	m, at, _ := muxAt(t)
	one, two := queue(t, m, "one", "127.0.0.1"), queue(t, m, "two", "127.0.0.1")
	m.Consent("one", "theirs", "password of one")
	m.Consent("two", "theirs", "password of two")
	c := newClient(t, "127.0.0.1:0", at)
	c.asks(one, "one")
	own := c.asks(two, "two")
	m.RemoveConnByUfrag("one")
	c.send(success(own, "password of two")) // was on its way
	c.goesTo(two, 1)
	b, o := m.NewBatch(), m.Outlet("two")
	put(b, o, numbered(99, 1))
	b.Flush()
	if in, _ := c.receive(5 * time.Second); !bytes.Equal(in, numbered(99, 1)) {
		t.Errorf("got %x", in)
	}
	// Without an owner an answered check is enough, as ever.
	m.RemoveConnByUfrag("two")
	three := queue(t, m, "three", "127.0.0.1")
	m.Consent("three", "theirs", "password of three")
	c.asks(three, "three")
	c.goesTo(three, 2)
}

// More claimants than there is room for push each other out, never the owner.
func TestClaimsAreBounded(t *testing.T) {
	m, at, pass := muxAt(t)
	owner := queue(t, m, "owner", "127.0.0.1")
	m.Consent("owner", "theirs", "password")
	c := newClient(t, "127.0.0.1:0", at)
	c.asks(owner, "owner")
	queues := make([]net.PacketConn, 3*port.MaxClaims)
	own := make([][12]byte, len(queues))
	for i := range queues {
		ufrag := "claimant" + string(rune('a'+i))
		queues[i] = queue(t, m, ufrag, "127.0.0.1")
		m.Consent(ufrag, "theirs", "password")
		own[i] = c.asks(queues[i], ufrag)
	}
	if n := m.Claims(); n != port.MaxClaims {
		t.Errorf("%d claims", n)
	}
	c.send(success(own[0], "password")) // pushed out
	c.goesToBeside(owner, 1, success(own[0], "password"))
	pass(time.Second)
	own[0] = c.asks(queues[0], "claimanta") // its next check claims again
	c.send(success(own[0], "password"))
	c.goesTo(queues[0], 2)
	for i := range queues {
		m.RemoveConnByUfrag("claimant" + string(rune('a'+i)))
	}
	if n := m.Claims(); n != 0 {
		t.Errorf("%d claims of nobody", n)
	}
}
