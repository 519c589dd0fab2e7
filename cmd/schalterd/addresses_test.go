package main

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"schalter/appliance/box"
)

func ips(list string) []netip.Addr {
	var all []netip.Addr
	for _, s := range strings.Fields(list) {
		all = append(all, netip.MustParseAddr(s))
	}
	return all
}

func TestTheAddressTowardsTheRouterComesFirst(t *testing.T) {
	t.Parallel()
	all := ips("127.0.0.1 ::1 172.17.0.1 2001:db8::5 192.168.178.20 fd00::5 192.168.178.20")
	got := ordered(all, ips("192.168.178.20 2001:db8::5"))
	want := ips("192.168.178.20 172.17.0.1 2001:db8::5 fd00::5 127.0.0.1 ::1")
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestMachineAddresses(t *testing.T) {
	t.Parallel()
	all := machineAddresses()
	if len(all) == 0 {
		t.Fatal("this machine has not even loopback")
	}
	for _, a := range all {
		if !a.IsValid() || a.IsLinkLocalUnicast() || a.Zone() != "" {
			t.Errorf("%v is of no use to a browser", a)
		}
	}
}

// book is a DNS for tests.
type book map[string]string

func (b book) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if list, ok := b[host]; ok {
		return ips(list), nil
	}
	return nil, errors.New("no such name")
}

func TestWaysToTheBox(t *testing.T) {
	t.Parallel()
	listen := netip.MustParseAddrPort("192.168.178.20:8443")
	tests := []struct {
		name                 string
		public               []public
		links, hosts, relays string
		offered              string
	}{
		{
			name:    "in the house only",
			links:   "https://192.168.178.20:8443",
			hosts:   "127.0.0.1:8443 192.168.178.20:8443 [::1]:8443 localhost:8443",
			relays:  "turns:192.168.178.20:8443?transport=tcp turn:192.168.178.20:8443?transport=tcp",
			offered: "192.168.178.20:8443",
		},
		{
			name: "a name, and an address with another outer port", public: []public{{"video.lindenau.de", 443}, {"203.0.113.9", 4443}},
			links:   "https://video.lindenau.de https://203.0.113.9:4443 https://192.168.178.20:8443",
			hosts:   "127.0.0.1:8443 192.168.178.20:8443 203.0.113.9:4443 [::1]:8443 localhost:8443 video.lindenau.de",
			relays:  "turns:video.lindenau.de:443?transport=tcp turn:video.lindenau.de:443?transport=tcp",
			offered: "192.168.178.20:8443 203.0.113.7:443 203.0.113.9:4443 [2001:db8::7]:443",
		},
		{
			name: "a name that cannot be looked up", public: []public{{"gone.example", 0}},
			links:   "https://gone.example:8443 https://192.168.178.20:8443",
			hosts:   "127.0.0.1:8443 192.168.178.20:8443 [::1]:8443 gone.example:8443 localhost:8443",
			relays:  "turns:gone.example:8443?transport=tcp turn:gone.example:8443?transport=tcp",
			offered: "192.168.178.20:8443",
		},
	}
	dns := book{"video.lindenau.de": "203.0.113.7 2001:db8::7"}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := findAddresses(t.Context(), listen, tt.public, dns, nil)
			var offered []string
			for _, at := range a.offered {
				offered = append(offered, at.String())
			}
			for what, pair := range map[string][2]string{
				"links":   {strings.Join(a.links(), " "), tt.links},
				"hosts":   {strings.Join(a.hosts, " "), tt.hosts},
				"relays":  {strings.Join(relayURLs(a.best()), " "), tt.relays},
				"offered": {strings.Join(offered, " "), tt.offered},
			} {
				if pair[0] != pair[1] {
					t.Errorf("%s\n got %s\nwant %s", what, pair[0], pair[1])
				}
			}
		})
	}
}

func TestRelayIsFoundWhereTheBrowserFoundTheBox(t *testing.T) {
	t.Parallel()
	want := "turns:rathaus.example:4443?transport=tcp turn:rathaus.example:4443?transport=tcp"
	if got := strings.Join(relayURLs("rathaus.example:4443"), " "); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestLoopbackIsOfferedOnlyAlone(t *testing.T) {
	t.Parallel()
	alone := &addresses{port: 7, own: ips("127.0.0.1 ::1")}
	if got := alone.offers(); len(got) != 1 || got[0].Addr() != ips("127.0.0.1")[0] {
		t.Errorf("alone: %v", got)
	}
	beside := &addresses{port: 7, own: ips("10.0.0.1 127.0.0.1")}
	if got := beside.offers(); len(got) != 1 || got[0].Addr() != ips("10.0.0.1")[0] {
		t.Errorf("beside another: %v", got)
	}
}

func TestNetworkFollowsNamesAndCertificate(t *testing.T) {
	t.Parallel()
	dns := book{"video.lindenau.de": "203.0.113.7"}
	var told []string
	n := &network{listen: netip.MustParseAddrPort("10.0.0.1:443"), public: []public{{Host: "video.lindenau.de"}}, names: dns,
		log: slog.New(slog.DiscardHandler), tell: func(a *addresses) { told = append(told, a.found[0].Addr().String()) }}
	n.look(t.Context(), true)
	cert, err := box.OwnCertificate(t.TempDir(), n.where().certificateNames(), testClock())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"localhost", "video.lindenau.de", "10.0.0.1", "127.0.0.1", "::1"} {
		if err := cert.Leaf().VerifyHostname(name); err != nil {
			t.Error(err)
		}
	}
	dns["video.lindenau.de"] = "203.0.113.8"
	n.look(t.Context(), false)
	if got := n.where().found[0].Addr().String(); got != "203.0.113.7" {
		t.Errorf("looked up without being asked to: %s", got)
	}
	n.look(t.Context(), true)
	if got := n.where().found[0].Addr().String(); got != "203.0.113.8" {
		t.Errorf("the new address was not found: %s", got)
	}
	if len(told) != 1 || told[0] != "203.0.113.8" {
		t.Errorf("the media process is told %v", told)
	}
	delete(dns, "video.lindenau.de")
	n.look(t.Context(), true)
	if w := n.where(); len(w.found) != 1 || w.found[0].Addr().String() != "203.0.113.8" || len(w.unresolved) != 1 {
		t.Errorf("a name server that fails took the address away: %v", w.found)
	}
}
