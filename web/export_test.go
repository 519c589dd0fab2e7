package web

import (
	"time"

	"schalter/appliance"
)

// Row is a route as the tests of the table see it.
type Row struct {
	Method, Pattern   string
	Page, Link, Keyed bool
}

// Table lists every route.
func (w *Web) Table() []Row {
	var rows []Row
	for _, r := range w.routes() {
		rows = append(rows, Row{Method: r.method, Pattern: r.pattern, Page: r.page, Link: r.link, Keyed: r.keyed})
	}
	return rows
}

// Text is a sentence of the catalogue.
func (w *Web) Text(key string) (string, bool) { return w.texts.find(key) }

// Texts is the whole catalogue.
func (w *Web) Texts() map[string]string { return w.texts }

// Load and Moment are the sentences that are put together.
func (w *Web) Load(o appliance.OfficeView) string { return w.texts.load(o) }

// OwnPath is what the sign-in page makes of "next".
func OwnPath(next string) string { return ownPath(next) }

// Moment says a time in words.
func Moment(t interface{ Fatal(...any) }, now, at time.Time) string {
	c, err := readCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	return c.moment(now, at)
}

// LookEvery sets how often a live connection looks whether its sign-in is still good.
func (w *Web) LookEvery(d time.Duration) { w.look = d }
