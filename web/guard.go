package web

import (
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
)

// policy is the Content-Security-Policy of every answer: nothing from elsewhere, nothing inline, and scripts may turn
// text into markup only through Svelte's own policy.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; " +
	"font-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; " +
	"frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types svelte-trusted-html; report-uri /csp-report"

// permissions are the device rights that our pages may ask for.
const permissions = "camera=(self), microphone=(self), display-capture=(self), screen-wake-lock=(self), geolocation=()"

// ServeHTTP is the door of everything.
func (w *Web) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.counters.requests.Add(1)
	w.setSecurityHeaders(rw.Header())
	defer w.catch(rw, r)
	if !w.ownHost(r.Host) {
		w.answerRefusal(rw, r, refuse(http.StatusMisdirectedRequest, "wrong-host"), false)
		return
	}
	w.mux.ServeHTTP(rw, r)
}

func (w *Web) setSecurityHeaders(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("Permissions-Policy", permissions)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	// same-origin, not no-referrer: with the latter browsers send "Origin: null" with our own forms. Link pages set it.
	h.Set("Referrer-Policy", "same-origin")
	if w.secure {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// catch keeps a fault in one request from being anything else's. The stack holds no values of the request.
func (w *Web) catch(rw http.ResponseWriter, r *http.Request) {
	fault := recover()
	if fault == nil {
		return
	}
	if fault == http.ErrAbortHandler {
		panic(fault)
	}
	w.log.Error("request failed by a fault", "stack", string(debug.Stack()))
	w.answerRefusal(rw, r, refuse(http.StatusInternalServerError, "internal"), false)
}

// ownHost tells whether a Host header names this box. Other names are refused, so that a foreign name that resolves to
// the box (DNS rebinding) reaches nothing.
func (w *Web) ownHost(host string) bool {
	host = plainHost(host)
	if host == "" {
		return false
	}
	for _, own := range w.hosts() {
		if plainHost(own) == host {
			return true
		}
	}
	return false
}

// plainHost brings host[:port] into one spelling: lower case, no port 443.
func plainHost(host string) string { return strings.TrimSuffix(strings.ToLower(host), ":443") }

// origin says where a request's page comes from, as far as the browser tells.
type origin int

const (
	absent  origin = iota // no browser, or an old one without Origin
	ours                  // a page of this box
	foreign               // any other page, also "null"
)

// originOf reads Origin and Sec-Fetch-Site, which pages cannot forge. If one of them says foreign, it is foreign.
func (w *Web) originOf(r *http.Request) origin {
	site := r.Header.Get("Sec-Fetch-Site")
	if site == "cross-site" || site == "same-site" {
		return foreign
	}
	switch values := r.Header.Values("Origin"); {
	case len(values) > 1:
		return foreign
	case len(values) == 1 && values[0] == "null":
		// Our link pages send no referrer, so their forms come with "null"; the fetch metadata tells them apart from a
		// sandboxed stranger.
		if site == "same-origin" {
			return ours
		}
		return foreign
	case len(values) == 1:
		if w.ownOrigin(values[0]) {
			return ours
		}
		return foreign
	}
	if site == "same-origin" {
		return ours
	}
	return absent
}

func (w *Web) ownOrigin(value string) bool {
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "https" || u.User != nil || u.Host == "" {
		return false
	}
	return value == u.Scheme+"://"+u.Host && w.ownHost(u.Host)
}

// changes tells whether a request's method may change something.
func changes(method string) bool {
	return method != http.MethodGet && method != http.MethodHead
}
