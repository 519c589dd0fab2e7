package web_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestWayOfAVisit goes the main way of DESIGN 4 by the API alone, and looks at the fields that the contract names.
func TestWayOfAVisit(t *testing.T) {
	h := open(t)
	a := h.ask("GET", "/api/v1/town", nil)
	a.wants(t, 200, "")
	office := a.fields(t)["offices"].([]any)[0].(map[string]any)
	for _, name := range []string{"id", "name", "state", "waiting", "wait_minutes", "opens_at"} {
		if _, ok := office[name]; !ok {
			t.Errorf("office lacks %s", name)
		}
	}

	a = h.ask("POST", "/api/v1/visits", visitBody("buergerbuero", "Ilse Krüger"))
	a.wants(t, 201, "")
	m := a.fields(t)
	if m["state"] != "waiting" || m["office"] != "buergerbuero" || m["position"] != float64(1) || m["token"] == "" {
		t.Errorf("arrival: %s", a.body)
	}
	if _, ok := m["wait_minutes"]; !ok {
		t.Error("arrival lacks wait_minutes")
	}
	id, token := m["id"].(string), "Bearer "+m["token"].(string)

	weber := h.signIn("weber")
	desk := func(method, path string, body any) answer {
		return h.ask(method, path, body, "Cookie", weber, "Origin", h.origin())
	}
	if a = desk("GET", "/api/v1/desk", nil); a.StatusCode != 200 || !strings.Contains(a.body, "Ilse Krüger") {
		t.Fatalf("desk: %d %s", a.StatusCode, a.body)
	}
	a = desk("POST", "/api/v1/desk/next", nil)
	a.wants(t, 200, "")
	called := a.fields(t)
	if called["id"] != id || called["state"] != "called" || called["name"] != "Ilse Krüger" || called["matter"] != "Hund anmelden" {
		t.Errorf("called: %s", a.body)
	}
	for _, name := range []string{"office", "arrived_at", "notes"} {
		if called[name] == nil {
			t.Errorf("called lacks %s: %s", name, a.body)
		}
	}
	desk("POST", "/api/v1/desk/next", nil).wants(t, 409, "call-open")

	a = h.ask("POST", "/api/v1/visit/accept", nil, "Authorization", token)
	a.wants(t, 200, "")
	if s := a.fields(t)["state"]; s != "talking" {
		t.Errorf("after accept: %v", s)
	}
	h.ask("POST", "/api/v1/visit/accept", nil, "Authorization", token).wants(t, 409, "not-called")

	desk("POST", "/api/v1/visits/"+id+"/note", map[string]string{"text": "Ausweis geprüft"}).wants(t, 200, "")
	a = desk("POST", "/api/v1/visits/"+id+"/transfer", map[string]string{"office": "bauamt", "note": "Carport"})
	a.wants(t, 200, "")
	petersen := h.signIn("petersen")
	a = h.ask("POST", "/api/v1/desk/next", map[string]string{"office": "bauamt"}, "Cookie", petersen, "Origin", h.origin())
	a.wants(t, 200, "")
	if n := a.fields(t)["notes"].([]any); len(n) != 2 {
		t.Errorf("notes after the transfer: %v", n)
	}
	if a = h.ask("GET", "/api/v1/visit", nil, "Authorization", token); strings.Contains(a.body, "Ausweis geprüft") {
		t.Error("the citizen sees a note")
	}
	staff := func(verb string, body any) answer {
		return h.ask("POST", "/api/v1/visits/"+id+"/"+verb, body, "Authorization", bearerOf(petersen))
	}
	staff("park", nil).wants(t, 200, "")
	staff("recall", nil).wants(t, 200, "")
	h.ask("POST", "/api/v1/visit/more-time", nil, "Authorization", token).wants(t, 200, "")
	staff("finish", map[string]string{"outcome": "done"}).wants(t, 200, "")
	staff("finish", map[string]string{"outcome": "done"}).wants(t, 409, "visit-over")
	h.ask("POST", "/api/v1/desk/next", "", "Authorization", bearerOf(petersen)).wants(t, 204, "")
}

