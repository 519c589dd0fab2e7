package web_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"schalter/web"
	"schalter/web/live"
)

// foreignOrigins are pages that are not ours, some of which look like it.
func foreignOrigins(own string) []string {
	host := strings.TrimPrefix(own, "https://")
	return []string{
		"null", "https://evil.example", "http://evil.example", "http://" + host, own + ".evil.example", "https://evil" + host,
		"https://evil.example/" + host, "https://evil.example?" + own, own + "/", own + "/g/x", own + ":443",
		"https://user@" + host, "file://", "chrome-extension://abcdef", "https://", "https:", "*", "undefined",
		"https://video.lindenau.example.evil.example", "https://evil-video.lindenau.example", "https://video.lindenau.example:444",
		"wss://" + host, "https://localhost", "https://127.0.0.1", "data:text/html,x",
	}
}

func TestForeignOriginsChangeNothing(t *testing.T) {
	h := open(t)
	id, token := h.arrive("buergerbuero", "Ilse")
	weber := h.signIn("weber")
	visit := "__Host-visit-" + id + "=" + token
	calls := []struct {
		method, path, cookie string
		body                 any
	}{
		{"POST", "/api/v1/desk/next", weber, nil},
		{"PUT", "/api/v1/desk", weber, map[string]string{"state": "pause"}},
		{"POST", "/api/v1/visits/" + id + "/call", weber, map[string]string{"reason": "x"}},
		{"DELETE", "/api/v1/login", weber, nil},
		{"DELETE", "/api/v1/visit", visit, nil},
		{"POST", "/api/v1/login", "", map[string]string{"name": "weber", "password": password}},
		{"POST", "/api/v1/visits", "", visitBody("buergerbuero", "Otto")},
	}
	for _, c := range calls {
		for _, origin := range foreignOrigins(h.origin()) {
			h.ask(c.method, c.path, c.body, "Cookie", c.cookie, "Origin", origin).wants(t, 403, "foreign-origin")
		}
		for _, site := range []string{"cross-site", "same-site"} {
			h.ask(c.method, c.path, c.body, "Cookie", c.cookie, "Sec-Fetch-Site", site).wants(t, 403, "foreign-origin")
			h.ask(c.method, c.path, c.body, "Cookie", c.cookie, "Sec-Fetch-Site", site, "Origin", h.origin()).wants(t, 403, "foreign-origin")
		}
		if c.cookie != "" {
			h.ask(c.method, c.path, c.body, "Cookie", c.cookie).wants(t, 403, "origin-missing")
		}
	}
	for _, path := range []string{"/w/buergerbuero", "/anmelden", "/abmelden", "/g/" + token} {
		a := h.ask("POST", path, "name=x", "Origin", "https://evil.example", "Cookie", weber, "Content-Type", "application/x-www-form-urlencoded")
		a.wants(t, 403, "")
	}
	h.ask("DELETE", "/api/v1/visit", nil, "Authorization", "Bearer "+token, "Origin", "https://evil.example").wants(t, 403, "foreign-origin")
	a := h.ask("GET", "/api/v1/visit", nil, "Authorization", "Bearer "+token)
	if s := a.fields(t)["state"]; s != "waiting" {
		t.Errorf("the visit is %v", s)
	}
	if a := h.ask("GET", "/api/v1/town", nil); !strings.Contains(a.body, `"waiting":1`) {
		t.Errorf("somebody else waits: %s", a.body)
	}
	if n := h.web.Counters().WrongOrigin; n == 0 {
		t.Error("not counted")
	}
	// And our own pages may, by any accepted name.
	for _, header := range [][]string{
		{"Origin", h.origin()}, {"Origin", "https://video.lindenau.example"}, {"Sec-Fetch-Site", "same-origin"},
		{"Sec-Fetch-Site", "same-origin", "Origin", "null"},
	} {
		h.ask("PUT", "/api/v1/desk", map[string]string{"state": "pause"}, append(header, "Cookie", weber)...).wants(t, 200, "")
	}
}

func TestForeignOriginsGetNoLiveConnection(t *testing.T) {
	h := open(t)
	id, token := h.arrive("buergerbuero", "Ilse")
	for _, origin := range foreignOrigins(h.origin()) {
		for _, header := range []http.Header{
			{"Cookie": {"__Host-visit-" + id + "=" + token}}, {"Authorization": {"Bearer " + token}}, {"Cookie": {h.signIn("weber")}},
		} {
			header.Set("Origin", origin)
			address := h.server.URL + live.Path
			if header.Get("Cookie") != "" && strings.Contains(header.Get("Cookie"), "visit") {
				address += "?visit=" + id
			}
			conn, err := live.Dial(t.Context(), address, header, h.tlsConfig())
			if err == nil {
				conn.Abort()
				t.Fatalf("origin %s: upgraded", origin)
			}
			if refused, ok := err.(*live.RefusedError); !ok || refused.Status != 403 {
				t.Errorf("origin %s: %v", origin, err)
			}
		}
	}
	if n := h.web.Counters().LiveTotal; n != 0 {
		t.Errorf("%d upgrades", n)
	}
}

