package relay_test

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/stun"

	"schalter/media/relay"
)

// special are the networks that a relay must not lead to (IANA special purpose registries).
func special() []string {
	return []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
		"192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
		"224.0.0.0/4", "240.0.0.0/4", "255.255.255.255/32",
		"::/128", "::1/128", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32",
		"2002::/16", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
	}
}

// within gives the first, the last and some address of a network.
func within(tb testing.TB, network string) []netip.Addr {
	tb.Helper()
	p := netip.MustParsePrefix(network)
	fill := func(f func(i int) byte) netip.Addr {
		b := p.Addr().AsSlice()
		for i := range b {
			for bit := range 8 {
				if i*8+bit >= p.Bits() {
					b[i] |= f(i) & (0x80 >> bit)
				}
			}
		}
		a, _ := netip.AddrFromSlice(b)
		return a
	}
	random := make([]byte, 16)
	if _, err := rand.Read(random); err != nil {
		tb.Fatal(err)
	}
	return []netip.Addr{
		fill(func(int) byte { return 0 }), fill(func(int) byte { return 0xff }), fill(func(i int) byte { return random[i] }),
		fill(func(i int) byte { return map[bool]byte{true: 1}[i == len(p.Addr().AsSlice())-1] }), // the router, mostly
	}
}

// disguises are the IPv6 forms of an IPv4 address.
func disguises(a netip.Addr) []netip.Addr {
	v := a.As4()
	nat64 := [16]byte{0, 0x64, 0xff, 0x9b}
	copy(nat64[12:], v[:])
	sixToFour := [16]byte{0x20, 2}
	copy(sixToFour[2:], v[:])
	var compatible [16]byte
	copy(compatible[12:], v[:])
	return []netip.Addr{netip.AddrFrom16(a.As16()), netip.AddrFrom16(nat64), netip.AddrFrom16(sixToFour), netip.AddrFrom16(compatible)}
}

// targets are all addresses that must not be reached, the SFU's own ones in disguise among them.
func targets(tb testing.TB, sfu netip.Addr) []netip.Addr {
	var all []netip.Addr
	for _, n := range special() {
		for _, a := range within(tb, n) {
			if a == sfu {
				continue
			}
			all = append(all, a)
			if a.Is4() {
				all = append(all, disguises(a)...)
			}
		}
	}
	all = append(all, disguises(sfu)...)
	all = append(all, sfu.Next(), sfu.Prev())
	own, err := net.InterfaceAddrs()
	if err != nil {
		tb.Fatal(err)
	}
	for _, a := range own {
		if ip, ok := netip.AddrFromSlice(a.(*net.IPNet).IP); ok {
			all = append(all, ip.Unmap())
		}
	}
	return append(all, netip.MustParseAddr("9.9.9.9"), netip.MustParseAddr("2620:fe::fe"))
}

