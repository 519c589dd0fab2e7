package web

import (
	"errors"
	"hash/maphash"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"schalter/appliance"
)

// networkOf is where a request comes from, as a word for throttles: an IPv4 /24, or the /56 that a provider gives to one
// household.
func networkOf(r *http.Request) string {
	address, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return "unknown" // one bucket for all of them
	}
	ip, bits := address.Addr().Unmap().WithZone(""), 56
	if ip.Is4() {
		bits = 24
	}
	prefix, err := ip.Prefix(bits)
	if err != nil {
		return "unknown"
	}
	return prefix.String()
}

// guessesPerMinute is how many wrong tokens one network may try before it is told to wait. A token has 256 bits: this
// spares the disk, it does not guard the token. So a right token is never kept waiting because of a neighbour's wrong ones.
const guessesPerMinute = 20

// seatsPerMinute is how many seats one token may take in an open room: more than any encoder that comes back again and again,
// or than viewers who all begin at once. Each costs the box a handshake.
const seatsPerMinute = 240

// guesses counts what one network may do too often, first of all try wrong tokens, in one bucket for each. There is a
// fixed number of buckets, shared by hash, so that strangers cannot make it grow; it keeps no address.
type guesses struct {
	now  func() time.Time
	off  bool
	rate float64 // a minute, and at once
	seed maphash.Seed

	mu      sync.Mutex
	buckets [4096]bucket // guarded by mu
}

type bucket struct {
	spent float64
	at    time.Time
}

func newGuesses(now func() time.Time, rate float64, off bool) *guesses {
	return &guesses{now: now, off: off, rate: rate, seed: maphash.MakeSeed()}
}

// miss counts a wrong token and gives the refusal: the caller's own, or "wait" when there were too many.
func (g *guesses) miss(network string, otherwise *refusal) *refusal {
	if wait := g.spend(network); wait > 0 {
		return &refusal{status: http.StatusTooManyRequests, code: "too-many-tries", wait: wait}
	}
	return otherwise
}

// spend takes one from a bucket, or tells how long until there is one.
func (g *guesses) spend(who string) (wait time.Duration) {
	if g.off {
		return 0
	}
	now := g.now()
	g.mu.Lock()
	defer g.mu.Unlock()
	b := &g.buckets[maphash.String(g.seed, who)%uint64(len(g.buckets))]
	b.spent = max(0, b.spent-max(0, now.Sub(b.at).Minutes())*g.rate)
	b.at = now
	if b.spent+1 > g.rate {
		return time.Duration((b.spent + 1 - g.rate) / g.rate * float64(time.Minute))
	}
	b.spent++
	return 0
}

// isUnknown tells whether a token is nobody's.
func isUnknown(err error) bool {
	var e *appliance.Error
	return errors.As(err, &e) && (e.Kind == appliance.Unauthorised || e.Kind == appliance.NotFound)
}
