package port

import "slices"

// maxClaims is how many peers may claim one address at the same time; a further one takes the place of the oldest, and
// claims again with its next check.
const maxClaims = 4

// own makes r the owner of its address, now that its agent has answered a check from there with success.
//
// Whoever has a seat can sign checks and forge their source. So an address that another peer has moves only when whoever
// is there has answered a check of ours in the claimant's name: a browser answers those for connections of its own
// alone. Until then r has a claim. Where no credentials are known (see Consent) the answered check must do, and a virtual
// remote's address nobody forges.
func (m *Mux) own(r *remote) {
	m.mu.RLock()
	same := m.owners[r.key] == r
	m.mu.RUnlock()
	if same {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.conn.find(r.key) != r || r.virtual != nil && m.virtual[r.key] != r.virtual { // removed meanwhile
		return
	}
	if o := m.owners[r.key]; o == nil || r.virtual != nil || o.conn == r.conn ||
		o.conn.peer.theirs.Load() == nil && r.conn.peer.theirs.Load() == nil {
		m.giveLocked(r)
		return
	}
	m.claimLocked(r)
}

func (m *Mux) claimLocked(r *remote) {
	all := m.claims[r.key]
	if slices.Contains(all, r) {
		return
	}
	if len(all) >= maxClaims {
		m.unclaimLocked(all[0])
		all = m.claims[r.key]
	}
	m.claims[r.key] = append(slices.Clip(all), r) // a copy: readers may have the old one
	r.claims.Store(true)
}

func (m *Mux) unclaimLocked(r *remote) {
	if !r.claims.Swap(false) {
		return
	}
	kept := slices.DeleteFunc(slices.Clone(m.claims[r.key]), func(o *remote) bool { return o == r })
	if len(kept) == 0 {
		delete(m.claims, r.key)
		return
	}
	m.claims[r.key] = kept
}

// prove gives r its address, if it claims it: a check of ours was answered from there.
func (m *Mux) prove(r *remote) {
	if !r.claims.Load() {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.claims.Load() && r.conn.find(r.key) == r {
		m.giveLocked(r)
	}
}

// claimed takes the answer to a check that was sent in the name of a claimant. It comes from an address that belongs to
// somebody else, or to nobody any more.
func (m *Mux) claimed(b []byte, msg *message, s *source) bool {
	if msg.class != classSuccess && msg.class != classError {
		return false
	}
	m.mu.RLock()
	all := m.claims[s.key]
	m.mu.RUnlock()
	for _, r := range all {
		if r.isOwn([12]byte(b[8:20])) {
			return r.heard(b, msg)
		}
	}
	return false
}

// giveLocked makes r the owner of its address.
func (m *Mux) giveLocked(r *remote) {
	m.unclaimLocked(r)
	m.owners[r.key] = r
	m.moves.Add(1)
}

// freeLocked takes its address from r, if it has it, and its claim, if it has one.
func (m *Mux) freeLocked(r *remote) {
	m.unclaimLocked(r)
	if m.owners[r.key] == r {
		delete(m.owners, r.key)
		m.moves.Add(1)
	}
}
