package web

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"schalter/appliance"
)

// refusal is why a request was not done, in the words of HTTP. It becomes a problem document (RFC 9457) or a page.
type refusal struct {
	status int
	code   string // end of the problem type, and key of its German title
	field  string
	holder string
	wait   time.Duration
	allow  string // for 405
}

func (p *refusal) Error() string { return strconv.Itoa(p.status) + " " + p.code }

// refuse makes a refusal that needs no more than a status and a code.
func refuse(status int, code string) *refusal { return &refusal{status: status, code: code} }

// statusOf maps the house's kinds of error to HTTP: the only place that does.
func statusOf(k appliance.Kind) int {
	switch k {
	case appliance.Malformed:
		return http.StatusBadRequest
	case appliance.Invalid:
		return http.StatusUnprocessableEntity
	case appliance.Unauthorised:
		return http.StatusUnauthorized
	case appliance.Forbidden:
		return http.StatusForbidden
	case appliance.NotFound:
		return http.StatusNotFound
	case appliance.Conflict:
		return http.StatusConflict
	case appliance.TooMany:
		return http.StatusTooManyRequests
	case appliance.Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// refusalOf turns any error into a refusal. ok is false for what nobody foresaw; that is logged and told without detail.
func refusalOf(err error) (p *refusal, ok bool) {
	if errors.As(err, &p) {
		return p, true
	}
	var e *appliance.Error
	if errors.As(err, &e) {
		return &refusal{status: statusOf(e.Kind), code: e.Code, field: e.Field, holder: e.Holder, wait: e.Wait}, true
	}
	return refuse(http.StatusInternalServerError, "internal"), false
}

// problem is the JSON of RFC 9457 with our two members.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Field  string `json:"field,omitempty"`
	Holder string `json:"holder,omitempty"`
}

// titleOf is the German sentence for a code. A code without a sentence of its own gets its status's.
func (w *Web) titleOf(p *refusal) string {
	if s, ok := w.texts.find("problem." + p.code); ok {
		return s
	}
	if s, ok := w.texts.find("problem.status." + strconv.Itoa(p.status)); ok {
		return s
	}
	return w.texts.get("problem.status.500")
}

// writeProblem answers with a problem document. A holder's name is for staff only, whatever the house said.
func (w *Web) writeProblem(rw http.ResponseWriter, p *refusal, staff bool) {
	w.setRefusalHeaders(rw, p)
	doc := problem{Type: "/probleme/" + p.code, Title: w.titleOf(p), Status: p.status, Field: p.field}
	if staff {
		doc.Holder = p.holder
	}
	rw.Header().Set("Content-Type", "application/problem+json")
	rw.WriteHeader(p.status)
	_ = json.NewEncoder(rw).Encode(doc) // the asker went away; nothing to do
}

func (w *Web) setRefusalHeaders(rw http.ResponseWriter, p *refusal) {
	h := rw.Header()
	h.Set("Cache-Control", "no-store")
	switch p.status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="schalter"`)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		h.Set("Retry-After", strconv.Itoa(max(1, int((p.wait+time.Second-1)/time.Second))))
	case http.StatusMethodNotAllowed:
		h.Set("Allow", p.allow)
	case http.StatusUpgradeRequired:
		h.Set("Upgrade", "websocket")
		h.Set("Connection", "Upgrade")
	case http.StatusUnsupportedMediaType:
		if h.Get("Accept-Post") == "" && h.Get("Accept-Patch") == "" {
			h.Set("Accept", "application/json")
		}
	}
	w.counters.refused(p.status)
}

// writeJSON answers with a value.
func writeJSON(rw http.ResponseWriter, status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	h := rw.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(b)))
	rw.WriteHeader(status)
	_, _ = rw.Write(b) // the asker went away; nothing to do
	return nil
}
