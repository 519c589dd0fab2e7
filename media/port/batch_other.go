//go:build !linux

package port

import "net/netip"

// able, sockaddr and sending: elsewhere packets leave one by one, by plain calls.
type (
	able     struct{}
	sockaddr struct{}
	sending  struct{}
)

func (s *socket) putName(*sockaddr, netip.AddrPort) {}

func (s *socket) segments() bool { return false }

func newOutbox(m *Mux) *outbox { return &outbox{mux: m} }

// transmit sends the first n runs of o.order, one packet each.
func (o *outbox) transmit(_ *socket, n int) {
	for _, i := range o.order[:n] {
		o.each(&o.runs[i])
	}
}
