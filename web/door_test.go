package web_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// form posts like a browser.
func (h *house) form(path string, values url.Values, header ...string) answer {
	return h.ask("POST", path, values.Encode(), append(header, "Content-Type", "application/x-www-form-urlencoded", "Origin", h.origin())...)
}

func doorValues(t *testing.T, h *house, office string) url.Values {
	t.Helper()
	n := parse(t, h.ask("GET", "/w/"+office, nil))
	v := url.Values{"name": {"Ilse Krüger"}, "needs": {"text_only", "companion"}}
	for _, input := range n.all("input") {
		if name := input.attr("name"); name == "key" || name == "notice" {
			v.Set(name, input.attr("value"))
		}
	}
	return v
}

// TestDoorWithoutScript goes from the door into the waiting room, is called, accepts and leaves by forms alone.
func TestDoorWithoutScript(t *testing.T) {
	h := open(t)
	v := doorValues(t, h, "buergerbuero")
	v.Set("service", "Hund anmelden")
	v.Set("matter", "Ein Dackel.\r\nEr heißt Waldi.")
	a := h.form("/w/buergerbuero", v)
	if a.StatusCode != 303 {
		t.Fatalf("%d: %s", a.StatusCode, a.body)
	}
	path := a.Header.Get("Location")
	token := strings.TrimPrefix(path, "/g/")
	cookie := a.Header.Get("Set-Cookie")
	for _, part := range []string{"__Host-visit-", "=" + token, "Path=/", "HttpOnly", "Secure", "SameSite=Lax", "Max-Age=86400"} {
		if !strings.Contains(cookie, part) {
			t.Errorf("cookie %q lacks %s", cookie, part)
		}
	}
	// The same form sent twice is one visit.
	if again := h.form("/w/buergerbuero", v); again.Header.Get("Location") != path {
		t.Errorf("sent twice: %s, want %s", again.Header.Get("Location"), path)
	}
	visit := h.ask("GET", "/api/v1/visit", nil, "Authorization", "Bearer "+token).fields(t)
	if visit["matter"] != "Hund anmelden: Ein Dackel.\nEr heißt Waldi." || visit["name"] != "Ilse Krüger" || fmt.Sprint(visit["needs"]) != "[text_only companion]" {
		t.Errorf("visit %v", visit)
	}

	a = h.ask("GET", path, nil)
	n := parse(t, a)
	if a.Header.Get("Referrer-Policy") != "no-referrer" || a.Header.Get("Cache-Control") != "no-store" || !strings.Contains(a.Header.Get("Set-Cookie"), token) {
		t.Errorf("headers of a link page: %v", a.Header)
	}
	n.one(t, "meta", "name=robots")
	if r := n.one(t, "meta", "http-equiv=refresh"); r.attr("content") != "20" || r.Parent.Data != "noscript" {
		t.Error("no refresh where there is no script")
	}
	if s := n.one(t, "main").text(); !strings.Contains(s, "Sie sind als Nächstes dran") {
		t.Errorf("waiting: %q", s)
	}
	weber := bearerOf(h.signIn("weber"))
	h.ask("POST", "/api/v1/desk/next", nil, "Authorization", weber).wants(t, 200, "")
	n = parse(t, h.ask("GET", path, nil))
	if s := n.one(t, "main").text(); !strings.Contains(s, "Frau Weber erwartet Sie") {
		t.Errorf("called: %q", s)
	}
	n.one(t, "button", "value=accept")
	if a = h.form(path, url.Values{"do": {"accept"}, "key": {"k"}}); a.StatusCode != 303 || a.Header.Get("Location") != path {
		t.Errorf("accept: %d", a.StatusCode)
	}
	if a = h.form(path, url.Values{"do": {"accept"}, "key": {"k2"}}); a.StatusCode != 303 {
		t.Errorf("a second accept: %d", a.StatusCode)
	}
	if s := parse(t, h.ask("GET", path, nil)).one(t, "main").text(); !strings.Contains(s, "Sie sprechen mit Frau Weber") {
		t.Errorf("talking: %q", s)
	}
	h.form(path, url.Values{"do": {"leave"}})
	n = parse(t, h.ask("GET", path, nil))
	if len(n.all("meta", "http-equiv=refresh")) != 0 || len(n.all("button")) != 0 {
		t.Error("a page that is over still asks")
	}
	n.one(t, "a", "href=/w/buergerbuero")
	if a = h.form(path, url.Values{"do": {"something"}}); a.StatusCode != 400 {
		t.Errorf("unknown button: %d", a.StatusCode)
	}
}

