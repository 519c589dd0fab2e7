package auth_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
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

// wrong tries a wrong password and tells whether it was tried rather than throttled.
func (h *house) wrong(t *testing.T, name, network string) bool {
	t.Helper()
	_, _, err := h.SignIn(t.Context(), name, "geraten", network)
	switch refusal(err).Kind {
	case appliance.Unauthorised:
		return true
	case appliance.TooMany:
		if refusal(err).Wait <= 0 {
			t.Error("no time to wait is told")
		}
		return false
	}
	t.Fatalf("%s from %s: %v", name, network, err)
	return false
}

// A thousand wrong passwords for one account from one network: ten are tried, then one in a while; the clerk gets in
// from elsewhere all the time.
func TestGuessingOneAccount(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	tried := 0
	for i := range 1000 {
		if h.wrong(t, "weber", strange) {
			tried++
		}
		if i%100 == 0 {
			h.in(t, "weber")
		}
	}
	if tried != 10 {
		t.Errorf("%d were tried", tried)
	}
	_, _, err := h.SignIn(t.Context(), "WEBER ", password, strange)
	wait := refusal(err).Wait
	if refusal(err).Kind != appliance.TooMany || wait <= 0 || wait > 90*time.Second { // ten in 15 minutes
		t.Errorf("the right password after the tenth wrong one: %v, wait %v", err, wait)
	}
	h.pass(wait - time.Millisecond)
	if h.wrong(t, "weber", strange) {
		t.Error("tried before the wait was over")
	}
	h.pass(time.Millisecond)
	if !h.wrong(t, "weber", strange) {
		t.Error("not tried after the wait that was told")
	}
	if !h.wrong(t, "haas", strange) {
		t.Error("the account next door is shut too")
	}
}

// Guessing from many networks is slowed down too, and shuts the clerk out neither of the town hall nor of the network
// at home that was used before.
func TestGuessingFromEverywhere(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	if _, _, err := h.SignIn(t.Context(), "weber", password, home); err != nil {
		t.Fatal(err)
	}
	tried := 0
	for i := range 200 {
		if h.wrong(t, "weber", fmt.Sprintf("100.%d.0.0/24", i)) {
			tried++
		}
	}
	if tried != 30 {
		t.Errorf("%d of 200 were tried", tried)
	}
	for _, network := range []string{lan, home} {
		if _, _, err := h.SignIn(t.Context(), "weber", password, network); err != nil {
			t.Errorf("the clerk from %s: %v", network, err)
		}
	}
	if _, _, err := h.SignIn(t.Context(), "weber", password, strange); refusal(err).Kind != appliance.TooMany {
		t.Errorf("the right password from a strange network: %v", err)
	}
	h.pass(time.Hour)
	if _, _, err := h.SignIn(t.Context(), "weber", password, strange); err != nil {
		t.Errorf("an hour later: %v", err)
	}
}

// One password tried on many accounts.
func TestSpraying(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	tried := 0
	for i := range 100 {
		if h.wrong(t, fmt.Sprint("name", i), strange) {
			tried++
		}
	}
	if tried != 20 {
		t.Errorf("%d were tried", tried)
	}
	h.in(t, "weber")
}

// Only failures count: a whole town hall behind one address signs in, and a good sign-in forgives the slips before it.
func TestGoodSignInsCostNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for range 25 {
		h.in(t, "weber")
	}
	for range 3 {
		for range 5 {
			if !h.wrong(t, "weber", home) {
				t.Fatal("throttled")
			}
		}
		if _, _, err := h.SignIn(t.Context(), "weber", password, home); err != nil {
			t.Fatal(err)
		}
	}
}

// What could not be tried does not count.
func TestUntriedDoesNotCount(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 50 {
		if _, _, err := h.SignIn(ctx, "weber", password, strange); err == nil || refusal(err).Kind == appliance.TooMany {
			t.Fatalf("sign-in that nobody waits for: %v", err)
		}
	}
	if _, _, err := h.SignIn(t.Context(), "weber", password, strange); err != nil {
		t.Error(err)
	}
}

func TestVisitTokens(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	secret := []byte("0123456789abcdef0123456789abcdef")
	v := auth.NewVisitTokens(secret, h.store)
	ids := []appliance.VisitID{"00000000000000000000000000000001", "00000000000000000000000000000002"}
	for _, id := range ids {
		visit := appliance.Visit{
			ID: id, Version: 1, State: appliance.Waiting, Office: "bauamt", ArrivedAt: h.now(), WaitsFrom: h.now(),
			Legs: []appliance.Leg{{Office: "bauamt", From: h.now()}},
		}
		err := h.store.Write(t.Context(), []store.Entry{{
			Change: appliance.Change{At: h.now(), Action: "arrive", Visits: []appliance.Step[appliance.Visit]{{After: &visit}}},
			Token:  v.Hash(v.Token(id)),
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range ids {
		token := v.Token(id)
		if b, err := base64.RawURLEncoding.DecodeString(token); err != nil || len(b) != 32 {
			t.Errorf("token %q: %v", token, err)
		}
		if got, err := v.Who(t.Context(), token); err != nil || got != id {
			t.Errorf("who: %q, %v", got, err)
		}
		if again := auth.NewVisitTokens(secret, h.store).Token(id); again != token {
			t.Error("the token is another one after a restart")
		}
	}
	other := auth.NewVisitTokens([]byte("another box's secret, 32 bytes.."), h.store)
	for _, token := range []string{
		other.Token(ids[0]), v.Token("00000000000000000000000000000003"), string(ids[0]), "", v.Token(ids[0]) + "=", v.Token(ids[0])[:42],
		strings.ToLower(v.Token(ids[0])), " " + v.Token(ids[0])[1:], string(v.Hash(v.Token(ids[0]))), h.in(t, "weber"), strings.Repeat("A", 1e6),
	} {
		if id, err := v.Who(t.Context(), token); id != "" || refusal(err) != (appliance.Error{Kind: appliance.Unauthorised, Code: "visit-token-unknown"}) {
			t.Errorf("%.50q: %q, %v", token, id, err)
		}
		gone(t, h.SignIns, v.Token(ids[0])) // nor is a visit's token a clerk's
	}
}

// one is a store with one visit.
type one struct {
	hash []byte
	id   appliance.VisitID
}

func (o one) VisitOf(_ context.Context, hash []byte) (appliance.VisitID, error) {
	if string(hash) == string(o.hash) {
		return o.id, nil
	}
	return "", &appliance.Error{Kind: appliance.NotFound, Code: "visit-unknown"}
}

// Of all words only the token itself opens.
func FuzzVisitToken(f *testing.F) {
	const id = appliance.VisitID("00000000000000000000000000000001")
	secret := []byte("0123456789abcdef0123456789abcdef")
	token := auth.NewVisitTokens(secret, nil).Token(id)
	v := auth.NewVisitTokens(secret, one{auth.NewVisitTokens(secret, nil).Hash(token), id})
	for _, s := range []string{token, token[:42], token + "A", strings.ToUpper(token), "", "\x00", strings.Repeat("_", 43), token[:42] + "\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := v.Who(t.Context(), s)
		if (s == token) != (err == nil && got == id) {
			t.Errorf("%q: %q, %v", s, got, err)
		}
	})
}
