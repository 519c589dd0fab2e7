package relay_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pion/stun"

	"schalter/media/relay"
)

func TestCredentialsAreBoundToSeatAndTime(t *testing.T) {
	p := newPlant(t, nil)
	c := p.relay.Issue("seat-1")
	if want := p.clock().Add(24 * time.Hour); c.Expires.After(want) || c.Expires.Before(want.Add(-time.Second)) {
		t.Errorf("expires at %v", c.Expires)
	}
	if !strings.HasSuffix(c.Username, ":seat-1") || len(c.Password) < 40 {
		t.Errorf("%+v", c)
	}
	if again := p.relay.Issue("seat-2"); again.Password == c.Password {
		t.Error("two seats, one password")
	}
	if code := p.dial(false, c).allocate(); code != 0 {
		t.Fatalf("refused with %d", code)
	}
	stamp, _, _ := strings.Cut(c.Username, ":")
	for name, bad := range map[string]relay.Credential{
		"wrong password":   {Username: c.Username, Password: "x"},
		"another seat":     {Username: stamp + ":seat-2", Password: c.Password},
		"unknown seat":     {Username: stamp + ":seat-9", Password: c.Password},
		"longer life":      {Username: "9" + c.Username, Password: c.Password},
		"leading zero":     {Username: "0" + c.Username, Password: c.Password},
		"sign":             {Username: "+" + c.Username, Password: c.Password},
		"no expiry":        {Username: ":seat-1", Password: c.Password},
		"no seat":          {Username: stamp + ":", Password: c.Password},
		"seat alone":       {Username: "seat-1", Password: c.Password},
		"huge expiry":      {Username: "99999999999999999999:seat-1", Password: c.Password},
		"negative expiry":  {Username: "-5:seat-1", Password: c.Password},
		"newline":          {Username: stamp + "\n:seat-1", Password: c.Password},
		"nothing but bits": {Username: "\x00\xff", Password: ""},
	} {
		if code := p.dial(true, bad).allocate(); code == 0 {
			t.Errorf("%s was accepted", name)
		}
	}
	p.pass(3 * time.Hour)
	if code := p.dial(true, c).allocate(); code != 0 {
		t.Errorf("late in a talk it was refused with %d", code)
	}
	p.pass(21*time.Hour + time.Second)
	if code := p.dial(false, c).allocate(); code == 0 {
		t.Error("an expired credential was accepted")
	}
	fresh := p.relay.Issue("seat-1")
	if code := p.dial(true, fresh).allocate(); code != 0 {
		t.Errorf("a fresh one was refused with %d", code)
	}
}

func TestAllocationOutlivesItsCredentialUntilRevoked(t *testing.T) {
	p := newPlant(t, nil)
	c := p.relay.Issue("seat-1")
	b := p.dial(true, c)
	if code := b.allocate(); code != 0 {
		t.Fatal(code)
	}
	other := p.dial(true, p.relay.Issue("seat-2"))
	if code := other.allocate(); code != 0 {
		t.Fatal(code)
	}
	p.pass(30 * time.Hour)
	p.relay.Issue("somebody") // forgets what has expired and holds nothing
	if answer, err := b.ask(stun.MethodRefresh, oneHour); err != nil || codeOf(answer) != 0 {
		t.Fatalf("refresh: %v", err)
	}
	if answer, err := b.ask(stun.MethodCreatePermission, peer(p.udp)); err != nil || codeOf(answer) != 0 {
		t.Fatalf("permission: %v", err)
	}
	// Another seat's credential is of no use on this connection.
	mine, mineKey := b.name, b.key
	b.name, b.key = other.name, other.key
	if answer, err := b.ask(stun.MethodRefresh, oneHour); err != nil || codeOf(answer) == 0 {
		t.Errorf("another seat refreshed the allocation: %v", err)
	}
	b.name, b.key = mine, mineKey

	p.relay.Revoke("seat-1")
	if _, err := b.read(10 * time.Second); !errors.Is(err, errEnded) {
		t.Errorf("after Revoke: %v", err)
	}
	p.eventually("the allocation is gone", func() bool { return p.relay.Stats().Allocations == 1 })
	if code := p.dial(true, c).allocate(); code == 0 {
		t.Error("a revoked seat got an allocation")
	}
	if answer, err := other.ask(stun.MethodRefresh, oneHour); err != nil || codeOf(answer) != 0 {
		t.Errorf("the other seat: %v", err)
	}
	p.relay.Revoke("seat-1")
	p.relay.Revoke("never issued")
	// A credential that has not expired is of no use either, on a connection that is there already or on a new one.
	fresh := p.relay.Issue("seat-3")
	waiting := p.dial(false, fresh)
	if _, err := waiting.ask(stun.MethodBinding); err != nil {
		t.Fatal(err)
	}
	p.relay.Revoke("seat-3")
	for _, b := range []*browser{waiting, p.dial(true, fresh)} {
		if code := b.allocate(); code == 0 {
			t.Error("a revoked seat got an allocation")
		}
	}
}

