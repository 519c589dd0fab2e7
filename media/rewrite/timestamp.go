package rewrite

import "time"

// Timestamp maps RTP timestamps of one source after another onto one line of time.
type Timestamp struct {
	offset  uint32
	last    uint32    // the highest that left
	at      time.Time // when it left
	running bool
	used    bool
}

// Begin starts a source whose first packet has the timestamp ts. After another source it continues as much later as
// time has passed, by at least one tick, so that a change of source never runs time backwards; the very first source
// begins at `initial`.
func (t *Timestamp) Begin(ts uint32, rate uint32, now time.Time, initial uint32) {
	out := initial
	if t.used {
		passed := min(max(now.Sub(t.at), 0), time.Hour)
		// In two steps: an hour of nanoseconds times 90 kHz does not fit into 64 bits.
		ticks := uint64(passed/time.Millisecond)*uint64(rate)/1000 + uint64(passed%time.Millisecond)*uint64(rate)/1e9
		out = t.last + max(uint32(ticks), 1)
	}
	t.offset = out - ts
	t.running = true
}

// Map gives the timestamp with which a packet leaves.
func (t *Timestamp) Map(ts uint32, now time.Time) uint32 {
	out := ts + t.offset
	if !t.used || int32(out-t.last) > 0 {
		t.last, t.at, t.used = out, now, true
	}
	return out
}

// Last is the highest that left.
func (t *Timestamp) Last() uint32 { return t.last }

// Offset is what the current source's timestamps are moved by; false before the first source.
func (t *Timestamp) Offset() (uint32, bool) { return t.offset, t.running }
