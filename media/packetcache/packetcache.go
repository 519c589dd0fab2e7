package packetcache

import (
	"math/bits"
	"sync"
)

// MaxPayload is the largest payload that a slot takes, in bytes: an Ethernet frame less IP, UDP, RTP and SRTP's tag.
const MaxPayload = 1440

// maxJump is how far a number may run ahead of the highest one before the stream counts as started anew (RFC 3550,
// appendix A.1: MAX_DROPOUT).
const maxJump = 3000

// first is where extended numbers start: one round up, so that a packet from before the first one still has a number.
const first = 1 << 16

// Meta is what the cache keeps beside a payload.
type Meta struct {
	Timestamp uint32
	Marker    bool
	Level     uint8 // the audio level's octet as it came (RFC 6464); 0xFF when there was none
}

// Outcome says what became of a stored packet.
type Outcome uint8

// Outcomes of Store.
const (
	Newest    Outcome = iota // the highest number so far
	Late                     // fills a hole behind the highest
	Duplicate                // was there already
	Stale                    // too old for the ring, or too long for a slot: not stored
	Restarted                // far from everything before: the ring was emptied and starts here
)

type slot struct {
	meta Meta
	size int
	buf  [MaxPayload]byte
}

// Cache is the ring. Make one with New.
type Cache struct {
	mu      sync.RWMutex
	mask    uint64
	slots   []slot   // guarded by mu
	arrived []uint64 // guarded by mu; bit n&mask: number n is in its slot
	started bool     // guarded by mu
	lowest  uint64   // guarded by mu; where the stream began
	highest uint64   // guarded by mu
	count   uint64   // guarded by mu; distinct packets
}

// New makes a cache of at least the given number of packets, rounded up to a power of two, 64 at least.
func New(packets int) *Cache {
	n := 64
	if packets > n {
		n = 1 << bits.Len(uint(packets-1))
	}
	return &Cache{mask: uint64(n - 1), slots: make([]slot, n), arrived: make([]uint64, n/64)}
}

// Size is the number of packets that fit.
func (c *Cache) Size() int { return len(c.slots) }

// Store keeps a packet and gives its extended number, 0 for one that is too long.
func (c *Cache) Store(seq uint16, meta Meta, payload []byte) (uint64, Outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(payload) > MaxPayload {
		// It moves nothing: nobody would be told of a new start. With the next packet its place is a hole, as it is for
		// everybody behind us.
		return 0, Stale
	}
	n, outcome := c.place(seq)
	if outcome == Duplicate || outcome == Stale {
		return n, outcome
	}
	s := &c.slots[n&c.mask]
	s.meta = meta
	s.size = copy(s.buf[:], payload)
	c.arrived[n&c.mask>>6] |= 1 << (n & 63)
	c.count++
	return n, outcome
}

// place turns a wire number into an extended one and moves the ring's head. The caller holds mu.
func (c *Cache) place(seq uint16) (uint64, Outcome) {
	if !c.started {
		c.restart(first + uint64(seq))
		return c.highest, Newest
	}
	ahead := int16(seq - uint16(c.highest))
	switch {
	case ahead > 0 && int(ahead) <= maxJump:
		n := c.highest + uint64(ahead)
		c.advance(n)
		return n, Newest
	case ahead > 0:
		c.restart(c.highest + uint64(ahead))
		return c.highest, Restarted
	case int(-int32(ahead)) > maxJump:
		// A jump back of more than any reordering is a new start too. It is numbered upwards, so that extended numbers
		// never fall.
		c.restart(c.highest + uint64(seq-uint16(c.highest)))
		return c.highest, Restarted
	}
	n := c.highest - uint64(-int32(ahead))
	if n+uint64(len(c.slots)) <= c.highest || n < first {
		return n, Stale
	}
	if c.has(n) {
		return n, Duplicate
	}
	c.lowest = min(c.lowest, n)
	return n, Late
}

func (c *Cache) restart(n uint64) {
	clear(c.arrived)
	c.started, c.lowest, c.highest, c.count = true, n, n, 0
}

// advance moves the head to n and forgets what falls out at the tail.
func (c *Cache) advance(n uint64) {
	if n-c.highest >= uint64(len(c.slots)) {
		clear(c.arrived)
	} else {
		for m := c.highest + 1; m <= n; m++ {
			c.arrived[m&c.mask>>6] &^= 1 << (m & 63)
		}
	}
	c.highest = n
}

func (c *Cache) has(n uint64) bool {
	return c.arrived[n&c.mask>>6]&(1<<(n&63)) != 0
}

// holds tells whether n lies in the ring's window and arrived. The caller holds mu.
func (c *Cache) holds(n uint64) bool {
	return c.started && n <= c.highest && n+uint64(len(c.slots)) > c.highest && c.has(n)
}

// Payload shows a stored payload without copying it. Only the goroutine that stores may call it, and the bytes are
// good until its next Store.
func (c *Cache) Payload(n uint64) []byte {
	s := &c.slots[n&c.mask]
	return s.buf[:s.size:s.size]
}

// Look shows a stored packet without copying it; false when it is not there (any more). Only the goroutine that stores may
// call it, and the payload is good until its next Store.
func (c *Cache) Look(n uint64) (Meta, []byte, bool) {
	if !c.holds(n) {
		return Meta{}, nil, false
	}
	return c.slots[n&c.mask].meta, c.Payload(n), true
}

// Load copies a packet out. It reports false when the packet is not there (any more), or buf is too short.
func (c *Cache) Load(n uint64, buf []byte) (Meta, int, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if !c.holds(n) {
		return Meta{}, 0, false
	}
	s := &c.slots[n&c.mask]
	if len(buf) < s.size {
		return Meta{}, 0, false
	}
	return s.meta, copy(buf, s.buf[:s.size]), true
}

// Missing appends to out the numbers from `from` on that have not arrived, the oldest first, until out is full
// (its capacity is never exceeded). Numbers before the stream's start are not missing.
func (c *Cache) Missing(from uint64, out []uint64) []uint64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if !c.started {
		return out
	}
	n := max(from, c.lowest)
	if size := uint64(len(c.slots)); c.highest >= size {
		n = max(n, c.highest-size+1)
	}
	for ; n < c.highest && len(out) < cap(out); n++ {
		// A word of 64 that all arrived is passed in one step.
		if n&63 == 0 && n+64 <= c.highest && c.arrived[n&c.mask>>6] == ^uint64(0) {
			n += 63
			continue
		}
		if !c.has(n) {
			out = append(out, n)
		}
	}
	return out
}

// Tally is what a receiver report is made of (RFC 3550, appendix A.3).
type Tally struct {
	Highest  uint64 // extended; its low 32 bits are the report's "extended highest sequence number"
	Expected uint64 // since the stream's (re)start
	Received uint64 // distinct packets of these
}

// Tally counts since the stream started.
func (c *Cache) Tally() (Tally, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if !c.started {
		return Tally{}, false
	}
	return Tally{Highest: c.highest, Expected: c.highest - c.lowest + 1, Received: c.count}, true
}
