package main

import (
	"fmt"
	"strconv"
	"strings"
)

// exposition is a page of metrics in Prometheus' text format, version 0.0.4. It is written by hand: three kinds of line need no
// library, and the usual one keeps its counters in variables of packages and brings protobuf along. A test reads the page with
// Prometheus' own parser and its rules for names.
type exposition struct{ text []byte }

// labels are names and values in turn.
type labels []string

// sample is one number of a metric.
type sample struct {
	value  float64
	labels labels
}

// one is the only sample of a metric without labels.
func one[N int | uint64 | float64](n N) []sample { return []sample{{value: float64(n)}} }

// by makes samples that one label tells apart. Values are its values, a space between two; numbers are theirs.
func by[N int | uint64](label, values string, numbers ...N) []sample {
	all := make([]sample, 0, len(numbers))
	for i, value := range strings.Fields(values) {
		all = append(all, sample{float64(numbers[i]), labels{label, value}})
	}
	return all
}

// gauge writes a metric that goes up and down.
func (e *exposition) gauge(name, help string, samples ...sample) {
	e.metric("gauge", name, help, samples)
}

// counter writes one that only grows until its process ends.
func (e *exposition) counter(name, help string, samples ...sample) {
	e.metric("counter", name, help, samples)
}

func (e *exposition) metric(kind, name, help string, samples []sample) {
	if len(samples) == 0 {
		return
	}
	e.text = fmt.Appendf(e.text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
	for _, s := range samples {
		e.text = append(e.text, name...)
		for i := 0; i+1 < len(s.labels); i += 2 {
			before := ','
			if i == 0 {
				before = '{'
			}
			e.text = fmt.Appendf(e.text, `%c%s="%s"`, before, s.labels[i], escaped(s.labels[i+1]))
		}
		if len(s.labels) > 0 {
			e.text = append(e.text, '}')
		}
		e.text = append(e.text, ' ')
		e.text = strconv.AppendFloat(e.text, s.value, 'f', -1, 64)
		e.text = append(e.text, '\n')
	}
}

func escaped(value string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(value)
}
