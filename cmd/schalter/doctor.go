package main

import (
	"context"
	"fmt"

	"schalter/web/control"
)

func doctor(ctx context.Context, c call) error {
	if err := nothingBehind(c, "doctor"); err != nil {
		return err
	}
	var findings []control.Finding
	printed, err := ask(ctx, c, control.DoctorRoute, nil, &findings)
	if err != nil {
		return err
	}
	bad := false
	for _, f := range findings {
		bad = bad || f.State == "bad"
		if printed {
			continue
		}
		mark := map[string]string{"good": "in Ordnung", "watch": "beachten", "bad": "FEHLER"}[f.State]
		fmt.Fprintf(c.out, "%-10s  %s\n", mark, f.What)
		if f.Do != "" {
			fmt.Fprintf(c.out, "%-10s  → %s\n", "", f.Do)
		}
	}
	if bad {
		return errUnwell
	}
	return nil
}
