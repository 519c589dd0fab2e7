package web_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// organisation is what an administrator reads, as far as the tests look.
type organisation struct {
	Town    map[string]any   `json:"town"`
	Offices []map[string]any `json:"offices"`
}

func (h *house) organisation(token string) organisation {
	h.t.Helper()
	return h.organised(h.ask("GET", "/api/v1/admin/organisation", nil, "Authorization", bearerOf(token)))
}

func (h *house) organised(a answer) (o organisation) {
	h.t.Helper()
	if a.StatusCode != 200 {
		h.t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	if err := json.Unmarshal([]byte(a.body), &o); err != nil {
		h.t.Fatal(err)
	}
	return o
}

func (o organisation) office(id string) map[string]any {
	for _, row := range o.Offices {
		if row["id"] == id {
			return row
		}
	}
	return nil
}

// What is read can be written back as it is, and a change comes back as it was made.
func TestAdministratorChangesTheHouse(t *testing.T) {
	h := open(t)
	admin := h.signIn("verwaltung")
	put := func(path string, row map[string]any) answer {
		return h.ask("PUT", "/api/v1/admin/"+path, row, "Authorization", bearerOf(admin))
	}
	before := h.organisation(admin)
	same := h.organised(put("offices/bauamt", before.office("bauamt")))
	if same.office("bauamt")["edition"] != before.office("bauamt")["edition"] {
		t.Error("writing back what was read is a change")
	}
	row := before.office("bauamt")
	row["name"], row["telephone"], row["limit"], row["minutes"] = " Bauamt  ", "0661 7001-41", 12, 25
	week := row["week"].([]any)
	week[1] = []any{map[string]any{"from": "08:00", "until": "12:30"}, map[string]any{"from": "14:00", "until": "24:00"}}
	row["days"] = []any{map[string]any{"first": "2026-12-24", "last": "2026-12-31", "hours": []any{}, "why": "Zwischen den Jahren"}}
	row["services"] = []any{map[string]any{"id": "carport", "name": "Carport", "minutes": 12, "bring": []any{"Lageplan", " "}}}
	after := h.organised(put("offices/bauamt", row))
	got := after.office("bauamt")
	for key, want := range map[string]string{
		"name": `"Bauamt"`, "telephone": `"0661 7001-41"`, "limit": "12", "minutes": "25",
		"week":     `[[],[{"from":"08:00","until":"12:30"},{"from":"14:00","until":"24:00"}],[],[],[],[],[]]`,
		"days":     `[{"first":"2026-12-24","hours":[],"last":"2026-12-31","why":"Zwischen den Jahren"}]`,
		"services": `[{"bring":["Lageplan"],"id":"carport","minutes":12,"name":"Carport"}]`,
	} {
		if b, _ := json.Marshal(got[key]); string(b) != want {
			t.Errorf("%s: %s, want %s", key, b, want)
		}
	}
	if a := put("offices/bauamt", row); a.StatusCode != 409 || !strings.Contains(a.body, "changed-meanwhile") {
		t.Errorf("from an old edition: %d %s", a.StatusCode, a.body)
	}
	fresh := map[string]any{"name": "Ordnungsamt", "edition": "new", "week": []any{[]any{}, []any{}, []any{}, []any{}, []any{}, []any{}, []any{}}}
	if h.organised(put("offices/ordnungsamt", fresh)).office("ordnungsamt")["state"] != "open" {
		t.Error("a new office is not open")
	}
	if a := put("offices/ordnungsamt", fresh); a.StatusCode != 409 || !strings.Contains(a.body, "id-taken") {
		t.Errorf("set up twice: %d %s", a.StatusCode, a.body)
	}
	town := after.Town
	town["land"], town["name"] = "SN", "Neulindenau"
	if h.organised(put("town", town)).Town["land"] != "SN" {
		t.Error("the town did not change")
	}
	if a := h.ask("GET", "/", nil); !strings.Contains(a.body, "Stadt Neulindenau") {
		t.Error("the start page has the old name")
	}
}

func TestAdministratorIsToldWhatIsWrong(t *testing.T) {
	h := open(t)
	admin := h.signIn("verwaltung")
	for name, c := range map[string]struct {
		path        string
		key         string
		value       any
		code, field string
	}{
		"no clock":       {"offices/bauamt", "week", []any{[]any{}, []any{map[string]any{"from": "8", "until": "12:00"}}, []any{}, []any{}, []any{}, []any{}, []any{}}, "hours-invalid", "week.1"},
		"backwards":      {"offices/bauamt", "week", []any{[]any{}, []any{}, []any{map[string]any{"from": "12:00", "until": "08:00"}}, []any{}, []any{}, []any{}, []any{}}, "hours-invalid", "hours.week.2"},
		"past midnight":  {"offices/bauamt", "week", []any{[]any{map[string]any{"from": "20:00", "until": "24:01"}}, []any{}, []any{}, []any{}, []any{}, []any{}, []any{}}, "hours-invalid", "week.0"},
		"no day":         {"offices/bauamt", "days", []any{map[string]any{"first": "2026-02-30", "last": "2026-03-01", "hours": []any{}, "why": ""}}, "date-invalid", "hours.days.0"},
		"no name":        {"offices/bauamt", "name", "  ", "name-missing", "name"},
		"under itself":   {"offices/bauamt", "parent", "bauamt", "parent-invalid", "parent"},
		"too long":       {"offices/bauamt", "minutes", 481, "duration-invalid", "duration"},
		"another's id":   {"offices/bauamt", "id", "steuern", "id-invalid", "id"},
		"service no id":  {"offices/bauamt", "services", []any{map[string]any{"id": "", "name": "X", "minutes": 1, "bring": []any{}}}, "id-invalid", "services.0.id"},
		"unknown land":   {"town", "land", "XX", "land-unknown", "land"},
		"no telephone":   {"town", "telephone", "", "telephone-missing", "telephone"},
		"town's day":     {"town", "days", []any{map[string]any{"first": "2026-03-02", "last": "2026-03-01", "hours": []any{}, "why": ""}}, "date-invalid", "days.0"},
		"turned writing": {"town", "name", "Linden\u202eau", "name-invalid", "name"},
	} {
		o := h.organisation(admin)
		row := o.Town
		if c.path != "town" {
			row = o.office("bauamt")
		}
		row[c.key] = c.value
		a := h.ask("PUT", "/api/v1/admin/"+c.path, row, "Authorization", bearerOf(admin))
		if a.StatusCode != 422 || !strings.Contains(a.body, c.code) || !strings.Contains(a.body, `"field":"`+c.field+`"`) {
			t.Errorf("%s: %d %s, want %s in %s", name, a.StatusCode, a.body, c.code, c.field)
		}
	}
}
