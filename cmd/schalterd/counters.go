package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
)

// counters writes what the parts counted, in Prometheus' text form: one line for each number of their statistics.
// Those of a media process that is away are left out: a counter that begins again at 0 is one that was started again.
func (d *daemon) counters(ctx context.Context, w io.Writer) {
	m := d.media.status(ctx)
	fmt.Fprintf(w, "schalter_media_starts %d\nschalter_media_goroutines %d\nschalter_media_open_files %d\nschalter_media_memory_bytes %d\n",
		m.Starts, m.Goroutines, m.Files, m.Memory)
	if f, err := d.media.figures(ctx); err == nil {
		writeCounters(w, "port", f.Port)
		writeCounters(w, "relay", f.Relay)
	}
}

// writeCounters takes names and numbers from the JSON of a part's statistics, which is flat.
func writeCounters(w io.Writer, part string, stats any) {
	encoded, err := json.Marshal(stats)
	if err != nil {
		return // a struct of numbers always encodes
	}
	numbers := map[string]json.Number{}
	if err := json.Unmarshal(encoded, &numbers); err != nil {
		return // as above
	}
	names := make([]string, 0, len(numbers))
	for name := range numbers {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(w, "schalter_%s_%s %s\n", part, name, numbers[name])
	}
}
