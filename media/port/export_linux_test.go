package port

import (
	"net/netip"
	"time"
)

// FullFor is how long a flush waits for room.
const FullFor time.Duration = fullFor

// Segments tells whether the first socket sends messages of several packets.
func (m *Mux) Segments() bool { return m.sockets[0].segments() }

// Plain makes a mux behave as if the kernel had no batched calls.
func (m *Mux) Plain() {
	for _, s := range m.sockets {
		s.able.segments.Store(false)
		s.able.single.Store(true)
		s.able.recvOne.Store(true)
	}
}

// Misroute makes packets for a ufrag leave from an address, or for another one; zero values change nothing.
func (m *Mux) Misroute(ufrag string, from netip.Addr, to netip.AddrPort) {
	r := m.Outlet(ufrag).chosen.Load()
	p := r.route.Load()
	s := source{socket: p.socket, from: p.to, local: localAddr{addr: from}}
	if to.IsValid() {
		s.from = to
	}
	r.route.Store(s.newPath())
}
