package web_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"schalter/appliance"
	"schalter/appliance/auth"
	"schalter/appliance/hall"
	"schalter/appliance/store"
	"schalter/media"
	"schalter/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// password is every clerk's in the tests.
const password = "wiesengrund"

// house is a whole box without its media plane: real store, hall and auth behind real TLS.
type house struct {
	t      testing.TB
	web    *web.Web
	hall   *hall.Hall
	store  *store.Store
	plane  *plane
	signs  *auth.SignIns
	tokens *auth.VisitTokens
	server *httptest.Server
	log    *logged
	skew   atomic.Int64 // nanoseconds that the house's clock is ahead
}

// logged keeps what is logged, so that tests can look for what must not be there.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// plane stands in for the media plane, whose packets are not web's business: it seats, and answers with fixed words.
type plane struct {
	events chan media.Event
	shown  chan string // what Show was told
}

func (p *plane) Join(_ context.Context, s media.Seat) (media.Access, error) {
	return media.Access{Relay: []media.RelayServer{{
		URLs: []string{"turns:localhost:443"}, Username: string(s.ID), Password: "secret", Expires: time.Unix(2e9, 0),
	}}}, nil
}

func (p *plane) Publish(_ context.Context, seat media.SeatID, o media.Offer) (media.Answer, error) {
	if o.SDP == "v=0 refuse" {
		return media.Answer{}, fmt.Errorf("publish: %w", media.ErrRefused)
	}
	return media.Answer{SDP: "answer to " + o.SDP, Late: []string{"candidate:1"}}, nil
}

func (p *plane) Subscribed(context.Context, media.SeatID, int, string) error { return nil }
func (p *plane) Show(_ context.Context, seat media.SeatID, shown []media.Shown) error {
	p.shown <- fmt.Sprint(seat, shown)
	return nil
}
func (p *plane) Restart(_ context.Context, seat media.SeatID) error {
	p.shown <- fmt.Sprint("restart ", seat)
	return nil
}
func (p *plane) View(_ context.Context, _ media.SeatID, sdp string) (media.Answer, error) {
	return media.Answer{SDP: "answer to " + sdp}, nil
}
func (p *plane) Leave(context.Context, media.SeatID) error { return nil }
func (p *plane) Events() <-chan media.Event                { return p.events }

// lindenau is a small town: two open offices, one closed, one full.
func lindenau() appliance.Snapshot {
	clerk := func(id, name, title string, offices ...appliance.OfficeID) appliance.Clerk {
		return appliance.Clerk{
			ID: appliance.ClerkID(id), Name: name, Title: title, Roles: []appliance.Role{appliance.ClerkRole}, Offices: offices,
		}
	}
	return appliance.Snapshot{
		Town: appliance.Town{Name: "Lindenau", Kind: "Stadt", Telephone: "0661 7001-0", Notice: 1},
		Offices: []appliance.Office{
			{
				ID: "buergerbuero", Name: "Bürgerbüro", Telephone: "0661 7001-20", Order: 1, Duration: 10 * time.Minute,
				Services: []appliance.Service{{ID: "hund", Name: "Hund anmelden"}, {ID: "umzug", Name: "Wohnung ummelden"}},
			},
			{ID: "bauamt", Name: "Bauamt", Telephone: "0661 7001-40", Order: 2, Duration: 20 * time.Minute},
			{ID: "steuern", Name: "Steuern", Order: 3, Closed: true, Duration: 10 * time.Minute},
			{ID: "klein", Name: "Kleines Amt", Order: 4, Limit: 1, Duration: 10 * time.Minute},
		},
		Clerks: []appliance.Clerk{
			clerk("weber", "Sabine Weber", "Frau Weber", "buergerbuero"),
			clerk("petersen", "Nils Petersen", "Herr Petersen", "bauamt"),
			clerk("brandt", "Anja Brandt", "Frau Brandt", "bauamt"),
			{ID: "verwaltung", Name: "Marion Becker", Title: "Frau Becker", Roles: []appliance.Role{appliance.Administrator}},
		},
	}
}

