package auth_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"schalter/appliance"
	"schalter/appliance/auth"
	"schalter/appliance/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	password = "richtig und lang"
	lan      = "192.168.1.0/24"
	home     = "203.0.113.0/24"
	strange  = "198.51.100.0/24"
)

// house is a store with clerks, and the sign-ins over it, at a time that the test sets.
type house struct {
	*auth.SignIns
	store *store.Store
	rows  *rows
	mu    sync.Mutex
	at    time.Time
}

// rows is the real store; it counts what is written, and refuses it when told to.
type rows struct {
	*store.Store
	touched int
	full    bool
}

func (r *rows) TouchSignIn(ctx context.Context, hash [32]byte, at time.Time) error {
	r.touched++
	if r.full {
		return &appliance.Error{Kind: appliance.Unavailable, Code: "disk-full"}
	}
	return r.Store.TouchSignIn(ctx, hash, at)
}

func newHouse(t *testing.T) *house {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "schalter.db"), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	hash, err := auth.CheapPasswords().Hash(t.Context(), password)
	if err != nil {
		t.Fatal(err)
	}
	snap := appliance.Snapshot{Offices: []appliance.Office{{ID: "bauamt"}}}
	secrets := map[appliance.ClerkID]string{}
	for _, id := range []appliance.ClerkID{"weber", "haas", "gegangen", "ohne"} {
		snap.Clerks = append(snap.Clerks, appliance.Clerk{
			ID: id, Roles: []appliance.Role{appliance.ClerkRole}, Offices: []appliance.OfficeID{"bauamt"}, Disabled: id == "gegangen",
		})
		if id != "ohne" {
			secrets[id] = hash
		}
	}
	if err := s.Fill(t.Context(), snap, secrets); err != nil {
		t.Fatal(err)
	}
	h := &house{store: s, rows: &rows{Store: s}, at: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)}
	h.SignIns = h.restart(auth.DefaultLimits())
	return h
}

// restart makes new sign-ins over the same rows, as a daemon that was started again.
func (h *house) restart(limits auth.Limits) *auth.SignIns {
	return auth.NewSignIns(auth.Config{
		Secrets: h.store, Rows: h.rows, Passwords: auth.CheapPasswords(), Throttle: auth.NewThrottle(limits, h.now),
		Now: h.now, Log: slog.New(slog.DiscardHandler),
	})
}

func (h *house) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at
}

func (h *house) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at = h.at.Add(d)
}

