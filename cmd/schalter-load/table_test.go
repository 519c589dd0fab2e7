package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// measured is a repetition in which all figures of the box are so many times those of a quiet machine.
func measured(box, plain float64) repetition {
	of := func(cpu, times float64) outcome {
		return outcome{CPU: cpu * times, MediaCPU: cpu * times / 2, Separate: true, Memory: 40 << 20, DelayP50: time.Duration(.31e6 * times),
			FirstVideo: time.Duration(25e6 * times)}
	}
	return repetition{
		Box:   map[string]outcome{toHundred: of(5, box), toTen: of(20, box), meeting: of(20, box), byTURN: of(28, box)},
		Plain: map[string]outcome{toHundred: of(23, plain), toTen: of(45, plain), meeting: of(58, plain)},
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	// The machine was slow in the second repetition: ratios stay.
	printTable(&out, []repetition{measured(1, 1), measured(3, 3), measured(1, 1)})
	text := out.String()
	for _, want := range []string{
		"CPU per packet, 1 → 100 5.00 µs (5.00 to 15.00) 23.00 µs (23.00 to 69.00) 0.22 ≤ 0.32 × holds",
		"CPU per packet, 1 → 10 20.00 µs (20.00 to 60.00) 45.00 µs (45.00 to 135.00) 0.44 ≤ 0.33 × missed",
		"CPU per packet, meeting 4 × 4 20.00 µs (20.00 to 60.00) 58.00 µs (58.00 to 174.00) 0.34 ≤ 0.43 × holds",
		"the media process alone 2.50 µs (2.50 to 7.50)",
		"memory of the media process, 1 → 100 40.00 MiB (40.00 to 40.00) 40.00 MiB (40.00 to 40.00) 1.00 ≤ 50 MiB holds",
		"offer to first video p50, 1 → 100 25.00 ms (25.00 to 75.00) 25.00 ms (25.00 to 75.00) 1.00 ≤ 20 ms missed",
		"extra CPU per packet through TURN/TLS, 1 → 10 8.00 µs (8.00 to 24.00) - ≤ 10 µs holds",
		"packets lost, worst of all runs 0.00 % (0.00 to 0.00)",
		"4 of 7 hold.",
	} {
		if !strings.Contains(strings.Join(strings.Fields(text), " "), want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if strings.Contains(text, "no media process") {
		t.Error("it has one")
	}
}

func TestTableNeedsNoBox(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	printTable(&out, []repetition{{}})
	if !strings.Contains(out.String(), "0 of 7 hold") || strings.Count(out.String(), "not measured") != 7 {
		t.Error(out.String())
	}
}