// S1 of the security goals: nothing but the SFU is reached, by whatever method, over whatever transport.
func TestNoOtherPeerIsReached(t *testing.T) {
	p := newPlant(t, nil)
	sfu := netip.MustParseAddrPort("192.0.2.10:8443")
	p.mu.Lock()
	p.peers = []netip.AddrPort{sfu}
	p.mu.Unlock()
	// Somebody listens on this machine, and another browser holds an allocation.
	victim, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer victim.Close()
	victimAt := netip.MustParseAddrPort(victim.LocalAddr().String())
	other := p.dial(false, p.relay.Issue("other"))
	if code := other.allocate(); code != 0 {
		t.Fatal(code)
	}
	probes := 0
	for _, secure := range []bool{false, true} {
		b := p.dial(secure, p.relay.Issue("prober"))
		if code := b.allocate(); code != 0 {
			t.Fatal(code)
		}
		b.permit(sfu) // it may talk to the SFU, and tries others beside
		channel := uint16(0x4100)
		for _, a := range targets(t, sfu.Addr()) {
			probes += b.probe(netip.AddrPortFrom(a, victimAt.Port()), sfu, channel)
			channel++
		}
		probes += b.probePorts(sfu.Addr(), 0, 1, 22, 53, 80, 443, 8442, 8444, victimAt.Port(), 65535)
		// The other browser's allocation, by the address it was told.
		for i := range 8 {
			a := netip.AddrFrom4([4]byte{240, 0, 0, byte(i)})
			for _, q := range []uint16{9, 8443} {
				b.sendTo(netip.AddrPortFrom(a, q), []byte("probe of a relay"))
				probes++
			}
		}
		// The methods of relayed TCP end the connection.
		for _, m := range []stun.Method{stun.MethodConnect, stun.MethodConnectionBind} {
			c := p.dial(secure, p.relay.Issue(fmt.Sprint("tcp", m, secure)))
			if code := c.allocate(); code != 0 {
				t.Fatal(code)
			}
			if _, err := c.ask(m, peer(victimAt)); !errors.Is(err, errEnded) {
				t.Errorf("%v: %v", m, err)
			}
			probes++
		}
		// Answers come in order: all probes have been dealt with now.
		if answer, err := b.ask(stun.MethodRefresh, oneHour); err != nil || codeOf(answer) != 0 {
			t.Errorf("the prober itself is still served: %v", err)
		}
	}
	s := p.relay.Stats()
	if s.Inbound != 0 || p.mux.Stats().Received != 0 {
		t.Errorf("packets passed: %+v, mux %+v", s, p.mux.Stats())
	}
	if s.Astray == 0 || s.Forbidden == 0 {
		t.Errorf("nothing was counted: %+v", s)
	}
	_ = victim.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if n, _, err := victim.ReadFrom(make([]byte, 100)); err == nil {
		t.Errorf("the listener on this machine got %d bytes", n)
	}
	if in, err := other.read(20 * time.Millisecond); err == nil {
		t.Errorf("the other browser got %x", in)
	}
	if probes < 400 {
		t.Errorf("only %d probes", probes)
	}
	t.Logf("%d probes", probes)
}

// probe tries to reach an address by every method, alone and beside the SFU's.
func (b *browser) probe(to, sfu netip.AddrPort, channel uint16) (probes int) {
	b.Helper()
	number := attribute{stun.AttrChannelNumber, []byte{byte(channel >> 8), byte(channel), 0, 0}}
	for name, try := range map[string]func() (*stun.Message, error){
		"permission":                func() (*stun.Message, error) { return b.ask(stun.MethodCreatePermission, peer(to)) },
		"permission beside the SFU": func() (*stun.Message, error) { return b.ask(stun.MethodCreatePermission, peer(sfu), peer(to)) },
		"channel":                   func() (*stun.Message, error) { return b.ask(stun.MethodChannelBind, peer(to), number) },
	} {
		answer, err := try()
		if err != nil {
			b.Fatalf("%s for %v: %v", name, to, err)
		}
		if codeOf(answer) == 0 {
			b.Errorf("%s for %v", name, to)
		}
		probes++
	}
	b.sendTo(to, []byte("probe by indication"))
	b.channel(channel, []byte("probe by channel"))
	return probes + 2
}

// probePorts tries the SFU's address with other ports. Permissions go by address; the port is checked where packets pass.
func (b *browser) probePorts(sfu netip.Addr, ports ...uint16) (probes int) {
	b.Helper()
	for i, q := range ports {
		to := netip.AddrPortFrom(sfu, q)
		b.sendTo(to, []byte("probe of another port"))
		answer, err := b.ask(stun.MethodChannelBind, peer(to), attribute{stun.AttrChannelNumber, []byte{0x4f, byte(i), 0, 0}})
		if err != nil {
			b.Fatal(err)
		}
		if codeOf(answer) == 0 {
			b.channel(0x4f00|uint16(i), []byte("probe of another port"))
		}
		probes += 2
	}
	return probes
}

