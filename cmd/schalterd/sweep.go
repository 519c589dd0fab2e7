package main

import (
	"context"
	"log/slog"
	"time"

	"schalter/appliance/store"
)

// nightHour is when the nightly sweep begins, in the box's own time: nobody is in the house, and no clock change skips it.
const nightHour = 4

// sweepNightly deletes what has reached the end of its term, now and every night, until ctx ends.
func sweepNightly(ctx context.Context, s *store.Store, log *slog.Logger) {
	for {
		began := time.Now()
		swept, err := s.Sweep(ctx, began)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			log.ErrorContext(ctx, "sweep", "error", err)
		default:
			log.InfoContext(ctx, "swept", "visits", swept.Visits, "notes", swept.Notes, "reasons", swept.Reasons,
				"answers", swept.Answers, "sign_ins", swept.SignIns, "audit", swept.Audit, "took", time.Since(began))
		}
		wait := time.NewTimer(time.Until(nextNight(time.Now())))
		select {
		case <-ctx.Done():
			wait.Stop()
			return
		case <-wait.C:
		}
	}
}

// nextNight is the next time that it is nightHour.
func nextNight(now time.Time) time.Time {
	at := time.Date(now.Year(), now.Month(), now.Day(), nightHour, 0, 0, 0, now.Location())
	if !at.After(now) {
		at = time.Date(now.Year(), now.Month(), now.Day()+1, nightHour, 0, 0, 0, now.Location())
	}
	return at
}
