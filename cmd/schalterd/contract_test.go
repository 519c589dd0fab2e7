package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"schalter/appliance"
	"schalter/web/control"
)

// TestBadInputChangesNothing sends what a citizen, a clerk or somebody else should not send, to the running program. Each gets a problem
// document in German with the right status, and the house stays as it is.
func TestBadInputChangesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := launch(t, dir)
	petersen, oezdemir := p.signIn(t, "petersen"), p.signIn(t, "oezdemir")
	talking := p.arrive(t, "bauamt", "Erika", "Carport")
	p.must(t, "POST", "/api/v1/desk/next", petersen, struct{}{}, nil)
	p.must(t, "POST", "/api/v1/visit/accept", talking.Token, struct{}{}, nil)
	waiting := p.arrive(t, "standesamt", "Max", "Urkunde")
	before := houseOf(t, dir)

	visit := func(change func(map[string]any)) any {
		v := newVisit("bauamt", "Person", "Carport")
		change(v)
		return v
	}
	long := strings.Repeat("ä", 501)
	transfer := "/api/v1/visits/" + talking.ID + "/transfer"
	tests := []struct {
		name, method, path, token string
		body                      any
		headers                   []string
		status                    int
	}{
		{"unknown office", "POST", "/api/v1/visits", "", visit(func(v map[string]any) { v["office"] = "mars" }), nil, 404},
		{"closed office", "POST", "/api/v1/visits", "", visit(func(v map[string]any) { v["office"] = "steuern" }), nil, 409},
		{"name too long", "POST", "/api/v1/visits", "", visit(func(v map[string]any) { v["name"] = long[:202] }), nil, 422},
		{"matter too long", "POST", "/api/v1/visits", "", visit(func(v map[string]any) { v["matter"] = long }), nil, 422},
		{"unknown need", "POST", "/api/v1/visits", "", visit(func(v map[string]any) { v["needs"] = []string{"coffee"} }), nil, 422},
		{"old notice", "POST", "/api/v1/visits", "", visit(func(v map[string]any) { v["notice_version"] = 0 }), nil, 422},
		{"unknown field", "POST", "/api/v1/visits", "", visit(func(v map[string]any) { v["state"] = "called" }), nil, 400},
		{"wrong type", "POST", "/api/v1/visits", "", visit(func(v map[string]any) { v["name"] = 7 }), nil, 400},
		{"no JSON", "POST", "/api/v1/visits", "", "text", nil, 400},
		{"body too large", "POST", "/api/v1/visits", "", visit(func(v map[string]any) { v["matter"] = strings.Repeat("x", 70_000) }), nil, 413},
		{"foreign origin with a cookie", "POST", "/api/v1/desk/next", "", struct{}{},
			[]string{"Cookie", "__Host-staff=" + petersen, "Origin", "https://evil.example"}, 403},
		{"cookie without an origin", "POST", "/api/v1/desk/next", "", struct{}{}, []string{"Cookie", "__Host-staff=" + petersen}, 403},
		{"no token", "GET", "/api/v1/visit", "", nil, nil, 401},
		{"wrong token", "GET", "/api/v1/visit", strings.Repeat("x", 43), nil, nil, 401},
		{"a citizen at the desk", "POST", "/api/v1/desk/next", waiting.Token, struct{}{}, nil, 403},
		{"a clerk as a citizen", "POST", "/api/v1/visit/accept", petersen, struct{}{}, nil, 403},
		{"accept while waiting", "POST", "/api/v1/visit/accept", waiting.Token, struct{}{}, nil, 409},
		{"a second accept", "POST", "/api/v1/visit/accept", talking.Token, struct{}{}, nil, 409},
		{"next while talking", "POST", "/api/v1/desk/next", petersen, struct{}{}, nil, 409},
		{"next at another's office", "POST", "/api/v1/desk/next", oezdemir, map[string]string{"office": "bauamt"}, nil, 403},
		{"another office's visit", "POST", "/api/v1/visits/" + talking.ID + "/finish", oezdemir, map[string]string{"outcome": "done"}, nil, 404},
		{"unknown visit", "POST", "/api/v1/visits/" + strings.Repeat("0", 32) + "/park", petersen, struct{}{}, nil, 404},
		{"call without a reason", "POST", "/api/v1/visits/" + waiting.ID + "/call", oezdemir, struct{}{}, nil, 422},
		{"transfer to nowhere", "POST", transfer, petersen, map[string]string{"office": "mars", "note": ""}, nil, 422},
		{"transfer to a closed office", "POST", transfer, petersen, map[string]string{"office": "steuern", "note": ""}, nil, 409},
		{"note too long", "POST", transfer, petersen, map[string]string{"office": "standesamt", "note": long}, nil, 422},
		{"unknown outcome", "POST", "/api/v1/visits/" + talking.ID + "/finish", petersen, map[string]string{"outcome": "lost"}, nil, 422},
		{"unknown desk state", "PUT", "/api/v1/desk", petersen, map[string]string{"state": "asleep"}, nil, 422},
		{"wrong method", "PUT", "/api/v1/town", "", struct{}{}, nil, 405},
		{"no such page", "GET", "/api/v2/town", "", nil, nil, 404},
		{"wrong password", "POST", "/api/v1/login", "", map[string]string{"name": "petersen", "password": "falsch-falsch"}, []string{"Origin", p.url}, 401},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, kind, problem := p.refused(t, tt.method, tt.path, tt.token, tt.body, tt.headers...)
			if status != tt.status {
				t.Errorf("status %d, want %d: %+v", status, tt.status, problem)
			}
			if kind != "application/problem+json" || problem.Type == "" || problem.Title == "" || problem.Status != status {
				t.Errorf("%s %+v is no problem document", kind, problem)
			}
			if strings.ContainsAny(problem.Title+problem.Detail, "{}") || strings.Contains(problem.Title+problem.Detail, "schalter/") {
				t.Errorf("the problem shows internals: %+v", problem)
			}
		})
	}
	if after := houseOf(t, dir); after != before {
		t.Errorf("the house changed:\n%s\n%s", before, after)
	}
}

