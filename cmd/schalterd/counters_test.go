package main

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"schalter/media/apart"
)

// readMetrics reads a page with Prometheus' own parser and holds it to its rules for names, units and texts. No label may be able
// to name a person, an address, a room or a seat.
func readMetrics(t *testing.T, page []byte) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(page))
	if err != nil {
		t.Fatalf("%v in\n%s", err, page)
	}
	problems, err := promlint.New(bytes.NewReader(page)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	allowed := []string{"office", "process", "reason", "state", "version", "way"}
	for name, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if !slices.Contains(allowed, l.GetName()) {
					t.Errorf("%s has the label %s", name, l.GetName())
				}
			}
		}
	}
	return families
}

// TestEveryFigureIsTold gives every counter of the media process a number of its own and looks for it.
func TestEveryFigureIsTold(t *testing.T) {
	t.Parallel()
	var f apart.Figures
	next := uint64(1000)
	want := map[float64]string{}
	var fill func(v reflect.Value, name string)
	fill = func(v reflect.Value, name string) {
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				fill(v.Field(i), name+"."+v.Type().Field(i).Name)
			}
		case reflect.Int:
			v.SetInt(int64(next))
		case reflect.Uint64:
			v.SetUint(next)
		case reflect.Float64:
			v.SetFloat(float64(next))
		default:
			t.Fatalf("%s is of a kind that this test does not know", name)
		}
		if v.Kind() != reflect.Struct {
			want[float64(next)] = name
			next++
		}
	}
	fill(reflect.ValueOf(&f).Elem(), "Figures")
	var e exposition
	e.processes(process{"media", time.Time{}, f.Goroutines, f.Files, f.Memory, f.CPU})
	e.mediaProcess(f)
	for _, family := range readMetrics(t, e.text) {
		for _, m := range family.GetMetric() {
			delete(want, m.GetCounter().GetValue())
			delete(want, m.GetGauge().GetValue())
		}
	}
	for _, name := range want {
		t.Errorf("%s is not told", name)
	}
}

func TestLabelsAreEscaped(t *testing.T) {
	t.Parallel()
	const odd = "a\"b\\c\nd{}"
	var e exposition
	e.gauge("schalter_odd", "Help.", sample{1.5, labels{"office", odd, "state", "x"}}, sample{2, labels{"office", "y", "state", "x"}})
	m := readMetrics(t, e.text)["schalter_odd"].GetMetric()
	got := fmt.Sprintln(len(m), m[0].GetLabel()[0].GetValue() == odd, m[0].GetGauge().GetValue(), m[1].GetLabel()[1].GetValue())
	if got != "2 true 1.5 x\n" {
		t.Errorf("%s in\n%s", got, e.text)
	}
}
