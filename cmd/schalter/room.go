package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"schalter/web/control"
)

// room opens, lists and closes rooms for encoders and viewers.
func room(ctx context.Context, c call) error {
	usage := &usageError{"Gebraucht wird: room open NAME, room list oder room close NAME."}
	if len(c.args) == 0 {
		return usage
	}
	switch c.args[0] {
	case "list":
		c.args = c.args[1:]
		return listRooms(ctx, c)
	case "open", "close":
		if len(c.args) < 2 || strings.HasPrefix(c.args[1], "-") {
			return &usageError{"Gebraucht wird: room " + c.args[0] + " NAME."}
		}
	default:
		return usage
	}
	wish := control.RoomWish{Room: c.args[1]}
	flags := flag.NewFlagSet("room", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.BoolVar(&c.json, "json", c.json, "")
	if c.args[0] == "open" {
		flags.Func("origin", "", func(s string) error { wish.Origins = append(wish.Origins, s); return nil })
	}
	switch err := flags.Parse(c.args[2:]); {
	case err != nil:
		return &usageError{fmt.Sprintf("room %s: Die Angaben sind nicht zu verstehen (%v).", c.args[0], err)}
	case flags.NArg() > 0:
		return &usageError{fmt.Sprintf("room %s: Mit %q ist hier nichts anzufangen.", c.args[0], flags.Arg(0))}
	}
	if c.args[0] == "close" {
		if printed, err := ask(ctx, c, control.CloseRoute, wish, nil); printed || err != nil {
			return err
		}
		fmt.Fprintf(c.out, "Der Raum %s ist geschlossen. Wer darin war, ist draußen.\n", wish.Room)
		return nil
	}
	return openRoom(ctx, c, wish)
}

func openRoom(ctx context.Context, c call, wish control.RoomWish) error {
	var opened control.OpenedRoom
	if printed, err := ask(ctx, c, control.OpenRoute, wish, &opened); printed || err != nil {
		return err
	}
	base := "https://…"
	var s control.Status
	if _, err := c.daemon.Call(ctx, control.StatusRoute, nil, &s); err == nil && len(s.Links) > 0 {
		base = strings.TrimSuffix(s.Links[0], "/")
	}
	fmt.Fprintf(c.out, `Der Raum %[1]s ist offen, bis Sie ihn schließen, auch nach einem Neustart.

Senden (WHIP)
  Adresse    %[2]s/api/v1/rooms/%[1]s/whip
  Schlüssel  %[3]s
Zuschauen (WHEP)
  Adresse    %[2]s/api/v1/rooms/%[1]s/whep
  Schlüssel  %[4]s

Die Schlüssel werden nur jetzt gezeigt. Gab es den Raum schon, gelten seine bisherigen Schlüssel nicht mehr; wer gerade
verbunden ist, bleibt es.
`, opened.Room, base, opened.PublishToken, opened.ViewToken)
	return nil
}

func listRooms(ctx context.Context, c call) error {
	if err := nothingBehind(c, "room list"); err != nil {
		return err
	}
	var all []control.Room
	if printed, err := ask(ctx, c, control.RoomsRoute, nil, &all); printed || err != nil {
		return err
	}
	if len(all) == 0 {
		fmt.Fprintln(c.out, "Kein Raum ist offen.")
		return nil
	}
	table := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "Raum\toffen seit\tsenden\tsehen zu\tfremde Seiten")
	for _, r := range all {
		origins := strings.Join(r.Origins, " ")
		if origins == "" {
			origins = "–"
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%s\n", r.Room, r.OpenedAt.Local().Format("02.01. 15:04"), r.Publishers, r.Viewers, origins)
	}
	return table.Flush()
}
