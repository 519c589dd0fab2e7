package systemd_test

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// analyze gives the path of systemd-analyze; without it the test fails: make check installs it.
func analyze(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Fatal("systemd-analyze is needed (Debian: apt-get install systemd)")
	}
	return path
}

// installed lays the units out as a package would, so that verify finds the program that they start.
func installed(t *testing.T) (root string, units []string) {
	t.Helper()
	root = t.TempDir()
	for _, dir := range []string{"usr/bin", "etc/systemd/system", "usr/lib/systemd"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "usr/bin/schalterd"), []byte("#!/bin/true\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	// The targets and units that every system has.
	if err := os.Symlink("/usr/lib/systemd/system", filepath.Join(root, "usr/lib/systemd/system")); err != nil {
		t.Fatal(err)
	}
	for _, unit := range []string{"schalterd.service", "schalterd.socket"} {
		content, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(root, "etc/systemd/system", unit)
		patched := strings.ReplaceAll(string(content), "/usr/bin/schalterd", filepath.Join(root, "usr/bin/schalterd"))
		if err := os.WriteFile(to, []byte(patched), 0o600); err != nil {
			t.Fatal(err)
		}
		units = append(units, to)
	}
	return root, units
}

func TestUnitsVerify(t *testing.T) {
	t.Parallel()
	program := analyze(t)
	_, units := installed(t)
	cmd := exec.Command(program, append([]string{"verify", "--man=no", "--recursive-errors=no"}, units...)...)
	out, err := cmd.CombinedOutput()
	if err != nil || len(strings.TrimSpace(string(out))) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestVerifyFindsAFault(t *testing.T) {
	t.Parallel()
	program := analyze(t)
	_, units := installed(t)
	content, err := os.ReadFile(units[0])
	if err != nil {
		t.Fatal(err)
	}
	broken := strings.Replace(string(content), "ProtectClock=yes", "ProtectClok=yes", 1)
	if err := os.WriteFile(units[0], []byte(broken), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(program, "verify", "--man=no", "--recursive-errors=no", units[0]).CombinedOutput()
	if err == nil && !strings.Contains(string(out), "ProtectClok") {
		t.Errorf("a misspelt option was not found, so the test above says nothing:\n%s", out)
	}
}

func TestUnitsAreSandboxed(t *testing.T) {
	t.Parallel()
	program := analyze(t)
	// 15 stands for 1.5, the limit of DESIGN 12; a worse unit makes the exit code 1.
	out, err := exec.Command(program, "security", "--offline=true", "--threshold=15", "--no-pager", "./schalterd.service").CombinedOutput()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Log(lines[len(lines)-1])
	err = exec.Command(program, "security", "--offline=true", "--threshold=1", "--no-pager", "./schalterd.service").Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Error("no unit reaches 0.1, so the threshold is not looked at")
	}
}

// TestEveryOptionIsExplained: a line nobody can explain cannot be changed either.
func TestEveryOptionIsExplained(t *testing.T) {
	t.Parallel()
	f, err := os.Open("schalterd.service")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	explained, hardening := false, false
	for scan, n := bufio.NewScanner(f), 1; scan.Scan(); n++ {
		line := scan.Text()
		switch {
		case strings.HasPrefix(line, "# ---"):
			hardening, explained = true, false
		case strings.HasPrefix(line, "#"):
			explained = true
		case line == "" || strings.HasPrefix(line, "["):
			hardening, explained = hardening && line == "", false
		case hardening && !explained:
			t.Errorf("line %d has no comment: %s", n, line)
		}
	}
}
