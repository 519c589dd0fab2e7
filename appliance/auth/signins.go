package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"golang.org/x/text/unicode/norm"

	"schalter/appliance"
)

// Terms of a sign-in session.
const (
	idleFor  = 30 * time.Minute // not seen for so long: signed out
	mostFor  = 12 * time.Hour   // signed out after so long in any case
	touchFor = time.Minute      // being seen is written down at most so often
	// setBack is how far the clock may have gone back against a session's last sight. Beyond it nobody can tell how old
	// the session is, so it does not count.
	setBack = 5 * time.Minute
)

// Secrets is the store of password hashes. Unknown names are NotFound. A fresh password ends all sign-in sessions.
type Secrets interface {
	Secret(ctx context.Context, name string) (appliance.Secret, error)
	SetSecret(ctx context.Context, clerk appliance.ClerkID, password string, fresh bool, at time.Time) error
}

// SignInRows is the store of sign-in sessions. Unknown ones are NotFound; ending them is no error.
type SignInRows interface {
	AddSignIn(ctx context.Context, in appliance.SignIn) error
	SignIn(ctx context.Context, hash [32]byte) (appliance.SignIn, appliance.Clerk, error)
	TouchSignIn(ctx context.Context, hash [32]byte, at time.Time) error
	EndSignIn(ctx context.Context, hash [32]byte, at time.Time) error
	EndSignIns(ctx context.Context, clerk appliance.ClerkID, at time.Time) ([][32]byte, error)
}

// Config is what sign-ins are made of.
type Config struct {
	Secrets   Secrets
	Rows      SignInRows
	Passwords *Passwords
	Throttle  *Throttle
	Now       func() time.Time
	Log       *slog.Logger
}

// SignIns signs clerks in and knows them again. It may be used by several goroutines.
type SignIns struct {
	Config

	mu      sync.Mutex
	touched map[[32]byte]time.Time // guarded by mu: sessions whose being seen was or is being written down
}

// NewSignIns starts with what is stored: a restart of the box signs nobody out.
func NewSignIns(c Config) *SignIns {
	return &SignIns{Config: c, touched: map[[32]byte]time.Time{}}
}

// Name brings a sign-in name into the form that it is stored and found in.
func Name(s string) string { return strings.ToLower(norm.NFC.String(strings.TrimSpace(s))) }

// SignIn checks a name and a password and begins a sign-in session. The network is the caller's, as an opaque word; one
// that reads as an address prefix of a private network is the town's own. Wrong name, wrong password and a disabled
// clerk are one and the same Unauthorised; too many attempts are TooMany.
func (s *SignIns) SignIn(ctx context.Context, name, password, network string) (string, appliance.ClerkID, error) {
	name = Name(name[:min(len(name), 4*appliance.MaxName)])
	taken, err := s.Throttle.signIn(name, network)
	if err != nil {
		return "", "", err
	}
	secret, err := s.check(ctx, name, password)
	if err != nil {
		if kind(err) != appliance.Unauthorised {
			s.Throttle.undo(taken) // no password was tried, or nobody could tell
		}
		return "", "", err
	}
	s.Throttle.good(taken)
	token := newToken()
	now := s.Now()
	in := appliance.SignIn{Hash: sha256.Sum256([]byte(token)), Clerk: secret.Clerk, BeganAt: now, SeenAt: now}
	if err := s.Rows.AddSignIn(ctx, in); err != nil {
		return "", "", err
	}
	s.Log.Info("clerk signed in", "clerk", secret.Clerk)
	return token, secret.Clerk, nil
}

func (s *SignIns) check(ctx context.Context, name, password string) (appliance.Secret, error) {
	secret, err := s.Secrets.Secret(ctx, name)
	if err != nil && kind(err) != appliance.NotFound {
		return secret, err
	}
	found := err == nil
	v, err := s.Passwords.check(ctx, secret.Password, password)
	if err != nil {
		return secret, err
	}
	if !v.good || secret.Disabled {
		if found { // what was typed instead of a name may be a password, so only known names are written down
			s.Log.Info("sign-in refused", "clerk", secret.Clerk, "disabled", secret.Disabled)
		}
		return secret, &appliance.Error{Kind: appliance.Unauthorised, Code: "sign-in-failed"}
	}
	if v.stale {
		s.renew(ctx, secret.Clerk, password)
	}
	return secret, nil
}

// renew hashes a good password at today's cost. The sign-in does not depend on it.
func (s *SignIns) renew(ctx context.Context, clerk appliance.ClerkID, password string) {
	hash, err := s.Passwords.Hash(ctx, password)
	if err == nil {
		err = s.Secrets.SetSecret(ctx, clerk, hash, false, s.Now())
	}
	if err != nil {
		s.Log.Warn("password hash not renewed", "clerk", clerk, "error", err)
	}
}

