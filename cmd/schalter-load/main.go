package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
)

const manual = `schalter-load - synthetic citizens, clerks and streams against a running box

  schalter-load bench    [--reps 3] [--for 8s] [--schalterd FILE] [--schalter FILE] [--json FILE]
      starts a demo box and the yardstick in turn and prints what issue 3 asks for as ratios measured in one run

  schalter-load fan-out  --box URL --room FILE | --plain URL   [--publishers 1] [--viewers 10 | --meeting N] [--turn]
                         [--for 10s] [--pid N] [--json] [--authority FILE] [--yes-elsewhere]
      publishes by WHIP and views by WHEP. FILE is what "schalter --data DIR room open NAME --json" prints, - is stdin

  schalter-load plain    [--listen 127.0.0.1:0]
      the yardstick: the textbook SFU on plain pion/webrtc v3, WHIP at /whip/{id}, WHEP at /whep/{id}

  schalter-load day      --box URL [--rate 30] [--clerks NAME,NAME] [--talk 3s] [--transfer 0.1] [--for 1m] [--json]
                         [--authority FILE] [--yes-elsewhere]
      a day at the counter: so many citizens a minute arrive, wait, are called, talk, are passed on, go. The clerks'
      password is the first line of stdin

Targets are loopback or this machine; for any other say --yes-elsewhere. Where no --authority is given, the certificate
of a box on this machine is taken as it is.
Ends with 0 after success, 1 after a failure, 2 after wrong arguments.
`

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	// A hundred viewers make little garbage; collecting it often would be our cost, not the server's.
	debug.SetGCPercent(400)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := command(ctx, os.Args[1:], terminal{os.Stdin, os.Stdout, os.Stderr})
	stop()
	os.Exit(code)
}

// terminal is where a verb reads and writes.
type terminal struct {
	in          io.Reader
	out, errors io.Writer
}

// call is one use of the command line.
type call struct {
	terminal
	flags *flag.FlagSet
	args  []string
}

// parse reads the verb's flags, after it has named them.
func (c call) parse() error {
	if err := c.flags.Parse(c.args); err != nil {
		return usagef("%v", err)
	}
	if c.flags.NArg() > 0 {
		return usagef("nothing is known to do with %q", c.flags.Arg(0))
	}
	return nil
}

// usageError is one that the manual helps with.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

type verb struct {
	name string
	run  func(context.Context, call) error
}

func verbs() []verb {
	return []verb{{"bench", bench}, {"fan-out", fanOutVerb}, {"plain", plain}, {"day", day}}
}

func command(ctx context.Context, args []string, t terminal) int {
	if len(args) == 0 || slices.ContainsFunc(args, func(a string) bool { return a == "--help" || a == "-help" || a == "-h" }) {
		fmt.Fprint(t.out, manual)
		return exitDone
	}
	all := verbs()
	i := slices.IndexFunc(all, func(v verb) bool { return v.name == args[0] })
	if i < 0 {
		fmt.Fprintf(t.errors, "schalter-load: there is no %q, only bench, fan-out, plain and day; --help tells the rest\n", args[0])
		return exitUsage
	}
	c := call{terminal: t, flags: flag.NewFlagSet(args[0], flag.ContinueOnError), args: args[1:]}
	c.flags.SetOutput(io.Discard)
	err := all[i].run(ctx, c)
	var usage *usageError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage):
		fmt.Fprintf(t.errors, "schalter-load: %s\n--help shows the whole manual.\n", usage.text)
		return exitUsage
	}
	fmt.Fprintf(t.errors, "schalter-load: %v\n", err)
	return exitFailed
}

// room is what `schalter room open --json` prints.
type room struct {
	Room    string `json:"room"`
	Publish string `json:"publish_token"`
	View    string `json:"view_token"`
}

func readRoom(in io.Reader) (room, error) {
	var r room
	if err := json.NewDecoder(io.LimitReader(in, 1<<16)).Decode(&r); err != nil {
		return room{}, fmt.Errorf("read room: %w", err)
	}
	if r.Room == "" || strings.ContainsAny(r.Room, "/?#") || r.Publish == "" || r.View == "" {
		return room{}, errors.New("read room: room, publish_token or view_token is missing")
	}
	return r, nil
}

// boxServer is a room of a running box, as a run sees it.
func boxServer(t *target, r room, pid int) *server {
	path := "/api/v1/rooms/" + r.Room
	return &server{
		target: t, name: "box", pid: pid, whole: true,
		whip: func(int) endpoint { return endpoint{path + "/whip", r.Publish} },
		whep: func(int) endpoint { return endpoint{path + "/whep", r.View} },
	}
}