func TestChoosingAndDesk(t *testing.T) {
	h := open(t)
	weber := "Authorization"
	token := bearerOf(h.signIn("weber"))
	h.arrive("buergerbuero", "Eins")
	id, citizen := h.arrive("buergerbuero", "Zwei")
	h.ask("POST", "/api/v1/visits/"+id+"/call", map[string]string{}, weber, token).wants(t, 422, "reason-missing")
	h.ask("POST", "/api/v1/visits/"+id+"/call", map[string]string{"reason": "Termin im Haus"}, weber, token).wants(t, 200, "")
	h.ask("PUT", "/api/v1/desk", map[string]string{"state": "schlafend"}, weber, token).wants(t, 422, "desk-state")
	h.ask("DELETE", "/api/v1/visit", nil, "Authorization", "Bearer "+citizen).wants(t, 200, "")
	a := h.ask("PUT", "/api/v1/desk", map[string]string{"state": "pause"}, weber, token)
	a.wants(t, 200, "")
	if s := a.fields(t)["state"]; s != "pause" {
		t.Errorf("desk state %v", s)
	}
}

// TestWhoHasIt: staff is told who was faster; nobody else is told a name.
func TestWhoHasIt(t *testing.T) {
	h := open(t)
	id, _ := h.arrive("bauamt", "Ilse")
	petersen, brandt := bearerOf(h.signIn("petersen")), bearerOf(h.signIn("brandt"))
	h.ask("POST", "/api/v1/desk/next", nil, "Authorization", petersen).wants(t, 200, "")
	a := h.ask("POST", "/api/v1/visits/"+id+"/call", map[string]string{"reason": "eilt"}, "Authorization", brandt)
	a.wants(t, 409, "already-called")
	if holder := a.fields(t)["holder"]; holder != "Nils Petersen" {
		t.Errorf("holder %v", holder)
	}
	h.ask("POST", "/api/v1/desk/next", nil, "Authorization", brandt).wants(t, 204, "")
}

// TestNextAtOnce: clerks who press next at once get different people.
func TestNextAtOnce(t *testing.T) {
	h := open(t)
	h.arrive("bauamt", "Eins")
	h.arrive("bauamt", "Zwei")
	tokens := []string{bearerOf(h.signIn("petersen")), bearerOf(h.signIn("brandt"))}
	names := make(chan any, len(tokens))
	for _, token := range tokens {
		go func() {
			a := h.ask("POST", "/api/v1/desk/next", nil, "Authorization", token)
			var m map[string]any
			_ = json.Unmarshal([]byte(a.body), &m)
			names <- m["name"]
		}()
	}
	if a, b := <-names, <-names; a == nil || b == nil || a == b {
		t.Errorf("called %v and %v", a, b)
	}
}

func TestBadArrivalsChangeNothing(t *testing.T) {
	h := open(t)
	with := func(name string, value any) map[string]any {
		m := visitBody("buergerbuero", "Ilse")
		if value == nil {
			delete(m, name)
		} else {
			m[name] = value
		}
		return m
	}
	whole := `{"office":"buergerbuero","name":"Ilse","matter":"Hund","needs":[],"notice_version":1}`
	deep := strings.Repeat("[", 5000) + strings.Repeat("]", 5000)
	cases := []struct {
		name, kind string
		body       any
		status     int
		code       string
	}{
		{"unknown office", "", with("office", "gibtsnicht"), 404, "office-unknown"},
		{"closed office", "", with("office", "steuern"), 409, "office-closed"},
		{"no office", "", with("office", nil), 404, "office-unknown"},
		{"no name", "", with("name", nil), 422, "name-missing"},
		{"long name", "", with("name", strings.Repeat("ä", 101)), 422, "name-too-long"},
		{"long matter", "", with("matter", strings.Repeat("m", 501)), 422, "matter-too-long"},
		{"turned text", "", with("name", "a\u202eb"), 422, "name-invalid"},
		{"unknown need", "", with("needs", []string{"coffee"}), 422, "need-unknown"},
		{"old notice", "", with("notice_version", 7), 422, "notice-outdated"},
		{"number for a name", "", with("name", 7), 400, "malformed"},
		{"text for a number", "", with("notice_version", "1"), 400, "malformed"},
		{"unknown field", "", with("role", "administrator"), 400, "malformed"},
		{"other spelling", "application/json", strings.Replace(whole, `"name"`, `"NAME"`, 1), 400, "malformed"},
		{"duplicate key", "application/json", strings.Replace(whole, "{", `{"name":"Otto",`, 1), 400, "malformed"},
		{"trailing bytes", "application/json", whole + "{}", 400, "malformed"},
		{"array", "application/json", "[" + whole + "]", 400, "malformed"},
		{"deep", "application/json", `{"office":` + deep + `}`, 400, "malformed"},
		{"not UTF-8", "application/json", strings.Replace(whole, "Ilse", "\xff", 1), 400, "malformed"},
		{"broken", "application/json", whole[:20], 400, "malformed"},
		{"empty", "application/json", "", 400, "malformed"},
		{"no type", "", whole, 415, "not-json"},
		{"form type", "application/x-www-form-urlencoded", whole, 415, "not-json"},
		{"other charset", "application/json; charset=latin1", whole, 415, "not-json"},
		{"too large", "application/json", `{"name":"` + strings.Repeat("x", 65<<10) + `"}`, 413, "body-too-large"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h.t = t
			var header []string
			if c.kind != "" {
				header = []string{"Content-Type", c.kind}
			}
			h.ask("POST", "/api/v1/visits", c.body, header...).wants(t, c.status, c.code)
		})
	}
	h.t = t
	if a := h.ask("GET", "/api/v1/town", nil); strings.Contains(a.body, `"waiting":1`) {
		t.Errorf("somebody waits: %s", a.body)
	}
	h.arrive("klein", "Eins")
	h.ask("POST", "/api/v1/visits", visitBody("klein", "Zwei")).wants(t, 409, "office-full")
}

