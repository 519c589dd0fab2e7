package main

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// row is one line of the table: a figure of the box in every repetition, the same of the yardstick, and what issue 3
// wants. The peers were measured once, on a quiet machine, with the yardstick beside them; so "0.45 × the best peer" is
// said as a share of the yardstick, which is always at hand.
type row struct {
	what   string
	unit   string
	box    []float64
	plain  []float64 // empty: the yardstick has no such thing
	ratios []float64 // of the repetitions in which both were measured, one next to the other
	share  float64   // wanted: at most this share of the yardstick; 0: no such wish
	most   float64   // wanted: at most so many units; 0: no such wish
	inform bool      // a figure beside, that nothing is wanted of
}

// The peers of reference, in µs of CPU for each packet, MiB and ms, on the quiet machine.
const (
	plainHundred, plainTen, plainMeeting = 23.1, 44.8, 57.6
	bestHundred, bestTen, bestMeeting    = 16.4, 29.2, 38.0
	plainDelay, bestDelay                = 0.32, 0.30
)

// holds tells whether what is wanted was reached: the share, or the figure itself, which a busy machine makes worse for
// both servers alike.
func (r row) holds() bool {
	return r.share > 0 && len(r.ratios) > 0 && median(r.ratios) <= r.share || r.most > 0 && len(r.box) > 0 && median(r.box) <= r.most
}

func (r row) wanted() string {
	var all []string
	if r.share > 0 {
		all = append(all, fmt.Sprintf("≤ %.2f ×", r.share))
	}
	if r.most > 0 {
		all = append(all, fmt.Sprintf("≤ %g %s", r.most, r.unit))
	}
	return strings.Join(all, " or ")
}

// rows makes the table of all that was measured.
func rows(all []repetition) []row {

	line := func(what, unit, shape string, share, most float64, figure func(outcome) float64) row {
		out := row{what: what, unit: unit, share: share, most: most, inform: share == 0 && most == 0}
		for _, r := range all {
			box, hasBox := r.Box[shape]
			plain, hasPlain := r.Plain[shape]
			if hasBox {
				out.box = append(out.box, figure(box))
			}
			if hasPlain {
				out.plain = append(out.plain, figure(plain))
			}
			if hasBox && hasPlain && figure(plain) > 0 {
				out.ratios = append(out.ratios, figure(box)/figure(plain))
			}
		}
		return out
	}
	cpu := func(o outcome) float64 { return o.CPU }
	mediaCPU := func(o outcome) float64 { return o.MediaCPU }
	ms := func(d time.Duration) float64 { return float64(d) / 1e6 }
	out := []row{
		line("CPU per packet, 1 → 100", "µs", toHundred, .45*bestHundred/plainHundred, 0, cpu),
		line("  the media process alone", "µs", toHundred, 0, 0, mediaCPU),
		line("CPU per packet, 1 → 10", "µs", toTen, .5*bestTen/plainTen, 0, cpu),
		line("  the media process alone", "µs", toTen, 0, 0, mediaCPU),
		line("CPU per packet, meeting 4 × 4", "µs", meeting, .65*bestMeeting/plainMeeting, 0, cpu),
		line("  the media process alone", "µs", meeting, 0, 0, mediaCPU),
		line("  delay p50", "ms", meeting, bestDelay/plainDelay, .3, func(o outcome) float64 { return ms(o.DelayP50) }),
		line("  delay p99", "ms", meeting, 0, 0, func(o outcome) float64 { return ms(o.DelayP99) }),
		line("memory of the media process, 1 → 100", "MiB", toHundred, 0, 50, func(o outcome) float64 { return float64(o.Memory) / (1 << 20) }),
		line("offer to first video p50, 1 → 100", "ms", toHundred, 0, 20, func(o outcome) float64 { return ms(o.FirstVideo) }),
		line("  1 → 10", "ms", toTen, 0, 0, func(o outcome) float64 { return ms(o.FirstVideo) }),
		line("delay p50, 1 → 100", "ms", toHundred, 0, 0, func(o outcome) float64 { return ms(o.DelayP50) }),
		line("  p99", "ms", toHundred, 0, 0, func(o outcome) float64 { return ms(o.DelayP99) }),
	}
	return append(out, turnRow(all), lossRow(all))
}

// turnRow is what a packet costs more through TURN over TLS, over all processes of the box.
func turnRow(all []repetition) row {
	r := row{what: "extra CPU per packet through TURN/TLS, 1 → 10", unit: "µs", most: 10}
	for _, one := range all {
		through, ok := one.Box[byTURN]
		direct, also := one.Box[toTen]
		if ok && also {
			r.box = append(r.box, through.CPU-direct.CPU)
		}
	}
	return r
}

// lossRow is the worst of each repetition: figures of a run that lost packets say nothing.
func lossRow(all []repetition) row {
	worst := func(of map[string]outcome) float64 {
		most := 0.0
		for _, o := range of {
			most = max(most, 100*o.Loss)
		}
		return most
	}
	r := row{what: "packets lost, worst of all runs", unit: "%", inform: true}
	for _, one := range all {
		r.box, r.plain = append(r.box, worst(one.Box)), append(r.plain, worst(one.Plain))
	}
	return r
}

func printTable(w io.Writer, all []repetition) {
	fmt.Fprintf(w, "\n%d repetitions on %d cores, %s; medians (lowest to highest), ratios of neighbouring runs\n\n", len(all), runtime.NumCPU(), runtime.Version())
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\tbox\tplain pion v3\tratio\twanted\t")
	kept, asked := 0, 0
	for _, r := range rows(all) {
		ratio, verdict := "", ""
		if len(r.ratios) > 0 {
			ratio = fmt.Sprintf("%.2f", median(r.ratios))
		}
		if !r.inform {
			asked++
			switch {
			case len(r.box) == 0:
				verdict = "not measured"
			case r.holds():
				kept++
				verdict = "holds"
			default:
				verdict = "missed"
			}
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", r.what, span(r.box, r.unit), span(r.plain, r.unit), ratio, r.wanted(), verdict)
	}
	_ = table.Flush() // to a terminal, as all that is printed here
	fmt.Fprintf(w, "\n%d of %d hold. %s\n", kept, asked, conditions(all))
}

// span is a median with its extremes.
func span(all []float64, unit string) string {
	if len(all) == 0 {
		return "-"
	}
	if len(all) == 1 {
		return fmt.Sprintf("%.2f %s", all[0], unit)
	}
	return fmt.Sprintf("%.2f %s (%.2f to %.2f)", median(all), unit, slices.Min(all), slices.Max(all))
}

// conditions says what else is to be known about the figures.
func conditions(all []repetition) string {
	var own, others float64
	separate := true
	for _, r := range all {
		for _, o := range r.Box {
			own, others = max(own, o.OwnCPU), max(others, o.OtherCPU)
			separate = separate && o.Separate
		}
		for _, o := range r.Plain {
			own, others = max(own, o.OwnCPU), max(others, o.OtherCPU)
		}
	}
	text := fmt.Sprintf("CPU of the box is that of all its processes. The load itself took up to %.2f cores, other work up to %.2f.", own, others)
	if !separate {
		text += "\nThe box has no media process of its own: its figures are those of the whole."
	}
	if others > .2*float64(runtime.NumCPU()) {
		text += "\nThe machine was busy with other work: trust the ratios, not the figures."
	}
	return text
}
