package port

import "sync/atomic"

// Outlet is the sending end of one peer, both families together: packets that leave by it, in a Batch, go where the
// peer nominated last. Any number of goroutines may use it.
type Outlet struct {
	chosen atomic.Pointer[remote] // nil before the first answered check
}

// Outlet gives the sending end of a ufrag, the same one when asked again; nil when the ufrag has no queue. It outlives
// RemoveConnByUfrag: what is sent by it then is dropped and counted.
func (m *Mux) Outlet(ufrag string) *Outlet {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if p := m.peers[ufrag]; p != nil {
		return &p.outlet
	}
	return nil
}

// answered notes that a check from r was answered with success. The last nomination counts (RFC 8445 section 8.1.1), and
// before any, whoever was answered first.
func (o *Outlet) answered(r *remote, nominate bool) {
	for {
		old := o.chosen.Load()
		if old == r || !nominate && old != nil && !old.stale() || o.chosen.CompareAndSwap(old, r) {
			return
		}
	}
}

// stale tells whether the remote's conn does not know it any more.
func (r *remote) stale() bool { return r.gone.Load() || r.conn.ended.Load() }
