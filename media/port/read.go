package port

import (
	"errors"
	"net"
)

// read takes datagrams from one socket until it is closed.
func (m *Mux) read(s *socket) {
	in := newInbox(m, s)
	defer in.release()
	for failures := 0; ; {
		some, err := in.receive()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if some {
			failures = 0
		}
		failures = in.pause(failures)
	}
}

// arrive takes one packet, not from a socket. True: it is in a queue and belongs to its taker.
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
	if r = m.judge(b, k, r, s); r == nil {
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

// judge decides where a packet goes, given the owner of the address that it came from. Nil: nowhere, and it is counted.
func (m *Mux) judge(b []byte, k kind, r *remote, s *source) *remote {
	if k == stunPacket {
		msg, err := parseSTUN(b)
		if err != nil || msg.method != methodBinding {
			m.count.malformed.Add(1)
			return nil
		}
		if msg.class == classRequest {
			ufrag := msg.ufrag()
			if !msg.integrity || len(ufrag) == 0 {
				m.count.strangers.Add(1)
				return nil
			}
			if r == nil || r.conn.ufrag != string(ufrag) {
				if r = m.admit(ufrag, s); r == nil {
					return nil
				}
			}
			r.asked(b, s, msg.useCandidate)
		} else if r != nil && r.heard(b, &msg) || m.claimed(b, &msg, s) {
			return nil // an answer to our own check
		}
	}
	if r == nil {
		m.count.strangers.Add(1)
	}
	return r
}
