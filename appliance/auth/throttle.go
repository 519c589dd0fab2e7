package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"net/netip"
	"sync"
	"time"

	"schalter/appliance"
)

// Rate is so many in so long a time: as a burst, and then spread evenly. The zero Rate is no limit.
type Rate struct {
	Count int
	Per   time.Duration
}

// Limits of a box.
type Limits struct {
	SignInsPerAccount  Rate // failed ones, for one account from one network
	SignInsAnywhere    Rate // failed ones, for one account from all foreign networks together
	SignInsPerNetwork  Rate // failed ones, for all accounts
	ArrivalsPerNetwork Rate // visits
}

// DefaultLimits fit a town. A mobile carrier shows many phones as one network, and opening time brings many at once,
// hence the room for arrivals.
func DefaultLimits() Limits {
	return Limits{
		SignInsPerAccount:  Rate{10, 15 * time.Minute},
		SignInsAnywhere:    Rate{30, time.Hour},
		SignInsPerNetwork:  Rate{20, 5 * time.Minute},
		ArrivalsPerNetwork: Rate{30, time.Minute},
	}
}

// DemoLimits let a load generator on one machine through.
func DemoLimits() Limits {
	wide := Rate{1000, time.Minute}
	return Limits{SignInsPerAccount: wide, SignInsPerNetwork: wide, ArrivalsPerNetwork: wide}
}

// Bounds of the memory that strangers can make a throttle use.
const (
	mostBuckets = 1 << 16
	mostKnown   = 1 << 12
	evictLooks  = 16             // buckets looked at to make room for one
	keyTerm     = 24 * time.Hour // then the key that networks are hashed with is replaced
)

// Throttle counts attempts in token buckets. It may be used by several goroutines.
//
// Drop rule: when there are too many buckets, of a few taken by chance those that are full again go; if none is, the
// fullest of them, which forgets the least.
type Throttle struct {
	limits Limits
	now    func() time.Time

	mu      sync.Mutex
	day     time.Time // guarded by mu, as all below: since when the key is in use
	key     [32]byte
	buckets map[mark]*bucket
	known   map[mark]struct{} // networks from which an account signed in well
	before  generation        // the day before's, for the known networks
}

// generation is a past key and what was known under it.
type generation struct {
	key   [32]byte
	known map[mark]struct{}
}

// mark stands for a name or a network without telling it.
type mark [16]byte

// bucket fills with time and is emptied by attempts.
type bucket struct {
	rate Rate
	left float64
	at   time.Time
}

// Kinds of bucket.
const (
	accountHere byte = iota + 1
	accountAnywhere
	signInNetwork
	arrivalNetwork
	knownNetwork
)

// NewThrottle starts with full buckets.
func NewThrottle(limits Limits, now func() time.Time) *Throttle {
	t := &Throttle{limits: limits, now: now}
	t.renew(now())
	return t
}

// Arrive counts a new visit from a network. When there were too many it returns TooMany with the time to wait.
func (t *Throttle) Arrive(network string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.tick()
	m := hash(t.key, arrivalNetwork, network)
	if wait := t.take(now, m, t.limits.ArrivalsPerNetwork); wait > 0 {
		return tooMany("too-many-arrivals", wait)
	}
	return nil
}

// attempt is one sign-in that is being tried, and what it took.
type attempt struct {
	marks   []mark
	account mark // the account seen from this network
	known   mark
}

// signIn takes for one attempt, from all buckets or from none.
func (t *Throttle) signIn(account, network string) (attempt, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.tick()
	a := attempt{account: hash(t.key, accountHere, account, network), known: hash(t.key, knownNetwork, account, network)}
	asked := []struct {
		mark mark
		rate Rate
	}{
		{hash(t.key, signInNetwork, network), t.limits.SignInsPerNetwork},
		{a.account, t.limits.SignInsPerAccount},
		{hash(t.key, accountAnywhere, account), t.limits.SignInsAnywhere},
	}
	if own(network) || t.knows(account, network) {
		asked = asked[:2]
	}
	for _, q := range asked {
		if wait := t.take(now, q.mark, q.rate); wait > 0 {
			t.giveBack(a)
			return attempt{}, tooMany("too-many-sign-ins", wait)
		}
		a.marks = append(a.marks, q.mark)
	}
	return a, nil
}