// open builds a house. The adjustment, if any, may change web's configuration.
func open(t testing.TB, adjust ...func(*web.Config)) *house {
	t.Helper()
	h := &house{t: t, log: &logged{}, plane: &plane{events: make(chan media.Event), shown: make(chan string, 1)}}
	ctx, log := context.Background(), slog.New(slog.NewTextHandler(h.log, nil))
	now := func() time.Time { return time.Now().Add(time.Duration(h.skew.Load())) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	h.store, err = store.Open(ctx, filepath.Join(t.TempDir(), "house.db"), log)
	must(err)
	passwords, town := auth.NewPasswords(), lindenau()
	hash, err := passwords.Hash(ctx, password)
	must(err)
	secrets := make(map[appliance.ClerkID]string)
	for _, c := range town.Clerks {
		secrets[c.ID] = hash
	}
	must(h.store.Fill(ctx, town, secrets))
	h.hall, err = hall.Open(ctx, hall.Config{Store: h.store, Media: h.plane, Now: now, Log: log})
	must(err)
	limits := auth.DemoLimits()
	throttle := auth.NewThrottle(limits, now)
	h.tokens = auth.NewVisitTokens([]byte("0123456789abcdef0123456789abcdef"), h.store)
	h.signs = auth.NewSignIns(auth.Config{
		Secrets: h.store, Rows: h.store, Passwords: passwords, Throttle: throttle, Now: now, Log: log,
	})
	h.server = httptest.NewUnstartedServer(nil)
	address := h.server.Listener.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	c := web.Config{
		Hall: h.hall, Tokens: h.tokens, Rooms: auth.NewRoomTokens(h.store), Throttle: throttle, Demo: true, Now: now, Log: log,
		SignIns: h.signs,
		Hosts:   func() []string { return []string{address, "localhost:" + port, "video.lindenau.example"} },
	}
	for _, f := range adjust {
		f(&c)
	}
	h.web, err = web.New(c)
	must(err)
	h.server.Config = h.web.Server()
	h.server.EnableHTTP2 = true
	h.server.StartTLS()
	h.server.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	t.Cleanup(func() {
		within, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := h.web.Close(within); err != nil {
			t.Error(err)
		}
		h.server.CloseClientConnections()
		h.server.Close()
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		if err := h.hall.Close(within); err != nil {
			t.Error(err)
		}
		close(h.plane.events)
		if err := h.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// answer is what came back.
type answer struct {
	*http.Response
	body string
}

// ask is one request: method, path, a body (a string as it is, anything else as JSON), then header pairs.
func (h *house) ask(method, path string, body any, header ...string) answer {
	h.t.Helper()
	var r io.Reader
	asJSON := false
	switch b := body.(type) {
	case nil:
	case string:
		r = strings.NewReader(b)
	default:
		encoded, err := json.Marshal(b)
		if err != nil {
			h.t.Fatal(err)
		}
		r, asJSON = bytes.NewReader(encoded), true
	}
	request, err := http.NewRequest(method, h.server.URL+path, r)
	if err != nil {
		h.t.Fatal(err)
	}
	if asJSON {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			request.Host = header[i+1]
			continue
		}
		request.Header.Add(header[i], header[i+1])
	}
	response, err := h.server.Client().Do(request)
	if err != nil {
		h.t.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return answer{response, string(b)}
}

// origin is the header of a page of ours.
func (h *house) origin() string { return h.server.URL }

// fields decodes an answer's object.
func (a answer) fields(t testing.TB) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(a.body), &m); err != nil {
		t.Fatalf("%s is not an object: %v", a.body, err)
	}
	return m
}

// wants checks the status and, for a refusal, that it is a whole problem document of this code.
func (a answer) wants(t testing.TB, status int, code string) {
	t.Helper()
	if a.StatusCode != status {
		t.Errorf("%s %s: status %d, want %d: %s", a.Request.Method, a.Request.URL.Path, a.StatusCode, status, a.body)
		return
	}
	if code == "" {
		return
	}
	if kind := a.Header.Get("Content-Type"); kind != "application/problem+json" {
		t.Errorf("content type %q", kind)
	}
	m := a.fields(t)
	if m["type"] != "/probleme/"+code || m["status"] != float64(status) || m["title"] == "" || m["title"] == nil {
		t.Errorf("problem %s, want code %s", a.body, code)
	}
	if status == 429 || status == 503 {
		if a.Header.Get("Retry-After") == "" {
			t.Errorf("%d without Retry-After", status)
		}
	}
}

// arrive begins a visit and gives its id and token.
func (h *house) arrive(office, name string) (id, token string) {
	h.t.Helper()
	a := h.ask("POST", "/api/v1/visits", visitBody(office, name))
	a.wants(h.t, 201, "")
	m := a.fields(h.t)
	return m["id"].(string), m["token"].(string)
}

func visitBody(office, name string) map[string]any {
	return map[string]any{
		"office": office, "name": name, "matter": "Hund anmelden", "needs": []string{"text_only"}, "notice_version": 1,
	}
}

// signIn gives the staff cookie, ready for a header.
func (h *house) signIn(name string) string {
	h.t.Helper()
	a := h.ask("POST", "/api/v1/login", map[string]string{"name": name, "password": password})
	a.wants(h.t, 200, "")
	for _, c := range a.Cookies() {
		if c.Name == "__Host-staff" {
			return c.Name + "=" + c.Value
		}
	}
	h.t.Fatal("no cookie")
	return ""
}

// openRoom opens a room and gives the tokens to publish and to view.
func (h *house) openRoom(name string, origins ...string) (publish, view string) {
	h.t.Helper()
	publish, publishHash := auth.NewRoomToken()
	view, viewHash := auth.NewRoomToken()
	room := appliance.OpenRoom{Name: appliance.RoomName(name), Origins: origins}
	if _, err := h.hall.OpenRoom(h.t.Context(), room, publishHash, viewHash); err != nil {
		h.t.Fatal(err)
	}
	return publish, view
}

// bearerOf is the token in a staff cookie.
func bearerOf(cookie string) string {
	_, token, _ := strings.Cut(cookie, "=")
	return "Bearer " + token
}

// tlsConfig trusts the test server.
func (h *house) tlsConfig() *tls.Config {
	c := h.server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	c.NextProtos = []string{"http/1.1"}
	return c
}

// narrow is a throttle that lets nobody in.
type narrow struct{}

func (narrow) Arrive(string) error {
	return &appliance.Error{Kind: appliance.TooMany, Code: "too-many-arrivals", Wait: 6500 * time.Millisecond}
}
