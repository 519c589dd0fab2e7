package appliance

import (
	"fmt"
	"testing"
	"time"
)

func TestEstimate(t *testing.T) {
	tests := []struct {
		ahead int
		talk  time.Duration
		desks int
		want  string
	}{
		{0, 10 * time.Minute, 1, "0-5"},
		{0, 3 * time.Hour, 1, "0-5"}, // the first is told so, however long talks are
		{5, 10 * time.Minute, 0, "none"},
		{0, 10 * time.Minute, 0, "none"},
		{1, 4*time.Minute + 59*time.Second, 1, "0-5"},
		{1, 5 * time.Minute, 1, "5-10"},
		{1, 10*time.Minute - 1, 1, "5-10"},
		{1, 10 * time.Minute, 1, "10-20"},
		{2, 10 * time.Minute, 2, "10-20"},
		{3, 10 * time.Minute, 2, "15-25"},
		{2, 10 * time.Minute, 3, "5-10"},
		{3, 10 * time.Minute, 1, "30-45"},
		{6, 10 * time.Minute, 1, "60-90"},
		{500, 20 * time.Minute, 40, "250-280"},
	}
	for _, tt := range tests {
		got := "none"
		if e := estimate(tt.ahead, tt.talk, tt.desks); e != nil {
			got = fmt.Sprintf("%d-%d", e[0], e[1])
		}
		if got != tt.want {
			t.Errorf("%d ahead, %v each, %d desks: got %s, want %s", tt.ahead, tt.talk, tt.desks, got, tt.want)
		}
	}
}

// The range must always hold the figure it stands for, and end in steps of five.
func TestEstimateHoldsItsFigure(t *testing.T) {
	low := -1
	for minute := range 600 {
		e := estimate(1, time.Duration(minute)*time.Minute, 1)
		if minute < e[0] || minute > e[1] || e[0]%stepWait != 0 || e[1]%stepWait != 0 || e[0] < low {
			t.Errorf("%d minutes are shown as %v", minute, *e)
		}
		low = e[0]
	}
}

func TestTypicalTalk(t *testing.T) {
	minutes := func(m ...int) (d []time.Duration) {
		for _, n := range m {
			d = append(d, time.Duration(n)*time.Minute)
		}
		return d
	}
	series := func(from, n int) (m []int) {
		for i := range n {
			m = append(m, from+i)
		}
		return m
	}
	tests := []struct {
		what     string
		set      time.Duration
		measured []time.Duration
		want     time.Duration
	}{
		{"nothing measured", 12 * time.Minute, nil, 12 * time.Minute},
		{"nothing measured, nothing set", 0, nil, 20 * time.Minute},
		{"one odd talk moves nothing", 12 * time.Minute, minutes(90), 12 * time.Minute},
		{"a majority moves it", 12 * time.Minute, minutes(30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30), 30 * time.Minute},
		{"half of them", 10 * time.Minute, minutes(30, 30, 30, 30, 30, 30, 30, 30, 30, 30), 20 * time.Minute},
		{"twenty: their median", time.Hour, minutes(series(1, 20)...), 10*time.Minute + 30*time.Second},
		{"the last twenty of more", time.Hour, minutes(append(series(500, 40), series(1, 20)...)...), 10*time.Minute + 30*time.Second},
	}
	for _, tt := range tests {
		h := NewHouse(Snapshot{
			Offices: []Office{{ID: "a", Duration: tt.set}}, Talks: map[OfficeID][]time.Duration{"a": tt.measured},
		}, DefaultTerms(), time.Unix(0, 0))
		if got := h.typicalTalk(h.offices["a"]); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.what, got, tt.want)
		}
	}
}

// A house that is never restarted must not grow with every talk, and must still find what it pushed out.
func TestMeasuredTalksAreBounded(t *testing.T) {
	h := NewHouse(Snapshot{Offices: []Office{{ID: "a"}}}, DefaultTerms(), time.Unix(0, 0))
	for i := range 10 * keptTalks {
		h.measured("a", time.Duration(i+1))
	}
	if n := len(h.talks["a"]); n > 2*keptTalks {
		t.Errorf("%d are kept", n)
	}
	before := h.typicalTalk(h.offices["a"])
	for range keptTalks / 2 {
		h.measured("a", time.Hour)
	}
	for range keptTalks / 2 {
		h.unmeasured("a")
	}
	if got := h.typicalTalk(h.offices["a"]); got != before {
		t.Errorf("after taking back %v, before %v", got, before)
	}
	h.unmeasured("nowhere")
}
