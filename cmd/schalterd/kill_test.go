package main

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"schalter/appliance"
	"schalter/web/control"
)

// TestKilledUnderLoad ends the daemon with kill -9 at random moments while eight clerks and their citizens work. A ledger on this side
// holds what was acknowledged. After each restart every operation without an answer is repeated with its key; then
// the box must hold exactly what the ledger says: nothing lost, nothing twice.
func TestKilledUnderLoad(t *testing.T) {
	kills := 20
	if testing.Short() {
		kills = 3
	}
	const clerks = 8
	random := dice(t, clerks+1)
	dir := t.TempDir()
	p := launch(t, dir)
	l := &ledger{visits: map[string]*record{}, calls: map[string]bool{}}
	var workers []*worker
	for i, token := range p.staff(t, clerks, "bauamt", "standesamt") {
		workers = append(workers, &worker{id: fmt.Sprintf("team%d", i+1), token: token, ledger: l, dice: random[i], office: "bauamt"})
	}
	for kill := range kills {
		var working sync.WaitGroup
		for _, w := range workers {
			working.Go(func() { w.work(t, p) })
		}
		time.Sleep(time.Duration(20+random[clerks].IntN(700)) * time.Millisecond) // the random moment is what is tested
		p.kill()
		working.Wait()
		if t.Failed() {
			t.FailNow()
		}
		restarted := time.Now()
		p = launch(t, dir)
		back := time.Since(restarted)
		for _, w := range workers {
			w.repeat(t, p)
		}
		l.compare(t, p)
		p.healthy(t)
		t.Logf("kill %d: %d visits, %d acknowledged, ready after %v", kill+1, len(l.visits), l.acknowledged, back.Round(time.Millisecond))
		if t.Failed() {
			t.FailNow()
		}
	}
	if code := p.end(); code != exitFine {
		t.Errorf("ended with %d", code)
	}
}

// record is what the ledger knows of one visit: the newest state that was acknowledged.
type record struct {
	token   string
	state   appliance.State
	office  string
	version int64
	called  time.Time
}

// ledger is this side's book of what the box acknowledged.
type ledger struct {
	mu           sync.Mutex
	visits       map[string]*record // guarded by mu
	calls        map[string]bool    // guarded by mu: visit and version of every call
	acknowledged int                // guarded by mu
}

// note writes an acknowledged state down. Answers may overtake each other; versions tell which is newer.
func (l *ledger) note(t *testing.T, v appliance.StaffVisit, call bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acknowledged++
	r := l.visits[string(v.ID)]
	if r == nil {
		r = &record{} // called before its arrival's answer was written down
		l.visits[string(v.ID)] = r
	}
	if call {
		mark := fmt.Sprintf("%s %d", v.ID, v.Version)
		if l.calls[mark] {
			t.Errorf("%s was called twice as of version %d", v.ID, v.Version)
		}
		l.calls[mark] = true
		r.called = time.Now()
	}
	if v.Version > r.version {
		r.state, r.office, r.version = v.State, string(v.Office), v.Version
	}
}

func (l *ledger) arrived(v arrived) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acknowledged++
	r := l.visits[v.ID]
	if r == nil {
		r = &record{state: appliance.Waiting, office: v.Office, version: 1}
		l.visits[v.ID] = r
	}
	r.token = v.Token
}

func (l *ledger) tokenOf(id string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.visits[id].token
}

// compare asks the box for every visit. Nobody works meanwhile.
func (l *ledger) compare(t *testing.T, p *program) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var open []string
	for id, r := range l.visits {
		var is appliance.VisitView
		if _, err := p.ask(t.Context(), "GET", "/api/v1/visit", r.token, nil, &is); err != nil {
			t.Errorf("acknowledged visit %s (%s): %v", id, r.state, err)
			continue
		}
		if is.Misses > 0 && is.Version > r.version && time.Since(r.called) > appliance.DefaultTerms().CallFor-time.Second {
			r.state, r.version = is.State, is.Version // nobody came in time, as on a slow machine
		}
		if is.Version != r.version || is.State != r.state || string(is.Office) != r.office {
			t.Errorf("%s is %s at %s, version %d; acknowledged was %s at %s, version %d",
				id, is.State, is.Office, is.Version, r.state, r.office, r.version)
		}
		if !is.State.Over() {
			open = append(open, id)
		}
	}
	var held []control.Visit
	if _, err := control.New(p.dir).Call(t.Context(), control.VisitsRoute, nil, &held); err != nil {
		t.Error(err)
	}
	for _, v := range held {
		if !slices.Contains(open, v.ID) {
			t.Errorf("the box holds %s, which nobody was told of: an arrival counted twice", v.ID)
		}
	}
	if len(held) != len(open) {
		t.Errorf("the box holds %d visits, the ledger %d", len(held), len(open))
	}
}

// operation is one changing call with its key.
type operation struct {
	method, path, token, key string
	body                     any
	done                     func(*testing.T, int, answerOf)
}

// answerOf is any answer of a changing call.
type answerOf struct {
	appliance.StaffVisit
	Token string `json:"token"`
}

// worker is a clerk with the people at this desk.
type worker struct {
	id, token, office string
	ledger            *ledger
	dice              interface{ IntN(int) int }
	count             int
	current           *appliance.StaffVisit // called or talking
	parked            []string
	pending           *operation // without an answer
	last              *operation // the newest with one, and it
	lastCode          int
	lastAnswer        answerOf
}

