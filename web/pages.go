package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"schalter/appliance"
)

// pages are the parsed templates. Each content template is executed on its own and put into a frame: "document", or
// "shell" for the pages that the browser code fills.
type pages struct{ all *template.Template }

func readPages(texts catalogue, now func() time.Time) (*pages, error) {
	all, err := template.New("").Funcs(template.FuncMap{
		"t": func(key string, values ...any) (string, error) {
			if _, ok := texts.find(key); !ok {
				return "", fmt.Errorf("no text for %q", key)
			}
			return texts.get(key, values...), nil
		},
		"load":    texts.load,
		"waiting": texts.waiting,
		"ahead":   func(position *int) string { return texts.ahead(*position) },
		"moment":  func(at *time.Time) string { return texts.moment(now(), *at) },
		"until":   func(at *time.Time) string { return texts.until(now(), at) },
		"tel":     telephoneLink,
		"over":    func(s appliance.State) bool { return s.Over() },
		"fault":   fault,
	}).ParseFS(pageFiles, "pages/*.html")
	if err != nil {
		return nil, fmt.Errorf("read pages: %w", err)
	}
	return &pages{all: all}, nil
}

// telephoneLink makes a tel: address of a number as people write it. A leading 0 becomes the country's, so that it works
// from abroad.
func telephoneLink(number string) template.URL {
	var digits strings.Builder
	for i, r := range strings.TrimSpace(number) {
		if r >= '0' && r <= '9' || r == '+' && i == 0 {
			digits.WriteRune(r)
		}
	}
	s := digits.String()
	if len(s) > 4 && strings.HasPrefix(s, "0") && !strings.HasPrefix(s, "00") {
		s = "+49" + s[1:]
	}
	return template.URL("tel:" + s)
}

// fault finds the sentence for a field among a form's faults.
func fault(faults []formFault, field string) string {
	for _, f := range faults {
		if f.Field == field {
			return f.Text
		}
	}
	return ""
}

// shape is how a page differs from the plain document.
type shape struct {
	telephone string // the office's; the town's when empty
	entry     string // the browser code to fill the page: "src/visit.ts"
	boot      any    // handed to it
	narrow    bool
	hidden    bool // not for search engines
	start     bool // the way in for staff at the foot
	refresh   int  // seconds, where there is no script
}

// frame is what the frames' templates see.
type frame struct {
	Lang, Title, Telephone, Script string
	Town                           appliance.TownView
	Styles, Preload                []string
	Plain                          []string // styles of what a shell shows where there is no script
	Boot                           any
	Content                        template.HTML
	Narrow, Hidden, StaffLink      bool
	Refresh                        int
}

// documentEntry is the browser code of pages that work without it: their styles, and small help with forms.
const documentEntry = "src/document.ts"

// document answers with a page.
func (w *Web) document(c *call, status int, content, title string, v any, s shape) error {
	town, err := w.hall.Town(c.ctx())
	if err != nil {
		return err
	}
	b, err := w.render(town, content, title, v, s)
	if err != nil {
		return err
	}
	writePage(c.rw, status, b)
	return nil
}

func writePage(rw http.ResponseWriter, status int, b []byte) {
	h := rw.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-cache")
	}
	h.Set("Content-Length", strconv.Itoa(len(b)))
	rw.WriteHeader(status)
	_, _ = rw.Write(b) // the reader went away; nothing to do
}

func (w *Web) render(town appliance.TownView, content, title string, v any, s shape) ([]byte, error) {
	var inner, outer bytes.Buffer
	if err := w.pages.all.ExecuteTemplate(&inner, content, v); err != nil {
		return nil, fmt.Errorf("render %s: %w", content, err)
	}
	f := frame{
		Lang: language, Title: title, Telephone: s.telephone, Town: town, Boot: s.boot,
		Content: template.HTML(inner.String()), //nolint:gosec // made by html/template the line above
		Narrow:  s.narrow, Hidden: s.hidden, StaffLink: s.start, Refresh: s.refresh,
	}
	if f.Telephone == "" {
		f.Telephone = town.Telephone
	}
	name, source := "document", documentEntry
	if s.entry != "" {
		if _, built := w.assets.Entry(s.entry); built {
			name, source = "shell", s.entry
			plain, _ := w.assets.Entry(documentEntry)
			f.Plain = plain.Styles
		}
	}
	if e, built := w.assets.Entry(source); built {
		f.Script, f.Styles, f.Preload = e.Script, e.Styles, e.Preload
	}
	if err := w.pages.all.ExecuteTemplate(&outer, name, f); err != nil {
		return nil, fmt.Errorf("render %s in %s: %w", content, name, err)
	}
	return outer.Bytes(), nil
}

