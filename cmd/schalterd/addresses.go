package main

import (
	"context"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"schalter/appliance/box"
	"schalter/media"
	"schalter/media/apart"
)

// addresses are all ways to the box at one moment. The value is never changed; a new one takes its place.
type addresses struct {
	port       int
	own        []netip.Addr     // the machine's, the one towards the router first, loopback last
	public     []public         // as given
	found      []netip.AddrPort // what the public names and addresses stand for now
	unresolved []string         // public names that cannot be looked up

	// Worked out once by settle, because every request asks for them.
	hosts   []string         // the values of a Host header that we answer to (DESIGN 7)
	offered []netip.AddrPort // where the SFU can be reached
}

// resolver looks names up.
type resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// lookupFor bounds one name's look-up: a town hall's DNS that hangs must not hold up the start.
const lookupFor = 3 * time.Second

// ownAddresses are those of the machine at which the box listens.
func ownAddresses(listen netip.AddrPort) []netip.Addr {
	if ip := listen.Addr().Unmap(); !ip.IsUnspecified() {
		return []netip.Addr{ip}
	}
	return machineAddresses()
}

// findAddresses looks at the machine and at the names, all at once. When a name cannot be looked up now, what was found before stays.
func findAddresses(ctx context.Context, listen netip.AddrPort, publics []public, names resolver, before *addresses) *addresses {
	a := &addresses{port: int(listen.Port()), own: ownAddresses(listen), public: publics}
	ctx, cancel := context.WithTimeout(ctx, lookupFor)
	defer cancel()
	answers := make([][]netip.Addr, len(publics))
	var all sync.WaitGroup
	for i, p := range publics {
		all.Go(func() {
			if ip, err := netip.ParseAddr(p.Host); err == nil {
				answers[i] = []netip.Addr{ip}
			} else if ips, err := names.LookupNetIP(ctx, "ip", p.Host); err == nil {
				answers[i] = ips
			}
		})
	}
	all.Wait()
	for i, p := range publics {
		if len(answers[i]) == 0 {
			a.unresolved = append(a.unresolved, p.Host)
		}
		for _, ip := range answers[i] {
			a.found = append(a.found, netip.AddrPortFrom(ip.Unmap(), uint16(a.outerPort(p))))
		}
	}
	if len(a.unresolved) > 0 && before != nil {
		a.found = append(a.found, before.found...)
	}
	slices.SortFunc(a.found, netip.AddrPort.Compare)
	a.found = slices.Compact(a.found)
	a.settle()
	return a
}

// settle works out what follows from the addresses, before others see the value.
func (a *addresses) settle() {
	a.hosts, a.offered = a.acceptedHosts(), a.offers()
}

// machineAddresses lists what this machine is called in its networks: IPv4 before IPv6, the address towards the router
// first, loopback last. Link-local addresses are left out: they need a zone, which no browser takes.
func machineAddresses() []netip.Addr {
	var all []netip.Addr
	interfaces, err := net.Interfaces()
	if err != nil {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	}
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 {
			continue
		}
		list, err := i.Addrs()
		if err != nil {
			continue // it went away in between
		}
		for _, entry := range list {
			prefix, err := netip.ParsePrefix(entry.String())
			if err != nil || prefix.Addr().IsLinkLocalUnicast() {
				continue
			}
			all = append(all, prefix.Addr().Unmap())
		}
	}
	return ordered(all, routed())
}

// ordered puts addresses as machineAddresses says.
func ordered(all, first []netip.Addr) []netip.Addr {
	rank := func(a netip.Addr) int {
		switch {
		case a.IsLoopback():
			return 4
		case slices.Contains(first, a) && a.Is4():
			return 0
		case a.Is4():
			return 1
		case slices.Contains(first, a):
			return 2
		}
		return 3
	}
	slices.SortStableFunc(all, func(a, b netip.Addr) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return a.Compare(b)
	})
	return slices.Compact(all)
}

