package port

import (
	"errors"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// FullFor is how long a flush waits for room.
const FullFor time.Duration = fullFor

// Segments tells whether the first socket sends messages of several packets.
func (m *Mux) Segments() bool { return m.sockets[0].segments() }

// SetWriteBuffer sets how much the kernel takes of what the first socket sends, in bytes.
func (m *Mux) SetWriteBuffer(size int) error {
	var inner error
	err := m.sockets[0].end.use(func(fd uintptr) {
		inner = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF, size)
	})
	return errors.Join(err, inner)
}

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
