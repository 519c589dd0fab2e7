package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"schalter/appliance"
	"schalter/appliance/hall"
	"schalter/web/ui"
)

// SignIns is what web needs of staff's sign-in sessions: *auth.SignIns.
type SignIns interface {
	// SignIn checks a password; network is where the try came from, for the throttle.
	SignIn(ctx context.Context, name, password, network string) (token string, clerk appliance.ClerkID, err error)
	// Who gives the clerk of a token and the session's hash; it counts as a sign of life of the session.
	Who(ctx context.Context, token string) (clerk appliance.Clerk, signIn string, err error)
	SignOut(ctx context.Context, token string) error
}

// VisitTokens is what web needs of the secrets of visits: *auth.VisitTokens.
type VisitTokens interface {
	Token(id appliance.VisitID) string
	Hash(token string) []byte
	Who(ctx context.Context, token string) (appliance.VisitID, error)
}

// RoomTokens is what web needs of the tokens of open rooms: *auth.RoomTokens.
type RoomTokens interface {
	// Who gives what a token opens, and the token's hash.
	Who(ctx context.Context, token string) (appliance.RoomPass, []byte, error)
}

// Arrivals slows a network down that begins too many visits: *auth.Throttle.
type Arrivals interface {
	Arrive(network string) error
}

// Config is what a Web is made of.
type Config struct {
	Hall     *hall.Hall
	SignIns  SignIns
	Tokens   VisitTokens
	Rooms    RoomTokens
	Throttle Arrivals
	// Hosts gives the accepted host[:port]s; it may change while the box runs.
	Hosts func() []string
	// Secure says that browsers trust the certificate: then they are told never to come without TLS.
	Secure bool
	// Demo switches off the limits on guessed tokens and on seats taken in open rooms, so that checks may do both.
	Demo bool
	// Assets are the built browser files; nil: those embedded.
	Assets *ui.Assets
	Now    func() time.Time
	Log    *slog.Logger
}

// Web answers everything that comes by HTTP.
type Web struct {
	hall     *hall.Hall
	signIns  SignIns
	tokens   VisitTokens
	rooms    RoomTokens
	hosts    func() []string
	secure   bool
	now      func() time.Time
	log      *slog.Logger
	assets   *ui.Assets
	texts    catalogue
	pages    *pages
	mux      *http.ServeMux
	arrivals Arrivals
	guesses  *guesses // of tokens
	seats    *guesses // taken in open rooms
	lines    lines
	look     time.Duration // between two looks whether a live connection's sign-in is still good
	counters counters
	draining atomic.Bool
}

// New makes a Web. It starts nothing; its goroutines live with the connections.
func New(c Config) (*Web, error) {
	if c.Hall == nil || c.SignIns == nil || c.Tokens == nil || c.Rooms == nil || c.Throttle == nil || c.Hosts == nil ||
		c.Now == nil || c.Log == nil {
		return nil, errors.New("new web: incomplete configuration")
	}
	if c.Assets == nil {
		assets, err := ui.Load()
		if err != nil {
			return nil, fmt.Errorf("new web: %w", err)
		}
		c.Assets = assets
	}
	if c.Assets.Empty() {
		c.Log.Warn("browser code was not built: pages go without style and live pages without script")
	}
	w := &Web{
		hall: c.Hall, signIns: c.SignIns, tokens: c.Tokens, rooms: c.Rooms, hosts: c.Hosts, secure: c.Secure, now: c.Now, log: c.Log,
		assets: c.Assets, arrivals: c.Throttle, guesses: newGuesses(c.Now, guessesPerMinute, c.Demo),
		seats: newGuesses(c.Now, seatsPerMinute, c.Demo), lines: newLines(), look: lookEvery,
	}
	var err error
	if w.texts, err = readCatalogue(); err != nil {
		return nil, fmt.Errorf("new web: %w", err)
	}
	if w.pages, err = readPages(w.texts, c.Now); err != nil {
		return nil, fmt.Errorf("new web: %w", err)
	}
	w.register()
	return w, nil
}

// Handler gives the Web as a handler.
func (w *Web) Handler() http.Handler { return w }

// Drain makes /readyz say 503, so that nobody sends new work; everything goes on.
func (w *Web) Drain() { w.draining.Store(true) }

// Close ends the live connections with "shutdown" and waits for them. Call it after http.Server.Shutdown has begun.
func (w *Web) Close(ctx context.Context) error {
	w.draining.Store(true)
	return w.lines.close(ctx)
}

// lines is the set of open live connections.
type lines struct {
	closing chan struct{} // closed once
	mu      sync.Mutex
	person  map[string]int // guarded by mu: connections of one person
	count   int            // guarded by mu
	closed  bool           // guarded by mu
	idle    chan struct{}  // guarded by mu; made by close when connections are left, closed by the last of them
}

func newLines() lines {
	return lines{closing: make(chan struct{}), person: make(map[string]int)}
}

// Limits of live connections: for the box, and for one person (a clerk's tabs, a citizen's devices).
const (
	maxLines       = 4096
	maxPersonLines = 16
)

// open counts one more, or says why not.
func (l *lines) open(person string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return &refusal{status: http.StatusServiceUnavailable, code: "shutdown", wait: 5 * time.Second}
	case l.count >= maxLines:
		return &refusal{status: http.StatusServiceUnavailable, code: "box-full", wait: 30 * time.Second}
	case l.person[person] >= maxPersonLines:
		return &refusal{status: http.StatusTooManyRequests, code: "too-many-connections", wait: 30 * time.Second}
	}
	l.count++
	l.person[person]++
	return nil
}

func (l *lines) done(person string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count--
	if l.person[person]--; l.person[person] == 0 {
		delete(l.person, person)
	}
	if l.count == 0 && l.idle != nil {
		close(l.idle)
		l.idle = nil
	}
}

func (l *lines) close(ctx context.Context) error {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.closing)
	}
	if l.count == 0 {
		l.mu.Unlock()
		return nil
	}
	if l.idle == nil {
		l.idle = make(chan struct{})
	}
	idle := l.idle
	l.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close live connections: %w", ctx.Err())
	}
}
