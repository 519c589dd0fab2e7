package relay

import "sync/atomic"

// Stats is what the relay has counted since its start, and what it holds now.
type Stats struct {
	Seats       int `json:"seats"`       // issued and not revoked or forgotten
	Connections int `json:"connections"` // open
	Allocations int `json:"allocations"` // live

	Allocated uint64 `json:"allocated"` // allocations ever
	Refused   uint64 `json:"refused"`   // sign-ins of an unknown, expired or revoked seat
	Quota     uint64 `json:"quota"`     // allocations refused by a limit
	Forbidden uint64 `json:"forbidden"` // permissions asked for another peer than the SFU
	Astray    uint64 `json:"astray"`    // packets dropped that were for another peer
	Unused    uint64 `json:"unused"`    // packets of media dropped: two other allocations of the seat carry it
	Overflow  uint64 `json:"overflow"`  // packets dropped because the browser was too slow
	Inbound   uint64 `json:"inbound"`   // packets to the SFU
	Outbound  uint64 `json:"outbound"`  // packets to browsers
	Faults    uint64 `json:"faults"`    // warnings and errors of the library
}

type counters struct {
	allocated, refused, quota, forbidden, astray, unused, overflow, inbound, outbound, faults atomic.Uint64
}

// Stats reads the counters.
func (r *Relay) Stats() Stats {
	s := Stats{
		Allocated: r.count.allocated.Load(),
		Refused:   r.count.refused.Load(),
		Quota:     r.count.quota.Load(),
		Forbidden: r.count.forbidden.Load(),
		Astray:    r.count.astray.Load(),
		Unused:    r.count.unused.Load(),
		Overflow:  r.count.overflow.Load(),
		Inbound:   r.count.inbound.Load(),
		Outbound:  r.count.outbound.Load(),
		Faults:    r.count.faults.Load(),
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s.Seats, s.Connections = len(r.seats), len(r.conns)
	for _, n := range r.networks {
		s.Allocations += n
	}
	return s
}