// killers are variants of the packet of CVE-2026-54909, and of its kind.
func killers() map[string]*stun.Message {
	all := make(map[string]*stun.Message)
	add := func(name string, typ stun.MessageType, attrs ...stun.Setter) {
		m, err := stun.Build(append([]stun.Setter{stun.TransactionID, typ}, attrs...)...)
		if err != nil {
			panic(err)
		}
		all[name] = m
	}
	send := stun.NewType(stun.MethodSend, stun.ClassIndication)
	for n := range 32 {
		if n == 8 || n == 20 {
			continue
		}
		for family := range 3 {
			v := make([]byte, n)
			if n > 1 {
				v[1] = byte(family)
			}
			bad := attribute{stun.AttrXORPeerAddress, v}
			key := fmt.Sprintf("%d bytes, family %d", n, family)
			add("last, "+key, send, attribute{stun.AttrData, []byte("data")}, bad)
			add("first, "+key, send, bad, attribute{stun.AttrData, []byte("data")})
			add("alone, "+key, send, bad)
			add("twice, "+key, send, bad, bad)
			add("after a good one, "+key, send, attribute{stun.AttrXORPeerAddress, []byte{0, 1, 1, 2, 3, 4, 5, 6}}, bad)
			add("permission, "+key, stun.NewType(stun.MethodCreatePermission, stun.ClassRequest), bad)
			add("channel, "+key, stun.NewType(stun.MethodChannelBind, stun.ClassRequest),
				attribute{stun.AttrChannelNumber, []byte{0x40, 0, 0, 0}}, bad)
			add("after the integrity, "+key, stun.NewType(stun.MethodCreatePermission, stun.ClassRequest),
				stun.NewShortTermIntegrity("x"), bad)
		}
	}
	for _, pad := range []int{0, 1, 3, 4, 60, 1000} {
		add(fmt.Sprint("padded by ", pad), send, attribute{stun.AttrSoftware, make([]byte, pad)},
			attribute{stun.AttrData, []byte("data")}, attribute{stun.AttrXORPeerAddress, nil})
	}
	for _, at := range []stun.AttrType{
		stun.AttrMappedAddress, stun.AttrXORMappedAddress, stun.AttrXORRelayedAddress, stun.AttrAlternateServer, 0x8020,
		stun.AttrLifetime, stun.AttrChannelNumber, stun.AttrRequestedTransport, stun.AttrEvenPort, stun.AttrReservationToken,
		stun.AttrMessageIntegrity, stun.AttrFingerprint, stun.AttrPriority, stun.AttrErrorCode, 0x0017,
	} {
		for _, method := range []stun.MessageType{
			send, stun.NewType(stun.MethodAllocate, stun.ClassRequest), stun.NewType(stun.MethodRefresh, stun.ClassRequest),
			stun.NewType(stun.MethodCreatePermission, stun.ClassRequest), stun.BindingRequest,
		} {
			add(fmt.Sprintf("%v of 3 bytes in %v", at, method), method, attribute{at, []byte{0, 1, 2}})
		}
	}
	return all
}

func TestMalformedMessagesEndTheirConnectionAlone(t *testing.T) {
	p := newPlant(t, func(c *relay.Config) { c.PerNetwork = 1000 })
	q, err := p.mux.GetConn("ours", net.UDPAddrFromAddrPort(p.udp))
	if err != nil {
		t.Fatal(err)
	}
	bystander := p.dial(true, p.relay.Issue("bystander"))
	if code := bystander.allocate(); code != 0 {
		t.Fatal(code)
	}
	bystander.permit(p.udp)
	tried := 0
	for name, bad := range killers() {
		secure := tried%2 == 0
		attacker := p.dial(secure, p.relay.Issue(fmt.Sprint("attacker-", tried)))
		if code := attacker.allocate(); code != 0 {
			t.Fatal(code)
		}
		attacker.permit(p.udp)
		if _, err := attacker.conn.Write(bad.Raw); err != nil {
			t.Fatal(err)
		}
		for {
			in, err := attacker.read(10 * time.Second)
			if errors.Is(err, errEnded) {
				break
			}
			if err != nil {
				t.Fatalf("%s: the connection lives on (%v)", name, err)
			}
			t.Errorf("%s: answered with %x", name, in)
		}
		tried++
	}
	// And over both transports the packet itself, 32 bytes.
	for _, secure := range []bool{false, true} {
		m, err := stun.Build(stun.TransactionID, stun.NewType(stun.MethodSend, stun.ClassIndication),
			attribute{stun.AttrData, []byte("data")}, attribute{stun.AttrXORPeerAddress, nil})
		if err != nil || len(m.Raw) != 32 {
			t.Fatalf("%d bytes, %v", len(m.Raw), err)
		}
		attacker := p.dial(secure, p.relay.Issue(fmt.Sprint("killer-", secure)))
		if code := attacker.allocate(); code != 0 {
			t.Fatal(code)
		}
		if _, err := attacker.conn.Write(m.Raw); err != nil {
			t.Fatal(err)
		}
		if _, err := attacker.read(10 * time.Second); !errors.Is(err, errEnded) {
			t.Errorf("secure %v: %v", secure, err)
		}
		// Inside a Send indication and inside channel data to the SFU: dropped there, and the connection lives on.
		carrier := p.dial(secure, p.relay.Issue(fmt.Sprint("carrier-", secure)))
		if code := carrier.allocate(); code != 0 {
			t.Fatal(code)
		}
		carrier.permit(p.udp)
		before := p.mux.Stats().Malformed
		carrier.sendTo(p.udp, m.Raw)
		if answer, err := carrier.ask(stun.MethodChannelBind, peer(p.udp), attribute{stun.AttrChannelNumber, []byte{0x40, 0, 0, 0}}); err != nil || codeOf(answer) != 0 {
			t.Fatal(err)
		}
		carrier.channel(0x4000, m.Raw)
		if answer, err := carrier.ask(stun.MethodRefresh, oneHour); err != nil || codeOf(answer) != 0 {
			t.Fatal(err)
		}
		if n := p.mux.Stats().Malformed - before; n != 2 {
			t.Errorf("%d packets dropped by the mux", n)
		}
	}
	if tried < 500 {
		t.Errorf("only %d variants", tried)
	}
	bystander.join(q)
	if answer, err := bystander.ask(stun.MethodRefresh, oneHour); err != nil || codeOf(answer) != 0 {
		t.Errorf("the bystander: %v", err)
	}
	p.eventually("the attackers' allocations are gone", func() bool { return p.relay.Stats().Allocations == 3 })
}

