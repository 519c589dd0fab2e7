package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// module is the prefix of our import paths.
const module = "schalter/"

// mayImport is the table of DESIGN 3: who may import whom of ours. A package that is not in it has no place in the house.
func mayImport() map[string][]string {
	return map[string][]string{
		"cmd/schalterd": {"*"},
		"cmd/schalter":  {"appliance", "web/control", "web/live"},

		// The load stands outside of the house: it knows no more of it than a browser does.
		"cmd/schalter-load": {"web/live"},

		"appliance":       {},
		"appliance/hall":  {"appliance", "appliance/store", "media"},
		"appliance/store": {"appliance"},
		"appliance/auth":  {"appliance"},
		"appliance/box":   {"appliance", "appliance/store"},

		"media": {"media/packetcache", "media/rewrite", "media/protect", "media/bandwidth", "media/allocation", "media/speaker",
			"media/port", "media/relay"},
		"media/apart":       {"media", "media/port", "media/relay"},
		"media/packetcache": {},
		"media/bandwidth":   {},
		"media/allocation":  {},
		"media/speaker":     {},
		"media/rewrite":     {},
		"media/story":       {}, // for tests alone
		"media/protect":     {},
		"media/port":        {},
		"media/relay":       {"media/port"},

		"hw": {},

		"web":         {"appliance", "appliance/hall", "appliance/auth", "appliance/box", "web/live", "web/ui"},
		"web/live":    {},
		"web/control": {},
		"web/ui":      {},

		"systemd": {},
	}
}

// onlyIn says where an import from outside may be, and why nowhere else. The longest prefix that fits counts.
func onlyIn() []outsideRule {
	return []outsideRule{
		{"github.com/pion/webrtc", []string{"media", "cmd/schalter-load"},
			"media shows none of its types: the move to the v4 line must stay a matter of days; the load's yardstick is this library"},
		{"github.com/pion/turn", []string{"media/relay"}, "one relay, one place that knows its faults"},
		{"github.com/pion", []string{"media", "media/port", "media/relay", "media/packetcache", "media/rewrite", "media/protect", "cmd/schalter-load"},
			"packets are media's, and those of the load at the other end of the line"},
		{"github.com/mattn/go-sqlite3", []string{"appliance/store"}, "cgo and SQL live in store alone"},
		{"database/sql", []string{"appliance/store"}, "SQL lives in store alone"},
		{"github.com/coreos/go-systemd", []string{"systemd"}, "the rest runs without a service manager"},
		{"net/http", []string{"web", "web/live", "web/control", "web/ui", "cmd/schalterd", "cmd/schalter", "cmd/schalter-load", "media/port"},
			"HTTP is web's; the port itself only sends plain HTTP over to https"},
		{"log", []string{"web", "cmd/schalterd"}, "log/slog is passed in; log only where net/http wants one"},
	}
}

type outsideRule struct {
	prefix string
	places []string
	why    string
}

// listed is one package as go list tells it.
type listed struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	decoder := json.NewDecoder(bytes.NewReader(out))
	for {
		var p listed
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		p.ImportPath = strings.TrimPrefix(p.ImportPath, module)
		if !toolsOfBrowserTests(p.ImportPath) {
			all = append(all, p)
		}
	}
}

// toolsOfBrowserTests are small programs that web/e2e starts; they belong to no part of the product.
func toolsOfBrowserTests(path string) bool { return strings.HasPrefix(path, "web/e2e/") }

func TestImports(t *testing.T) {
	t.Parallel()
	table := mayImport()
	for _, p := range packages(t) {
		may, known := table[p.ImportPath]
		if !known {
			t.Errorf("%s is not in the table: where in the house does it live?", p.ImportPath)
			continue
		}
		for _, imported := range p.Imports {
			ours, isOurs := strings.CutPrefix(imported, module)
			switch {
			case isOurs && !slices.Contains(may, "*") && !slices.Contains(may, ours):
				t.Errorf("%s must not import %s", p.ImportPath, ours)
			case !isOurs:
				checkOutside(t, p.ImportPath, imported)
			}
		}
	}
}

func checkOutside(t *testing.T, where, imported string) {
	t.Helper()
	for _, rule := range onlyIn() {
		if imported != rule.prefix && !strings.HasPrefix(imported, rule.prefix+"/") || rule.prefix == "log" && imported != "log" {
			continue
		}
		if !slices.Contains(rule.places, where) {
			t.Errorf("%s must not import %s: %s", where, imported, rule.why)
		}
		return // the first, most special rule decides
	}
}

// TestRulesArePure: package appliance has no clock, no disk, no network and no goroutine of its own.
func TestRulesArePure(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		if p.ImportPath != "appliance" {
			continue
		}
		for _, imported := range p.Imports {
			for _, impure := range []string{"os", "net", "log", "sync", "context", "io", "math/rand", "crypto/rand", "runtime", "syscall"} {
				if imported == impure || strings.HasPrefix(imported, impure+"/") {
					t.Errorf("appliance imports %s", imported)
				}
			}
		}
	}
}