func TestAllocationsPerSeat(t *testing.T) {
	p := newPlant(t, nil)
	c := p.relay.Issue("seat-1")
	var live []*browser
	for i := range 300 {
		b := p.dial(i%2 == 0, c)
		switch code := b.allocate(); code {
		case 0:
			live = append(live, b)
		case int(stun.CodeInsufficientCapacity):
			_ = b.conn.Close()
		default:
			t.Fatal(code)
		}
	}
	if s := p.relay.Stats(); len(live) != 12 || s.Allocations != 12 || s.Quota != 288 {
		t.Errorf("%d allocations for 300 tries, %+v", len(live), s)
	}
	// One connection holds one allocation.
	if code := live[0].allocate(); code != int(stun.CodeAllocMismatch) {
		t.Errorf("a second allocation on one connection: %d", code)
	}
	// Giving one back makes room.
	answer, err := live[0].ask(stun.MethodRefresh, attribute{stun.AttrLifetime, []byte{0, 0, 0, 0}})
	if err != nil || codeOf(answer) != 0 {
		t.Fatal(err)
	}
	p.eventually("one is given back", func() bool { return p.relay.Stats().Allocations == 11 })
	if code := live[0].allocate(); code != 0 {
		t.Errorf("allocating again on the same connection: %d", code)
	}
	// A browser that changed its network left silent allocations behind: one of them gives way, a live one does not.
	p.pass(11 * time.Second)
	for i, b := range live[1:] {
		b.permit(p.udp)
		b.sendTo(p.udp, []byte{0, 1, 2, 3, 4, 5, 6, 7})
		p.eventually("the packet came", func() bool { return p.relay.Stats().Inbound == uint64(i+1) })
	}
	b := p.dial(false, p.relay.Issue("seat-1"))
	if code := b.allocate(); code != 0 {
		t.Errorf("no room for the returning browser: %d", code)
	}
	if _, err := live[0].read(10 * time.Second); !errors.Is(err, errEnded) {
		t.Errorf("the silent one: %v", err)
	}
	if answer, err := live[1].ask(stun.MethodRefresh, oneHour); err != nil || codeOf(answer) != 0 {
		t.Errorf("a live one: %v", err)
	}
	if code := p.dial(false, c).allocate(); code == 0 {
		t.Error("a thirteenth was given beside twelve live ones")
	}
	p.eventually("twelve are left", func() bool { return p.relay.Stats().Allocations == 12 })
}

// Checks go through every allocation of a seat, media through two.
func TestTwoAllocationsCarryMedia(t *testing.T) {
	p := newPlant(t, nil)
	q, err := p.mux.GetConn("ours", net.UDPAddrFromAddrPort(p.udp))
	if err != nil {
		t.Fatal(err)
	}
	var all []*browser
	for i := range 4 {
		b := p.dial(i%2 == 0, p.relay.Issue("seat-1"))
		if code := b.allocate(); code != 0 {
			t.Fatal(code)
		}
		b.permit(p.udp)
		b.join(q)
		all = append(all, b)
	}
	other := p.dial(false, p.relay.Issue("seat-2"))
	if code := other.allocate(); code != 0 {
		t.Fatal(code)
	}
	other.permit(p.udp)
	other.join(q)
	buf, serial := make([]byte, 2048), byte(0)
	carries := func(b *browser) bool {
		t.Helper()
		serial++
		before := p.relay.Stats()
		media := append([]byte{0x80, 96, 0, serial}, make([]byte, 60)...)
		b.sendTo(p.udp, media)
		p.eventually("the packet was dealt with", func() bool {
			s := p.relay.Stats()
			return s.Inbound+s.Unused > before.Inbound+before.Unused
		})
		if p.relay.Stats().Unused > before.Unused {
			return false
		}
		if n, _, err := q.ReadFrom(buf); err != nil || !bytes.Equal(buf[:n], media) {
			t.Fatalf("%x, %v", buf[:n], err)
		}
		return true
	}
	for _, step := range []struct {
		pass time.Duration
		by   *browser
		want bool
	}{
		{0, all[0], true}, {0, all[1], true}, {0, all[2], false}, {0, all[3], false}, {0, other, true},
		{400 * time.Millisecond, all[1], true}, {0, all[2], false},
		{200 * time.Millisecond, all[2], true}, // all[0] has been silent for 0.6 s
		{0, all[0], false}, {0, all[1], true}, {0, all[2], true}, {0, other, true},
	} {
		p.pass(step.pass)
		if got := carries(step.by); got != step.want {
			t.Errorf("%+v: %v", step, got)
		}
	}
	_ = all[1].conn.Close()
	p.eventually("one is gone", func() bool { return p.relay.Stats().Allocations == 4 })
	if !carries(all[0]) {
		t.Error("the place of one that has ended was not taken")
	}
	all[3].join(q) // a check still passes
}

