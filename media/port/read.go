package port

import (
	"errors"
	"net"
	"net/netip"
	"time"
)

// read takes datagrams from one socket until it is closed.
func (m *Mux) read(s *socket) {
	var oob [128]byte
	p := m.take()
	for failures := 0; ; {
		n, from, local, err := s.receive(p.buf[:], oob[:])
		switch {
		case errors.Is(err, net.ErrClosed):
			m.release(p)
			return
		case err != nil:
			// A socket's pending error (an ICMP message) is told once; a lasting one must not spin.
			m.count.failed.Add(1)
			if failures++; failures > 100 {
				m.log.Error("udp socket fails", "errors", failures)
				failures = 0
				time.Sleep(100 * time.Millisecond)
			}
			continue
		case n >= packetSize:
			m.count.malformed.Add(1)
			continue
		}
		failures = 0
		p.n = n
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		if reserved(from.Addr()) {
			m.count.forged.Add(1)
			continue
		}
		src := source{
			key:    netip.AddrPortFrom(from.Addr().WithZone(""), from.Port()),
			socket: s, from: from, local: local,
		}
		if m.arrive(p, &src) {
			p = m.take()
		}
	}
}

// arrive decides where a packet goes. True: it is in a queue and belongs to its taker.
func (m *Mux) arrive(p *packet, s *source) bool {
	b := p.buf[:p.n]
	k := classify(b)
	if k == unknown {
		m.count.malformed.Add(1)
		return false
	}
	m.mu.RLock()
	r := m.owners[s.key]
	m.mu.RUnlock()
	if k == stunPacket {
		msg, err := parseSTUN(b)
		if err != nil || msg.method != methodBinding {
			m.count.malformed.Add(1)
			return false
		}
		if msg.class == classRequest {
			ufrag := msg.ufrag()
			if !msg.integrity || len(ufrag) == 0 {
				m.count.strangers.Add(1)
				return false
			}
			if r == nil || r.conn.ufrag != string(ufrag) {
				if r = m.admit(ufrag, s); r == nil {
					return false
				}
			}
			r.asked(b, s, msg.useCandidate)
		} else if r != nil && r.heard(b, &msg) {
			return false // an answer to our own check
		}
	}
	if r == nil {
		m.count.strangers.Add(1)
		return false
	}
	p.from = r.addr
	if !r.conn.push(p, k) {
		m.count.overflow.Add(1)
		return false
	}
	m.count.received.Add(1)
	return true
}
