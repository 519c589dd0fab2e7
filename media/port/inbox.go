package port

import (
	"net/netip"
	"time"
)

// inbox is what a reader takes from its socket at one go. The packets are its own until a queue takes them.
type inbox struct {
	mux     *Mux
	socket  *socket
	count   int // datagrams that are there
	packets [inboxSize]*packet
	from    [inboxSize]netip.AddrPort // unmapped, with zone
	call    receiving                 // what the system call needs

	// By datagram, while they are told apart.
	keys   [inboxSize]netip.AddrPort
	kinds  [inboxSize]kind // unknown: dropped already
	owners [inboxSize]*remote
	to     [inboxSize]*conn // nil: dropped, or in the queue already
	source source
}

func newInbox(m *Mux, s *socket) *inbox {
	in := &inbox{mux: m, socket: s}
	in.source.socket = s
	for i := range in.packets {
		in.packets[i] = m.take()
	}
	in.prepare()
	return in
}

// arrive tells apart what was received, and gives each to the queue that it is for, if any. The lock of the mux is
// taken once for all of them as long as no address changes its owner meanwhile, each queue's once for all of its own.
func (in *inbox) arrive() {
	m := in.mux
	for i := range in.count {
		in.kinds[i], in.to[i] = in.look(i), nil
	}
	at := in.find(0)
	for i := range in.count {
		if in.kinds[i] == unknown {
			continue
		}
		if m.moves.Load() != at {
			at = in.find(i)
		}
		s := &in.source
		s.key, s.from = in.keys[i], in.from[i]
		if in.kinds[i] == stunPacket {
			s.local = in.local(i) // only a check is asked where it came to
		}
		p := in.packets[i]
		if r := m.judge(p.buf[:p.n], in.kinds[i], in.owners[i], s); r != nil {
			p.from = r.addr
			in.to[i] = r.conn
		}
	}
	for i := range in.count {
		if c := in.to[i]; c != nil {
			c.pushAll(in, i)
		}
	}
}

// look tells what kind of packet i is; unknown when it is dropped.
func (in *inbox) look(i int) kind {
	m, p := in.mux, in.packets[i]
	if p.n >= packetSize {
		m.count.malformed.Add(1)
		return unknown
	}
	if reserved(in.from[i].Addr()) {
		m.count.forged.Add(1)
		return unknown
	}
	k := classify(p.buf[:p.n])
	if k == unknown {
		m.count.malformed.Add(1)
	}
	in.keys[i] = netip.AddrPortFrom(in.from[i].Addr().WithZone(""), in.from[i].Port())
	return k
}

// find looks up the owners of the addresses that packets from i on came from, and tells as of which move.
func (in *inbox) find(i int) uint64 {
	m := in.mux
	m.mu.RLock()
	defer m.mu.RUnlock()
	for first := i; i < in.count; i++ {
		switch {
		case in.kinds[i] == unknown:
		case i > first && in.kinds[i-1] != unknown && in.keys[i] == in.keys[i-1]:
			in.owners[i] = in.owners[i-1]
		default:
			in.owners[i] = m.owners[in.keys[i]]
		}
	}
	return m.moves.Load()
}

// pushAll queues the packets for c from i on, or refuses them by the queue's drop rule.
func (c *conn) pushAll(in *inbox, i int) {
	var queued, refused uint64
	c.mu.Lock()
	for ; i < in.count; i++ {
		if in.to[i] != c {
			continue
		}
		in.to[i] = nil
		if !c.pushLocked(in.packets[i], in.kinds[i]) {
			refused++
			continue
		}
		in.packets[i] = nil
		queued++
	}
	c.mux.count.received.Add(queued) // before anybody can have taken them
	c.mu.Unlock()
	c.some.Signal()
	if refused > 0 {
		c.mux.count.overflow.Add(refused)
	}
}

// handle gives away what was received.
func (in *inbox) handle() {
	in.arrive()
	in.refill()
}

// refill takes the place of packets that are in queues now.
func (in *inbox) refill() {
	for i := range in.count {
		if in.packets[i] == nil {
			in.packets[i] = in.mux.take()
		}
	}
}

func (in *inbox) release() {
	for _, p := range in.packets {
		in.mux.release(p)
	}
}

// pause is called after an error of a socket. One that is pending (an ICMP message) is told once; a lasting one must
// not spin.
func (in *inbox) pause(failures int) int {
	in.mux.count.failed.Add(1)
	if failures++; failures > 100 {
		in.mux.log.Error("udp socket fails", "errors", failures)
		time.Sleep(100 * time.Millisecond)
		return 0
	}
	return failures
}