func TestWrongHost(t *testing.T) {
	h := open(t)
	own := strings.TrimPrefix(h.server.URL, "https://")
	for _, host := range []string{
		"evil.example", own + ".evil.example", "evil." + own, "localhost", "127.0.0.1", "video.lindenau.example:8443", "LOCALHOST.", "[::1]",
	} {
		h.ask("GET", "/api/v1/town", nil, "Host", host).wants(t, 421, "wrong-host")
		if a := h.ask("GET", "/", nil, "Host", host); a.StatusCode != 421 || strings.Contains(a.body, "Bürgerbüro") {
			t.Errorf("host %s: %d", host, a.StatusCode)
		}
		h.ask("GET", "/readyz", nil, "Host", host).wants(t, 421, "wrong-host")
	}
	for _, host := range []string{own, "video.lindenau.example", "VIDEO.lindenau.example:443"} {
		h.ask("GET", "/api/v1/town", nil, "Host", host).wants(t, 200, "")
	}
}

func TestHeadersEverywhere(t *testing.T) {
	h := open(t)
	const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; font-src 'self'; " +
		"connect-src 'self'; worker-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; " +
		"require-trusted-types-for 'script'; trusted-types svelte-trusted-html; report-uri /csp-report"
	for _, path := range []string{"/", "/w/bauamt", "/nirgends", "/api/v1/town", "/api/v1/visit", "/readyz", "/wappen.svg", "/desk", "/assets/x.js", "/g/" + strings.Repeat("x", 43)} {
		a := h.ask("GET", path, nil)
		for name, want := range map[string]string{
			"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Cross-Origin-Opener-Policy": "same-origin",
			"Permissions-Policy": "camera=(self), microphone=(self), display-capture=(self), screen-wake-lock=(self), geolocation=()",
		} {
			if got := a.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
		if a.Header.Get("Referrer-Policy") == "" || a.Header.Get("Strict-Transport-Security") != "" {
			t.Errorf("%s: %v", path, a.Header)
		}
		if path != "/wappen.svg" && a.StatusCode == 200 && a.Header.Get("Cache-Control") == "" && path != "/" {
			t.Errorf("%s: no Cache-Control", path)
		}
		if a.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s is compressed", path)
		}
	}
	trusted := open(t, func(c *web.Config) { c.Secure = true })
	if a := trusted.ask("GET", "/", nil); a.Header.Get("Strict-Transport-Security") == "" {
		t.Error("a trusted certificate without HSTS")
	}
}

func TestUnknownRoutesAndMethods(t *testing.T) {
	h := open(t)
	h.ask("GET", "/api/v1/nirgends", nil).wants(t, 404, "not-found")
	h.ask("POST", "/api/v1/rooms/x/nirgends", "v=0").wants(t, 404, "not-found")
	h.ask("GET", "/api/v2/town", nil).wants(t, 404, "not-found")
	a := h.ask("DELETE", "/api/v1/town", nil)
	a.wants(t, 405, "method-not-allowed")
	if allow := a.Header.Get("Allow"); allow != "GET, HEAD" {
		t.Errorf("Allow: %s", allow)
	}
	a = h.ask("PATCH", "/api/v1/visit", nil)
	a.wants(t, 405, "method-not-allowed")
	if allow := a.Header.Get("Allow"); allow != "DELETE, GET, HEAD" {
		t.Errorf("Allow: %s", allow)
	}
	h.ask("GET", "/api/v1/live", nil, "Authorization", bearerOf(h.signIn("weber"))).wants(t, 426, "not-a-websocket")
	h.ask("HEAD", "/api/v1/town", nil).wants(t, 200, "")
}

func TestReadiness(t *testing.T) {
	h := open(t)
	for _, path := range []string{"/healthz", "/readyz"} {
		a := h.ask("GET", path, nil)
		a.wants(t, 200, "")
		if len(a.body) > 16 {
			t.Errorf("%s says more than the status: %s", path, a.body)
		}
	}
	h.web.Drain()
	h.ask("GET", "/healthz", nil).wants(t, 200, "")
	h.ask("GET", "/readyz", nil).wants(t, 503, "")
	h.ask("GET", "/api/v1/town", nil).wants(t, 200, "")
}

