package web_test

import (
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/net/html"

	"schalter/appliance"
	"schalter/appliance/hall"
	"schalter/web"
	"schalter/web/ui"
)

// node helps to look at a page the way a person's program does.
type node struct{ *html.Node }

func parse(t *testing.T, a answer) node {
	t.Helper()
	if kind := a.Header.Get("Content-Type"); kind != "text/html; charset=utf-8" {
		t.Fatalf("%s: content type %q: %s", a.Request.URL.Path, kind, a.body)
	}
	n, err := html.ParseWithOptions(strings.NewReader(a.body), html.ParseOptionEnableScripting(false))
	if err != nil {
		t.Fatal(err)
	}
	return node{n}
}

func (n node) attr(name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func (n node) has(name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

// all finds elements by tag and, with name=value pairs, by attribute.
func (n node) all(tag string, attributes ...string) []node {
	var found []node
	for d := range n.Descendants() {
		m := node{d}
		if d.Type != html.ElementNode || tag != "*" && d.Data != tag {
			continue
		}
		ok := true
		for _, a := range attributes {
			name, value, _ := strings.Cut(a, "=")
			ok = ok && m.attr(name) == value
		}
		if ok {
			found = append(found, m)
		}
	}
	return found
}

func (n node) one(t *testing.T, tag string, attributes ...string) node {
	t.Helper()
	found := n.all(tag, attributes...)
	if len(found) != 1 {
		t.Fatalf("%d elements %s %v, want 1", len(found), tag, attributes)
	}
	return found[0]
}

func (n node) text() string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// sound checks what every page owes to everybody.
func (n node) sound(t *testing.T, telephone string) {
	t.Helper()
	if lang := n.one(t, "html").attr("lang"); lang != "de" {
		t.Errorf("lang %q", lang)
	}
	if title := n.one(t, "title").text(); !strings.HasSuffix(title, "– Stadt Lindenau") || strings.HasPrefix(title, "–") {
		t.Errorf("title %q", title)
	}
	if h1 := n.all("h1"); len(h1) != 1 || h1[0].text() == "" {
		t.Errorf("%d h1", len(h1))
	}
	n.one(t, "main", "id=main")
	if skip := n.one(t, "a", "class=skip"); skip.attr("href") != "#main" {
		t.Error("the skip link leads elsewhere")
	}
	if !slices.ContainsFunc(n.all("a"), func(a node) bool { return a.text() == telephone && strings.HasPrefix(a.attr("href"), "tel:+49") }) {
		t.Errorf("the telephone number %s is missing", telephone)
	}
	ids := make(map[string]bool)
	for _, e := range n.all("*") {
		if id := e.attr("id"); id != "" {
			if ids[id] {
				t.Errorf("id %s twice", id)
			}
			ids[id] = true
		}
		if e.has("style") || strings.Contains(e.attr("href"), "javascript:") || strings.Contains(e.attr("href"), "ZgotmplZ") {
			t.Errorf("<%s> has an inline style or a bad address", e.Data)
		}
		for _, a := range e.Attr {
			if strings.HasPrefix(a.Key, "on") {
				t.Errorf("<%s %s>", e.Data, a.Key)
			}
			if (a.Key == "src" || a.Key == "action" || a.Key == "href") && (strings.HasPrefix(a.Val, "http") || strings.HasPrefix(a.Val, "//")) {
				t.Errorf("<%s> leads outside: %s", e.Data, a.Val)
			}
		}
	}
	for _, e := range append(append(n.all("input"), n.all("textarea")...), n.all("select")...) {
		if e.attr("type") == "hidden" {
			continue
		}
		labelled := e.Parent.Data == "label" || len(n.all("label", "for="+e.attr("id"))) == 1
		if !labelled {
			t.Errorf("input %s has no label", e.attr("name"))
		}
		for id := range strings.FieldsSeq(e.attr("aria-describedby")) {
			if !ids[id] {
				t.Errorf("input %s is described by %s, which is not there", e.attr("name"), id)
			}
		}
	}
	for _, script := range n.all("script") {
		if script.attr("src") == "" && script.attr("type") != "application/json" {
			t.Error("an inline script")
		}
	}
	level := 0
	for _, e := range n.all("*") {
		if len(e.Data) == 2 && e.Data[0] == 'h' && e.Data[1] >= '1' && e.Data[1] <= '6' {
			if now := int(e.Data[1] - '0'); now > level+1 {
				t.Errorf("heading %q jumps from %d to %d", e.text(), level, now)
			} else {
				level = now
			}
		}
	}
}

func TestPagesAreSound(t *testing.T) {
	h := open(t)
	_, token := h.arrive("buergerbuero", "Ilse")
	weber, verwaltung := h.signIn("weber"), h.signIn("verwaltung")
	for _, c := range []struct {
		path, telephone string
		status          int
		header          []string
	}{
		{"/", "0661 7001-0", 200, nil},
		{"/w/buergerbuero", "0661 7001-20", 200, nil},
		{"/w/bauamt", "0661 7001-40", 200, nil},
		{"/w/steuern", "0661 7001-0", 200, nil},
		{"/w/gibtsnicht", "0661 7001-0", 404, nil},
		{"/g/" + token, "0661 7001-20", 200, nil},
		{"/g/" + strings.Repeat("x", 43), "0661 7001-0", 404, nil},
		{"/g/kurz", "0661 7001-0", 404, nil},
		{"/t/" + strings.Repeat("x", 43), "0661 7001-0", 404, nil},
		{"/anmelden", "0661 7001-0", 200, nil},
		{"/desk", "0661 7001-0", 200, []string{"Cookie", weber}},
		{"/desk", "0661 7001-0", 403, []string{"Cookie", verwaltung}},
		{"/admin/", "0661 7001-0", 200, []string{"Cookie", verwaltung}},
		{"/admin/nirgends", "0661 7001-0", 404, []string{"Cookie", verwaltung}},
		{"/test", "0661 7001-0", 200, nil},
		{"/hilfe", "0661 7001-0", 200, nil},
		{"/impressum", "0661 7001-0", 200, nil},
		{"/datenschutz", "0661 7001-0", 200, nil},
		{"/barrierefreiheit", "0661 7001-0", 200, nil},
		{"/leichte-sprache", "0661 7001-0", 200, nil},
		{"/probleme/office-closed", "0661 7001-0", 200, nil},
		{"/probleme/nirgends", "0661 7001-0", 404, nil},
		{"/nirgends", "0661 7001-0", 404, nil},
	} {
		t.Run(c.path, func(t *testing.T) {
			h.t = t
			a := h.ask("GET", c.path, nil, c.header...)
			if a.StatusCode != c.status {
				t.Errorf("status %d, want %d", a.StatusCode, c.status)
			}
			parse(t, a).sound(t, c.telephone)
		})
	}
	h.t = t
	if a := h.ask("GET", "/", nil, "Host", "evil.example"); a.StatusCode != 421 {
		t.Error(a.StatusCode)
	} else {
		parse(t, a).sound(t, "0661 7001-0")
	}
}

func TestSignedOutStaffPages(t *testing.T) {
	h := open(t)
	for path, next := range map[string]string{"/desk": "/desk", "/admin/": "/admin/", "/admin/irgendwas": "/admin/"} {
		a := h.ask("GET", path, nil)
		if a.StatusCode != 303 || a.Header.Get("Location") != "/anmelden?next="+next {
			t.Errorf("%s: %d to %s", path, a.StatusCode, a.Header.Get("Location"))
		}
	}
}

func TestStartPageSaysHowThingsStand(t *testing.T) {
	h := open(t)
	h.arrive("bauamt", "Ilse")
	h.arrive("bauamt", "Otto")
	n := parse(t, h.ask("GET", "/", nil))
	bauamt := n.one(t, "a", "id=office-bauamt")
	if s := bauamt.text(); !strings.Contains(s, "geöffnet 2 warten") || !strings.Contains(s, "0661 7001-40") {
		t.Errorf("Bauamt: %q", s)
	}
	if s := n.one(t, "a", "id=office-steuern").text(); !strings.Contains(s, "geschlossen") {
		t.Errorf("Steuern: %q", s)
	}
	n.one(t, "a", "href=/anmelden")
}

// An office that is closed by its hours says why, and until when.
func TestHoursInWords(t *testing.T) {
	h := open(t)
	h.skew.Store(int64(time.Until(time.Date(2027, 5, 6, 7, 0, 0, 0, time.UTC)))) // Ascension Day, 9 in Berlin
	put := func(o appliance.Office) {
		t.Helper()
		if _, err := h.hall.Do(t.Context(), hall.Request{Actor: appliance.Actor{Role: appliance.TheHouse}, Event: appliance.PutOffice{Office: o}}); err != nil {
			t.Fatal(err)
		}
	}
	row := lindenau().Offices[1]
	for weekday := range row.Hours.Week {
		row.Hours.Week[weekday] = []appliance.Span{{From: 8 * 60, Until: 12*60 + 30}}
	}
	put(row)
	if s := parse(t, h.ask("GET", "/", nil)).one(t, "a", "id=office-bauamt").text(); !strings.Contains(s, "geöffnet bis 12:30 Uhr gerade ist niemand am Platz") {
		t.Errorf("open: %q", s)
	}
	row.Hours.Days = []appliance.Day{{First: "2027-05-06", Last: "2027-05-07", Why: "Betriebsausflug"}}
	put(row)
	page := parse(t, h.ask("GET", "/", nil)).one(t, "a", "id=office-bauamt").text()
	if !strings.Contains(page, "geschlossen Betriebsausflug öffnet am Samstag, 8. Mai, um 8:00 Uhr") {
		t.Errorf("closed: %q", page)
	}
	door := h.ask("GET", "/w/bauamt", nil)
	if door.StatusCode != 200 || !strings.Contains(door.body, "Heute: Betriebsausflug. Geöffnet wird am Samstag, 8. Mai, um 8:00 Uhr.") {
		t.Errorf("door %d: %s", door.StatusCode, door.body)
	}
}

func TestLoadInWords(t *testing.T) {
	h := open(t)
	for want, o := range map[string]appliance.OfficeView{
		"gerade ist niemand am Platz":           {},
		"2 warten, gerade ist niemand am Platz": {Waiting: 2},
		"1 wartet, etwa 5–10 Minuten":           {Waiting: 1, Staff: 1, WaitMinutes: &[2]int{5, 10}},
		"3 warten, etwa 20 Minuten":             {Waiting: 3, Staff: 1, WaitMinutes: &[2]int{20, 20}},
		"niemand wartet":                        {Staff: 1, WaitMinutes: &[2]int{0, 0}},
		"niemand wartet, höchstens 5 Minuten":   {Staff: 1, WaitMinutes: &[2]int{0, 5}},
		"2 warten, höchstens 5 Minuten":         {Waiting: 2, Staff: 1, WaitMinutes: &[2]int{0, 5}},
	} {
		if got := h.web.Load(o); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestMomentsInWords(t *testing.T) {
	now := time.Date(2026, 10, 24, 21, 30, 0, 0, time.UTC) // 23:30 in Berlin, the night the clocks change
	for want, at := range map[string]time.Time{
		"heute um 23:45 Uhr":                   now.Add(15 * time.Minute),
		"morgen um 8:30 Uhr":                   time.Date(2026, 10, 25, 7, 30, 0, 0, time.UTC),
		"am Montag, 26. Oktober, um 14:00 Uhr": time.Date(2026, 10, 26, 13, 0, 0, 0, time.UTC),
	} {
		if got := web.Moment(t, now, at); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestSignInPage(t *testing.T) {
	h := open(t)
	a := h.form("/anmelden", url.Values{"name": {"weber"}, "password": {"falsch"}, "next": {"/desk"}})
	n := parse(t, a)
	if a.StatusCode != 401 || !strings.Contains(n.one(t, "div", "role=alert").text(), "Name oder Passwort stimmen nicht") {
		t.Errorf("wrong password: %d", a.StatusCode)
	}
	if n.one(t, "input", "id=name").attr("value") != "weber" || n.one(t, "input", "id=password").attr("value") != "" || strings.Contains(a.body, "falsch") {
		t.Error("the form gives back too little or too much")
	}
	n.sound(t, "0661 7001-0")
	for name, to := range map[string]string{"weber": "/desk", "verwaltung": "/admin/"} {
		a = h.form("/anmelden", url.Values{"name": {name}, "password": {password}, "next": {"https://evil.example/desk"}})
		if a.StatusCode != 303 || a.Header.Get("Location") != to {
			t.Errorf("%s: %d to %s", name, a.StatusCode, a.Header.Get("Location"))
		}
	}
	cookie := h.signIn("weber")
	if a = h.ask("GET", "/anmelden", nil, "Cookie", cookie); a.StatusCode != 303 || a.Header.Get("Location") != "/desk" {
		t.Errorf("signed in already: %d", a.StatusCode)
	}
	if a = h.form("/abmelden", nil, "Cookie", cookie); a.StatusCode != 303 || !strings.Contains(a.Header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("sign out: %d %s", a.StatusCode, a.Header.Get("Set-Cookie"))
	}
	h.ask("GET", "/api/v1/desk", nil, "Cookie", cookie).wants(t, 401, "token-missing")
}

func TestOnlyOwnPathsAreTheWayOn(t *testing.T) {
	for _, next := range []string{
		"//evil.example", "https://evil.example", `/\evil.example`, "/desk//evil", "/desk\\x", "/deskx", "/g/x", "desk", "/desk?x=//y", "/desk\r\nX: y", "",
	} {
		if got := web.OwnPath(next); got != "" {
			t.Errorf("%q leads on as %q", next, got)
		}
	}
	for _, next := range []string{"/desk", "/admin/", "/admin/aemter"} {
		if web.OwnPath(next) != next {
			t.Errorf("%q does not lead on", next)
		}
	}
}

// built is a small build of the browser code.
func built(t *testing.T) func(*web.Config) {
	t.Helper()
	manifest := `{`
	files := fstest.MapFS{}
	for i, name := range []string{"visit", "desk", "test", "document"} {
		if i > 0 {
			manifest += ","
		}
		manifest += fmt.Sprintf(`"src/%s.ts":{"file":"assets/%s-1.js","isEntry":true,"css":["assets/%s-1.css"]}`, name, name, name)
		files["assets/"+name+"-1.js"] = &fstest.MapFile{Data: []byte("x")}
		files["assets/"+name+"-1.css"] = &fstest.MapFile{Data: []byte("x")}
	}
	files[".vite/manifest.json"] = &fstest.MapFile{Data: []byte(manifest + "}")}
	assets, err := ui.Read(files)
	if err != nil {
		t.Fatal(err)
	}
	return func(c *web.Config) { c.Assets = assets }
}

func TestShells(t *testing.T) {
	h := open(t, built(t))
	id, token := h.arrive("buergerbuero", `</script><b>`)
	n := parse(t, h.ask("GET", "/g/"+token, nil))
	n.one(t, "div", "id=app")
	n.one(t, "script", "src=/assets/visit-1.js")
	n.one(t, "link", "href=/assets/visit-1.css")
	boot := n.one(t, "script", "id=boot")
	if boot.attr("type") != "application/json" {
		t.Error("the hand-over would be run")
	}
	for _, part := range []string{`"id":"` + id + `"`, `"state":"waiting"`, `"town":{"name":"Lindenau"`, `"now":"`} {
		if !strings.Contains(boot.text(), part) {
			t.Errorf("boot lacks %s: %s", part, boot.text())
		}
	}
	n.sound(t, "0661 7001-20") // what stands in noscript
	if plain := n.one(t, "link", "href=/assets/document-1.css"); plain.Parent.Data != "noscript" {
		t.Error("the documents' styles disturb the browser code's")
	}
	n = parse(t, h.ask("GET", "/desk", nil, "Cookie", h.signIn("weber")))
	n.one(t, "script", "src=/assets/desk-1.js")
	if s := n.one(t, "script", "id=boot").text(); !strings.Contains(s, `"desk":{"clerk"`) {
		t.Errorf("boot: %s", s)
	}
	n = parse(t, h.ask("GET", "/", nil))
	n.one(t, "link", "href=/assets/document-1.css")
	h.ask("GET", "/assets/visit-1.js", nil).wants(t, 200, "")
	if a := h.ask("GET", "/assets/none.js", nil, "Accept", "text/javascript"); a.StatusCode != 404 {
		t.Error(a.StatusCode)
	}
}

func TestSmallFiles(t *testing.T) {
	h := open(t)
	for path, kind := range map[string]string{
		"/wappen.svg": "image/svg+xml", "/branding.css": "text/css; charset=utf-8", "/robots.txt": "text/plain; charset=utf-8",
	} {
		a := h.ask("GET", path, nil)
		if a.StatusCode != 200 || a.Header.Get("Content-Type") != kind || a.body == "" {
			t.Errorf("%s: %d %s", path, a.StatusCode, a.Header.Get("Content-Type"))
		}
	}
}

// TestEveryTextIsThereAndUsed compares the catalogue with the templates, the code and the house's refusals.
func TestEveryTextIsThereAndUsed(t *testing.T) {
	h := open(t)
	texts := h.web.Texts()
	var source strings.Builder
	add := func(fsys fs.FS, pattern string) {
		names, err := fs.Glob(fsys, pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			b, err := fs.ReadFile(fsys, name)
			if err != nil {
				t.Fatal(err)
			}
			source.Write(b)
		}
	}
	add(os.DirFS("."), "*.go")
	add(os.DirFS("."), "pages/*.html")
	own := source.String()
	for _, found := range regexp.MustCompile(`\bt "([a-z0-9.]+)"|texts\.get\("([a-z.]+)"`).FindAllStringSubmatch(own, -1) {
		if key := found[1] + found[2]; texts[key] == "" && !strings.HasSuffix(key, ".") {
			t.Errorf("no text for %s", key)
		}
	}
	for _, dir := range []string{"../appliance", "../appliance/hall", "../appliance/auth"} {
		add(os.DirFS(dir), "*.go")
	}
	all := source.String()
	// Every refusal of the house has a sentence of its own.
	for _, pattern := range []string{`Code: +"([a-z-]+)"`, `(?:refuse|wrong)\([A-Za-z., ]*"([a-z-]+)"`, `code: "([a-z-]+)"`} {
		for _, found := range regexp.MustCompile(pattern).FindAllStringSubmatch(all, -1) {
			if code := found[1]; texts["problem."+code] == "" && !operatorsOnly(code) {
				t.Errorf("no text for the problem %s", code)
			}
		}
	}
	for key := range texts {
		code, isProblem := strings.CutPrefix(key, "problem.")
		for _, ending := range []string{"-missing", "-too-long", "-invalid"} {
			if field, ok := strings.CutSuffix(code, ending); ok && isProblem && strings.Contains(all, `"`+field+`"`) {
				code = field
			}
		}
		isStatus := strings.HasPrefix(key, "problem.status.") || strings.HasPrefix(key, "page.") || strings.HasPrefix(key, "legal.") || strings.HasPrefix(key, "need.")
		counted := regexp.MustCompile(`\.(none|one|many)$`).ReplaceAllString(key, "")
		if !isStatus && !strings.Contains(all, `"`+key+`"`) && !strings.Contains(all, `"`+code+`"`) && !strings.Contains(all, `"`+counted+`"`) {
			t.Errorf("nobody uses %s", key)
		}
	}
}

// operatorsOnly are refusals of what only the operator's command line does.
func operatorsOnly(code string) bool {
	return slices.Contains([]string{
		"id-invalid", "role-unknown", "limit-invalid", "duration-invalid", "parent-invalid", "room-invalid", "origin-invalid",
		"too-many-origins", "too-many-rooms",
	}, code)
}
