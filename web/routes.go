package web

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"schalter/appliance"
	"schalter/appliance/auth"
	"schalter/appliance/hall"
	"schalter/web/live"
)

// route is one row of the table: what may be asked, and who answers. Who may ask is in auth's table, under the route's
// name; a route that is not there is nobody's.
type route struct {
	method  string
	pattern string
	handle  func(*call) error
	page    bool // answers a page, and its refusals as pages
	link    bool // its path holds a secret: never logged, no referrer
	keyed   bool // takes an Idempotency-Key
	bare    bool // no origin asked: reports of the browser itself
	tool    bool // for encoders and viewers: foreign pages are let in that the room names
}

func (r route) name() string { return r.method + " " + r.pattern }

// call is one request on its way through a route.
type call struct {
	rw    http.ResponseWriter
	r     *http.Request
	route *route
	by    caller
	body  []byte    // read for every method but GET
	key   *hall.Key // of a keyed route; nil when none was sent
}

func (c *call) ctx() context.Context { return c.r.Context() }

// routes is the one table of all routes. A test compares it with auth's table and with openapi.yaml.
func (w *Web) routes() []route {
	get, post, put, del := http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
	patch, options := http.MethodPatch, http.MethodOptions
	return []route{
		{method: get, pattern: "/api/v1/town", handle: w.getTown},
		{method: get, pattern: "/api/v1/openapi.yaml", handle: w.getDescription},
		{method: post, pattern: "/api/v1/visits", handle: w.postVisit, keyed: true},
		{method: get, pattern: "/api/v1/visit", handle: w.getVisit},
		{method: del, pattern: "/api/v1/visit", handle: w.leaveVisit, keyed: true},
		{method: post, pattern: "/api/v1/visit/accept", handle: w.acceptCall, keyed: true},
		{method: post, pattern: "/api/v1/visit/more-time", handle: w.moreTime, keyed: true},
		{method: post, pattern: "/api/v1/login", handle: w.signIn},
		{method: del, pattern: "/api/v1/login", handle: w.signOut},
		{method: get, pattern: "/api/v1/desk", handle: w.getDesk},
		{method: put, pattern: "/api/v1/desk", handle: w.putDesk, keyed: true},
		{method: post, pattern: "/api/v1/desk/next", handle: w.next, keyed: true},
		{method: post, pattern: "/api/v1/visits/{id}/call", handle: w.callVisit, keyed: true},
		{method: post, pattern: "/api/v1/visits/{id}/transfer", handle: w.transfer, keyed: true},
		{method: post, pattern: "/api/v1/visits/{id}/pull-back", handle: w.pullBack, keyed: true},
		{method: post, pattern: "/api/v1/visits/{id}/park", handle: w.park, keyed: true},
		{method: post, pattern: "/api/v1/visits/{id}/recall", handle: w.recall, keyed: true},
		{method: post, pattern: "/api/v1/visits/{id}/finish", handle: w.finish, keyed: true},
		{method: post, pattern: "/api/v1/visits/{id}/note", handle: w.note, keyed: true},
		{method: get, pattern: "/api/v1/admin/organisation", handle: w.getOrganisation},
		{method: put, pattern: "/api/v1/admin/town", handle: w.putTown, keyed: true},
		{method: put, pattern: "/api/v1/admin/offices/{office}", handle: w.putOffice, keyed: true},
		{method: post, pattern: whipPath, handle: w.postWHIP, tool: true},
		{method: options, pattern: whipPath, handle: w.preflight, tool: true},
		{method: patch, pattern: whipPath + seatPath, handle: w.patchWHIP, tool: true},
		{method: del, pattern: whipPath + seatPath, handle: w.deleteWHIP, tool: true},
		{method: options, pattern: whipPath + seatPath, handle: w.preflight, tool: true},
		{method: post, pattern: whepPath, handle: w.postWHEP, tool: true},
		{method: options, pattern: whepPath, handle: w.preflight, tool: true},
		{method: patch, pattern: whepPath + seatPath, handle: w.patchWHEP, tool: true},
		{method: del, pattern: whepPath + seatPath, handle: w.deleteWHEP, tool: true},
		{method: options, pattern: whepPath + seatPath, handle: w.preflight, tool: true},
		{method: get, pattern: live.Path, handle: w.live},
		{method: get, pattern: "/healthz", handle: w.healthy},
		{method: get, pattern: "/readyz", handle: w.ready},
		{method: post, pattern: "/csp-report", handle: w.policyReport, bare: true},

		{method: get, pattern: "/{$}", handle: w.startPage, page: true},
		{method: get, pattern: "/w/{office}", handle: w.doorPage, page: true},
		{method: post, pattern: "/w/{office}", handle: w.enter, page: true},
		{method: get, pattern: "/g/{token}", handle: w.visitPage, page: true, link: true},
		{method: post, pattern: "/g/{token}", handle: w.visitForm, page: true, link: true},
		{method: get, pattern: "/t/{token}", handle: w.appointmentPage, page: true, link: true},
		{method: get, pattern: "/anmelden", handle: w.signInPage, page: true},
		{method: post, pattern: "/anmelden", handle: w.signInForm, page: true},
		{method: post, pattern: "/abmelden", handle: w.signOutForm, page: true},
		{method: get, pattern: "/desk", handle: w.deskPage, page: true},
		{method: get, pattern: "/admin/{page...}", handle: w.adminPage, page: true},
		{method: get, pattern: "/test", handle: w.testPage, page: true},
		{method: get, pattern: "/hilfe", handle: w.legalPage, page: true},
		{method: get, pattern: "/impressum", handle: w.legalPage, page: true},
		{method: get, pattern: "/datenschutz", handle: w.legalPage, page: true},
		{method: get, pattern: "/barrierefreiheit", handle: w.legalPage, page: true},
		{method: get, pattern: "/leichte-sprache", handle: w.legalPage, page: true},
		{method: get, pattern: "/probleme/{code}", handle: w.problemPage, page: true},
		{method: get, pattern: "/assets/{path...}", handle: w.asset, page: true},
		{method: get, pattern: "/branding.css", handle: w.embedded, page: true},
		{method: get, pattern: "/wappen.svg", handle: w.embedded, page: true},
		{method: get, pattern: "/favicon.ico", handle: w.favicon, page: true},
		{method: get, pattern: "/robots.txt", handle: w.embedded, page: true},
	}
}

