// Package story plays the stories that specify rules. Tests alone use it.
//
// A story is a text. A line is a command; the lines after it that begin with ">" are what came of it, and are rewritten by
// go test with -update. "#" begins a remark.
package story

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite what came of the stories in testdata")

// Run plays each file that the pattern names, as a test of its own beside the others. For each story begin makes the one whom it
// is told to: called with the number of a command's line and its words, who writes what came of it to out.
func Run(t *testing.T, pattern string, begin func(t *testing.T, out io.Writer) func(line int, words []string)) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories found: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(text), begin)
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil { //nolint:gosec // a file of the repository
					t.Fatal(err)
				}
				return
			}
			if got != string(text) {
				t.Errorf("%s differs (-update rewrites it); now:\n%s", file, got)
			}
		})
	}
}

func play(t *testing.T, text string, begin func(*testing.T, io.Writer) func(int, []string)) string {
	t.Helper()
	var out strings.Builder
	tell := begin(t, &out)
	for number, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if strings.HasPrefix(line, ">") {
			continue
		}
		fmt.Fprintln(&out, line)
		if words := strings.Fields(line); len(words) > 0 && !strings.HasPrefix(line, "#") {
			tell(number+1, words)
		}
	}
	return out.String()
}

// Values parts those of the form key=value from the other words.
func Values(words []string) (plain []string, values map[string]string) {
	values = map[string]string{}
	for _, w := range words {
		if key, value, ok := strings.Cut(w, "="); ok {
			values[key] = value
		} else {
			plain = append(plain, w)
		}
	}
	return plain, values
}