func TestRepeatedRequests(t *testing.T) {
	h := open(t)
	body := visitBody("buergerbuero", "Ilse")
	first := h.ask("POST", "/api/v1/visits", body, "Idempotency-Key", "k-1")
	first.wants(t, 201, "")
	again := h.ask("POST", "/api/v1/visits", body, "Idempotency-Key", "k-1")
	again.wants(t, 201, "")
	if first.body != again.body {
		t.Errorf("first %s\nagain %s", first.body, again.body)
	}
	token := "Bearer " + again.fields(t)["token"].(string)
	h.ask("GET", "/api/v1/visit", nil, "Authorization", token).wants(t, 200, "")
	h.ask("POST", "/api/v1/visits", visitBody("bauamt", "Ilse"), "Idempotency-Key", "k-1").wants(t, 422, "key-reused")
	for _, key := range []string{"", "mit leer", "ü", strings.Repeat("k", 256)} {
		h.ask("POST", "/api/v1/visits", body, "Idempotency-Key", key).wants(t, 400, "key-malformed")
	}
	h.ask("POST", "/api/v1/visits", body, "Idempotency-Key", "a", "Idempotency-Key", "b").wants(t, 400, "key-malformed")

	weber, petersen := bearerOf(h.signIn("weber")), bearerOf(h.signIn("petersen"))
	called := h.ask("POST", "/api/v1/desk/next", nil, "Authorization", weber, "Idempotency-Key", "n-1")
	called.wants(t, 200, "")
	repeated := h.ask("POST", "/api/v1/desk/next", nil, "Authorization", weber, "Idempotency-Key", "n-1")
	repeated.wants(t, 200, "")
	if called.body != repeated.body {
		t.Errorf("next: first %s\nagain %s", called.body, repeated.body)
	}
	// The same key of somebody else, and a key without a right, get nobody's answer.
	h.ask("POST", "/api/v1/desk/next", nil, "Authorization", petersen, "Idempotency-Key", "n-1").wants(t, 204, "")
	h.ask("POST", "/api/v1/desk/next", nil, "Idempotency-Key", "n-1").wants(t, 401, "token-missing")
}

// TestNotYoursIsNotThere: what is somebody else's looks exactly like what does not exist.
func TestNotYoursIsNotThere(t *testing.T) {
	h := open(t)
	id, token := h.arrive("bauamt", "Ilse")
	weber := bearerOf(h.signIn("weber"))
	unknown := strings.Repeat("0", 32)
	for _, verb := range []string{"call", "transfer", "park", "recall", "finish", "note", "pull-back"} {
		body := map[string]map[string]string{
			"call": {"reason": "x"}, "transfer": {"office": "bauamt", "note": ""}, "finish": {"outcome": "done"}, "note": {"text": "x"},
		}[verb]
		var foreign, missing answer
		if body == nil {
			foreign = h.ask("POST", "/api/v1/visits/"+id+"/"+verb, nil, "Authorization", weber)
			missing = h.ask("POST", "/api/v1/visits/"+unknown+"/"+verb, nil, "Authorization", weber)
		} else {
			foreign = h.ask("POST", "/api/v1/visits/"+id+"/"+verb, body, "Authorization", weber)
			missing = h.ask("POST", "/api/v1/visits/"+unknown+"/"+verb, body, "Authorization", weber)
		}
		if foreign.StatusCode != 404 || foreign.StatusCode != missing.StatusCode || foreign.body != missing.body {
			t.Errorf("%s: foreign %d %s, missing %d %s", verb, foreign.StatusCode, foreign.body, missing.StatusCode, missing.body)
		}
	}
	a := h.ask("GET", "/api/v1/visit?visit="+unknown, nil, "Authorization", "Bearer "+token)
	a.wants(t, 404, "not-found")
}