// Everything an authenticated browser can write to its connection: the server lives, and serves the next one.
func FuzzTURN(f *testing.F) {
	for _, m := range killers() {
		f.Add(m.Raw)
	}
	f.Add([]byte{0x40, 0, 0, 12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
	f.Add([]byte("0\x80(0")) // a fingerprint
	for _, m := range []stun.Method{stun.MethodAllocate, stun.MethodRefresh, stun.MethodCreatePermission, stun.MethodChannelBind, stun.MethodSend} {
		for _, c := range []stun.MessageClass{stun.ClassRequest, stun.ClassIndication, stun.ClassSuccessResponse} {
			f.Add(stun.MustBuild(stun.TransactionID, stun.NewType(m, c), attribute{stun.AttrXORPeerAddress, []byte{0, 1, 1, 2, 3, 4, 5, 6}},
				attribute{stun.AttrData, binary.BigEndian.AppendUint64(nil, 1)}, overUDP, oneHour,
				attribute{stun.AttrChannelNumber, []byte{0x40, 0, 0, 0}}).Raw)
		}
	}
	p := newPlant(f, func(c *relay.Config) { c.PerNetwork = 1000 })
	f.Fuzz(func(t *testing.T, in []byte) {
		p.TB = t // what is dialled ends with this input
		b := p.dial(false, p.relay.Issue("seat"))
		if code := b.allocate(); code != 0 {
			t.Fatal(code)
		}
		b.permit(p.udp)
		// As it is, and as the attributes of a request that is signed like a good one.
		_, _ = b.conn.Write(in)
		if len(in) > 2 {
			methods := []stun.Method{stun.MethodAllocate, stun.MethodRefresh, stun.MethodCreatePermission, stun.MethodChannelBind}
			signed := p.dial(false, p.relay.Issue("seat"))
			if code := signed.allocate(); code != 0 {
				t.Fatal(code)
			}
			kind := stun.AttrType(binary.BigEndian.Uint16(in[1:]))
			if kind == stun.AttrFingerprint {
				kind++ // the builder signs nothing that has its fingerprint already
			}
			m := signed.message(methods[int(in[0])%len(methods)], attribute{kind, in[3:min(len(in), 1500)]})
			_, _ = signed.conn.Write(m.Raw)
			_, _ = signed.ask(stun.MethodRefresh, oneHour) // refused, answered, or the end of the connection
		}
		sane := p.dial(false, p.relay.Issue("seat"))
		if _, err := sane.ask(stun.MethodBinding); err != nil {
			t.Fatalf("others are not served: %v", err)
		}
	})
}
