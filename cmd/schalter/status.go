package main

import (
	"cmp"
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"schalter/web/control"
)

func status(ctx context.Context, c call) error {
	if err := nothingBehind(c, "status"); err != nil {
		return err
	}
	var s control.Status
	if printed, err := ask(ctx, c, control.StatusRoute, nil, &s); printed || err != nil {
		return err
	}
	// A box that nobody has set up has no name yet.
	fmt.Fprintf(c.out, "%s, seit %s in Betrieb\n", cmp.Or(s.Town, "Der Schalter"), lasting(time.Since(s.Since)))
	for i, link := range s.Links {
		label := "Erreichbar unter"
		if i > 0 {
			label = "       und unter"
		}
		fmt.Fprintf(c.out, "%s  %s\n", label, link)
	}
	fmt.Fprintln(c.out, pictures(s.Media))
	fmt.Fprintln(c.out)
	if len(s.Offices) == 0 {
		_, err := fmt.Fprintln(c.out, "Es ist noch kein Amt eingerichtet. Eine Beispielstadt füllt schalterd --demo in ein leeres Verzeichnis.")
		return err
	}
	table := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "Kürzel\tAmt\tZustand\tam Platz\twarten\taufgerufen\tim Gespräch\tgeparkt")
	for _, o := range s.Offices {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\n", o.ID, o.Name, german(o.State), o.Staff, o.Waiting, o.Called, o.Talking, o.Parked)
	}
	return table.Flush()
}

// pictures says how the media process is doing.
func pictures(m control.Media) string {
	if m.Process == 0 {
		return "Bild und Ton      ausgefallen; „schalter doctor“ sagt mehr"
	}
	text := fmt.Sprintf("Bild und Ton      Räume: %d, Plätze darin: %d", m.Rooms, m.Seats)
	if m.Detours > 0 {
		text += fmt.Sprintf(", Umwege über TCP: %d", m.Detours)
	}
	return text
}

// german names states as the pages do.
func german(state string) string {
	words := map[string]string{
		"open": "offen", "closed": "geschlossen", "full": "voll",
		"waiting": "wartet", "called": "aufgerufen", "talking": "im Gespräch", "parked": "geparkt",
	}
	if word, ok := words[state]; ok {
		return word
	}
	return state
}

// lasting is a time span as one says it.
func lasting(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d Sekunden", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d Minuten", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d Stunden", int(d.Hours()))
	}
	return fmt.Sprintf("%d Tagen", int(d.Hours()/24))
}