// routed gives the addresses that packets to the internet leave from. Connecting a UDP socket sends nothing; the targets
// are reserved for documentation (RFC 5737, RFC 3849).
func routed() []netip.Addr {
	var first []netip.Addr
	for network, target := range map[string]string{"udp4": "192.0.2.1:9", "udp6": "[2001:db8::1]:9"} {
		conn, err := net.DialUDP(network, nil, net.UDPAddrFromAddrPort(netip.MustParseAddrPort(target)))
		if err != nil {
			continue // no route of this family
		}
		first = append(first, conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap())
		_ = conn.Close() // nothing was sent
	}
	return first
}

// outerPort is the port that the outside uses for p.
func (a *addresses) outerPort(p public) int {
	if p.Port != 0 {
		return p.Port
	}
	return a.port
}

func (a *addresses) acceptedHosts() []string {
	all := []string{hostPort("localhost", a.port), hostPort("127.0.0.1", a.port), hostPort("::1", a.port)}
	for _, ip := range a.own {
		all = append(all, hostPort(ip.String(), a.port))
	}
	for _, p := range a.public {
		all = append(all, hostPort(p.Host, a.outerPort(p)))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// hostPort writes a host as browsers do in Host and Origin: without the port that https has anyway.
func hostPort(host string, port int) string {
	if port == 443 {
		if strings.Contains(host, ":") {
			return "[" + host + "]"
		}
		return host
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

// links are the addresses to type into a browser, the best for a phone in the same network first.
func (a *addresses) links() []string {
	var all []string
	for _, p := range a.public {
		all = append(all, "https://"+hostPort(p.Host, a.outerPort(p)))
	}
	for _, ip := range a.own {
		all = append(all, "https://"+hostPort(ip.String(), a.port))
	}
	return all
}

// certificateNames are what our own certificate must stand for.
func (a *addresses) certificateNames() box.Names {
	n := box.Names{Hosts: []string{"localhost"}, Addresses: append([]netip.Addr{
		netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback(),
	}, a.own...)}
	if host, err := os.Hostname(); err == nil && validHost(host) {
		n.Hosts = append(n.Hosts, strings.ToLower(host))
	}
	for _, p := range a.public {
		if ip, err := netip.ParseAddr(p.Host); err == nil {
			n.Addresses = append(n.Addresses, ip)
		} else {
			n.Hosts = append(n.Hosts, p.Host)
		}
	}
	return n
}

// relayURLs are what a browser is told about TURN: by the very host and port under which it reached the box's pages, so that
// whatever name service, translation or proxy lies between has been proved to work. A browser tries every URL at once and for
// both of its connections, and its allocations are counted: so there is one by TLS and one by plain TCP, for those who were
// clicked past the house's own certificate. Nobody can be told anything when there is no address.
func relayURLs(reached string) []string {
	if reached == "" {
		return nil
	}
	return []string{"turns:" + reached + "?transport=tcp", "turn:" + reached + "?transport=tcp"}
}

// around is what the media process needs to know of all this.
func (a *addresses) around() apart.Around {
	return apart.Around{Addresses: media.Addresses{UDP: a.offered, TCP: a.offered}, Reached: a.best()}
}

// best is where the box can be reached by whoever did not say how they did.
func (a *addresses) best() string {
	switch {
	case len(a.public) > 0:
		return net.JoinHostPort(a.public[0].Host, strconv.Itoa(a.outerPort(a.public[0])))
	case len(a.offered) > 0:
		return a.offered[0].String()
	}
	return ""
}

// offers are the addresses for pictures and sound: the machine's own and what the outside sees. Loopback is offered only when
// there is nothing else: browsers do no ICE over it, test programs do.
func (a *addresses) offers() []netip.AddrPort {
	var all []netip.AddrPort
	at := func(ip netip.Addr) netip.AddrPort { return netip.AddrPortFrom(ip, uint16(a.port)) }
	for _, ip := range a.own {
		if !ip.IsLoopback() {
			all = append(all, at(ip))
		}
	}
	if len(all) == 0 && len(a.own) > 0 {
		all = append(all, at(a.own[0]))
	}
	for _, o := range a.found {
		if !slices.Contains(all, o) {
			all = append(all, o)
		}
	}
	return all
}

// same tells whether nothing changed that others would have to hear of.
func (a *addresses) same(b *addresses) bool {
	return b != nil && slices.Equal(a.own, b.own) && slices.Equal(a.found, b.found)
}
