package port_test

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/stun"

	"schalter/media/port"
)

// muxAt is a mux whose clock the test moves.
func muxAt(t *testing.T) (*port.Mux, netip.AddrPort, func(time.Duration)) {
	t.Helper()
	var now atomic.Int64
	now.Store(int64(time.Hour))
	u := bound(t, "127.0.0.1:0")
	m, err := port.NewMuxAt(port.MuxConfig{Conns: []*net.UDPConn{u}}, func() time.Duration { return time.Duration(now.Load()) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m, netip.MustParseAddrPort(u.LocalAddr().String()), func(d time.Duration) { now.Add(int64(d)) }
}

// passes tells whether a packet to the remote arrives at the client; the mux's own checks on the way are collected.
func (c *client) passes(q net.PacketConn, remote net.Addr, b []byte, checks *[][]byte) bool {
	c.Helper()
	if _, err := q.WriteTo(b, remote); err != nil {
		c.Fatal(err)
	}
	for {
		in, _ := c.receive(30 * time.Millisecond)
		switch {
		case in == nil:
			return false
		case bytes.Equal(in, b):
			return true
		case binary.BigEndian.Uint16(in) == tBinding:
			*checks = append(*checks, in)
		default:
			c.Fatalf("unexpected %x", in)
		}
	}
}

func TestConsentByTheOtherSidesChecks(t *testing.T) {
	m, at, pass := muxAt(t)
	q := queue(t, m, "ours", "127.0.0.1")
	c := newClient(t, "127.0.0.1:0", at)
	remote := c.join(q, "ours")
	var checks [][]byte
	for _, step := range []struct {
		pass   time.Duration
		arrive bool
	}{{0, true}, {29 * time.Second, true}, {2 * time.Second, false}} {
		pass(step.pass)
		if got := c.passes(q, remote, rtp(10), &checks); got != step.arrive {
			t.Errorf("after %v: %v", step.pass, got)
		}
	}
	c.join(q, "ours")
	if !c.passes(q, remote, rtp(10), &checks) {
		t.Error("nothing passes after a new check")
	}
	// GStreamer of Debian 12 sends keep-alives instead of checks.
	for range 5 {
		pass(25 * time.Second)
		c.send(fingerprint(raw(0x0011, [12]byte{1})))
		got(t, q)
		if !c.passes(q, remote, rtp(10), &checks) {
			t.Error("a keep-alive keeps nothing alive")
		}
	}
	if len(checks) > 0 {
		t.Errorf("checks without credentials: %x", checks)
	}
}

func TestConsentIsAskedFor(t *testing.T) {
	m, at, pass := muxAt(t)
	q := queue(t, m, "ours", "127.0.0.1")
	m.Consent("ours", "theirs", "their password")
	m.Consent("nobody", "a", "b")
	c := newClient(t, "127.0.0.1:0", at)
	id := c.check("ours", true)
	_, remote := got(t, q)
	if _, err := q.WriteTo(success(id, "password"), remote); err != nil {
		t.Fatal(err)
	}
	// Our check comes first, then the answer.
	check, _ := c.receive(5 * time.Second)
	answer, _ := c.receive(5 * time.Second)
	if !bytes.Equal(answer, success(id, "password")) {
		t.Fatalf("answer %x", answer)
	}
	if err := port.CheckSTUN(check); err != nil {
		t.Fatal(err)
	}
	request := &stun.Message{Raw: check}
	if err := request.Decode(); err != nil {
		t.Fatal(err)
	}
	var name stun.Username
	if err := name.GetFrom(request); err != nil || name.String() != "theirs:ours" || request.Type != stun.BindingRequest {
		t.Errorf("check %v of %q, %v", request, name, err)
	}
	if err := stun.NewShortTermIntegrity("their password").Check(request); err != nil {
		t.Error(err)
	}
	if !request.Contains(stun.AttrICEControlled) || !request.Contains(stun.AttrPriority) {
		t.Error("the check lacks an attribute")
	}

	var checks [][]byte
	if c.passes(q, remote, rtp(10), &checks) {
		t.Error("media leaves without consent")
	}
	own := [12]byte(check[8:20])
	for name, bad := range map[string][]byte{
		"signed by somebody else": success(own, "password"),
		"not signed":              raw(tBindingSuccess, own, attr{aXORMapped, []byte{0, 1, 1, 2, 3, 4, 5, 6}}),
		"to another check":        success([12]byte{9}, "their password"),
		"an error":                fingerprint(seal(raw(0x0111, own), "their password")),
		"a keep-alive":            raw(0x0011, own),
	} {
		c.send(bad)
		c.settle(q, remote)
		if c.passes(q, remote, rtp(10), &checks) {
			t.Fatalf("consent by an answer %s", name)
		}
	}
	c.send(success(own, "their password"))
	c.settle(q, remote)
	if !c.passes(q, remote, rtp(10), &checks) {
		t.Fatal("nothing passes after the answer")
	}
	// While packets flow it is asked for again every 5 s; checks of the other side are not enough.
	checks = nil
	for range 29 {
		pass(time.Second)
		if !c.passes(q, remote, rtp(10), &checks) {
			t.Fatal("consent ended early")
		}
	}
	if len(checks) != 5 {
		t.Errorf("%d checks in 29 s", len(checks))
	}
	pass(2 * time.Second)
	if c.passes(q, remote, rtp(10), &checks) {
		t.Error("packets leave without consent after 31 s")
	}
	c.send(success([12]byte(checks[len(checks)-1][8:20]), "their password"))
	c.settle(q, remote)
	if !c.passes(q, remote, rtp(10), &checks) {
		t.Error("nothing passes after the consent was renewed")
	}
}

// Before the address has answered only the agent's check and the cookie of a handshake go out, and not without end.
func TestLittleLeavesBeforeConsent(t *testing.T) {
	var checks [][]byte
	m, at, _ := muxAt(t)
	q := queue(t, m, "ours", "127.0.0.1")
	m.Consent("ours", "theirs", "their password")
	c := newClient(t, "127.0.0.1:0", at)
	id := c.check("ours", true)
	_, remote := got(t, q)
	_, _ = q.WriteTo(success(id, "password"), remote)
	c.receive(5 * time.Second)
	c.receive(5 * time.Second)
	agents := binding([12]byte{77}, "theirs:ours", "their password", false)
	if !c.passes(q, remote, agents, &checks) || !c.passes(q, remote, dtls(100), &checks) || c.passes(q, remote, dtls(500), &checks) {
		t.Error("the credit is not what it should be")
	}
	if c.passes(q, remote, rtp(10), &checks) || c.passes(q, remote, dtls(20), &checks) {
		t.Error("more than the credit leaves")
	}
}

// settle waits until all that was sent before has been dealt with. Answers to our own checks do not reach the agent.
func (c *client) settle(q net.PacketConn, remote net.Addr) {
	c.Helper()
	marker := append(dtls(20), 42)
	c.send(marker)
	for {
		b, _ := got(c, q)
		if bytes.Equal(b, marker) {
			return
		}
	}
}

// Whoever has a seat signs checks with a forged source: the victim gets answers and questions, and no media.
func TestForgedSourceGetsNoMedia(t *testing.T) {
	m, at, pass := muxAt(t)
	q := queue(t, m, "ours", "127.0.0.1")
	m.Consent("ours", "theirs", "their password")
	victim := newClient(t, "127.0.0.1:0", at) // its socket stands for the forged source; it answers nothing
	total := 0
	for range 5 {
		id := victim.check("ours", true)
		_, remote := got(t, q)
		if _, err := q.WriteTo(success(id, "password"), remote); err != nil {
			t.Fatal(err)
		}
		for range 100 {
			_, _ = q.WriteTo(rtp(1200), remote)
		}
		pass(200 * time.Millisecond)
	}
	for {
		b, _ := victim.receive(20 * time.Millisecond)
		if b == nil {
			break
		}
		total += len(b)
	}
	if total == 0 || total > 1024 {
		t.Errorf("%d bytes to somebody who never asked", total)
	}
}