func TestAllocationsPerNetwork(t *testing.T) {
	p := newPlant(t, func(c *relay.Config) { c.PerNetwork = 5 })
	given := 0
	for i := range 20 {
		if p.dial(false, p.relay.Issue(string(rune('a'+i)))).allocate() == 0 {
			given++
		}
	}
	if given != 5 {
		t.Errorf("%d allocations", given)
	}
}

func TestStrangersConnectionsKeepNobodyOut(t *testing.T) {
	p := newPlant(t, nil)
	p.relay.Crowd(4)
	var idle []*browser
	for range 4 {
		b := p.dial(false, p.relay.Issue("a"))
		if answer, err := b.ask(stun.MethodBinding); err != nil || codeOf(answer) != 0 {
			t.Fatal(err)
		}
		idle = append(idle, b)
	}
	for i := range 4 {
		if code := p.dial(false, p.relay.Issue(string(rune('b'+i)))).allocate(); code != 0 {
			t.Fatalf("seat %d: %d", i, code)
		}
		if _, err := idle[i].read(10 * time.Second); !errors.Is(err, errEnded) {
			t.Errorf("the oldest one without an allocation: %v", err)
		}
	}
	if _, err := p.dial(false, p.relay.Issue("z")).ask(stun.MethodBinding); !errors.Is(err, errEnded) {
		t.Errorf("one too many: %v", err)
	}
	if n := p.relay.Stats().Allocations; n != 4 {
		t.Errorf("%d allocations, the four are to stay", n)
	}
}

