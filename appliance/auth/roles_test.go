package auth

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"schalter/appliance"
)

var update = flag.Bool("update", false, "rewrite testdata/roles.txt")

// The whole matrix, to be read and reviewed as one page.
func TestTable(t *testing.T) {
	t.Parallel()
	roles := append(anyone(), appliance.TheHouse)
	var b strings.Builder
	fmt.Fprintf(&b, "%-40s", "")
	for _, r := range roles {
		fmt.Fprintf(&b, " %-13s", r)
	}
	routes := map[string]bool{}
	for _, rule := range Table() {
		if routes[rule.Route] {
			t.Errorf("%s is there twice", rule.Route)
		}
		routes[rule.Route] = true
		fmt.Fprintf(&b, "\n%-40s", rule.Route)
		for _, r := range roles {
			if May(rule.Route, r) != slices.Contains(rule.Roles, r) {
				t.Errorf("%s by %s: May and Table differ", rule.Route, r)
			}
			mark := "–"
			if May(rule.Route, r) {
				mark = "yes"
			}
			fmt.Fprintf(&b, " %-13s", mark)
		}
		if May(rule.Route, appliance.TheHouse) || len(rule.Roles) == 0 {
			t.Errorf("%s: for the house itself, or for nobody", rule.Route)
		}
	}
	var lines []string
	for line := range strings.Lines(b.String() + "\n") {
		lines = append(lines, strings.TrimRight(line, " \n"))
	}
	got := strings.Join(lines, "\n") + "\n"
	const name = "testdata/roles.txt"
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(name); err != nil || string(want) != got {
		t.Errorf("%s differs (%v); look at it, then run with -update. It would be:\n%s", name, err, got)
	}
}

func TestWhatIsNotInTheTable(t *testing.T) {
	t.Parallel()
	for _, route := range []string{"", "GET /api/v1/other", "get /api/v1/town", "GET /api/v1/town/", "live", "live other", "live PING"} {
		for _, role := range append(anyone(), appliance.TheHouse, "", "root") {
			if May(route, role) {
				t.Errorf("%q by %q", route, role)
			}
		}
	}
	for _, rule := range Table() {
		for _, role := range []appliance.Role{"", "root", "CLERK", "clerk "} {
			if May(rule.Route, role) {
				t.Errorf("%q by %q", rule.Route, role)
			}
		}
	}
}

// Nobody can change the table by changing what Table returned.
func TestTableIsACopy(t *testing.T) {
	t.Parallel()
	for _, rule := range Table() {
		for i := range rule.Roles {
			rule.Roles[i] = appliance.TheHouse
		}
	}
	if May("GET /api/v1/desk", appliance.TheHouse) || !May("GET /api/v1/desk", appliance.ClerkRole) {
		t.Error("the table changed")
	}
}
