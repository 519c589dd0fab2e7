package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"schalter/web/control"
)

const manual = `schalter – Werkzeug für den Betrieb des Videoschalters

  schalter --data DIR [--json] status             Wie geht es der Box? Adressen, Ämter, wer wartet
  schalter --data DIR [--json] visits             offene Vorgänge, ohne Namen und Anliegen
  schalter --data DIR [--json] clerk add NAME …   neue Anmeldung für das Personal
  schalter --data DIR [--json] room open NAME …   Raum für eine Kamera oder einen Encoder (WHIP) und Zuschauer (WHEP)
  schalter --data DIR [--json] room list          offene Räume, und wie viele darin sind
  schalter --data DIR [--json] room close NAME    Raum schließen; wer darin ist, muss gehen
  schalter --data DIR [--json] doctor             Was stimmt nicht, und was ist zu tun?
  schalter --data DIR metrics                     alle Zahlen im Textformat von Prometheus
  schalter --version | --help

DIR ist das Verzeichnis, mit dem schalterd gestartet wurde. --json gibt aus, was Programme lesen können.

clerk add NAME --name "Sabine Weber" --title "Frau Weber" --office AMT[,AMT] [--role ROLLE[,ROLLE]]
  NAME      Anmeldename: kleine Buchstaben, Ziffern, Punkt, Binde- und Unterstrich
  --name    wie Kolleginnen und Kollegen den Menschen kennen
  --title   wie ihn die Bürgerinnen und Bürger lesen
  --office  Kürzel der Ämter, siehe status
  --role    clerk (voreingestellt), host, administrator
  Das Passwort wird am Bildschirm erfragt oder aus der ersten Zeile der Eingabe gelesen; mindestens 8 Zeichen.

room open NAME [--origin https://www.stadt.example] …
  NAME      steht in der Adresse des Raums: Buchstaben a–z, Ziffern, Punkt, Binde- und Unterstrich
  --origin  fremde Webseite, die den Raum einbetten darf; mehrfach möglich. Ohne sie darf es keine.
  Ist der Raum schon offen, bekommt er neue Schlüssel und die Seiten, die hier stehen. Die alten Schlüssel gelten nicht
  mehr; wer gerade verbunden ist, bleibt es. Wer alle hinaushaben will, schließt den Raum vorher.

Endet mit 0 nach Erfolg, 1 nach einem Fehler, 2 bei falschen Angaben, 3 wenn in DIR kein schalterd läuft,
4 wenn doctor etwas findet, das Menschen abweist.
`

// Exit codes, see doc.go.
const (
	exitDone       = 0
	exitFailed     = 1
	exitUsage      = 2
	exitNotRunning = 3
	exitUnwell     = 4
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := command(ctx, os.Args[1:], terminal{os.Stdin, os.Stdout, os.Stderr})
	stop()
	os.Exit(code)
}

// terminal is where a verb reads and writes.
type terminal struct {
	in          *os.File
	out, errors io.Writer
}

// call is one use of the command line.
type call struct {
	terminal
	daemon *control.Client
	dir    string
	json   bool
	args   []string // behind the verb
}

// usageError is one that the manual helps with.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

// errUnwell says that a verb did its work and found something bad.
var errUnwell = errors.New("unwell")

type verb struct {
	name string
	run  func(context.Context, call) error
}

func verbs() []verb {
	return []verb{{"status", status}, {"visits", visits}, {"clerk", clerk}, {"doctor", doctor}, {"room", room}, {"metrics", metrics}}
}

func command(ctx context.Context, args []string, t terminal) int {
	err := dispatch(ctx, args, t)
	var usage *usageError
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errUnwell):
		return exitUnwell
	case errors.As(err, &usage):
		fmt.Fprintf(t.errors, "schalter: %s\nMit --help steht hier die ganze Anleitung.\n", usage.text)
		return exitUsage
	case errors.Is(err, control.ErrNotRunning):
		fmt.Fprint(t.errors, "schalter: Hier läuft kein schalterd.\n"+
			"Stimmt das Verzeichnis hinter --data? Gestartet wird er mit systemctl start schalterd, die Demo mit make run.\n")
		return exitNotRunning
	case errors.Is(err, os.ErrPermission):
		fmt.Fprint(t.errors, "schalter: Dieses Verzeichnis darf nur das Konto des Dienstes öffnen.\nVersuchen Sie es mit sudo.\n")
		return exitFailed
	}
	var problem *control.Problem
	if errors.As(err, &problem) {
		fmt.Fprintf(t.errors, "schalter: %s\n%s\n", problem.Title, problem.Detail)
	} else {
		fmt.Fprintf(t.errors, "schalter: %v\n", err)
	}
	return exitFailed
}

func dispatch(ctx context.Context, args []string, t terminal) error {
	c := call{terminal: t}
	var showVersion bool
	flags := flag.NewFlagSet("schalter", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&c.dir, "data", "", "")
	flags.BoolVar(&c.json, "json", false, "")
	flags.BoolVar(&showVersion, "version", false, "")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(t.out, manual)
		return nil
	} else if err != nil {
		return &usageError{fmt.Sprintf("Die Angaben sind nicht zu verstehen (%v).", err)}
	}
	switch {
	case showVersion:
		fmt.Fprintln(t.out, "schalter", version())
		return nil
	case flags.NArg() == 0:
		return &usageError{"Was soll geschehen? Es fehlt ein Befehl: status, visits, clerk add, room, doctor oder metrics."}
	}
	all := verbs()
	i := slices.IndexFunc(all, func(v verb) bool { return v.name == flags.Arg(0) })
	if i < 0 {
		return &usageError{fmt.Sprintf("Den Befehl %q gibt es nicht. Möglich sind status, visits, clerk add, room, doctor und metrics.", flags.Arg(0))}
	}
	c.args = flags.Args()[1:]
	if slices.Contains(c.args, "--help") || slices.Contains(c.args, "-h") {
		fmt.Fprint(t.out, manual)
		return nil
	}
	// --json is understood behind the verb too, where one would type it when the table turned out not to be enough.
	if n := len(c.args); n > 0 && c.args[n-1] == "--json" {
		c.json, c.args = true, c.args[:n-1]
	}
	if c.dir == "" {
		return &usageError{"Vor dem Befehl fehlt --data DIR: In welchem Verzeichnis läuft schalterd?"}
	}
	c.daemon = control.New(c.dir)
	return all[i].run(ctx, c)
}

// ask calls a route and prints the answer itself when JSON is wanted; then it reports true.
func ask(ctx context.Context, c call, route string, in, out any) (printed bool, err error) {
	raw, err := c.daemon.Call(ctx, route, in, out)
	if err != nil || !c.json {
		return false, err
	}
	_, err = c.out.Write(raw)
	return true, err
}

// nothingBehind refuses arguments where a verb takes none.
func nothingBehind(c call, verb string) error {
	if len(c.args) > 0 {
		return &usageError{fmt.Sprintf("Hinter %s steht nichts weiter, hier aber %q.", verb, c.args[0])}
	}
	return nil
}