// register puts the table behind the mux: one dispatcher for each path, so that a wrong method gets our own 405.
func (w *Web) register() {
	paths := make(map[string]map[string]*route)
	table := w.routes()
	for i := range table {
		r := &table[i]
		if paths[r.pattern] == nil {
			paths[r.pattern] = make(map[string]*route)
		}
		paths[r.pattern][r.method] = r
	}
	w.mux = http.NewServeMux()
	for pattern, methods := range paths {
		w.mux.HandleFunc(pattern, func(rw http.ResponseWriter, r *http.Request) { w.dispatch(rw, r, methods) })
	}
	w.mux.HandleFunc("/", func(rw http.ResponseWriter, r *http.Request) {
		w.answerRefusal(rw, r, refuse(http.StatusNotFound, "not-found"), false)
	})
}

func (w *Web) dispatch(rw http.ResponseWriter, r *http.Request, methods map[string]*route) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	found := methods[method]
	if found == nil {
		var allowed []string
		for m := range methods {
			allowed = append(allowed, m)
			if m == http.MethodGet {
				allowed = append(allowed, http.MethodHead)
			}
		}
		slices.Sort(allowed)
		w.answerRefusal(rw, r, &refusal{
			status: http.StatusMethodNotAllowed, code: "method-not-allowed", allow: strings.Join(allowed, ", "),
		}, false)
		return
	}
	if found.link {
		rw.Header().Set("Referrer-Policy", "no-referrer")
		rw.Header().Set("Cache-Control", "no-store")
	}
	c := &call{rw: rw, r: r, route: found}
	err := w.admit(c)
	if err == nil {
		err = found.handle(c)
	}
	if err != nil {
		w.answerError(c, err)
	}
}

