package web

import (
	"net/http"
	"strings"

	"schalter/appliance"
)

// Cookies. The prefix __Host- makes browsers refuse them without Secure, with a Domain or with another Path.
const (
	staffCookie = "__Host-staff"
	visitCookie = "__Host-visit-" // and the visit's id
)

// visitCookieAge is how long a browser keeps the way back to a visit; longer than any day in the house.
const visitCookieAge = 24 * 60 * 60

// caller is who asks. The zero caller is anonymous.
type caller struct {
	visit   appliance.VisitID
	clerk   appliance.ClerkID
	roles   []appliance.Role    // of the clerk
	signIn  string              // the sign-in session's hash
	token   string              // as it came
	ambient bool                // by a cookie, which browsers send unasked
	pass    *appliance.RoomPass // of a room's token
	hash    []byte              // of the same
}

func (c caller) anonymous() bool { return c.visit == "" && c.clerk == "" && c.pass == nil }

// staff tells whether the caller works here.
func (c caller) staff() bool { return c.clerk != "" }

// all gives the caller's roles. Everybody may do what anybody may.
func (c caller) all() []appliance.Role {
	switch {
	case c.visit != "":
		return []appliance.Role{appliance.Citizen}
	case c.clerk != "":
		return c.roles
	case c.pass != nil:
		return []appliance.Role{c.pass.Role}
	}
	return []appliance.Role{appliance.Anonymous}
}

// actor is the caller as the house knows it, in the role that the route asks for.
func (c caller) actor(role appliance.Role) appliance.Actor {
	return appliance.Actor{Role: role, Visit: c.visit, Clerk: c.clerk}
}

// scope is the caller's part of an Idempotency-Key.
func (c caller) scope() string {
	switch {
	case c.visit != "":
		return "visit:" + string(c.visit)
	case c.clerk != "":
		return "clerk:" + string(c.clerk)
	}
	return "anonymous"
}

// identify finds out who asks. A bearer token is the caller's word and beats every cookie. Among cookies the route
// decides: one browser may hold a desk and several visits (a demo's citizen and clerk), so a route for citizens looks for a
// visit's cookie first, one for staff for the staff cookie.
func (w *Web) identify(r *http.Request, citizensFirst bool) (caller, error) {
	if values := r.Header.Values("Authorization"); len(values) > 0 {
		return w.bearer(r, values)
	}
	if citizensFirst {
		c, found, err := w.byVisitCookie(r)
		if found || err != nil || r.URL.Query().Has("visit") { // who names a visit does not mean a desk
			return c, err
		}
		return w.byStaffCookie(r)
	}
	c, err := w.byStaffCookie(r)
	if err != nil || !c.anonymous() {
		return c, err
	}
	c, _, err = w.byVisitCookie(r)
	return c, err
}

func (w *Web) bearer(r *http.Request, values []string) (caller, error) {
	if len(values) > 1 {
		return caller{}, refuse(http.StatusBadRequest, "malformed")
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || !plausible(token) {
		return caller{}, refuse(http.StatusUnauthorized, "token-wrong")
	}
	id, err := w.tokens.Who(r.Context(), token)
	if err == nil {
		if wanted := r.URL.Query().Get("visit"); wanted != "" && wanted != string(id) {
			return caller{}, refuse(http.StatusNotFound, "not-found")
		}
		return caller{visit: id, token: token}, nil
	}
	if !isUnknown(err) {
		return caller{}, err
	}
	if c, err := w.signedIn(r, token); !isUnknown(err) {
		return c, err
	}
	pass, hash, err := w.rooms.Who(r.Context(), token)
	if isUnknown(err) {
		return caller{}, w.guesses.miss(networkOf(r), refuse(http.StatusUnauthorized, "token-wrong"))
	}
	return caller{pass: &pass, hash: hash, token: token}, err
}

// byVisitCookie looks for the visit that the query names, or for the only one there is.
func (w *Web) byVisitCookie(r *http.Request) (c caller, found bool, err error) {
	wanted := r.URL.Query().Get("visit")
	var token string
	for _, k := range r.Cookies() {
		id, ok := strings.CutPrefix(k.Name, visitCookie)
		if !ok || wanted != "" && id != wanted {
			continue
		}
		if token != "" && k.Value != token {
			return caller{}, false, &refusal{status: http.StatusBadRequest, code: "visit-ambiguous", field: "visit"}
		}
		token = k.Value
	}
	if token == "" || !plausible(token) {
		return caller{}, false, nil
	}
	id, err := w.tokens.Who(r.Context(), token)
	if isUnknown(err) || err == nil && wanted != "" && string(id) != wanted {
		return caller{}, false, nil
	}
	if err != nil {
		return caller{}, false, err
	}
	return caller{visit: id, token: token, ambient: true}, true, nil
}

func (w *Web) byStaffCookie(r *http.Request) (caller, error) {
	token := staffToken(r)
	if token == "" {
		return caller{}, nil
	}
	c, err := w.signedIn(r, token)
	if isUnknown(err) {
		return caller{}, nil // an old cookie is no caller; the route says what is missing
	}
	c.ambient = true
	return c, err
}

func (w *Web) signedIn(r *http.Request, token string) (caller, error) {
	clerk, signIn, err := w.signIns.Who(r.Context(), token)
	if err != nil {
		return caller{}, err
	}
	return caller{clerk: clerk.ID, roles: clerk.Roles, signIn: signIn, token: token}, nil
}

// staffToken is the token in the staff cookie; two different ones are none (somebody planted one).
func staffToken(r *http.Request) string {
	all := r.CookiesNamed(staffCookie)
	if len(all) != 1 || !plausible(all[0].Value) {
		return ""
	}
	return all[0].Value
}

// plausible keeps what cannot be a token away from hashing and the database.
func plausible(token string) bool {
	if len(token) < 16 || len(token) > 256 {
		return false
	}
	for i := range len(token) {
		c := token[i]
		if c <= ' ' || c > '~' || c == '"' || c == ',' || c == ';' || c == '\\' {
			return false
		}
	}
	return true
}

func setVisitCookie(rw http.ResponseWriter, id appliance.VisitID, token string) {
	http.SetCookie(rw, &http.Cookie{
		Name: visitCookie + string(id), Value: token, Path: "/", MaxAge: visitCookieAge,
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// setStaffCookie keeps the sign-in until the browser closes; the session's own clock ends it earlier.
func setStaffCookie(rw http.ResponseWriter, token string) {
	http.SetCookie(rw, &http.Cookie{
		Name: staffCookie, Value: token, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

func clearStaffCookie(rw http.ResponseWriter) {
	http.SetCookie(rw, &http.Cookie{
		Name: staffCookie, Path: "/", MaxAge: -1, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}
