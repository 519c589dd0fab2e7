package web_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"schalter/appliance"
	"schalter/appliance/auth"
	"schalter/web/live"
)

// TestTableIsAuths: every route has a row in auth's table, and every row a route.
func TestTableIsAuths(t *testing.T) {
	h := open(t)
	routes := make(map[string]bool)
	for _, r := range h.web.Table() {
		name := r.Method + " " + r.Pattern
		if routes[name] {
			t.Errorf("%s is there twice", name)
		}
		routes[name] = true
	}
	rows := make(map[string]bool)
	for _, rule := range auth.Table() {
		if rows[rule.Route] {
			t.Errorf("auth has %s twice", rule.Route)
		}
		rows[rule.Route] = true
		if !strings.HasPrefix(rule.Route, "live ") && !routes[rule.Route] {
			t.Errorf("auth has %s, web does not", rule.Route)
		}
	}
	for name := range routes {
		if !rows[name] {
			t.Errorf("web has %s, auth does not: nobody may", name)
		}
	}
	for _, message := range []string{
		live.Ping, live.Publish, live.Subscribed, live.Show, live.Restart, live.Rejoin, live.Devices, live.Text, live.TakeOver,
	} {
		if !rows["live "+message] {
			t.Errorf("auth has no row for the live message %s", message)
		}
	}
}

// TestEveryRouteWithEveryRole asks every route as everybody, by token and by cookie: who may gets something other than
// 401 and 403, who may not gets exactly that.
func TestEveryRouteWithEveryRole(t *testing.T) {
	h := open(t)
	id, token := h.arrive("buergerbuero", "Ilse")
	weber, verwaltung := h.signIn("weber"), h.signIn("verwaltung")
	visitCookie := "__Host-visit-" + id + "=" + token
	publish, view := h.openRoom("saal")
	callers := []struct {
		name   string
		role   appliance.Role
		header []string
	}{
		{"anonymous", appliance.Anonymous, nil},
		{"wrong token", appliance.Anonymous, []string{"Authorization", "Bearer " + strings.Repeat("x", 43)}},
		{"old cookie", appliance.Anonymous, []string{"Cookie", "__Host-staff=" + strings.Repeat("x", 43)}},
		{"visit by token", appliance.Citizen, []string{"Authorization", "Bearer " + token}},
		{"visit by cookie", appliance.Citizen, []string{"Cookie", visitCookie}},
		{"clerk by token", appliance.ClerkRole, []string{"Authorization", bearerOf(weber)}},
		{"clerk by cookie", appliance.ClerkRole, []string{"Cookie", weber}},
		{"publisher", appliance.RoomDevice, []string{"Authorization", "Bearer " + publish}},
		{"viewer", appliance.Viewer, []string{"Authorization", "Bearer " + view}},
		{"administrator by token", appliance.Administrator, []string{"Authorization", bearerOf(verwaltung)}},
		{"administrator by cookie", appliance.Administrator, []string{"Cookie", verwaltung}},
	}
	for _, r := range h.web.Table() {
		path := strings.NewReplacer(
			"{id}", strings.Repeat("0", 32), "{office}", "bauamt", "{token}", token, "{code}", "malformed",
			"{room}", "saal", "{seat}", strings.Repeat("0", 32),
			"{path...}", "none.js", "{page...}", "", "{$}", "",
		).Replace(r.Pattern)
		if r.Method == "DELETE" && r.Pattern == "/api/v1/login" {
			continue // it would end the sessions of the next rows; TestSigningInAndOut has it
		}
		if r.Pattern == "/api/v1/visit" && r.Method == "DELETE" || r.Pattern == "/abmelden" {
			continue // the same: tried where nothing hangs on it
		}
		for _, c := range callers {
			t.Run(r.Method+" "+r.Pattern+" by "+c.name, func(t *testing.T) {
				h.t = t
				header := append(slices.Clone(c.header), "Origin", h.origin())
				a := h.ask(r.Method, path, nil, header...)
				may := auth.May(r.Method+" "+r.Pattern, c.role)
				refused := a.StatusCode == 401 || a.StatusCode == 403
				sent := r.Page && a.StatusCode == 303 && strings.HasPrefix(a.Header.Get("Location"), "/anmelden")
				switch {
				case may && (refused || sent):
					t.Errorf("may, but %d %s", a.StatusCode, a.body)
				case !may && c.role == appliance.Anonymous && r.Page && !strings.Contains(c.name, "token") && !sent:
					t.Errorf("signed out, but %d and not sent to sign in", a.StatusCode)
				case !may && c.role == appliance.Anonymous && !r.Page && a.StatusCode != 401:
					t.Errorf("nobody, but %d %s", a.StatusCode, a.body)
				case !may && c.role != appliance.Anonymous && a.StatusCode != 403:
					t.Errorf("not this role, but %d %s", a.StatusCode, a.body)
				}
			})
		}
	}
}