// problemView is a refusal, told to a person.
type problemView struct {
	Heading, Text, Telephone string
	Steps                    []string
}

// writeProblemPage answers a refusal as a page. It must work when nothing else does, so it asks the hall only for the
// town's name and goes on without.
func (w *Web) writeProblemPage(rw http.ResponseWriter, r *http.Request, p *refusal) {
	w.setRefusalHeaders(rw, p)
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	town, err := w.hall.Town(ctx)
	if err != nil {
		town = appliance.TownView{Name: w.texts.get("town.unknown")}
	}
	v := w.explain(p, town.Telephone)
	b, err := w.render(town, "problem", v.Heading, v, shape{narrow: true, hidden: true})
	if err != nil {
		w.log.Error("problem page not rendered", "error", err)
		w.writeProblem(rw, p, false)
		return
	}
	writePage(rw, p.status, b)
}

// explain puts a refusal into a heading, what happened, and what to do.
func (w *Web) explain(p *refusal, telephone string) problemView {
	v := problemView{Text: w.titleOf(p), Telephone: telephone}
	status := strconv.Itoa(p.status)
	for _, key := range []string{"page." + p.code, "page." + status, "page.other"} {
		heading, ok := w.texts.find(key)
		if !ok {
			continue
		}
		v.Heading = heading
		for i := 1; ; i++ {
			step, ok := w.texts.find(key + "." + strconv.Itoa(i))
			if !ok {
				break
			}
			v.Steps = append(v.Steps, step)
		}
		break
	}
	return v
}

// problemPage says in plain words what a problem type means: problem documents point here.
func (w *Web) problemPage(c *call) error {
	code := c.r.PathValue("code")
	text, ok := w.texts.find("problem." + code)
	if !ok || strings.HasPrefix(code, "status.") {
		return refuse(http.StatusNotFound, "not-found")
	}
	town, err := w.hall.Town(c.ctx())
	if err != nil {
		return err
	}
	heading := w.texts.get("page.explained")
	v := problemView{Heading: heading, Text: text, Telephone: town.Telephone}
	return w.document(c, http.StatusOK, "problem", heading, v, shape{narrow: true, hidden: true})
}

// asset serves a file of the browser code.
func (w *Web) asset(c *call) error {
	if !w.assets.Has(c.r.URL.Path) {
		return refuse(http.StatusNotFound, "not-found")
	}
	w.assets.ServeHTTP(c.rw, c.r)
	return nil
}

// embedded serves a small file that lies beside the templates.
func (w *Web) embedded(c *call) error {
	name := strings.TrimPrefix(c.r.URL.Path, "/")
	b, err := pageFiles.ReadFile("pages/" + name)
	if err != nil {
		return fmt.Errorf("embedded file: %w", err)
	}
	kind := map[string]string{
		"branding.css": "text/css; charset=utf-8", "wappen.svg": "image/svg+xml", "robots.txt": "text/plain; charset=utf-8",
	}[name]
	if kind == "" {
		return errors.New("embedded file without a content type")
	}
	c.rw.Header().Set("Content-Type", kind)
	c.rw.Header().Set("Cache-Control", "public, max-age=3600")
	_, _ = c.rw.Write(b) // the reader went away; nothing to do
	return nil
}

func (w *Web) favicon(c *call) error {
	c.rw.Header().Set("Cache-Control", "public, max-age=86400")
	http.Redirect(c.rw, c.r, "/wappen.svg", http.StatusFound)
	return nil
}

// rfc3339 is how times leave the house.
func rfc3339(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
