package main

import (
	"context"

	"schalter/web/control"
)

// metrics prints the daemon's figures as they are: Prometheus' text format is for programs already.
func metrics(ctx context.Context, c call) error {
	if err := nothingBehind(c, "metrics"); err != nil {
		return err
	}
	if c.json {
		return &usageError{"metrics gibt es nur im Textformat von Prometheus, nicht mit --json."}
	}
	raw, err := c.daemon.Call(ctx, control.MetricsRoute, nil, nil)
	if err != nil {
		return err
	}
	_, err = c.out.Write(raw)
	return err
}
