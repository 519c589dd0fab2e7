package main

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// build makes the box's programs.
func build(t *testing.T) programs {
	t.Helper()
	if testing.Short() {
		t.Skip("builds whole programs: not with -short")
	}
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", dir, "../schalterd", "../schalter")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return programs{filepath.Join(dir, "schalterd"), filepath.Join(dir, "schalter")}
}

// TestDay is a short day at a real box: everybody who comes is served, and nothing is refused.
func TestDay(t *testing.T) {
	t.Parallel()
	p := build(t)
	const word = "lindenau-2026"
	d, _, err := launch(t.Context(), boxGreeting, p.daemon, "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--demo", "--demo-password", word)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.end(); err != nil {
			t.Error(err)
		}
	}()
	var address string
	for line := range strings.Lines(d.said()) {
		if _, after, ok := strings.Cut(line, "https://127.0.0.1:"); ok && address == "" {
			port, _, _ := strings.Cut(after, "/")
			address = "https://127.0.0.1:" + port
		}
	}
	var out, errors bytes.Buffer
	args := strings.Fields("day --json --rate 600 --for 3s --talk 100ms --transfer 0.5 --box " + address)
	if code := command(t.Context(), args, terminal{strings.NewReader(word + "\n"), &out, &errors}); code != exitDone {
		t.Fatalf("ended with %d: %s", code, errors.String())
	}
	var s summary
	if err := json.Unmarshal(out.Bytes(), &s); err != nil {
		t.Fatal(err)
	}
	if len(s.Faults) > 0 || len(s.Counts) > 0 {
		t.Errorf("faults %v, counts %v", s.Faults, s.Counts)
	}
	times := map[string]uint64{}
	for _, a := range s.Acts {
		times[a.What] = a.Count
	}
	// The day ends when the last citizen has gone; the answers to clerks who saw them off may be on the way then.
	finished := times["clerk: finish, done"]
	if n := times["citizen: arrive"]; n == 0 || times["citizen: from arrival to end"] != n || times["clerk: pass on"] == 0 ||
		finished > n || finished+times["clerk: sign in"] < n {
		t.Errorf("acts %v", times)
	}
}

// TestLaunchTellsWhy: a program that does not open is quoted.
func TestLaunchTellsWhy(t *testing.T) {
	t.Parallel()
	_, _, err := launch(t.Context(), "open", "sh", "-c", "echo 'no room'; exit 3")
	if err == nil || !strings.Contains(err.Error(), "no room") {
		t.Errorf("told: %v", err)
	}
	if _, _, err := launch(t.Context(), "open", filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a program that is not there was started")
	}
	d, line, err := launch(t.Context(), "open at", "sh", "-c", "echo 'open at 7'; read never")
	if err != nil || line != "open at 7" {
		t.Fatalf("%q, %v", line, err)
	}
	if err := d.end(); err != nil {
		t.Error(err)
	}
}

// TestBox is the way of a measurement: a box of our own, a room in it, viewers over UDP and through TURN over TLS.
func TestBox(t *testing.T) {
	t.Parallel()
	p := build(t)
	s, err := startBox(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.end(); err != nil {
			t.Error(err)
		}
	}()
	for _, shape := range []scenario{
		{publishers: 1, viewers: 2, measure: time.Second},
		{publishers: 1, viewers: 2, measure: time.Second, turn: true},
		{publishers: 3, viewers: 3, measure: time.Second, meeting: true},
	} {
		out, err := fanOut(t.Context(), s.server, shape)
		if err != nil {
			t.Fatal(err)
		}
		if out.Loss < 0 || out.Loss > .25 || out.Packets == 0 || out.CPU <= 0 || out.MediaCPU <= 0 {
			t.Errorf("%+v", out)
		}
	}
}
