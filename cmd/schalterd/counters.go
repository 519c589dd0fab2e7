package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
)

// counters writes what the parts counted, in Prometheus' text form: one line for each number of their statistics.
func (d *daemon) counters(w io.Writer) {
	writeCounters(w, "port", d.mux.Stats())
	writeCounters(w, "relay", d.relay.Stats())
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