// refused makes a call and reads the problem document.
func (p *program) refused(t *testing.T, method, path, token string, in any, headers ...string) (int, string, control.Problem) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	if text, ok := in.(string); ok {
		body = []byte(text)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, p.url+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if in == nil {
		r.Body, r.ContentLength = http.NoBody, 0
	} else {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := p.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	var problem control.Problem
	if err := json.Unmarshal(content, &problem); err != nil {
		t.Errorf("%v in %.300s", err, content)
	}
	return answer.StatusCode, answer.Header.Get("Content-Type"), problem
}

// houseOf is the whole acknowledged state in one text.
func houseOf(t *testing.T, dir string) string {
	t.Helper()
	raw, err := control.New(dir).Call(t.Context(), control.VisitsRoute, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestTheWholeWay is the main line of the contract, call by call.
func TestTheWholeWay(t *testing.T) {
	t.Parallel()
	p := launch(t, t.TempDir())
	var town struct {
		Name    string
		Offices []struct {
			ID, State   string
			Waiting     int
			WaitMinutes *[2]int `json:"wait_minutes"`
			Telephone   string
		}
	}
	p.must(t, "GET", "/api/v1/town", "", nil, &town)
	if town.Name != "Lindenau" || len(town.Offices) != 5 {
		t.Fatalf("town is %+v", town)
	}
	for _, o := range town.Offices {
		want := "open"
		if o.ID == "steuern" {
			want = "closed"
		}
		if o.State != want || o.Telephone == "" {
			t.Errorf("office %+v", o)
		}
	}
	petersen, oezdemir := p.signIn(t, "petersen"), p.signIn(t, "oezdemir")
	p.signIn(t, "petersen") // may be signed in several times
	v := p.arrive(t, "bauamt", "Erika Beispiel", "Carport")
	if v.State != "waiting" || v.Position == nil || *v.Position != 1 {
		t.Errorf("arrived as %+v", v)
	}
	var called appliance.StaffVisit
	if code := p.must(t, "POST", "/api/v1/desk/next", petersen, struct{}{}, &called); code != 200 || called.State != appliance.Called ||
		called.Name != "Erika Beispiel" || called.Matter != "Carport" {
		t.Errorf("next: %d %+v", code, called)
	}
	p.must(t, "POST", "/api/v1/visit/accept", v.Token, struct{}{}, &v)
	if v.State != "talking" {
		t.Errorf("accepted: %s", v.State)
	}
	p.must(t, "POST", "/api/v1/visits/"+v.ID+"/park", petersen, struct{}{}, nil)
	p.must(t, "POST", "/api/v1/visits/"+v.ID+"/recall", petersen, struct{}{}, &called)
	if called.State != appliance.Called {
		t.Errorf("recalled: %s", called.State)
	}
	p.must(t, "POST", "/api/v1/visit/accept", v.Token, struct{}{}, nil)
	p.must(t, "POST", "/api/v1/visits/"+v.ID+"/transfer", petersen, map[string]string{"office": "standesamt", "note": "bitte Urkunde"}, nil)
	if code := p.must(t, "POST", "/api/v1/desk/next", petersen, struct{}{}, nil); code != http.StatusNoContent {
		t.Errorf("next with nobody there: %d", code)
	}
	p.must(t, "POST", "/api/v1/desk/next", oezdemir, struct{}{}, &called)
	if string(called.ID) != v.ID || len(called.Notes) != 1 || called.Notes[0].Text != "bitte Urkunde" {
		t.Errorf("passed on: %+v", called)
	}
	p.must(t, "POST", "/api/v1/visits/"+v.ID+"/finish", oezdemir, map[string]string{"outcome": "follow_up"}, nil)
	p.must(t, "GET", "/api/v1/visit", v.Token, nil, &v)
	if v.State != "done" || v.Outcome != appliance.OutcomeFollowUp || v.Position != nil {
		t.Errorf("at the end: %+v", v)
	}
	for page, want := range map[string]int{"/": 200, "/w/bauamt": 200, "/w/steuern": 200, "/w/mars": 404, "/g/" + v.Token: 200, "/anmelden": 200,
		"/test": 200, "/hilfe": 200, "/impressum": 200, "/datenschutz": 200, "/barrierefreiheit": 200, "/leichte-sprache": 200} {
		if code, _ := p.ask(t.Context(), "GET", page, "", nil, nil, "Accept", "text/html"); code != want {
			t.Errorf("GET %s: %d, want %d", page, code, want)
		}
	}
	if code := p.end(); code != exitFine {
		t.Errorf("ended with %d", code)
	}
}
