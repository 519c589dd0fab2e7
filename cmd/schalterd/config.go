package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"
)

const manual = `schalterd – der Videoschalter der Gemeinde

  schalterd --data DIR [Optionen]

Läuft im Vordergrund, benutzt nichts außerhalb von DIR und belegt einen Anschluss für TCP und UDP.

  --data DIR              Verzeichnis für Datenbank, Zertifikat und Steuer-Socket; wird angelegt
  --listen HOST:PORT      Adresse und Anschluss, voreingestellt :8443; Anschluss 0 nimmt einen freien
  --public HOST[:PORT]    Name oder Adresse, unter der man die Box von außen erreicht; mehrfach möglich
  --cert FILE --key FILE  eigenes Zertifikat mit Schlüssel (PEM); neue Dateien werden von selbst eingelesen.
                          Ohne diese Angabe stellt die Box eines selbst aus; Browser warnen dann.
  --demo                  füllt ein leeres DIR mit der Beispielstadt Lindenau; ein gefülltes bleibt, wie es ist
  --demo-password WORT    Passwort der Beispielanmeldungen, mindestens 8 Zeichen; sonst wird eines ausgedacht
  --uplink MBIT           so viel darf die Box höchstens senden, in Mbit/s: etwas weniger, als Ihr Anschluss zum Internet
                          hergibt. Bilder werden dann kleiner, bevor Gespräche stocken; voreingestellt ohne Grenze
  --log STUFE             debug, info, warn oder error; voreingestellt info
  --version               nennt den Stand des Programms

Beenden mit Strg+C oder SIGTERM: Laufende Anfragen werden noch beantwortet, höchstens 10 Sekunden lang.
Im Betrieb hilft das Programm schalter: schalter --data DIR status
Endet mit 0 wie verlangt, 1 nach einem Fehler, 2 bei falschen Angaben, 3 wenn in DIR schon eines läuft.
`

// minPassword is the fewest characters of any password of staff.
const minPassword = 8

// leastUplink and mostUplink bound --uplink, in Mbit/s. Below a half not even sound gets through beside the pages.
const (
	leastUplink = 0.5
	mostUplink  = 100_000.0
)

// config is what the flags say, checked.
type config struct {
	Dir               string
	Listen            string // HOST:PORT, as net.Listen takes it
	Public            []public
	Demo              bool
	DemoPassword      string // empty: one is made up when the demo fills DIR
	CertFile, KeyFile string
	Uplink            float64 // Mbit/s; 0: no limit
	LogLevel          slog.Level
	Version           bool
}

// public is an address that the outside sees.
type public struct {
	Host string // a name in lower case, or an address without brackets
	Port int    // 0: the port that we listen on
}

// String hides the demo's password, so that a config can be logged.
func (c config) String() string {
	return fmt.Sprintf("data=%s listen=%s public=%v demo=%v cert=%s", c.Dir, c.Listen, c.Public, c.Demo, c.CertFile)
}

// parse reads the flags. Its error names all that is wrong, one fault a line.
func parse(args []string) (config, error) {
	var c config
	var publics []string
	level := "info"
	set := flag.NewFlagSet("schalterd", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.StringVar(&c.Dir, "data", "", "")
	set.StringVar(&c.Listen, "listen", ":8443", "")
	set.Func("public", "", func(s string) error { publics = append(publics, s); return nil })
	set.BoolVar(&c.Demo, "demo", false, "")
	set.StringVar(&c.DemoPassword, "demo-password", "", "")
	set.StringVar(&c.CertFile, "cert", "", "")
	set.StringVar(&c.KeyFile, "key", "", "")
	set.Float64Var(&c.Uplink, "uplink", 0, "")
	set.StringVar(&level, "log", level, "")
	set.BoolVar(&c.Version, "version", false, "")
	if err := set.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return config{}, err
		}
		return config{}, fmt.Errorf("die Angaben sind nicht zu verstehen (%w)", err)
	}
	if c.Version {
		return c, nil
	}
	var faults []error
	if set.NArg() > 0 {
		faults = append(faults, fmt.Errorf("mit %q ist hier nichts anzufangen: Alle Angaben beginnen mit --", set.Arg(0)))
	}
	for _, text := range publics {
		p, err := parsePublic(text)
		if err != nil {
			faults = append(faults, err)
		}
		c.Public = append(c.Public, p)
	}
	if err := c.LogLevel.UnmarshalText([]byte(level)); err != nil {
		faults = append(faults, fmt.Errorf("--log %q: möglich sind debug, info, warn und error", level))
	}
	return c, errors.Join(append(faults, c.faults()...)...)
}

// faults are those of the values together.
func (c config) faults() []error {
	var faults []error
	if c.Dir == "" {
		faults = append(faults, errors.New("--data fehlt: In welchem Verzeichnis soll die Box ihre Daten ablegen?"))
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		faults = append(faults, fmt.Errorf("--listen %q: gebraucht wird HOST:PORT oder :PORT, zum Beispiel :8443", c.Listen))
	} else {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			faults = append(faults, fmt.Errorf("--listen %q: der Anschluss ist eine Zahl von 0 bis 65535", c.Listen))
		}
		if host != "" && !validHost(host) {
			faults = append(faults, fmt.Errorf("--listen %q: %q ist weder ein Name noch eine Adresse", c.Listen, host))
		}
	}
	if c.Uplink != 0 && !(c.Uplink >= leastUplink && c.Uplink <= mostUplink) {
		faults = append(faults, fmt.Errorf("--uplink %v: möglich sind %v bis %v Mbit/s, 0 heißt ohne Grenze", c.Uplink, leastUplink, mostUplink))
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		faults = append(faults, errors.New("--cert und --key gehören zusammen: Geben Sie beide an oder keines"))
	}
	if c.DemoPassword != "" && !c.Demo {
		faults = append(faults, errors.New("--demo-password gilt nur zusammen mit --demo"))
	}
	if n := utf8.RuneCountInString(c.DemoPassword); n > 0 && n < minPassword {
		faults = append(faults, fmt.Errorf("--demo-password: mindestens %d Zeichen, dies sind %d", minPassword, n))
	}
	return faults
}

// parsePublic understands a name or an address, each with or without a port; an IPv6 address with a port needs brackets.
func parsePublic(text string) (public, error) {
	wrong := fmt.Errorf("--public %q: gebraucht wird ein Name oder eine Adresse, dahinter höchstens :PORT", text)
	host, port := text, 0
	if inner, ok := strings.CutPrefix(text, "["); ok && strings.HasSuffix(inner, "]") {
		host = strings.TrimSuffix(inner, "]")
		if !strings.Contains(host, ":") {
			return public{}, wrong
		}
	} else if h, p, err := net.SplitHostPort(text); err == nil {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return public{}, wrong
		}
		host, port = h, int(n)
	}
	if !validHost(host) {
		return public{}, wrong
	}
	if a, err := netip.ParseAddr(host); err == nil {
		host = a.String()
	}
	return public{Host: strings.ToLower(strings.TrimSuffix(host, ".")), Port: port}, nil
}

// validHost tells whether something is an address or may be a name in the DNS (RFC 1123 2.1). An address with a zone is
// good on one link only, so nobody outside can use it.
func validHost(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Zone() == ""
	}
	host = strings.TrimSuffix(host, ".")
	if host == "" || len(host) > 253 {
		return false
	}
	digits := true
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, r := range label {
			switch {
			case r >= '0' && r <= '9':
			case r == '-', r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z':
				digits = false
			default:
				return false
			}
		}
	}
	return !digits // 300.1.2.3 is a mistyped address
}