func TestReadingALinkChangesNothing(t *testing.T) {
	h := open(t)
	_, token := h.arrive("bauamt", "Ilse")
	before := h.ask("GET", "/api/v1/visit", nil, "Authorization", "Bearer "+token).fields(t)
	for range 3 {
		h.ask("GET", "/g/"+token+"?do=leave", nil)
		h.ask("HEAD", "/g/"+token, nil)
	}
	after := h.ask("GET", "/api/v1/visit", nil, "Authorization", "Bearer "+token).fields(t)
	if before["version"] != after["version"] || after["state"] != "waiting" {
		t.Errorf("before %v, after %v", before, after)
	}
}

func TestDoorFaults(t *testing.T) {
	h := open(t)
	v := doorValues(t, h, "buergerbuero")
	v.Set("name", " ")
	v.Del("notice")
	v.Set("matter", "")
	a := h.form("/w/buergerbuero", v)
	if a.StatusCode != 422 {
		t.Errorf("status %d", a.StatusCode)
	}
	n := parse(t, a)
	n.sound(t, "0661 7001-20")
	summary := n.one(t, "div", "role=alert")
	if !summary.has("autofocus") || summary.attr("tabindex") != "-1" || len(summary.all("a")) != 3 {
		t.Errorf("summary: %s", summary.text())
	}
	for _, link := range summary.all("a") {
		n.one(t, "*", "id="+strings.TrimPrefix(link.attr("href"), "#"))
	}
	if !strings.HasPrefix(n.one(t, "title").text(), "Bitte prüfen:") {
		t.Error("the title does not say so")
	}
	if in := n.one(t, "input", "id=name"); in.attr("aria-invalid") != "true" || !strings.Contains(in.attr("aria-describedby"), "name-error") {
		t.Error("the field does not say so")
	}
	if !n.one(t, "input", "id=need-companion").has("checked") {
		t.Error("what was ticked is lost")
	}
	// What the house finds comes back the same way.
	v = doorValues(t, h, "buergerbuero")
	v.Set("matter", strings.Repeat("m", 600))
	a = h.form("/w/buergerbuero", v)
	if a.StatusCode != 422 || !strings.Contains(parse(t, a).one(t, "div", "role=alert").text(), "500 Zeichen") {
		t.Errorf("too long: %d", a.StatusCode)
	}
	// A key that was used with other words: the next try is a new visit.
	v.Set("matter", "Hund")
	first := h.form("/w/buergerbuero", v)
	v.Set("matter", "Katze")
	a = h.form("/w/buergerbuero", v)
	key := parse(t, a).one(t, "input", "name=key").attr("value")
	if a.StatusCode != 422 || key == v.Get("key") {
		t.Fatalf("another text with the same key: %d", a.StatusCode)
	}
	v.Set("key", key)
	if a = h.form("/w/buergerbuero", v); a.StatusCode != 303 || a.Header.Get("Location") == first.Header.Get("Location") {
		t.Errorf("with the new key: %d", a.StatusCode)
	}
	if a = h.form("/w/steuern", v); a.StatusCode != 200 || !strings.Contains(a.body, "geschlossen") {
		t.Errorf("closed: %d", a.StatusCode)
	}
	if a = h.form("/w/gibtsnicht", v); a.StatusCode != 404 {
		t.Errorf("unknown: %d", a.StatusCode)
	}
	if a = h.ask("POST", "/w/bauamt", `{"name":"x"}`, "Content-Type", "application/json"); a.StatusCode != 415 {
		t.Errorf("not a form: %d", a.StatusCode)
	}
}

// TestTypedTextIsText: what a stranger types never becomes markup.
func TestTypedTextIsText(t *testing.T) {
	h := open(t)
	for _, bad := range []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `</textarea><svg onload=alert(1)>`, `</script><script>alert(1)</script>`,
		`'-alert(1)-'`, `{{.}}`, `javascript:alert(1)`, `<!--`, "]]>", `&lt;b&gt;`,
	} {
		v := doorValues(t, h, "bauamt")
		v.Set("name", bad)
		v.Set("matter", bad)
		v.Del("notice")
		a := h.form("/w/bauamt", v) // shown again
		n := parse(t, a)
		if got := n.one(t, "input", "id=name").attr("value"); got != bad {
			t.Errorf("%q came back as %q", bad, got)
		}
		n.sound(t, "0661 7001-40")
		v.Set("notice", "1")
		a = h.form("/w/bauamt", v)
		page := h.ask("GET", a.Header.Get("Location"), nil)
		if page.StatusCode != 200 {
			t.Fatalf("%q: %d", bad, page.StatusCode)
		}
		parse(t, page).sound(t, "0661 7001-40")
	}
}
