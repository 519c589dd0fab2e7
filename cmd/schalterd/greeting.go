package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
	"rsc.io/qr"
)

// greeting is what a person who started the box by hand is told.
type greeting struct {
	town      string
	links     []string // the best first
	demo      []demoClerk
	password  string // of the demo; empty when it is not the demo that fills DIR
	ownCert   bool
	authority string // file of our authority
}

// greet prints it. The QR code is for a phone in the same network; outside the demo it is left out where no one looks, as in a log.
func greet(w io.Writer, g greeting) {
	best := g.links[0]
	fmt.Fprintf(w, "\n  %s ist offen.\n\n", g.town)
	fmt.Fprintf(w, "  Für Bürgerinnen und Bürger   %s/\n", best)
	fmt.Fprintf(w, "  Für die Arbeitsplätze        %s/desk\n", best)
	if others := g.links[1:]; len(others) > 0 {
		fmt.Fprintf(w, "  Ebenso erreichbar unter      %s\n", strings.Join(others, "  "))
	}
	switch {
	case len(g.demo) > 0 && g.password == "":
		fmt.Fprint(w, "\n  In diesem Verzeichnis war schon etwas eingerichtet. Es bleibt, wie es ist: --demo füllt nur ein leeres.\n")
	case len(g.demo) > 0:
		fmt.Fprint(w, "\n  Anmeldungen der Beispielstadt:\n")
		for _, c := range g.demo {
			fmt.Fprintf(w, "    %-18s %s\n", c.signIns, c.what)
		}
		fmt.Fprintf(w, "  Passwort für alle: %s\n", g.password)
	}
	if g.ownCert {
		fmt.Fprintf(w, "\n  Der Browser warnt beim ersten Aufruf, weil sich die Box ihr Zertifikat selbst ausgestellt hat:\n"+
			"  „Erweitert“ und „Weiter“ wählen. Wer die Warnung loswerden will, importiert die Datei\n  %s als Zertifizierungsstelle.\n", g.authority)
	}
	if strings.Contains(best, "127.0.0.1") || strings.Contains(best, "[::1]") {
		fmt.Fprint(w, "\n  Achtung: Diese Adresse gilt nur auf diesem Rechner. Bild und Ton brauchen eine Adresse im Netz,\n"+
			"  denn Browser bauen keine Gespräche über 127.0.0.1 auf. Starten Sie mit --listen :8443.\n")
	} else if code, err := qr.Encode(best+"/", qr.L); err == nil && (len(g.demo) > 0 || onTerminal(w)) {
		fmt.Fprint(w, "\n  Mit dem Telefon im selben Netz:\n\n")
		printCode(w, code)
	}
	fmt.Fprint(w, "\n  Beenden mit Strg+C.\n\n")
}

// onTerminal tells whether somebody can hold a phone in front of w.
func onTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// quiet is the white border that a scanner needs, in modules (ISO/IEC 18004: four).
const quiet = 4

// printCode draws two rows of modules with each line of half blocks, black on white whatever the terminal's colours are.
func printCode(w io.Writer, code *qr.Code) {
	const blackOnWhite, plain = "\x1b[30;107m", "\x1b[0m"
	for y := -quiet; y < code.Size+quiet; y += 2 {
		var line strings.Builder
		for x := -quiet; x < code.Size+quiet; x++ {
			switch top, bottom := code.Black(x, y), code.Black(x, y+1); {
			case top && bottom:
				line.WriteString("█")
			case top:
				line.WriteString("▀")
			case bottom:
				line.WriteString("▄")
			default:
				line.WriteString(" ")
			}
		}
		fmt.Fprintf(w, "  %s%s%s\n", blackOnWhite, line.String(), plain)
	}
}
