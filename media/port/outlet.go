package port

import (
	"sync/atomic"
	"time"
)

// Outlet is the sending end of one peer, both families together: packets that leave by it, in a Batch, go where the
// peer nominated last. Any number of goroutines may use it.
type Outlet struct {
	chosen atomic.Pointer[remote] // nil before the first answered check
	rival  atomic.Pointer[remote] // another address of the peer that was answered since chosen was last heard; nil: none
	moved  atomic.Bool            // packets go to another address than before, since Moved was asked
	sign   atomic.Bool            // a message from chosen was genuine since Heard was asked
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

const (
	// silentFor is how long an address may leave our checks without an answer while another of the same peer answers.
	silentFor = time.Second
	// lookPause is between two checks of a silent address, somewhat shorter than its caller's between two looks.
	lookPause = 150 * time.Millisecond
	// rivalFor is how long another address may be silent until it counts as given up.
	rivalFor = 5 * time.Second
)

// Heard tells whether there was a genuine check, or an answer to ours, since this was asked last: from where packets go. That
// a browser checks another way beside it (Firefox does, over the relay) says nothing of this one.
func (o *Outlet) Heard() bool { return o.sign.Swap(false) }

// Moved tells whether packets go to another address than when this was asked last: some may have been lost before.
func (o *Outlet) Moved() bool { return o.moved.Swap(false) }

// Look is to be called several times a second. A peer that is quiet, and one that was heard from another address than
// packets go to, is asked where it is. Where they go there is no answer, and from the other address there is: then packets
// go there from now on. Nothing is asked before Consent was called.
func (o *Outlet) Look(quiet bool) {
	chosen, rival := o.chosen.Load(), o.rival.Load()
	if chosen == nil || !quiet && rival == nil {
		return
	}
	chosen.look()
	if rival == nil {
		return
	}
	// Its address may be forged: until it has answered by itself it gets no more than its checks bring about.
	heard, unheard := rival.consent.Load(), rival.unheard.Load()
	if rival.stale() || heard == 0 || heard < unheard && rival.conn.mux.clock()-time.Duration(unheard) > rivalFor {
		o.rival.CompareAndSwap(rival, nil)
		return
	}
	rival.look()
	o.answered(rival, false)
}

func (r *remote) look() {
	theirs := r.conn.peer.theirs.Load()
	if theirs == nil || r.stale() {
		return
	}
	pause := lookPause
	if r.consent.Load() == 0 {
		pause = consentFirst
	}
	r.ask(theirs, r.route.Load(), pause, r.conn.mux.clock())
}

// answered notes that a check from r was answered with success. The last nomination counts (RFC 8445 section 8.1.1), and
// before any, whoever was answered first. Where the peer's address was changed by a router on the way, he does not know
// and nominates nothing: then it moves when the old one does not answer, and the new one does.
func (o *Outlet) answered(r *remote, nominate bool) {
	for {
		old := o.chosen.Load()
		if old != nil && old != r && !nominate && !old.stale() && !old.silent(r) {
			o.rival.Store(r)
			return
		}
		if old == r {
			o.rival.Store(nil)
			o.sign.Store(true)
			return
		}
		if o.chosen.CompareAndSwap(old, r) {
			o.rival.Store(nil)
			o.sign.Store(true)
			if old != nil {
				o.moved.Store(true)
			}
			return
		}
	}
}

// silent tells whether the remote has not answered our checks for a while, though the peer has answered from other since.
// What has answered its last check is checked again.
func (r *remote) silent(other *remote) bool {
	theirs := r.conn.peer.theirs.Load()
	if theirs == nil || r.virtual != nil {
		return false
	}
	now, heard := r.conn.mux.clock(), r.consent.Load()
	if heard >= r.unheard.Load() {
		r.ask(theirs, r.route.Load(), consentFirst, now)
		return false
	}
	return now-time.Duration(r.unheard.Load()) >= silentFor && other.consent.Load() > heard
}

// stale tells whether the remote's conn does not know it any more.
func (r *remote) stale() bool { return r.gone.Load() || r.conn.ended.Load() }
