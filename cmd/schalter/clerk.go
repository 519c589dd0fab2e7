package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"golang.org/x/term"

	"schalter/web/control"
)

func clerk(ctx context.Context, c call) error {
	if len(c.args) < 2 || c.args[0] != "add" || strings.HasPrefix(c.args[1], "-") {
		return &usageError{"Gebraucht wird: clerk add NAME --name … --title … --office …"}
	}
	row := control.Clerk{ID: c.args[1]}
	var offices, roles string
	flags := flag.NewFlagSet("clerk add", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&row.Name, "name", "", "")
	flags.StringVar(&row.Title, "title", "", "")
	flags.StringVar(&offices, "office", "", "")
	flags.StringVar(&roles, "role", "clerk", "")
	flags.BoolVar(&c.json, "json", c.json, "")
	switch err := flags.Parse(c.args[2:]); {
	case err != nil:
		return &usageError{fmt.Sprintf("clerk add: Die Angaben sind nicht zu verstehen (%v).", err)}
	case flags.NArg() > 0:
		return &usageError{fmt.Sprintf("clerk add: Mit %q ist hier nichts anzufangen. Namen mit Leerzeichen brauchen Anführungszeichen.", flags.Arg(0))}
	case row.Name == "" || row.Title == "":
		return &usageError{"clerk add: Es fehlen --name und --title, zum Beispiel --name \"Sabine Weber\" --title \"Frau Weber\"."}
	}
	row.Offices, row.Roles = list(offices), list(roles)
	var err error
	if row.Password, err = readPassword(c.terminal); err != nil {
		return err
	}
	if printed, err := ask(ctx, c, control.ClerksRoute, row, nil); printed || err != nil {
		return err
	}
	fmt.Fprintf(c.out, "%s kann sich jetzt als %s anmelden.\n", row.Title, row.ID)
	return nil
}

// list splits at commas and drops what is empty.
func list(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

// readPassword asks twice at a terminal, and takes the first line of anything else.
func readPassword(t terminal) (string, error) {
	fd := int(t.in.Fd())
	if !term.IsTerminal(fd) {
		line, err := bufio.NewReader(io.LimitReader(t.in, 4096)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("read password: %w", err)
		}
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			return "", &usageError{"clerk add: In der Eingabe steht kein Passwort. Geben Sie es in der ersten Zeile, oder rufen Sie den Befehl am Bildschirm auf."}
		}
		return line, nil
	}
	var typed [2]string
	for i, prompt := range []string{"Passwort: ", "Noch einmal: "} {
		fmt.Fprint(t.errors, prompt)
		line, err := term.ReadPassword(fd)
		fmt.Fprintln(t.errors)
		if err != nil {
			return "", fmt.Errorf("read password: %w", err)
		}
		typed[i] = string(line)
	}
	if typed[0] != typed[1] {
		return "", errors.New("die beiden Eingaben sind verschieden; es wurde nichts angelegt")
	}
	return typed[0], nil
}
