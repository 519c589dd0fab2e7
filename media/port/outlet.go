package port

import (
	"sync/atomic"
	"time"
)

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

// silentFor is how long an address may leave our check without an answer while another of the same peer answers.
const silentFor = time.Second

// answered notes that a check from r was answered with success. The last nomination counts (RFC 8445 section 8.1.1), and
// before any, whoever was answered first. Where the peer's address was changed by a router on the way, he does not know
// and nominates nothing: then it moves when the old one does not answer, and the new one does.
func (o *Outlet) answered(r *remote, nominate bool) {
	for {
		old := o.chosen.Load()
		if old == r || !nominate && old != nil && !old.stale() && !old.silent(r) || o.chosen.CompareAndSwap(old, r) {
			return
		}
	}
}

// silent tells whether the remote has not answered our last check for a while, though the peer has answered from other
// since. What has answered its last check is checked again.
func (r *remote) silent(other *remote) bool {
	theirs := r.conn.peer.theirs.Load()
	if theirs == nil || r.virtual != nil {
		return false
	}
	now, asked, heard := r.conn.mux.clock(), r.asking.Load(), r.consent.Load()
	if heard >= asked {
		r.ask(theirs, r.route.Load(), consentFirst, now)
		return false
	}
	return now-time.Duration(asked) >= silentFor && other.consent.Load() > heard
}

// stale tells whether the remote's conn does not know it any more.
func (r *remote) stale() bool { return r.gone.Load() || r.conn.ended.Load() }