func (h *house) in(t *testing.T, name string) string {
	t.Helper()
	token, _, err := h.SignIn(t.Context(), name, password, lan)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (h *house) put(t *testing.T, change func(*appliance.Clerk)) {
	t.Helper()
	snap, err := h.store.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(snap.Clerks, func(c appliance.Clerk) bool { return c.ID == "weber" })
	before, after := snap.Clerks[i], snap.Clerks[i]
	change(&after)
	err = h.store.Write(t.Context(), []store.Entry{{Change: appliance.Change{
		At: h.now(), Action: "put_clerk", Clerks: []appliance.Step[appliance.Clerk]{{Before: &before, After: &after}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
}

func refusal(err error) appliance.Error {
	if e := (*appliance.Error)(nil); errors.As(err, &e) {
		return *e
	}
	return appliance.Error{}
}

func gone(t *testing.T, s *auth.SignIns, token string) {
	t.Helper()
	if c, name, err := s.Who(t.Context(), token); refusal(err).Kind != appliance.Unauthorised || c.ID != "" || name != "" {
		t.Errorf("still signed in: %q %q, %v", c.ID, name, err)
	}
}

func there(t *testing.T, s *auth.SignIns, token string) appliance.Clerk {
	t.Helper()
	c, _, err := s.Who(t.Context(), token)
	if err != nil {
		t.Errorf("not signed in: %v", err)
	}
	return c
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var tokens, names []string
	for _, name := range []string{"weber", "Weber", "WEBER", "  weber\t"} {
		token, id, err := h.SignIn(t.Context(), name, password, lan)
		if err != nil || id != "weber" {
			t.Fatalf("%q: %q, %v", name, id, err)
		}
		if b, err := base64.RawURLEncoding.DecodeString(token); err != nil || len(b) != 32 {
			t.Errorf("token %q: %v", token, err)
		}
		c, session, err := h.Who(t.Context(), token)
		if err != nil || c.ID != "weber" || !slices.Contains(c.Roles, appliance.ClerkRole) {
			t.Errorf("who: %+v, %v", c, err)
		}
		if b, err := hex.DecodeString(session); err != nil || len(b) != 32 || strings.Contains(session, token) {
			t.Errorf("session %q: %v", session, err)
		}
		if slices.Contains(tokens, token) || slices.Contains(names, session) {
			t.Error("two sign-ins share a token")
		}
		tokens, names = append(tokens, token), append(names, session)
	}
	raw, err := filepath.Glob(filepath.Join(filepath.Dir(h.path(t)), "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range raw {
		for _, token := range tokens {
			if strings.Contains(contents(t, name), token) {
				t.Errorf("a token is in %s", name)
			}
		}
	}
}

// Whatever is wrong, the answer is the same.
func TestSignInRefuses(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for name, try := range map[string][2]string{
		"wrong password": {"weber", "falsch und lang"}, "no password": {"weber", ""}, "unknown name": {"niemand", password},
		"no name": {"", password}, "disabled": {"gegangen", password}, "no password set": {"ohne", password},
		"no password set, none given": {"ohne", ""}, "endless name": {strings.Repeat("weber", 1e5), password},
		"endless password": {"weber", strings.Repeat(password, 1e4)}, "zero byte": {"weber\x00", password},
		"not UTF-8": {"\xff\xfe", "\xff\xff\xff\xff\xff\xff\xff\xff\xff"}, "SQL": {"' OR 1=1 --", password}, "wildcard": {"web%", password},
	} {
		token, id, err := h.SignIn(t.Context(), try[0], try[1], strange+name)
		if token != "" || id != "" || refusal(err) != (appliance.Error{Kind: appliance.Unauthorised, Code: "sign-in-failed"}) {
			t.Errorf("%s: %q, %q, %v", name, token, id, err)
		}
	}
}

func TestIdleAndOldSessionsEnd(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	idle, busy := h.in(t, "weber"), h.in(t, "weber")
	h.pass(15 * time.Minute)
	there(t, h.SignIns, busy)
	h.pass(15*time.Minute - time.Millisecond)
	h.SignIns = h.restart(auth.DefaultLimits()) // a restart signs nobody out, and keeps nobody longer
	there(t, h.SignIns, busy)
	h.pass(time.Millisecond)
	gone(t, h.SignIns, idle)
	h.pass(-time.Minute) // and it stays ended, whatever the clock says
	gone(t, h.SignIns, idle)
	h.pass(time.Minute)
	for h.now().Before(time.Date(2026, 11, 23, 19, 50, 0, 0, time.UTC)) {
		there(t, h.SignIns, busy)
		h.pass(10 * time.Minute)
	}
	h.pass(10*time.Minute - time.Millisecond)
	there(t, h.SignIns, busy)
	h.pass(time.Millisecond)
	gone(t, h.SignIns, busy)
}

// When the clock has gone back nobody knows how long a session was idle.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	token := h.in(t, "weber")
	h.pass(-5 * time.Minute)
	there(t, h.SignIns, token) // a correction
	h.pass(-time.Second)
	gone(t, h.SignIns, token)
	h.pass(10 * time.Minute)
	there(t, h.SignIns, token) // the clock was put right
}

// Being seen is written down once a minute, however many requests come; a full disk signs nobody out.
func TestTouching(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	token := h.in(t, "weber")
	for range 59 {
		there(t, h.SignIns, token)
		h.pass(time.Second)
	}
	if h.rows.touched != 0 {
		t.Errorf("written %d times in the first minute", h.rows.touched)
	}
	h.pass(time.Second)
	for range 120 {
		there(t, h.SignIns, token)
		h.pass(time.Second)
	}
	if h.rows.touched != 2 {
		t.Errorf("written %d times in two minutes", h.rows.touched)
	}
	h.rows.full = true
	for range 5 {
		h.pass(20 * time.Minute)
		there(t, h.SignIns, token)
	}
	h.pass(30 * time.Minute)
	gone(t, h.SignIns, token)
}

func TestSignOut(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	one, two, other := h.in(t, "weber"), h.in(t, "weber"), h.in(t, "haas")
	if err := h.SignOut(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	gone(t, h.SignIns, one)
	there(t, h.SignIns, two)
	for _, token := range []string{one, "", "x", strings.Repeat("A", 43)} {
		if err := h.SignOut(t.Context(), token); err != nil {
			t.Errorf("signing out %q: %v", token, err)
		}
	}
	one = h.in(t, "weber")
	_, session1, _ := h.Who(t.Context(), one)
	_, session2, _ := h.Who(t.Context(), two)
	ended, err := h.EndAll(t.Context(), "weber")
	slices.Sort(ended)
	want := []string{session1, session2}
	slices.Sort(want)
	if err != nil || !slices.Equal(ended, want) {
		t.Errorf("ended %v, %v; want %v", ended, err, want)
	}
	gone(t, h.SignIns, one)
	gone(t, h.SignIns, two)
	there(t, h.SignIns, other)
}

func TestRightsChangeAtOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	token := h.in(t, "weber")
	h.put(t, func(c *appliance.Clerk) { c.Roles = []appliance.Role{appliance.Administrator} })
	if c := there(t, h.SignIns, token); !slices.Equal(c.Roles, []appliance.Role{appliance.Administrator}) {
		t.Errorf("roles %v", c.Roles)
	}
	h.put(t, func(c *appliance.Clerk) { c.Disabled = true })
	gone(t, h.SignIns, token)
	if _, _, err := h.SignIn(t.Context(), "weber", password, lan); refusal(err).Code != "sign-in-failed" {
		t.Errorf("a disabled clerk: %v", err)
	}
	h.put(t, func(c *appliance.Clerk) { c.Disabled = false })
	gone(t, h.SignIns, token)
	there(t, h.SignIns, h.in(t, "weber"))
}

func TestSetPassword(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	token, other := h.in(t, "weber"), h.in(t, "haas")
	if _, err := h.SetPassword(t.Context(), "weber", "zu kurz"); refusal(err).Code != "password-too-short" {
		t.Errorf("a short password: %v", err)
	}
	there(t, h.SignIns, token)
	ended, err := h.SetPassword(t.Context(), "weber", "ein neues, langes")
	if err != nil || len(ended) != 1 {
		t.Fatalf("ended %v, %v", ended, err)
	}
	gone(t, h.SignIns, token)
	there(t, h.SignIns, other)
	if _, _, err := h.SignIn(t.Context(), "weber", password, lan); refusal(err).Code != "sign-in-failed" {
		t.Errorf("the old password: %v", err)
	}
	if _, _, err := h.SignIn(t.Context(), "weber", "ein neues, langes", lan); err != nil {
		t.Errorf("the new password: %v", err)
	}
	if _, err := h.SetPassword(t.Context(), "niemand", "ein neues, langes"); refusal(err).Kind != appliance.NotFound {
		t.Errorf("nobody's password: %v", err)
	}
}

// A good sign-in brings an old hash up to today's cost, and signs nobody out by it.
func TestOldHashesAreRenewed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	before := h.in(t, "weber")
	h.Passwords = auth.NewPasswords()
	// From the reference implementation's tests: "password" with 64 MiB.
	const old = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	if err := h.store.SetSecret(t.Context(), "weber", old, false, h.now()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, _, err := h.SignIn(t.Context(), "weber", "password", lan); err != nil {
			t.Fatal(err)
		}
		secret, err := h.store.Secret(t.Context(), "weber")
		if err != nil || !strings.Contains(secret.Password, "m=19456,t=2,p=1") {
			t.Errorf("stored %+v, %v", secret, err)
		}
	}
	there(t, h.SignIns, before)
}

func (h *house) path(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "copy.db")
	if err := h.store.Backup(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	return path
}

func contents(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