// description is openapi.yaml.
func description(t *testing.T) map[string]any {
	t.Helper()
	b, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var d map[string]any
	if err := yaml.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDescriptionHasEveryRoute(t *testing.T) {
	h, d := open(t), description(t)
	described := make(map[string]map[string]any)
	for path, methods := range d["paths"].(map[string]any) {
		for method, operation := range methods.(map[string]any) {
			if method != "parameters" {
				described[strings.ToUpper(method)+" "+path] = operation.(map[string]any)
			}
		}
	}
	for _, r := range h.web.Table() {
		name := r.Method + " " + r.Pattern
		public := strings.HasPrefix(r.Pattern, "/api/") || r.Pattern == "/healthz" || r.Pattern == "/readyz"
		operation, ok := described[name]
		delete(described, name)
		if ok != public {
			t.Errorf("%s: public %v, described %v", name, public, ok)
		}
		if !ok {
			continue
		}
		security, _ := json.Marshal(operation["security"])
		if open := auth.May(name, appliance.Anonymous); open != (string(security) == "[{}]") {
			t.Errorf("%s: open to anyone %v, security %s", name, open, security)
		}
		parameters, _ := json.Marshal(operation["parameters"])
		if keyed := strings.Contains(string(parameters), "IdempotencyKey"); keyed != r.Keyed {
			t.Errorf("%s: takes a key %v, described %v", name, r.Keyed, keyed)
		}
		for _, status := range []string{"401", "403"} {
			_, told := operation["responses"].(map[string]any)[status]
			if !auth.May(name, appliance.Anonymous) && !told {
				t.Errorf("%s does not describe %s", name, status)
			}
		}
	}
	for name := range described {
		t.Errorf("%s is described but not there", name)
	}
	everyReference(t, d, d)
	a := h.ask("GET", "/api/v1/openapi.yaml", nil)
	a.wants(t, 200, "")
	if !strings.HasPrefix(a.body, "openapi: 3.1") {
		t.Error("another file is served")
	}
}

func everyReference(t *testing.T, d map[string]any, v any) {
	switch v := v.(type) {
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok {
			resolve(t, d, ref)
		}
		for _, part := range v {
			everyReference(t, d, part)
		}
	case []any:
		for _, part := range v {
			everyReference(t, d, part)
		}
	}
}

func resolve(t *testing.T, d map[string]any, ref string) map[string]any {
	t.Helper()
	var at any = d
	for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		m, _ := at.(map[string]any)
		at = m[part]
	}
	m, ok := at.(map[string]any)
	if !ok {
		t.Fatalf("%s leads nowhere", ref)
	}
	return m
}

