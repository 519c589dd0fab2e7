package web

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"schalter/appliance"
	"schalter/appliance/hall"
)

// welcome is the answer to a sign-in. Name is the sign-in name, as it was given.
type welcome struct {
	Name  appliance.ClerkID `json:"name"`
	Roles []appliance.Role  `json:"roles"`
}

func (w *Web) signIn(c *call) error {
	var body struct {
		Name     string `json:"name"`
		Password string `json:"password"`
		Code     string `json:"code"` // a second factor, where one is set up
	}
	if err := c.decode(&body, false); err != nil {
		return err
	}
	clerk, err := w.begin(c, body.Name, body.Password)
	if err != nil {
		return err
	}
	return writeJSON(c.rw, http.StatusOK, welcome{Name: clerk.ID, Roles: clerk.Roles})
}

// begin signs in and sets the cookie. A session that the browser had before ends: a session never outlives the
// sign-in that replaced it, and nobody can plant one.
func (w *Web) begin(c *call, name, password string) (appliance.Clerk, error) {
	token, _, err := w.signIns.SignIn(c.ctx(), name, password, networkOf(c.r))
	if err != nil {
		return appliance.Clerk{}, err
	}
	clerk, _, err := w.signIns.Who(c.ctx(), token)
	if err != nil {
		return appliance.Clerk{}, err
	}
	if old := staffToken(c.r); old != "" {
		if err := w.end(c, old); err != nil {
			return appliance.Clerk{}, err
		}
	}
	if err := w.openDesk(c, clerk); err != nil {
		return appliance.Clerk{}, err
	}
	setStaffCookie(c.rw, token)
	return clerk, nil
}

// openDesk makes a desk available that was left in a pause: who signs in is there.
func (w *Web) openDesk(c *call, clerk appliance.Clerk) error {
	if !clerk.Works() {
		return nil
	}
	desk, err := w.hall.Desk(c.ctx(), clerk.ID)
	if err != nil || desk.State != appliance.Pause {
		return err
	}
	_, err = w.hall.Do(c.ctx(), hall.Request{
		Actor: appliance.Actor{Role: appliance.ClerkRole, Clerk: clerk.ID}, Event: appliance.SetDesk{State: appliance.Available},
	})
	return err
}

// end ends a sign-in session and its live connections at once. A token that is nobody's is no error.
func (w *Web) end(c *call, token string) error {
	_, signIn, err := w.signIns.Who(c.ctx(), token)
	if isUnknown(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := w.signIns.SignOut(c.ctx(), token); err != nil && !isUnknown(err) {
		return err
	}
	w.hall.SignedOut(signIn)
	return nil
}

func (w *Web) signOut(c *call) error {
	if err := c.noBody(); err != nil {
		return err
	}
	if err := w.end(c, c.by.token); err != nil {
		return err
	}
	clearStaffCookie(c.rw)
	c.rw.Header().Set("Cache-Control", "no-store")
	c.rw.WriteHeader(http.StatusNoContent)
	return nil
}

// signInView is what the sign-in page shows.
type signInView struct {
	Name, Next, Refusal string
}

func (w *Web) signInPage(c *call) error {
	next := ownPath(c.r.URL.Query().Get("next"))
	if by, err := w.byStaffCookie(c.r); err == nil && by.staff() && !changes(c.r.Method) {
		http.Redirect(c.rw, c.r, home(by.roles, next), http.StatusSeeOther)
		return nil
	}
	return w.showSignIn(c, http.StatusOK, signInView{Next: next})
}

func (w *Web) showSignIn(c *call, status int, v signInView) error {
	title := w.texts.get("signin.title")
	if v.Refusal != "" {
		title = w.texts.get("please.check") + " " + title
	}
	return w.document(c, status, "signin", title, v, shape{narrow: true, hidden: true})
}

func (w *Web) signInForm(c *call) error {
	form, err := c.form()
	if err != nil {
		return err
	}
	name, next := form.Get("name"), ownPath(form.Get("next"))
	clerk, err := w.begin(c, name, form.Get("password"))
	var e *appliance.Error
	if errors.As(err, &e) && e.Kind != appliance.Unavailable {
		p, _ := refusalOf(err)
		w.setRefusalHeaders(c.rw, p)
		return w.showSignIn(c, p.status, signInView{Name: name, Next: next, Refusal: w.titleOf(p)})
	}
	if err != nil {
		return err
	}
	http.Redirect(c.rw, c.r, home(clerk.Roles, next), http.StatusSeeOther)
	return nil
}

func (w *Web) signOutForm(c *call) error {
	if w.originOf(c.r) != ours {
		w.counters.wrongOrigin.Add(1)
		return refuse(http.StatusForbidden, "origin-missing")
	}
	if token := staffToken(c.r); token != "" {
		if err := w.end(c, token); err != nil {
			return err
		}
	}
	clearStaffCookie(c.rw)
	http.Redirect(c.rw, c.r, "/anmelden", http.StatusSeeOther)
	return nil
}

// ownPath lets only our own staff pages be the way on after signing in.
func ownPath(next string) string {
	for _, page := range []string{"/desk", "/admin"} {
		rest, ok := strings.CutPrefix(next, page)
		if ok && (rest == "" || rest[0] == '/') && !strings.ContainsAny(rest, "\\\r\n\t?#%:") && !strings.Contains(rest, "//") {
			return next
		}
	}
	return ""
}

// home is where somebody goes after signing in: where they wanted to, if that is theirs.
func home(roles []appliance.Role, next string) string {
	clerk := slices.Contains(roles, appliance.ClerkRole)
	administrator := slices.Contains(roles, appliance.Administrator)
	switch {
	case administrator && (strings.HasPrefix(next, "/admin") || !clerk):
		if strings.HasPrefix(next, "/admin/") {
			return next
		}
		return "/admin/"
	case clerk && strings.HasPrefix(next, "/desk"):
		return next
	}
	return "/desk"
}