func TestConnectionWithoutAllocationEnds(t *testing.T) {
	p := newPlantIdle(t, 50*time.Millisecond, nil)
	idle := p.dial(false, p.relay.Issue("a"))
	if answer, err := idle.ask(stun.MethodBinding); err != nil || codeOf(answer) != 0 {
		t.Fatal(err)
	}
	holder := p.dial(false, p.relay.Issue("b"))
	if code := holder.allocate(); code != 0 {
		t.Fatal(code)
	}
	if _, err := idle.read(10 * time.Second); !errors.Is(err, errEnded) {
		t.Errorf("idle: %v", err)
	}
	if answer, err := holder.ask(stun.MethodRefresh, oneHour); err != nil || codeOf(answer) != 0 {
		t.Errorf("holder: %v", err)
	}
	if _, err := holder.ask(stun.MethodRefresh, attribute{stun.AttrLifetime, []byte{0, 0, 0, 0}}); err != nil {
		t.Fatal(err)
	}
	if _, err := holder.read(10 * time.Second); !errors.Is(err, errEnded) {
		t.Errorf("after giving back: %v", err)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	p := newPlant(t, nil)
	a, b := p.dial(false, p.relay.Issue("a")), p.dial(true, p.relay.Issue("b"))
	for _, b := range []*browser{a, b} {
		if code := b.allocate(); code != 0 {
			t.Fatal(code)
		}
		b.permit(p.udp)
		b.sendTo(p.udp, []byte("a packet, so that there is a remote"))
	}
	p.eventually("both have a remote", func() bool { return p.mux.Stats().Remotes == 2 })
	p.stop()
	for _, b := range []*browser{a, b} {
		if _, err := b.read(10 * time.Second); !errors.Is(err, errEnded) {
			t.Error(err)
		}
	}
	if s := p.relay.Stats(); s.Allocations != 0 || s.Connections != 0 || p.mux.Stats().Remotes != 0 {
		t.Errorf("left over: %+v %+v", s, p.mux.Stats())
	}
}

func TestConfigIsChecked(t *testing.T) {
	p := newPlant(t, nil)
	good := relay.Config{Listener: closedListener{}, Attach: p.mux.Attach, Peers: p.allowed, Realm: "r", Secret: make([]byte, 16)}
	for name, change := range map[string]func(*relay.Config){
		"listener": func(c *relay.Config) { c.Listener = nil }, "attach": func(c *relay.Config) { c.Attach = nil },
		"peers": func(c *relay.Config) { c.Peers = nil }, "realm": func(c *relay.Config) { c.Realm = "" },
		"secret": func(c *relay.Config) { c.Secret = make([]byte, 15) },
	} {
		c := good
		change(&c)
		if r, err := relay.New(c); err == nil {
			t.Errorf("no %s was taken", name)
			_ = r.Close()
		}
	}
	r, err := relay.New(good)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

type closedListener struct{}

func (closedListener) Accept() (net.Conn, error) { return nil, net.ErrClosed }
func (closedListener) Close() error              { return nil }
func (closedListener) Addr() net.Addr            { return nil }

func (b *browser) permit(a netip.AddrPort) {
	b.Helper()
	if answer, err := b.ask(stun.MethodCreatePermission, peer(a)); err != nil || codeOf(answer) != 0 {
		b.Fatalf("permission: %v", err)
	}
}

// sendTo sends a Send indication.
func (b *browser) sendTo(a netip.AddrPort, data []byte) {
	b.Helper()
	m, err := stun.Build(stun.TransactionID, stun.NewType(stun.MethodSend, stun.ClassIndication), peer(a), attribute{stun.AttrData, data})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := b.conn.Write(m.Raw); err != nil {
		b.Fatal(err)
	}
}

// channel sends channel data.
func (b *browser) channel(number uint16, data []byte) {
	b.Helper()
	m := binary.BigEndian.AppendUint16(nil, number)
	m = binary.BigEndian.AppendUint16(m, uint16(len(data)))
	m = append(m, data...)
	for len(m)%4 != 0 {
		m = append(m, 0)
	}
	if _, err := b.conn.Write(m); err != nil {
		b.Fatal(err)
	}
}

func TestSlowBrowserHoldsUpNobody(t *testing.T) {
	p := newPlant(t, nil)
	q, err := p.mux.GetConn("ours", net.UDPAddrFromAddrPort(p.udp))
	if err != nil {
		t.Fatal(err)
	}
	slow, quick := p.dial(false, p.relay.Issue("slow")), p.dial(false, p.relay.Issue("quick"))
	from := make(map[*browser]net.Addr)
	for _, b := range []*browser{slow, quick} {
		if code := b.allocate(); code != 0 {
			t.Fatal(code)
		}
		b.permit(p.udp)
		from[b] = b.join(q)
	}
	media := append([]byte{0x80, 96}, make([]byte, 1200)...)
	start := time.Now()
	for range 20000 { // 24 MB that are not read
		if _, err := q.WriteTo(media, from[slow]); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("writing took %v", took)
	}
	if s := p.relay.Stats(); s.Overflow == 0 || p.mux.Stats().Overflow > s.Overflow {
		t.Errorf("%+v, mux %+v", s, p.mux.Stats())
	}
	if _, err := q.WriteTo(media, from[quick]); err != nil {
		t.Fatal(err)
	}
	for {
		in, err := quick.read(10 * time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(in, media) {
			break
		}
	}
}

// join makes the allocation's remote the queue's, as a browser does with its checks.
func (b *browser) join(q net.PacketConn) net.Addr {
	b.Helper()
	check, err := stun.Build(stun.TransactionID, stun.BindingRequest, stun.NewUsername("ours:them"),
		stun.NewShortTermIntegrity("password"), stun.Fingerprint)
	if err != nil {
		b.Fatal(err)
	}
	b.sendTo(b.udp, check.Raw)
	buf := make([]byte, 2048)
	n, from, err := q.ReadFrom(buf)
	if err != nil || !bytes.Equal(buf[:n], check.Raw) {
		b.Fatalf("%x, %v", buf[:n], err)
	}
	answer, err := stun.Build(stun.NewTransactionIDSetter(check.TransactionID), stun.BindingSuccess,
		stun.NewShortTermIntegrity("password"), stun.Fingerprint)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := q.WriteTo(answer.Raw, from); err != nil {
		b.Fatal(err)
	}
	if in, err := b.read(10 * time.Second); err != nil || !bytes.Contains(in, answer.Raw) {
		b.Fatalf("%x, %v", in, err)
	}
	return from
}
