package media

import (
	"fmt"
	"net/netip"
)

// Addresses is what the box offers to be reached at: its own addresses and those that the outside sees.
type Addresses struct {
	UDP []netip.AddrPort
	TCP []netip.AddrPort
}

// advertised caps how many addresses of a kind are offered: every one costs a browser checks.
const advertised = 16

// udpCandidates writes host candidates for a description, the first address with the highest priority.
func (a Addresses) udpCandidates() []string {
	var lines []string
	for i, at := range distinct(a.UDP) {
		lines = append(lines, fmt.Sprintf("candidate:%d 1 udp %d %s %d typ host",
			i+1, priority(126, 1<<16-1-uint32(i)), at.Addr(), at.Port()))
	}
	return lines
}

// tcpCandidates writes passive ICE-TCP candidates (RFC 6544). They are of a lower type preference than any of UDP and
// handed over apart: see Answer.Late.
func (a Addresses) tcpCandidates() []string {
	lines := []string{}
	for i, at := range distinct(a.TCP) {
		// RFC 6544, section 4.2: the direction's preference of a passive host candidate is 4, in the top three bits.
		local := 4<<13 | (1<<13 - 1 - uint32(i))
		lines = append(lines, fmt.Sprintf("candidate:%d 1 tcp %d %s %d typ host tcptype passive",
			advertised+i+1, priority(90, local), at.Addr(), at.Port()))
	}
	return lines
}

// priority is RFC 8445, section 5.1.2.1, for the one component that RTCP-mux leaves.
func priority(kind, local uint32) uint32 {
	return kind<<24 | local<<8 | (256 - 1)
}

// distinct drops what cannot be reached or is there twice, and maps IPv4 in IPv6 back.
func distinct(in []netip.AddrPort) []netip.AddrPort {
	var out []netip.AddrPort
	seen := map[netip.AddrPort]bool{}
	for _, at := range in {
		at = netip.AddrPortFrom(at.Addr().Unmap().WithZone(""), at.Port())
		if !at.IsValid() || at.Addr().IsUnspecified() || at.Addr().IsMulticast() || at.Port() == 0 || seen[at] {
			continue
		}
		seen[at] = true
		if out = append(out, at); len(out) == advertised {
			break
		}
	}
	return out
}
