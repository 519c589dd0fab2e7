package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes the scripts' command schalter this program.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"schalter": func() {
			ctx, stop := context.WithCancel(context.Background())
			code := command(ctx, os.Args[1:], terminal{os.Stdin, os.Stdout, os.Stderr})
			stop()
			os.Exit(code)
		},
	})
}

// TestScripts runs testdata/*.txt against real daemons. Beside testscript's own commands there is
// "daemon DIR", which starts schalterd with the demo in DIR and waits until it is open; it ends with the script.
func TestScripts(t *testing.T) {
	daemon := filepath.Join(t.TempDir(), "schalterd")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", daemon, "schalter/cmd/schalterd")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build schalterd: %v\n%s", err, out)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"daemon": func(ts *testscript.TestScript, neg bool, args []string) { start(ts, daemon, args) },
		},
	})
}

func start(ts *testscript.TestScript, daemon string, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: daemon DIR")
	}
	cmd := exec.Command(daemon, "--data", ts.MkAbs(args[0]), "--listen", "127.0.0.1:0", "--demo", "--demo-password", "lindenau-2026")
	out, in, err := os.Pipe()
	ts.Check(err)
	cmd.Stdout, cmd.Stderr = in, in
	ts.Check(cmd.Start())
	in.Close()
	open, read := make(chan struct{}), make(chan struct{})
	var printed strings.Builder
	go func() {
		defer close(read)
		defer out.Close()
		said := false
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if !said {
				fmt.Fprintln(&printed, lines.Text())
			}
			if !said && strings.Contains(lines.Text(), "Strg+C") {
				said = true
				close(open)
			}
		}
	}()
	ts.Defer(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		<-read
		_ = cmd.Wait()
	})
	select {
	case <-open:
	case <-read:
		ts.Fatalf("schalterd ended:\n%s", printed.String())
	case <-time.After(time.Minute):
		ts.Fatalf("schalterd does not open")
	}
}
