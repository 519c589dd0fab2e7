package media

import (
	"testing"
	"time"
)

// beat is one look: the time since the last one, whether anything came meanwhile, and what is to come of it.
type beat struct {
	after     time.Duration
	sign      bool
	ask, down bool
}

func TestPulse(t *testing.T) {
	const look = lookEvery
	many := func(n int, b beat) (all []beat) {
		for range n {
			all = append(all, b)
		}
		return all
	}
	silent, asked, down := beat{after: look}, beat{after: look, ask: true}, beat{after: look, ask: true, down: true}
	join := func(parts ...[]beat) (all []beat) {
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	for name, beats := range map[string][]beat{
		"it is heard":           many(50, beat{after: look, sign: true}),
		"it is silent for good": join([]beat{{}}, many(2, silent), many(5, asked), many(90, down)),
		"it comes back":         join([]beat{{}}, many(2, silent), many(5, asked), many(9, down), []beat{{after: look, sign: true}}, many(2, silent), many(5, asked), many(3, down)),
		"it says little, and answers the third question": join(many(9, beat{after: look, sign: true}), many(2, silent), many(3, asked), []beat{{after: look, sign: true}}, many(2, silent), many(5, asked)),
		// Nobody looked for a minute: that says nothing of the other side.
		"we slept": join([]beat{{}, {after: time.Minute, ask: true}}, many(4, asked), []beat{{after: look, sign: true}}, many(2, silent)),
	} {
		t.Run(name, func(t *testing.T) {
			var p pulse
			now := time.Unix(1000, 0)
			for n, b := range beats {
				now = now.Add(b.after)
				if ask := p.look(now, b.sign); ask != b.ask || p.down != b.down {
					t.Fatalf("look %d: asks %v, down %v; want %v, %v", n, ask, p.down, b.ask, b.down)
				}
			}
		})
	}
}

// What comes between two looks, and whether it counts.
func TestPulseCounts(t *testing.T) {
	type step struct {
		media, answered bool
		down            bool // before
		want            bool
	}
	for name, c := range map[string]struct {
		way   direction
		steps []step
	}{
		"answers, where no media ever flowed": {publishing, []step{{answered: true, want: true}, {}, {answered: true, want: true}}},
		"media flow, and an answer is none":   {publishing, []step{{media: true, want: true}, {answered: true}, {answered: true}, {media: true, answered: true, want: true}, {answered: true}}},
		"once it was down, an answer counts":  {publishing, []step{{media: true, want: true}, {answered: true}, {answered: true, down: true, want: true}, {answered: true, want: true}}},
		"media come back after that":          {publishing, []step{{media: true, want: true}, {media: true, down: true, want: true}, {answered: true}}},
		"a receiving browser's reports":       {subscribing, []step{{media: true, want: true}, {answered: true, want: true}, {}}},
	} {
		t.Run(name, func(t *testing.T) {
			var p pulse
			for n, s := range c.steps {
				p.down = s.down
				if got := p.counts(s.media, s.answered, c.way); got != s.want {
					t.Fatalf("step %d: %v", n, got)
				}
				p.look(time.Unix(1000, 0).Add(time.Duration(n)*lookEvery), s.want)
			}
		})
	}
}

// The promises that the figures are made for.
func TestPulseKeepsItsTime(t *testing.T) {
	var p pulse
	start := time.Unix(1000, 0)
	p.look(start.Add(lookEvery), true) // a packet at start, seen at the next look
	for now := start.Add(2 * lookEvery); ; now = now.Add(lookEvery) {
		p.look(now, false)
		if took := now.Sub(start); p.down && took > 2*time.Second || took > time.Minute {
			t.Fatalf("down %v after %v", p.down, took)
		}
		if p.over(now) {
			t.Fatal("over at once")
		}
		if p.down {
			break
		}
	}
	if p.over(p.heard.Add(19*time.Second)) || !p.over(p.heard.Add(20*time.Second)) {
		t.Error("a seat is to be lost after 20 s")
	}
}

// Whoever looks at something now and then does it when all others do, also when somebody has set the clock meanwhile.
func TestAllLookAtTheSameTime(t *testing.T) {
	const every = 200 * time.Millisecond
	now := time.Now()
	for _, later := range []time.Duration{0, 1, every / 2, every - 1, every, 7*every + 13} {
		at := now.Add(later)
		got := struck(at, every)
		if passed := at.Sub(got); passed < 0 || passed >= every || got.UnixNano()%int64(every) != 0 {
			t.Errorf("%v later: %v ago, at %d", later, passed, got.UnixNano()%int64(every))
		}
		if got.Round(0) == got {
			t.Error("the clock that nobody sets is forgotten")
		}
	}
}