// undo gives back what an attempt took that tried no password after all.
func (t *Throttle) undo(a attempt) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.giveBack(a)
}

// good gives back what a good sign-in took, forgets the failures of this account from this network, and remembers that
// the clerk comes from there.
func (t *Throttle) good(a attempt) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.giveBack(a)
	delete(t.buckets, a.account)
	if len(t.known) >= mostKnown {
		for m := range t.known { // one by chance
			delete(t.known, m)
			break
		}
	}
	t.known[a.known] = struct{}{}
}

func (t *Throttle) giveBack(a attempt) {
	for _, m := range a.marks {
		if b := t.buckets[m]; b != nil {
			b.left = min(b.left+1, float64(b.rate.Count))
		}
	}
}

// take takes one from a bucket; when it is empty it tells how long to wait for one.
func (t *Throttle) take(now time.Time, m mark, rate Rate) time.Duration {
	if rate.Count <= 0 || rate.Per <= 0 {
		return 0
	}
	b := t.buckets[m]
	if b == nil {
		t.makeRoom(now)
		b = &bucket{rate: rate, left: float64(rate.Count), at: now}
		t.buckets[m] = b
	}
	b.fill(now)
	if b.left >= 1 {
		b.left--
		return 0
	}
	one := float64(rate.Per) / float64(rate.Count)
	return max(time.Duration(math.Ceil((1-b.left)*one)), time.Millisecond)
}

// fill adds what came in since. A clock that was set back adds nothing.
func (b *bucket) fill(now time.Time) {
	if d := now.Sub(b.at); d > 0 {
		b.left = min(b.left+float64(b.rate.Count)*float64(d)/float64(b.rate.Per), float64(b.rate.Count))
	}
	b.at = now
}

func (t *Throttle) makeRoom(now time.Time) {
	if len(t.buckets) < mostBuckets {
		return
	}
	looks, freed := 0, false
	var fullest mark
	most := -1.0
	for m, b := range t.buckets {
		b.fill(now)
		share := b.left / float64(b.rate.Count)
		if share >= 1 {
			delete(t.buckets, m)
			freed = true
		} else if share > most {
			most, fullest = share, m
		}
		if looks++; looks == evictLooks {
			break
		}
	}
	if !freed {
		delete(t.buckets, fullest)
	}
}

// tick reads the clock and replaces the key when its day is over. Buckets start anew then; known networks are kept for
// one more day.
func (t *Throttle) tick() time.Time {
	now := t.now()
	if now.Sub(t.day) >= keyTerm || t.day.Sub(now) >= keyTerm {
		t.renew(now)
	}
	return now
}

func (t *Throttle) renew(now time.Time) {
	t.before = generation{key: t.key, known: t.known}
	t.day = now
	rand.Read(t.key[:]) // cannot fail
	t.buckets = map[mark]*bucket{}
	t.known = map[mark]struct{}{}
}

func (t *Throttle) knows(account, network string) bool {
	if _, ok := t.known[hash(t.key, knownNetwork, account, network)]; ok {
		return true
	}
	_, ok := t.before.known[hash(t.before.key, knownNetwork, account, network)]
	return ok
}

// hash makes a mark. Lengths go in, so that no two lists of words share one.
func hash(key [32]byte, kind byte, words ...string) (m mark) {
	h := hmac.New(sha256.New, key[:])
	h.Write([]byte{kind})
	for _, w := range words {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(w))))
		h.Write([]byte(w))
	}
	copy(m[:], h.Sum(nil))
	return m
}

// own tells whether a network is the town's own: private, link-local or the box itself.
func own(network string) bool {
	p, err := netip.ParsePrefix(network)
	if err != nil {
		a, err := netip.ParseAddr(network)
		return err == nil && ownAddress(a)
	}
	return ownAddress(p.Addr())
}

func ownAddress(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast()
}

func tooMany(code string, wait time.Duration) error {
	return &appliance.Error{Kind: appliance.TooMany, Code: code, Wait: wait}
}