func TestSigningInAndOut(t *testing.T) {
	h := open(t)
	a := h.ask("POST", "/api/v1/login", map[string]string{"name": "weber", "password": password, "code": ""})
	a.wants(t, 200, "")
	if m := a.fields(t); m["name"] != "weber" || fmt.Sprint(m["roles"]) != "[clerk]" {
		t.Errorf("welcome: %s", a.body)
	}
	set := a.Header.Get("Set-Cookie")
	for _, part := range []string{"__Host-staff=", "Path=/", "HttpOnly", "Secure", "SameSite=Lax"} {
		if !strings.Contains(set, part) {
			t.Errorf("cookie %q lacks %s", set, part)
		}
	}
	if strings.Contains(set, "Domain") || strings.Contains(set, "Max-Age") {
		t.Errorf("cookie %q outlives the browser or the host", set)
	}
	for _, body := range []map[string]string{
		{"name": "weber", "password": "falsch-geraten"}, {"name": "niemand", "password": password},
		{"name": "", "password": ""}, {"name": "weber"},
	} {
		bad := h.ask("POST", "/api/v1/login", body)
		bad.wants(t, 401, "sign-in-failed")
		if bad.Header.Get("Set-Cookie") != "" {
			t.Error("a cookie for a wrong password")
		}
	}
	cookie := h.signIn("weber")
	h.ask("GET", "/api/v1/desk", nil, "Cookie", cookie).wants(t, 200, "")
	h.ask("DELETE", "/api/v1/login", nil, "Cookie", cookie).wants(t, 403, "origin-missing")
	h.ask("GET", "/api/v1/desk", nil, "Cookie", cookie).wants(t, 200, "")
	h.ask("DELETE", "/api/v1/login", nil, "Cookie", cookie, "Origin", h.origin()).wants(t, 204, "")
	h.ask("GET", "/api/v1/desk", nil, "Cookie", cookie).wants(t, 401, "token-missing")
	h.ask("DELETE", "/api/v1/login", nil, "Cookie", cookie, "Origin", h.origin()).wants(t, 401, "token-missing")
	// A sign-in on top of another ends the older one of this browser.
	old := h.signIn("weber")
	h.ask("POST", "/api/v1/login", map[string]string{"name": "weber", "password": password}, "Cookie", old, "Origin", h.origin()).wants(t, 200, "")
	h.ask("GET", "/api/v1/desk", nil, "Cookie", old).wants(t, 401, "token-missing")
}

// TestSignInOpensTheDesk: a desk is available after sign-in, whatever it was left as.
func TestSignInOpensTheDesk(t *testing.T) {
	h := open(t)
	token := bearerOf(h.signIn("weber"))
	h.ask("PUT", "/api/v1/desk", map[string]string{"state": "pause"}, "Authorization", token).wants(t, 200, "")
	h.ask("DELETE", "/api/v1/login", nil, "Authorization", token).wants(t, 204, "")
	h.arrive("buergerbuero", "Ilse")
	token = bearerOf(h.signIn("weber"))
	a := h.ask("GET", "/api/v1/desk", nil, "Authorization", token)
	if s := a.fields(t)["state"]; s != "available" {
		t.Errorf("desk state %v after sign-in", s)
	}
	h.ask("POST", "/api/v1/desk/next", nil, "Authorization", token).wants(t, 200, "")
}

func TestIdleSignInEnds(t *testing.T) {
	h := open(t)
	cookie := h.signIn("weber")
	h.skew.Add(int64(31 * time.Minute))
	h.ask("GET", "/api/v1/desk", nil, "Cookie", cookie).wants(t, 401, "token-missing")
}

func TestGuessedTokens(t *testing.T) {
	h := open(t)
	_, token := h.arrive("bauamt", "Ilse")
	for _, header := range []string{"", "Bearer", "Bearer ", "Basic d2ViZXI6eA==", "Bearer kurz", "Bearer " + strings.Repeat("x", 43), "Bearer " + strings.Repeat("y", 5000)} {
		h.ask("GET", "/api/v1/visit", nil, "Authorization", header).wants(t, 401, "token-wrong")
	}
	h.ask("GET", "/api/v1/visit", nil, "Authorization", "Bearer "+token, "Authorization", "Bearer "+token).wants(t, 400, "malformed")
	a := h.ask("GET", "/api/v1/visit", nil)
	a.wants(t, 401, "token-missing")
	if a.Header.Get("WWW-Authenticate") == "" {
		t.Error("401 without WWW-Authenticate")
	}
}
