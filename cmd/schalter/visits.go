package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"schalter/web/control"
)

func visits(ctx context.Context, c call) error {
	if err := nothingBehind(c, "visits"); err != nil {
		return err
	}
	var all []control.Visit
	if printed, err := ask(ctx, c, control.VisitsRoute, nil, &all); printed || err != nil {
		return err
	}
	if len(all) == 0 {
		fmt.Fprintln(c.out, "Niemand ist im Haus.")
		return nil
	}
	table := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "Vorgang\tAmt\tZustand\tPlatz\tim Haus seit\tweitergeleitet")
	for _, v := range all {
		clerk := v.Clerk
		if clerk == "" {
			clerk = "–"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%d\n", v.ID, v.Office, german(v.State), clerk, lasting(time.Since(v.ArrivedAt)), v.Transfers)
	}
	return table.Flush()
}
