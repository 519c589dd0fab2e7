package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// The shapes that issue 3 names, by the letter that the table finds them by.
const (
	toHundred = "1 → 100"
	toTen     = "1 → 10"
	meeting   = "meeting 4 × 4"
	byTURN    = "1 → 10 through TURN/TLS"
)

func shapes(measure time.Duration) []scenario {
	const settle = 2 * time.Second
	return []scenario{
		{publishers: 1, viewers: 100, settle: settle, measure: measure},
		{publishers: 1, viewers: 10, settle: settle, measure: measure},
		{publishers: 4, viewers: 4, meeting: true, settle: settle, measure: measure},
		{publishers: 1, viewers: 10, turn: true, settle: settle, measure: measure},
	}
}

// repetition holds what was measured one after the other: outcomes by scenario, of the box and of the yardstick.
type repetition struct {
	Box   map[string]outcome `json:"box"`
	Plain map[string]outcome `json:"plain"`
}

const (
	mostReps    = 20
	longestRun  = 2 * time.Minute
	benchWithin = time.Hour
)

// bench is the verb behind make bench.
func bench(ctx context.Context, c call) error {
	reps := c.flags.Int("reps", 3, "")
	measure := c.flags.Duration("for", 8*time.Second, "")
	here := filepath.Dir(executable())
	p := programs{}
	c.flags.StringVar(&p.daemon, "schalterd", filepath.Join(here, "schalterd"), "")
	c.flags.StringVar(&p.tool, "schalter", filepath.Join(here, "schalter"), "")
	file := c.flags.String("json", "", "")
	if err := c.parse(); err != nil {
		return err
	}
	if *reps < 1 || *reps > mostReps || *measure <= 0 || *measure > longestRun {
		return usagef("--reps 1 to %d, --for up to %s", mostReps, longestRun)
	}
	ctx, cancel := context.WithTimeout(ctx, benchWithin)
	defer cancel()
	var all []repetition
	var failed []error
	for i := range *reps {
		one, err := repeat(ctx, c, p, i, *reps, shapes(*measure))
		if ctx.Err() != nil {
			return fmt.Errorf("stopped: %w", ctx.Err())
		}
		failed, all = append(failed, err), append(all, one)
	}
	if *file != "" {
		if err := keep(*file, all); err != nil {
			return err
		}
	}
	printTable(c.out, all)
	return errors.Join(failed...)
}

func executable() string {
	path, err := os.Executable()
	if err != nil {
		return "." // then the flags have to say it
	}
	return path
}

func keep(file string, all []repetition) error {
	text, err := json.MarshalIndent(all, "", "  ")
	if err == nil {
		err = os.WriteFile(file, append(text, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("keep the figures: %w", err)
	}
	return nil
}

// repeat measures every scenario once at each server. Each run gets a server of its own; who comes first changes from
// repetition to repetition, so that a machine that gets slower does not harm one of them alone. A run that fails is
// missing in what is given; the others go on.
func repeat(ctx context.Context, c call, p programs, i, reps int, all []scenario) (repetition, error) {
	var failed []error
	r := repetition{Box: map[string]outcome{}, Plain: map[string]outcome{}}
	for _, shape := range all {
		measureBox := func() error {
			return measureOne(ctx, c, shape, r.Box, func() (started, error) { return startBox(ctx, p) })
		}
		measurePlain := func() error {
			if shape.turn {
				return nil // it has none
			}
			return measureOne(ctx, c, shape, r.Plain, func() (started, error) { return startPlain(ctx) })
		}
		first, second := measureBox, measurePlain
		if i%2 == 1 {
			first, second = second, first
		}
		fmt.Fprintf(c.errors, "repetition %d of %d: %s\n", i+1, reps, shape)
		for _, run := range []func() error{first, second} {
			if err := run(); err != nil && ctx.Err() == nil {
				fmt.Fprintf(c.errors, "  failed: %v\n", err)
				failed = append(failed, fmt.Errorf("repetition %d: %w", i+1, err))
			}
		}
	}
	return r, errors.Join(failed...)
}

// measureOne starts a server, loads it and ends it.
func measureOne(ctx context.Context, c call, shape scenario, into map[string]outcome, start func() (started, error)) error {
	s, err := start()
	if err != nil {
		return err
	}
	out, err := fanOut(ctx, s.server, shape)
	if err = errors.Join(err, s.end()); err != nil {
		return err
	}
	into[shape.String()] = out
	fmt.Fprintf(c.errors, "  %-14s %6.2f µs a packet, lost %.2f %%, delay p50 %s; cores: ours %.2f, others' %.2f\n",
		s.name, out.CPU, 100*out.Loss, milliseconds(out.DelayP50), out.OwnCPU, out.OtherCPU)
	return nil
}