// work does one operation after another until the box is gone.
func (w *worker) work(t *testing.T, p *program) {
	for !t.Failed() && t.Context().Err() == nil {
		w.pending = w.choose()
		if !w.try(t, p) {
			return
		}
	}
}

// try makes the pending call and reports whether there was an answer.
func (w *worker) try(t *testing.T, p *program) bool {
	o := w.pending
	var got answerOf
	code, err := p.ask(t.Context(), o.method, o.path, o.token, o.body, &got, "Idempotency-Key", o.key)
	if code == 0 {
		return false
	}
	if err != nil {
		t.Errorf("%s: %v", w.id, err)
		return false
	}
	o.done(t, code, got)
	w.pending, w.last, w.lastCode, w.lastAnswer = nil, o, code, got
	return true
}

// repeat asks again for what had no answer, and for the last that had one: that must get the same answer.
func (w *worker) repeat(t *testing.T, p *program) {
	t.Helper()
	if o := w.last; o != nil {
		var got answerOf
		code, err := p.ask(t.Context(), o.method, o.path, o.token, o.body, &got, "Idempotency-Key", o.key)
		if err != nil || code != w.lastCode || got.ID != w.lastAnswer.ID || got.State != w.lastAnswer.State ||
			got.Version != w.lastAnswer.Version || got.Token != w.lastAnswer.Token {
			t.Errorf("%s %s again: %d %s %s, first %d %s %s, error %v", o.method, o.path, code, got.ID, got.State,
				w.lastCode, w.lastAnswer.ID, w.lastAnswer.State, err)
		}
	}
	if w.pending != nil && !w.try(t, p) {
		t.Errorf("%s: no answer from a box that is ready", w.id)
	}
}

// choose takes a next step that the rules allow.
func (w *worker) choose() *operation {
	w.count++
	o := &operation{method: http.MethodPost, token: w.token, key: fmt.Sprintf("%s-%d", w.id, w.count), body: struct{}{}}
	o.done = func(t *testing.T, _ int, a answerOf) { w.ledger.note(t, a.StaffVisit, false); w.hold(a.StaffVisit) }
	if w.current == nil {
		switch n := w.dice.IntN(10); {
		case n < 4:
			return w.arrival(o)
		case n == 4 && len(w.parked) > 0:
			o.path = "/api/v1/visits/" + w.parked[0] + "/recall"
			o.done = func(t *testing.T, _ int, a answerOf) {
				w.parked = w.parked[1:]
				w.ledger.note(t, a.StaffVisit, true)
				w.hold(a.StaffVisit)
			}
			return o
		}
		o.path = "/api/v1/desk/next"
		o.done = func(t *testing.T, code int, a answerOf) {
			if code == http.StatusOK {
				w.ledger.note(t, a.StaffVisit, true)
				w.hold(a.StaffVisit)
			}
		}
		return o
	}
	visit := "/api/v1/visits/" + string(w.current.ID)
	switch n := w.dice.IntN(4); {
	case w.current.State == appliance.Called && n > 0:
		return w.acceptance(o)
	case w.current.State == appliance.Talking && n == 0:
		o.path = visit + "/park"
		o.done = func(t *testing.T, _ int, a answerOf) {
			w.parked = append(w.parked, string(a.ID))
			w.ledger.note(t, a.StaffVisit, false)
			w.hold(a.StaffVisit)
		}
	case w.current.State == appliance.Talking && n == 1:
		o.path, o.body = visit+"/transfer", map[string]string{"office": "bauamt", "note": "siehe " + o.key, "reason": "zuständig"}
		if w.current.Office == "bauamt" {
			o.body.(map[string]string)["office"] = "standesamt"
		}
	default:
		o.path, o.body = visit+"/finish", map[string]string{"outcome": "done"}
	}
	return o
}

// hold keeps the visit at this desk as long as it is there.
func (w *worker) hold(v appliance.StaffVisit) {
	w.current = nil
	if v.State == appliance.Called || v.State == appliance.Talking {
		w.current = &v
	}
}

// arrival is somebody new. Who it is must be written down before a clerk can ask for the token.
func (w *worker) arrival(o *operation) *operation {
	o.path, o.token = "/api/v1/visits", ""
	o.body = newVisit(w.office, "Person "+o.key, "Carport")
	o.done = func(_ *testing.T, _ int, a answerOf) {
		w.ledger.arrived(arrived{ID: string(a.ID), Token: a.Token, Office: w.office})
	}
	return o
}

// acceptance is the citizen's answer to the call. A citizen whose arrival was not acknowledged yet has no token to answer
// with: the clerk finishes instead.
func (w *worker) acceptance(o *operation) *operation {
	id := w.current.ID
	token := w.ledger.tokenOf(string(id))
	if token == "" {
		o.path, o.body = "/api/v1/visits/"+string(id)+"/finish", map[string]string{"outcome": "no_show"}
		return o
	}
	o.path, o.token = "/api/v1/visit/accept", token
	o.done = func(t *testing.T, _ int, a answerOf) { w.ledger.note(t, a.StaffVisit, false); w.hold(a.StaffVisit) }
	return o
}