// admit runs the steps that are the same for every route: origin, caller, role, body.
func (w *Web) admit(c *call) error {
	asksOrigin := changes(c.r.Method) && !c.route.bare || c.route.pattern == live.Path
	from := absent
	if asksOrigin {
		if from = w.originOf(c.r); from == foreign && c.route.tool {
			lets, err := w.letIn(c)
			if err != nil {
				return err
			}
			if lets {
				from = absent
			}
		}
		if from == foreign && !w.ownForm(c) && c.r.Method != http.MethodOptions {
			w.counters.wrongOrigin.Add(1)
			return refuse(http.StatusForbidden, "foreign-origin")
		}
	}
	if !auth.May(c.route.name(), appliance.Anonymous) {
		if err := w.admitCaller(c); err != nil {
			return err
		}
		if asksOrigin && c.by.ambient && from != ours {
			w.counters.wrongOrigin.Add(1)
			return refuse(http.StatusForbidden, "origin-missing")
		}
	}
	if !changes(c.r.Method) {
		return nil
	}
	var err error
	if c.body, err = read(c.rw, c.r); err != nil {
		return err
	}
	if c.route.keyed {
		c.key, err = c.readKey()
	}
	return err
}

// ownForm lets a link page's own form pass where an older browser sends "null" and no fetch metadata: its path holds
// the secret, so it rests on nothing that a browser would send unasked.
func (w *Web) ownForm(c *call) bool {
	return c.route.link && c.r.Header.Get("Origin") == "null" && c.r.Header.Get("Sec-Fetch-Site") == ""
}

func (w *Web) admitCaller(c *call) error {
	citizensFirst := auth.May(c.route.name(), appliance.Citizen)
	if c.route.pattern == live.Path {
		citizensFirst = c.r.URL.Query().Has("visit")
	}
	by, err := w.identify(c.r, citizensFirst)
	if err != nil {
		return err
	}
	if by.anonymous() {
		return refuse(http.StatusUnauthorized, "token-missing")
	}
	for _, role := range by.all() {
		if auth.May(c.route.name(), role) {
			c.by = by
			return nil
		}
	}
	return refuse(http.StatusForbidden, "role")
}

// answerError tells a refusal, and logs what is none.
func (w *Web) answerError(c *call, err error) {
	p, foreseen := refusalOf(err)
	if !foreseen {
		if errors.Is(err, context.Canceled) && c.r.Context().Err() != nil {
			return // the asker went away
		}
		w.log.Error("request failed", "route", c.route.name(), "error", err)
	}
	if c.route.page && p.status == http.StatusUnauthorized && !changes(c.r.Method) {
		http.Redirect(c.rw, c.r, "/anmelden?next="+c.route.path(), http.StatusSeeOther)
		return
	}
	w.answerRefusal(c.rw, c.r, p, c.by.staff())
}

// path is the pattern up to its first parameter: where to go after signing in.
func (r route) path() string {
	path, _, _ := strings.Cut(r.pattern, "{")
	return path
}

// answerRefusal answers as a problem document, or as a page where people look.
func (w *Web) answerRefusal(rw http.ResponseWriter, r *http.Request, p *refusal, staff bool) {
	if w.forPeople(r) {
		w.writeProblemPage(rw, r, p)
		return
	}
	w.writeProblem(rw, p, staff)
}

// forPeople tells whether a refusal is read by a person: outside the API, unless the asker wants no HTML.
func (w *Web) forPeople(r *http.Request) bool {
	switch {
	case strings.HasPrefix(r.URL.Path, "/api/"), r.URL.Path == "/healthz", r.URL.Path == "/readyz", r.URL.Path == "/csp-report":
		return false
	}
	accept := r.Header.Get("Accept")
	return accept == "" || strings.Contains(accept, "text/html") || strings.Contains(accept, "*/*")
}
