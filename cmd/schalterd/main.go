package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// Exit codes, see doc.go.
const (
	exitFine   = 0
	exitFailed = 1
	exitUsage  = 2
	exitLocked = 3
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once, for who does not want to wait for the drain.
	context.AfterFunc(ctx, stop)
	code := command(ctx, os.Args[1:], environment{stdout: os.Stdout, stderr: os.Stderr})
	stop()
	os.Exit(code)
}

// environment is what a run needs of the process around it.
type environment struct {
	stdout, stderr io.Writer
}

// command runs the daemon until ctx ends and gives the exit code.
func command(ctx context.Context, args []string, env environment) int {
	if len(args) > 0 && args[0] == mediaVerb {
		return mediaPlane(ctx, args[1:], env.stderr)
	}
	cfg, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(env.stdout, manual)
		return exitFine
	case err != nil:
		fmt.Fprintf(env.stderr, "schalterd: %v\nMit --help steht hier die ganze Anleitung.\n", err)
		return exitUsage
	case cfg.Version:
		fmt.Fprintln(env.stdout, "schalterd", version())
		return exitFine
	}
	log := slog.New(slog.NewTextHandler(env.stderr, &slog.HandlerOptions{Level: cfg.LogLevel}))
	err = run(ctx, cfg, env, log)
	var locked *lockedError
	switch {
	case errors.As(err, &locked):
		fmt.Fprintf(env.stderr, "schalterd: %v\n", locked)
		return exitLocked
	case err != nil:
		fmt.Fprintf(env.stderr, "schalterd: %s\n", reason(err))
		return exitFailed
	}
	return exitFine
}

// version tells the commit that the program was built from.
func version() string {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	revision, changed := build.Main.Version, ""
	for _, s := range build.Settings {
		switch s.Key {
		case "vcs.revision":
			revision = s.Value[:min(12, len(s.Value))]
		case "vcs.modified":
			if s.Value == "true" {
				changed = "+changes"
			}
		}
	}
	return revision + changed
}
