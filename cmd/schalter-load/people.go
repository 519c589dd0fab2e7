package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	random "math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"schalter/web/live"
)

// citizen is one visit from the citizen's side.
type citizen struct {
	token string        // of the citizen's own goroutine
	talks chan struct{} // gets one for each call that was accepted

	mu             sync.Mutex
	pressed, heard time.Time // guarded by mu: when a clerk pressed next, and when this page heard of it
}

// meet takes one of the two times of a call, in whichever order they come, and gives the time between when both are there.
func (c *citizen) meet(pressed, heard time.Time) (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !pressed.IsZero() {
		c.pressed = pressed
	}
	if !heard.IsZero() {
		c.heard = heard
	}
	if c.pressed.IsZero() || c.heard.IsZero() {
		return 0, false
	}
	took := c.heard.Sub(c.pressed)
	c.pressed, c.heard = time.Time{}, time.Time{}
	return took, true
}

// refusedError is an answer of the box that is not what was asked for.
type refusedError struct {
	status int
	kind   string // of the problem (RFC 9457)
}

func (e *refusedError) Error() string { return fmt.Sprintf("status %d %s", e.status, e.kind) }

const (
	largestBody = 8 << 20
	comeWithin  = 30 * time.Second // after the call
)

// said is what the box says beside a body.
type said struct {
	status int
	staff  string // the sign-in cookie, if one was set
}

// ask makes one call of the API. out gets the body, if there is one.
func (h *house) ask(ctx context.Context, method, path, token string, in, out any) (said, error) {
	text, err := json.Marshal(in)
	if err != nil {
		return said{}, fmt.Errorf("encode: %w", err)
	}
	var body io.Reader = http.NoBody
	if in != nil {
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, h.base+path, body)
	if err != nil {
		return said{}, fmt.Errorf("make request: %w", err)
	}
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if token == "" {
		r.Header.Set("Origin", h.base)
	}
	authorize(r, token)
	got, err := h.http.Do(r)
	if err != nil {
		// The library's text has the whole address in it, which would make every fault another one.
		return said{}, errors.Unwrap(err)
	}
	defer got.Body.Close()
	text, err = io.ReadAll(io.LimitReader(got.Body, largestBody))
	if err != nil {
		return said{}, fmt.Errorf("read answer: %w", err)
	}
	if got.StatusCode >= http.StatusBadRequest {
		var problem struct {
			Type string `json:"type"`
		}
		_ = json.Unmarshal(text, &problem) // without one the status has to do
		return said{}, &refusedError{got.StatusCode, problem.Type}
	}
	if out != nil && len(text) > 0 {
		if err := json.Unmarshal(text, out); err != nil {
			return said{}, fmt.Errorf("decode answer: %w", err)
		}
	}
	answer := said{status: got.StatusCode}
	for _, cookie := range got.Cookies() {
		if cookie.Name == "__Host-staff" {
			answer.staff = cookie.Value
		}
	}
	return answer, nil
}

// visit is a citizen's whole way: arrive, wait with the page open, come when called, go when the talk is over.
func (h *house) visit(ctx context.Context, n int) {
	var arrived struct{ ID, Token string }
	body := map[string]any{"office": h.offices[n%len(h.offices)], "name": fmt.Sprintf("Person %d", n), "matter": "Anliegen", "needs": []string{}, "notice_version": 1}
	began := time.Now()
	_, err := h.ask(ctx, http.MethodPost, "/api/v1/visits", "", body, &arrived)
	h.books.note(ctx, "citizen: arrive", began, err)
	if err != nil {
		return
	}
	c := h.person(arrived.ID)
	c.token = arrived.Token
	defer h.forget(arrived.ID)
	began = time.Now()
	over, err := h.stay(ctx, c)
	switch {
	case over:
		h.books.note(ctx, "citizen: from arrival to end", began, nil)
	case ctx.Err() != nil:
		h.books.count("not served when the day ended")
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if _, err := h.ask(last, http.MethodDelete, "/api/v1/visit", c.token, nil, nil); err != nil {
			h.books.note(last, "citizen: leave", began, err)
		}
	default:
		h.books.note(ctx, "citizen: live connection", began, err)
	}
}

// person is the citizen of a visit. A clerk may call somebody before the answer to the arrival has been read; so whoever
// comes first makes the entry.
func (h *house) person(id string) *citizen {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.inside[id]
	if c == nil {
		c = &citizen{talks: make(chan struct{}, 8)}
		h.inside[id] = c
	}
	return c
}

func (h *house) forget(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.inside, id)
}

// open opens a live connection of a page.
func (h *house) open(ctx context.Context, token string) (*live.Conn, error) {
	page := make([]byte, 16)
	_, _ = rand.Read(page) // never fails
	address := strings.Replace(h.base, "http", "ws", 1) + live.Path + "?page=" + hex.EncodeToString(page)
	return live.Dial(ctx, address, http.Header{"Authorization": {"Bearer " + token}}, h.tls.Clone())
}

// listen reads a live connection's messages until it ends, and keeps it alive. heard is called for each.
func listen(ctx context.Context, conn *live.Conn, heard func(live.ServerMessage) (over bool, err error)) (bool, error) {
	pinging, stop := context.WithCancel(ctx)
	var pings sync.WaitGroup
	pings.Go(func() {
		for wait(pinging, pingEach) == nil {
			if conn.Send(pinging, live.ClientMessage{T: live.Ping}) != nil {
				return // the reader notices
			}
		}
	})
	defer pings.Wait()
	defer stop()
	for {
		m, err := conn.Receive(ctx)
		if err != nil {
			return false, err
		}
		if over, err := heard(m); over || err != nil {
			return over, err
		}
	}
}

