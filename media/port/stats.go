package port

import "sync/atomic"

// Stats is what a Mux has counted since its start, and how much it holds now.
type Stats struct {
	Received  uint64 `json:"received"`  // packets that reached a peer's queue
	Sent      uint64 `json:"sent"`      // packets that left, to sockets and virtual remotes
	Strangers uint64 `json:"strangers"` // dropped: from an address without an owner and no Binding request for a live ufrag
	Malformed uint64 `json:"malformed"` // dropped: STUN that the strict parse refused, or no protocol of ours
	Forged    uint64 `json:"forged"`    // dropped: a source address that only virtual remotes have
	Overflow  uint64 `json:"overflow"`  // dropped: the peer's queue or the stream's buffer was full
	Unasked   uint64 `json:"unasked"`   // dropped: to an address that never passed a check, or not in the last 30 s
	Failed    uint64 `json:"failed"`    // socket errors
	Crowded   uint64 `json:"crowded"`   // refused: a ufrag with too many addresses, or too many remotes

	CallsIn   uint64 `json:"calls_in"`  // system calls that received, and those that found nothing
	CallsOut  uint64 `json:"calls_out"` // system calls that sent
	Segmented uint64 `json:"segmented"` // messages of several packets each, as one (UDP_SEGMENT); their packets count as sent
	Refused   uint64 `json:"refused"`   // such messages that the kernel refused, so that their packets left one by one

	Peers   int `json:"peers"`   // ufrags
	Remotes int `json:"remotes"` // virtual remotes: streams and relay pipes
	Streams int `json:"streams"` // ICE-TCP
}

type counters struct {
	received, sent, strangers, malformed, forged, overflow, unasked, failed, crowded atomic.Uint64
	callsIn, callsOut, segmented, refused                                            atomic.Uint64
}

// Stats reads the counters.
func (m *Mux) Stats() Stats {
	s := Stats{
		Received:  m.count.received.Load(),
		Sent:      m.count.sent.Load(),
		Strangers: m.count.strangers.Load(),
		Malformed: m.count.malformed.Load(),
		Forged:    m.count.forged.Load(),
		Overflow:  m.count.overflow.Load(),
		Unasked:   m.count.unasked.Load(),
		Failed:    m.count.failed.Load(),
		Crowded:   m.count.crowded.Load(),
		CallsIn:   m.count.callsIn.Load(),
		CallsOut:  m.count.callsOut.Load(),
		Segmented: m.count.segmented.Load(),
		Refused:   m.count.refused.Load(),
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, p := range m.peers {
		if p.v4 != nil || p.v6 != nil {
			s.Peers++
		}
	}
	s.Remotes, s.Streams = len(m.virtual), len(m.streams)
	return s
}
