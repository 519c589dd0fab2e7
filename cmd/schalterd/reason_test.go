package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What keeps the daemon from starting is told in words that help, whoever reads them.
func TestReasonNotToStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	damaged := filepath.Join(dir, "damaged")
	if err := os.Mkdir(damaged, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, filepath.Join(damaged, databaseFile)} {
		if err := os.WriteFile(path, []byte("neither a database nor a certificate"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"--data", filepath.Join(file, "sub")}, file + " ist kein Verzeichnis"},
		{[]string{"--data", "/proc/nothing/here"}, "gibt es nicht"},
		{[]string{"--data", damaged}, "Die Datenbank lässt sich nicht lesen"},
		{[]string{"--data", filepath.Join(dir, "a"), "--cert", file + "-1", "--key", file}, file + "-1 gibt es nicht"},
		{[]string{"--data", filepath.Join(dir, "b"), "--cert", file, "--key", file}, "zwei PEM-Dateien"},
	}
	for _, test := range tests {
		var out, errs bytes.Buffer
		args := append([]string{"--listen", "127.0.0.1:0"}, test.args...)
		if code := command(t.Context(), args, environment{stdout: &out, stderr: &errs}); code != exitFailed {
			t.Errorf("%q: exit code %d, want %d", test.args, code, exitFailed)
		}
		if !strings.Contains(errs.String(), test.want) {
			t.Errorf("%q: %q is missing in:\n%s", test.args, test.want, &errs)
		}
	}
}