// stay keeps the page open until the visit is over.
func (h *house) stay(ctx context.Context, c *citizen) (over bool, err error) {
	began := time.Now()
	conn, err := h.open(ctx, c.token)
	h.books.note(ctx, "citizen: open the page", began, err)
	if err != nil {
		return false, err
	}
	defer conn.Abort()
	state := ""
	return listen(ctx, conn, func(m live.ServerMessage) (bool, error) {
		if m.T == live.Problem {
			return false, fmt.Errorf("the box says %s", m.Code)
		}
		if m.T != live.Visit {
			return false, nil
		}
		var view struct{ State string }
		if err := json.Unmarshal(m.View, &view); err != nil {
			return false, fmt.Errorf("decode view: %w", err)
		}
		if view.State == state {
			return false, nil
		}
		state = view.State
		switch state {
		case "called":
			h.accept(ctx, c)
		case "done", "no_show", "left":
			return true, nil
		}
		return false, nil
	})
}

// met enters how long it took from a clerk's next to the citizen's page.
func (h *house) met(took time.Duration, both bool) {
	if both {
		h.books.enter("next to citizen's page", took)
	}
}

// accept comes when called.
func (h *house) accept(ctx context.Context, c *citizen) {
	began := time.Now()
	h.met(c.meet(time.Time{}, began))
	_, err := h.ask(ctx, http.MethodPost, "/api/v1/visit/accept", c.token, struct{}{}, nil)
	h.books.note(ctx, "citizen: come", began, err)
	select {
	case c.talks <- struct{}{}:
	default: // called eight times and no clerk waits for it any more
	}
}

// clerk is one sign-in of staff.
type clerk struct {
	*house
	token   string
	offices []string
	news    chan struct{}
}

func (h *house) signIn(ctx context.Context, name string) (*clerk, error) {
	began := time.Now()
	got, err := h.ask(ctx, http.MethodPost, "/api/v1/login", "", map[string]string{"name": name, "password": h.password}, nil)
	h.books.note(ctx, "clerk: sign in", began, err)
	if err != nil {
		return nil, err
	}
	k := &clerk{house: h, token: got.staff, news: make(chan struct{}, 1)}
	var desk struct {
		Clerk struct{ Offices []string }
	}
	if _, err := h.ask(ctx, http.MethodGet, "/api/v1/desk", k.token, nil, &desk); err != nil {
		return nil, err
	}
	k.offices = desk.Clerk.Offices
	return k, nil
}

// work takes whoever is next until the context ends. The desk's page tells when there is something new.
func (k *clerk) work(ctx context.Context) {
	var page sync.WaitGroup
	page.Go(func() { k.watch(ctx) })
	defer page.Wait()
	for ctx.Err() == nil {
		var visit struct{ ID, Office string }
		began := time.Now()
		got, err := k.ask(ctx, http.MethodPost, "/api/v1/desk/next", k.token, struct{}{}, &visit)
		k.books.note(ctx, "clerk: next", began, err)
		if err == nil && got.status == http.StatusOK {
			k.serve(ctx, visit.ID, visit.Office, began)
			continue
		}
		select {
		case <-k.news:
		case <-time.After(2 * time.Second): // also when the page is gone, or when it went wrong
		case <-ctx.Done():
		}
	}
}

// watch keeps the desk's page open. When it is lost it is opened again, as a browser does.
func (k *clerk) watch(ctx context.Context) {
	for ctx.Err() == nil {
		began := time.Now()
		conn, err := k.open(ctx, k.token)
		k.books.note(ctx, "clerk: open the page", began, err)
		if err == nil {
			_, err = listen(ctx, conn, func(m live.ServerMessage) (bool, error) {
				if m.T == live.Desk {
					select {
					case k.news <- struct{}{}:
					default: // one is waiting already
					}
				}
				return false, nil
			})
			conn.Abort()
			k.books.note(ctx, "clerk: live connection", began, err)
		}
		_ = wait(ctx, time.Second) // the loop looks at the context
	}
}

// serve has one visit from its call to its end. Somebody who does not come is none of ours.
func (k *clerk) serve(ctx context.Context, id, office string, called time.Time) {
	c := k.person(id)
	k.met(c.meet(called, time.Time{}))
	outcome := "done"
	select {
	case <-c.talks:
	case <-time.After(comeWithin):
		outcome = "no_show"
		k.forget(id)
	case <-ctx.Done():
		return
	}
	if outcome == "done" && wait(ctx, time.Duration((.5+random.Float64())*float64(k.talk))) != nil {
		return
	}
	if to := k.elsewhere(office); outcome == "done" && to != "" && random.Float64() < k.passOn {
		began := time.Now()
		body := map[string]string{"office": to, "note": "bitte weiter", "reason": "dort zuständig"}
		_, err := k.ask(ctx, http.MethodPost, "/api/v1/visits/"+id+"/transfer", k.token, body, nil)
		k.books.note(ctx, "clerk: pass on", began, err)
		if err == nil {
			return
		}
	}
	began := time.Now()
	_, err := k.ask(ctx, http.MethodPost, "/api/v1/visits/"+id+"/finish", k.token, map[string]string{"outcome": outcome}, nil)
	k.books.note(ctx, "clerk: finish, "+outcome, began, err)
}

// elsewhere is another office that a clerk of ours serves, so that whoever is passed on is served.
func (k *clerk) elsewhere(office string) string {
	for _, i := range random.Perm(len(k.house.offices)) {
		if o := k.house.offices[i]; o != office {
			return o
		}
	}
	return ""
}