// Who knows a clerk again by the session's token, with the roles and offices as they are now, and gives the session's
// name (its hash in hex). A token that is unknown, idle too long, too old or of a disabled clerk is Unauthorised.
// Each call counts as being seen.
func (s *SignIns) Who(ctx context.Context, token string) (appliance.Clerk, string, error) {
	hash, ok := hashToken(token)
	if !ok {
		return appliance.Clerk{}, "", signedOut()
	}
	in, clerk, err := s.Rows.SignIn(ctx, hash)
	if kind(err) == appliance.NotFound || err == nil && clerk.Disabled {
		return appliance.Clerk{}, "", signedOut()
	}
	if err != nil {
		return appliance.Clerk{}, "", err
	}
	now := s.Now()
	seen := s.lastSeen(hash, in.SeenAt)
	if now.Before(seen.Add(-setBack)) {
		return appliance.Clerk{}, "", signedOut()
	}
	if now.Sub(seen) >= idleFor || now.Sub(in.BeganAt) >= mostFor {
		if err := s.Rows.EndSignIn(ctx, hash, now); err != nil {
			return appliance.Clerk{}, "", err
		}
		return appliance.Clerk{}, "", signedOut()
	}
	s.touch(ctx, hash, seen, now)
	return clerk, hex.EncodeToString(hash[:]), nil
}

// lastSeen is the later of what is stored and what is being written down.
func (s *SignIns) lastSeen(hash [32]byte, stored time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, ok := s.touched[hash]; ok && t.After(stored) {
		return t
	}
	return stored
}

// touch writes down that a session was seen, once a minute, however many requests come at once. When the disk refuses
// it, the clerk works on: memory knows until the box is started again.
func (s *SignIns) touch(ctx context.Context, hash [32]byte, seen, now time.Time) {
	if now.Sub(seen) < touchFor {
		return
	}
	s.mu.Lock()
	if t, ok := s.touched[hash]; ok && now.Sub(t) < touchFor {
		s.mu.Unlock()
		return
	}
	s.touched[hash] = now
	for h, t := range s.touched { // those of ended sessions; there are as many as clerks have browsers
		if now.Sub(t) >= idleFor {
			delete(s.touched, h)
		}
	}
	s.mu.Unlock()
	if err := s.Rows.TouchSignIn(ctx, hash, now); err != nil {
		s.Log.Warn("sign-in session not touched", "error", err)
	}
}

// SignOut ends the session of a token. An unknown one is no error: the wish is fulfilled.
func (s *SignIns) SignOut(ctx context.Context, token string) error {
	hash, ok := hashToken(token)
	if !ok {
		return nil
	}
	return s.Rows.EndSignIn(ctx, hash, s.Now())
}

// EndAll ends all sign-in sessions of a clerk and gives their names, whose live connections are to be closed.
func (s *SignIns) EndAll(ctx context.Context, clerk appliance.ClerkID) ([]string, error) {
	hashes, err := s.Rows.EndSignIns(ctx, clerk, s.Now())
	names := make([]string, 0, len(hashes))
	for _, h := range hashes {
		names = append(names, hex.EncodeToString(h[:]))
	}
	return names, err
}

// SetPassword gives a clerk a new password and ends the sessions that were begun with the old one; see EndAll.
func (s *SignIns) SetPassword(ctx context.Context, clerk appliance.ClerkID, password string) ([]string, error) {
	hash, err := s.Passwords.Hash(ctx, password)
	if err != nil {
		return nil, err
	}
	ended, err := s.EndAll(ctx, clerk)
	if err != nil {
		return nil, err
	}
	// One that was begun in between with the old password ends by this.
	return ended, s.Secrets.SetSecret(ctx, clerk, hash, true, s.Now())
}

// Tokens are 32 bytes as base64url without padding.
const tokenLength = 43

func newToken() string {
	var b [32]byte
	rand.Read(b[:]) // cannot fail
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// hashToken hashes what has the form of a token.
func hashToken(token string) ([32]byte, bool) {
	if len(token) != tokenLength {
		return [32]byte{}, false
	}
	for i := range len(token) {
		c := token[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != '_' {
			return [32]byte{}, false
		}
	}
	return sha256.Sum256([]byte(token)), true
}

func signedOut() error { return &appliance.Error{Kind: appliance.Unauthorised, Code: "signed-out"} }

// kind is an error's kind; empty when it has none.
func kind(err error) appliance.Kind {
	if e := (*appliance.Error)(nil); errors.As(err, &e) {
		return e.Kind
	}
	return ""
}
