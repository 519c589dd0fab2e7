package relay

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"schalter/media/port"
)

// What the pipe itself does for a packet costs no allocation, either way.
func TestPipeAllocatesNothing(t *testing.T) {
	u, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	m, err := port.NewMux(port.MuxConfig{Conns: []*net.UDPConn{u}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	sfu := netip.MustParseAddrPort("192.0.2.1:443")
	all := []netip.AddrPort{sfu}
	r := &Relay{
		cfg:      Config{Attach: m.Attach, Peers: func() []netip.AddrPort { return all }, Now: time.Now},
		idle:     time.Hour,
		seats:    make(map[string]*seat),
		networks: make(map[netip.Prefix]int),
	}
	c := &connection{relay: r}
	r.seats["seat"] = &seat{connections: map[*connection]bool{c: true}}
	c.timer = time.AfterFunc(time.Hour, func() {})
	defer c.timer.Stop()
	p, err := newPipe(c, "seat")
	if err != nil {
		t.Fatal(err)
	}
	c.pipe = p
	defer p.Close()
	to := net.UDPAddrFromAddrPort(sfu)
	media, buf := append([]byte{0x80, 96}, make([]byte, 1200)...), make([]byte, 1600)
	step := func() {
		if _, err := p.WriteTo(media, to); err != nil {
			panic(err)
		}
		if err := p.send(media, sfu); err != nil {
			panic(err)
		}
		if _, _, err := p.ReadFrom(buf); err != nil {
			panic(err)
		}
	}
	for range pipeSize { // every slot of the ring has its buffer
		step()
	}
	if n := testing.AllocsPerRun(200, step); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if s := r.Stats(); s.Inbound == 0 || s.Outbound == 0 || s.Astray != 0 || s.Unused != 0 {
		t.Errorf("%+v", s)
	}
}

func FuzzUsername(f *testing.F) {
	for _, s := range []string{"1:a", "01:a", ":", "1", "99999999999:x:y", "-1:a", "1:\x00", "18446744073709551616:a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		expires, id, ok := parseUsername(name)
		if !ok {
			return
		}
		if id == "" || expires.Unix() < 0 || username(expires, id) != name {
			t.Errorf("%q became %v, %q", name, expires, id)
		}
	})
}
