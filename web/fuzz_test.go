package web_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"schalter/web"
)

// FuzzBodies throws bodies at every call that takes one, over the handler itself. Whatever comes: no fault, a problem
// document for what is refused, and nobody else's visit changed.
func FuzzBodies(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"office":"bauamt","name":"Ilse","matter":"Hund","needs":["text_only"],"notice_version":1}`, `{"state":"pause"}`,
		`{"office":"bauamt","note":"x","reason":null}`, `{"outcome":"done"}`, `{"a":{"a":{"a":[[[[]]]]}}}`, `{"name":"\ud800"}`,
		`{"notice_version":1e400}`, `{"notice_version":9223372036854775808}`, `{"needs":[null]}`, "\xef\xbb\xbf{}", `{"name":"a","name":"b"}`, "",
	} {
		f.Add(seed, "application/json", "k-1", uint8(0))
	}
	f.Add("x", "application/json; charset=\"", "ü", uint8(3))
	f.Add("%zz=%", "application/x-www-form-urlencoded", "\x00", uint8(9))
	h := openForFuzz(f)
	weber := bearerOf(h.signIn("weber"))
	id, token := h.arrive("bauamt", "Ilse")
	targets := []struct{ method, path, authorization string }{
		{"POST", "/api/v1/visits", ""}, {"POST", "/api/v1/desk/next", weber}, {"PUT", "/api/v1/desk", weber},
		{"POST", "/api/v1/visits/" + id + "/call", weber}, {"POST", "/api/v1/visits/" + id + "/transfer", weber},
		{"POST", "/api/v1/visits/" + id + "/finish", weber}, {"POST", "/api/v1/visits/" + id + "/note", weber},
		{"POST", "/api/v1/visits/" + id + "/park", weber}, {"POST", "/api/v1/visit/accept", "Bearer " + token},
		{"POST", "/w/bauamt", ""}, {"POST", "/csp-report", ""}, {"POST", "/g/" + token, ""},
	}
	own := strings.TrimPrefix(h.server.URL, "https://")
	f.Fuzz(func(t *testing.T, body, kind, key string, which uint8) {
		to := targets[int(which)%len(targets)]
		r := httptest.NewRequest(to.method, to.path, strings.NewReader(body))
		r.Host = own
		r.Header.Set("Content-Type", kind)
		r.Header["Idempotency-Key"] = []string{key}
		if to.authorization != "" {
			r.Header.Set("Authorization", to.authorization)
		}
		w := httptest.NewRecorder()
		h.web.ServeHTTP(w, r)
		switch {
		case w.Code >= 500:
			t.Fatalf("%s %s %q: %d %s", to.method, to.path, body, w.Code, w.Body)
		case w.Code >= 400 && strings.HasPrefix(to.path, "/api/"):
			var p struct{ Type, Title string }
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Type == "" || p.Title == "" {
				t.Fatalf("%s: not a problem document: %s", to.path, w.Body)
			}
		}
		seen := httptest.NewRequest("GET", "/api/v1/visit", http.NoBody)
		seen.Host = own
		seen.Header.Set("Authorization", "Bearer "+token)
		w = httptest.NewRecorder()
		h.web.ServeHTTP(w, seen)
		if to.path != "/g/"+token && !strings.Contains(w.Body.String(), `"state":"waiting"`) {
			t.Fatalf("%s %s %q changed a visit: %s", to.method, to.path, body, w.Body)
		}
	})
}

// FuzzHeaders throws hosts, origins, cookies and tokens at the door. Nothing of it lets anybody in.
func FuzzHeaders(f *testing.F) {
	h := openForFuzz(f)
	own := strings.TrimPrefix(h.server.URL, "https://")
	f.Add(own, h.server.URL, "Bearer x", "__Host-staff=x", "same-origin", "visit=1")
	f.Add("evil", "null", "Basic", "__Host-visit-=; __Host-visit-a=\"b\"", "none", "visit=%")
	f.Add(own+":443", "https://[::1", "bearer\t", "a=b; ;=", "", "visit=;&")
	f.Fuzz(func(t *testing.T, host, origin, authorization, cookie, site, query string) {
		for _, path := range []string{"/api/v1/desk/next", "/api/v1/visit/accept", "/api/v1/live"} {
			r := httptest.NewRequest("POST", path, http.NoBody)
			if path == "/api/v1/live" {
				r.Method = "GET"
				r.Header.Set("Upgrade", "websocket")
			}
			r.Host, r.URL.RawQuery = host, query
			for name, value := range map[string]string{"Origin": origin, "Authorization": authorization, "Cookie": cookie, "Sec-Fetch-Site": site} {
				if value != "" {
					r.Header.Set(name, value)
				}
			}
			w := httptest.NewRecorder()
			h.web.ServeHTTP(w, r)
			switch w.Code {
			case 400, 401, 403, 421:
			default:
				t.Fatalf("%s: %d %s", path, w.Code, w.Body)
			}
		}
	})
}

// openForFuzz is open for what is not a *testing.T, without limits that a fuzzer would run into.
func openForFuzz(f *testing.F) *house {
	return open(f, func(c *web.Config) { c.Throttle = wide{} })
}

// wide is a throttle that lets everybody in.
type wide struct{}

func (wide) Arrive(string) error { return nil }
