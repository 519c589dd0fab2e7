package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"schalter/web/control"
)

// TestUnitAllowsWhatTheDaemonCalls runs a day in small under strace and compares with the unit: every system call is in its filter, no
// memory is both written and run, nothing but the media process is started, and no other port is bound.
func TestUnitAllowsWhatTheDaemonCalls(t *testing.T) {
	if testing.Short() {
		t.Skip("strace makes the daemon ten times slower")
	}
	dir, trace := t.TempDir(), filepath.Join(t.TempDir(), "trace")
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Fatal("strace is needed (Debian: apt-get install strace)")
	}
	p := beginBy(t, dir, []string{strace, "-f", "-qq", "-o", trace}, "--public", "localhost")
	defer func() {
		if p.cmd.ProcessState == nil {
			p.kill()
		}
	}()
	var s control.Status
	if _, err := control.New(dir).Call(t.Context(), control.StatusRoute, nil, &s); err != nil {
		t.Fatalf("%v\n%s", err, p.output())
	}
	p.url = fmt.Sprintf("https://127.0.0.1:%d", s.Port)
	p.trust()
	clerk := p.staff(t, 1, "bauamt")[0]
	desk := p.live(t, clerk, "desk")
	v := p.arrive(t, "bauamt", "Person", "Carport")
	citizen := p.live(t, v.Token, "citizen")
	p.must(t, "POST", "/api/v1/desk/next", clerk, struct{}{}, nil)
	p.must(t, "POST", "/api/v1/visit/accept", v.Token, struct{}{}, nil)
	citizen.publish(t)
	desk.publish(t)
	p.must(t, "POST", "/api/v1/visits/"+v.ID+"/finish", clerk, map[string]string{"outcome": "done"}, nil)
	p.healthy(t)
	citizen.close()
	desk.close()
	// strace passes no signal on: the daemon itself is asked to end.
	if err := syscall.Kill(s.Process, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := p.wait(); code != exitFine {
		t.Errorf("ended with %d:\n%s", code, p.output())
	}
	checkTrace(t, trace, allowedCalls(t))
}

// mayBeRefused are calls outside the filter that do no harm when they are refused, with the reason.
func mayBeRefused() map[string]string {
	return map[string]string{
		"adjtimex": "the doctor then says nothing about the time server",
		"fchown":   "SQLite calls it for root alone, and the unit is not root",
	}
}

func checkTrace(t *testing.T, path string, allowed map[string]bool) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	name := regexp.MustCompile(`^\d+ +(?:<\.\.\. )?([a-z_0-9]+)`)
	refused := mayBeRefused()
	seen, started := map[string]bool{}, 0
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		m := name.FindStringSubmatch(line)
		if m == nil {
			continue // a signal
		}
		call := m[1]
		if !seen[call] && !allowed[call] && refused[call] == "" {
			t.Errorf("the unit's SystemCallFilter= does not allow %s", call)
		}
		if call == "execve" && seen[call] && !strings.Contains(line, `resumed`) {
			if started++; !strings.Contains(line, `execve("/proc/self/exe", ["schalterd", "media", `) {
				t.Errorf("another program was started: %s", line)
			}
		}
		seen[call] = true
		if strings.Contains(line, "PROT_WRITE|PROT_EXEC") {
			t.Errorf("MemoryDenyWriteExecute= would refuse %s", line)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if started != 1 {
		t.Errorf("%d media processes were started", started)
	}
	if len(seen) < 30 || !seen["fsync"] || !seen["recvmmsg"] && !seen["recvmsg"] {
		t.Errorf("only %d kinds of call were seen: was this the daemon?", len(seen))
	}
}

// allowedCalls works the unit's filter out as systemd does.
func allowedCalls(t *testing.T) map[string]bool {
	t.Helper()
	unit, err := os.ReadFile("../../systemd/schalterd.service")
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]bool{}
	for line := range strings.Lines(string(unit)) {
		groups, ok := strings.CutPrefix(strings.TrimSpace(line), "SystemCallFilter=")
		if !ok {
			continue
		}
		groups, taken := strings.CutPrefix(groups, "~")
		for _, group := range strings.Fields(groups) {
			for _, call := range expand(t, group) {
				allowed[call] = !taken
			}
		}
	}
	if !allowed["read"] || allowed["reboot"] {
		t.Fatal("the filter was not understood")
	}
	return allowed
}

// expand asks systemd for the calls of a group.
func expand(t *testing.T, group string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "systemd-analyze", "syscall-filter", "--no-pager", group).Output()
	if err != nil {
		t.Fatal(errors.Join(err, errors.New(group)))
	}
	var calls []string
	for i, word := range strings.Fields(regexp.MustCompile(`(?m)#.*$`).ReplaceAllString(string(out), "")) {
		switch {
		case i == 0: // the group's own name
		case strings.HasPrefix(word, "@"):
			calls = append(calls, expand(t, word)...)
		default:
			calls = append(calls, word)
		}
	}
	return calls
}
