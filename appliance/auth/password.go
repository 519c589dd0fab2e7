package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"runtime"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"schalter/appliance"
)

// Bounds of a password. The upper one is in bytes and far above what a person types.
const (
	leastPassword = 8 // characters
	mostPassword  = 1024
)

// queue is how many hashings may wait for a core. Whoever comes when it is full is refused at once: at about 30 ms a
// hashing, later ones would wait for more than a second per core.
const queue = 64

// Passwords hashes and checks passwords, at most as many at once as there are cores: each takes 19 MiB and a core's
// full attention, which anybody on the network could otherwise ask for without end.
type Passwords struct {
	seats chan struct{} // running and waiting
	cores chan struct{} // running
	dummy phc           // what an unknown name is checked against
	key   func(password, salt []byte, c cost, size uint32) []byte
}

// NewPasswords makes a hasher for this machine.
func NewPasswords() *Passwords {
	cores := runtime.NumCPU()
	p := &Passwords{
		seats: make(chan struct{}, cores+queue),
		cores: make(chan struct{}, cores),
		dummy: phc{cost: today(), salt: make([]byte, saltSize), hash: make([]byte, hashSize)},
		key: func(password, salt []byte, c cost, size uint32) []byte {
			return argon2.IDKey(password, salt, c.passes, c.memory, c.threads, size)
		},
	}
	// Reads of crypto/rand cannot fail (they end the program instead).
	rand.Read(p.dummy.salt)
	rand.Read(p.dummy.hash)
	return p
}

// Hash makes the string to store for a new password. A password that is too short or too long is Invalid.
func (p *Passwords) Hash(ctx context.Context, password string) (string, error) {
	word, err := newPassword(password)
	if err != nil {
		return "", err
	}
	h := phc{cost: today(), salt: make([]byte, saltSize)}
	rand.Read(h.salt)
	h.hash, err = p.compute(ctx, word, h.salt, h.cost, hashSize)
	if err != nil {
		return "", err
	}
	return h.String(), nil
}

// newPassword brings a password into its one form, whatever keyboard it was typed on, and looks at its length.
func newPassword(password string) ([]byte, error) {
	if len(password) > mostPassword {
		return nil, &appliance.Error{Kind: appliance.Invalid, Code: "password-too-long", Field: "password"}
	}
	word := norm.NFC.Bytes([]byte(password))
	if utf8.RuneCount(word) < leastPassword {
		return nil, &appliance.Error{Kind: appliance.Invalid, Code: "password-too-short", Field: "password"}
	}
	return word, nil
}

// verdict is what a check found.
type verdict struct {
	good  bool
	stale bool // good, but hashed at another cost than today's
}

// check compares a password with a stored hash. An empty one (nobody has that name, or no password was set) takes the
// same time and is never good.
func (p *Passwords) check(ctx context.Context, stored, password string) (verdict, error) {
	h, known := p.dummy, false
	if stored != "" {
		var err error
		if h, err = parsePHC(stored); err != nil {
			return verdict{}, fmt.Errorf("stored password: %w", err)
		}
		known = true
	}
	// What is too long is no password. It is cut before it costs anything, and checked all the same.
	fits := len(password) <= mostPassword
	word := norm.NFC.Bytes([]byte(password[:min(len(password), mostPassword)]))
	got, err := p.compute(ctx, word, h.salt, h.cost, uint32(len(h.hash)))
	if err != nil {
		return verdict{}, err
	}
	good := subtle.ConstantTimeCompare(got, h.hash) == 1 && known && fits
	return verdict{good: good, stale: good && (h.cost != today() || len(h.hash) != hashSize || len(h.salt) != saltSize)}, nil
}

// compute runs one hashing when a core is free for it.
func (p *Passwords) compute(ctx context.Context, word, salt []byte, c cost, size uint32) ([]byte, error) {
	select {
	case p.seats <- struct{}{}:
	default:
		return nil, &appliance.Error{Kind: appliance.TooMany, Code: "sign-in-busy", Wait: 2 * time.Second}
	}
	defer func() { <-p.seats }()
	select {
	case p.cores <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait to hash a password: %w", context.Cause(ctx))
	}
	defer func() { <-p.cores }()
	return p.key(word, salt, c, size), nil
}