// TestAnswersAreAsDescribed checks real answers against the schemas: nothing required lacks, nothing undescribed is
// there, types and words are right.
func TestAnswersAreAsDescribed(t *testing.T) {
	h, d := open(t), description(t)
	id, token := h.arrive("buergerbuero", "Ilse")
	h.arrive("buergerbuero", "Otto")
	weber, citizen := bearerOf(h.signIn("weber")), "Bearer "+token
	staff := func(method, path string, body any) string {
		return h.ask(method, path, body, "Authorization", weber).body
	}
	check := func(schema, body string) {
		t.Helper()
		var v any
		if err := json.Unmarshal([]byte(body), &v); err != nil {
			t.Fatal(err)
		}
		for _, fault := range validate(t, d, resolve(t, d, "#/components/schemas/"+schema), v, schema) {
			t.Error(fault)
		}
	}
	check("Town", h.ask("GET", "/api/v1/town", nil).body)
	check("Visit", h.ask("GET", "/api/v1/visit", nil, "Authorization", citizen).body)
	check("Desk", staff("GET", "/api/v1/desk", nil))
	check("StaffVisit", staff("POST", "/api/v1/desk/next", nil))
	check("Visit", h.ask("GET", "/api/v1/visit", nil, "Authorization", citizen).body)
	check("Visit", h.ask("POST", "/api/v1/visit/accept", nil, "Authorization", citizen).body)
	check("StaffVisit", staff("POST", "/api/v1/visits/"+id+"/note", map[string]string{"text": "geprüft"}))
	check("Desk", staff("GET", "/api/v1/desk", nil))
	check("StaffVisit", staff("POST", "/api/v1/visits/"+id+"/transfer", map[string]string{"office": "bauamt", "note": "bitte"}))
	check("Visit", h.ask("GET", "/api/v1/visit", nil, "Authorization", citizen).body)
	check("Desk", staff("GET", "/api/v1/desk", nil))
	check("Problem", h.ask("POST", "/api/v1/visit/accept", nil, "Authorization", citizen).body)
	check("Problem", h.ask("POST", "/api/v1/visits", visitBody("bauamt", "")).body)
	check("Welcome", h.ask("POST", "/api/v1/login", map[string]string{"name": "weber", "password": password}).body)
}

// validate knows as much of JSON Schema as our description uses.
func validate(t *testing.T, d, schema map[string]any, v any, at string) (faults []string) {
	if ref, ok := schema["$ref"].(string); ok {
		return validate(t, d, resolve(t, d, ref), v, at)
	}
	if choices, ok := schema["oneOf"].([]any); ok {
		for _, choice := range choices {
			if len(validate(t, d, choice.(map[string]any), v, at)) == 0 {
				return nil
			}
		}
		return []string{fmt.Sprintf("%s: %v fits no choice", at, v)}
	}
	if kinds := schema["type"]; kinds != nil && !isOf(v, kinds) {
		return []string{fmt.Sprintf("%s: %v is not %v", at, v, kinds)}
	}
	if words, ok := schema["enum"].([]any); ok && !slices.Contains(words, v) {
		return []string{fmt.Sprintf("%s: %v is none of %v", at, v, words)}
	}
	if list, ok := v.([]any); ok {
		if items, ok := schema["items"].(map[string]any); ok {
			for i, one := range list {
				faults = append(faults, validate(t, d, items, one, fmt.Sprintf("%s[%d]", at, i))...)
			}
		}
	}
	object, ok := v.(map[string]any)
	properties, described := schema["properties"].(map[string]any)
	if !ok || !described {
		return faults
	}
	required, _ := schema["required"].([]any)
	for _, name := range required {
		if _, there := object[name.(string)]; !there {
			faults = append(faults, fmt.Sprintf("%s lacks %s", at, name))
		}
	}
	for name, value := range object {
		property, there := properties[name].(map[string]any)
		if !there {
			faults = append(faults, fmt.Sprintf("%s: %s is not described", at, name))
			continue
		}
		faults = append(faults, validate(t, d, property, value, at+"."+name)...)
	}
	return faults
}

func isOf(v, kinds any) bool {
	if list, ok := kinds.([]any); ok {
		return slices.ContainsFunc(list, func(k any) bool { return isOf(v, k) })
	}
	switch kinds {
	case "null":
		return v == nil
	case "integer":
		f, ok := v.(float64)
		return ok && f == float64(int64(f))
	case "string":
		_, ok := v.(string)
		return ok
	case "boolean":
		_, ok := v.(bool)
		return ok
	case "array":
		_, ok := v.([]any)
		return ok
	case "object":
		_, ok := v.(map[string]any)
		return ok
	}
	return false
}