func TestThrottledArrivals(t *testing.T) {
	h := open(t, func(c *web.Config) { c.Throttle = narrow{} })
	a := h.ask("POST", "/api/v1/visits", visitBody("bauamt", "Ilse"))
	a.wants(t, 429, "too-many-arrivals")
	if a.Header.Get("Retry-After") != "7" {
		t.Errorf("Retry-After %s", a.Header.Get("Retry-After"))
	}
}

func TestGuessingIsSlowedDownAndOnlyGuessing(t *testing.T) {
	h := open(t, func(c *web.Config) { c.Demo = false })
	_, token := h.arrive("bauamt", "Ilse")
	throttled := 0
	for i := range 30 {
		a := h.ask("GET", "/api/v1/visit", nil, "Authorization", fmt.Sprintf("Bearer %043d", i))
		if a.StatusCode == 429 {
			throttled++
		} else if a.StatusCode != 401 {
			t.Errorf("guess %d: %d", i, a.StatusCode)
		}
	}
	if throttled != 10 {
		t.Errorf("%d of 30 guesses throttled, want 10", throttled)
	}
	if a := h.ask("GET", fmt.Sprintf("/g/%043d", 1), nil); a.StatusCode != 429 {
		t.Errorf("guessed link: %d", a.StatusCode)
	}
	h.ask("GET", "/api/v1/visit", nil, "Authorization", "Bearer "+token).wants(t, 200, "")
	h.skew.Add(int64(time.Minute))
	h.ask("GET", "/api/v1/visit", nil, "Authorization", fmt.Sprintf("Bearer %043d", 1)).wants(t, 401, "token-wrong")
}

// TestSecretsAreNotLogged looks through everything logged after a busy day with faults.
func TestSecretsAreNotLogged(t *testing.T) {
	h := open(t)
	_, token := h.arrive("buergerbuero", "Ilse Krüger")
	cookie := h.signIn("weber")
	h.ask("GET", "/g/"+token, nil)
	h.ask("GET", "/api/v1/visit", nil, "Authorization", "Bearer "+token)
	h.ask("POST", "/api/v1/login", map[string]string{"name": "weber", "password": "geheim-und-falsch"})
	h.ask("POST", "/csp-report", `{"csp-report":{"document-uri":"https://x/g/`+token+`"}}`, "Content-Type", "application/csp-report").wants(t, 204, "")
	h.ask("POST", "/api/v1/desk/next", nil, "Cookie", cookie, "Origin", h.origin())
	// A client that breaks off its handshake makes net/http write a line with its address.
	conn, err := net.Dial("tcp", h.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = conn.Write([]byte("GET / HTTP/1.0\r\n\r\n"))
	_, _ = io.ReadAll(conn)
	conn.Close()
	log := h.log.String()
	for _, secret := range []string{token, "127.0.0.1", "Krüger", "geheim", password, strings.TrimPrefix(cookie, "__Host-staff="), "/g/"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
	if n := h.web.Counters(); n.PolicyReport != 1 || n.Requests == 0 {
		t.Errorf("counters %+v", n)
	}
}

// TestSlowHeadersAreCutOff: one who sends a header line now and then does not hold a connection for ever.
func TestSlowHeadersAreCutOff(t *testing.T) {
	h := open(t)
	s := h.web.Server()
	if s.ReadHeaderTimeout == 0 || s.ReadTimeout == 0 || s.WriteTimeout == 0 || s.IdleTimeout == 0 || s.MaxHeaderBytes == 0 {
		t.Errorf("a limit is missing: %+v", s)
	}
	s.ReadHeaderTimeout = 50 * time.Millisecond
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = conn.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "))
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	b, err := io.ReadAll(conn)
	if err != nil {
		t.Errorf("not cut off: %v", err)
	}
	if len(b) > 0 && !strings.HasPrefix(string(b), "HTTP/1.1 4") {
		t.Errorf("answered %q", b)
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	<-served
}

// TestEndlessBodyIsRefused: a body over the limit is refused though it never ends.
func TestEndlessBodyIsRefused(t *testing.T) {
	h := open(t)
	conn, err := tls.Dial("tcp", h.server.Listener.Addr().String(), h.tlsConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /api/v1/visits HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n", h.server.Listener.Addr())
	chunk := "1000\r\n" + strings.Repeat("x", 0x1000) + "\r\n"
	for range 17 {
		if _, err := io.WriteString(conn, chunk); err != nil {
			break
		}
	}
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != 413 {
		t.Errorf("status %d", response.StatusCode)
	}
}
