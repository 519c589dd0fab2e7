package bandwidth_test

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"schalter/media/bandwidth"
	"schalter/media/story"
)

// The stories in testdata/*.txt show the estimate over time. A line is a command; the lines after it that begin with
// ">" are what came of it, and are rewritten with -update. "#" begins a remark. Rates are in kbit/s.
//
//	begin [seed=N] [start=N]              a connection; before everything else
//	link [rate=N] [burst=OCTETS] [queue=D] [delay=D] [jitter=D] [stall=D] [loss=PERCENT] [down=yes|no]
//	feedback [every=D] [loss=PERCENT] [reports=yes]   what comes back
//	source [layers=N,…] [wanted=N] [greedy=yes]
//	remb N
//	run D [step=D]
func TestStories(t *testing.T) {
	story.Run(t, "testdata/*.txt", func(t *testing.T, out io.Writer) func(int, []string) {
		var w *world
		return func(line int, words []string) {
			c := command{t: t, line: line, values: map[string]string{}}
			for _, word := range words[1:] {
				key, value, ok := strings.Cut(word, "=")
				if !ok {
					key, value = "", word
				}
				c.values[key] = value
			}
			switch words[0] {
			case "begin":
				w = newWorld(uint64(c.number("seed", 1)), bandwidth.Limits{Start: 1000 * c.number("start", 0)})
			case "link":
				c.link(&w.forth)
			case "feedback":
				w.every = c.duration("every", w.every)
				w.back.loss = float64(c.number("loss", int64(w.back.loss*100))) / 100
				w.reports = c.yes("reports", w.reports)
			case "source":
				w.wanted = 1000 * c.number("wanted", w.wanted/1000)
				w.greedy = c.yes("greedy", w.greedy)
				if list := c.values["layers"]; list != "" {
					w.layers = nil
					for _, l := range strings.Split(list, ",") {
						n, _ := strconv.ParseInt(l, 10, 64)
						w.layers = append(w.layers, 1000*n)
					}
				}
			case "remb":
				w.e.REMB(1000*c.number("", 0), w.at())
			case "run":
				c.run(w, out)
			default:
				t.Fatalf("line %d: %s", line, words[0])
			}
		}
	})
}

type command struct {
	t      *testing.T
	line   int
	values map[string]string
}

func (c command) number(key string, or int64) int64 {
	if c.values[key] == "" {
		return or
	}
	n, err := strconv.ParseInt(c.values[key], 10, 64)
	if err != nil {
		c.t.Fatalf("line %d: %v", c.line, err)
	}
	return n
}

func (c command) duration(key string, or time.Duration) time.Duration {
	if c.values[key] == "" {
		return or
	}
	d, err := time.ParseDuration(c.values[key])
	if err != nil {
		c.t.Fatalf("line %d: %v", c.line, err)
	}
	return d
}

func (c command) yes(key string, or bool) bool {
	if c.values[key] == "" {
		return or
	}
	return c.values[key] == "yes"
}

func (c command) link(l *link) {
	l.rate = 1000 * c.number("rate", l.rate/1000)
	l.burst = c.number("burst", l.burst)
	l.queue = c.duration("queue", l.queue)
	l.delay = c.duration("delay", l.delay)
	l.jitter = c.duration("jitter", l.jitter)
	l.stall = c.duration("stall", l.stall)
	l.loss = float64(c.number("loss", int64(l.loss*100))) / 100
	l.down = c.yes("down", l.down)
}

// run prints a line for each step: the estimate at its end, what arrived in it, the layer sent, the sound lost in it.
func (c command) run(w *world, out io.Writer) {
	total := c.duration("", 0)
	step := c.duration("step", total)
	for end := w.now + total; w.now < end; {
		lost, received, probed := w.soundLost, w.received, w.probed
		w.run(step)
		f := w.e.Figures(w.at())
		fmt.Fprintf(out, "> %6.1f s: %5d, %5d arrive, layer %d, queue %3d ms", w.now.Seconds(), f.Estimate/1000,
			(w.received-received)*8/step.Milliseconds(), w.layer, f.Queue.Milliseconds())
		if p := w.probed - probed; p > 0 {
			fmt.Fprintf(out, ", %d kB of probes", (p+500)/1000)
		}
		if f.Lost > 0 {
			fmt.Fprintf(out, ", %d ‰ lost (%d ‰ the link's own)", f.Lost, f.OwnLoss)
		}
		if w.soundLost > lost {
			fmt.Fprintf(out, ", %d of sound lost", w.soundLost-lost)
		}
		fmt.Fprintln(out)
	}
}
