package appliance

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// The number of public holidays in 2026, Easter and Whit Sunday not counted, as the Länder's own laws have them.
func TestHolidaysByLand(t *testing.T) {
	for land, want := range map[Land]int{
		"BW": 12, "BY": 12, "BE": 10, "BB": 10, "HB": 10, "HH": 10, "HE": 10, "MV": 11, "NI": 10, "NW": 11, "RP": 11, "SL": 12,
		"SN": 11, "ST": 11, "SH": 10, "TH": 11, "": 0,
	} {
		var found []string
		for d := Date("2026-01-01"); d <= "2026-12-31"; d = d.next() {
			if name := land.Holiday(d); name != "" {
				found = append(found, name)
			}
		}
		if len(found) != want || !land.Known() {
			t.Errorf("%q has %d holidays, known %t; want %d: %q", land, len(found), land.Known(), want, found)
		}
	}
	if Land("XX").Known() {
		t.Error("XX is known")
	}
	for _, c := range []struct {
		land Land
		day  Date
		want string
	}{
		{"MV", "2022-03-08", ""}, {"MV", "2023-03-08", "Frauentag"}, {"BE", "2026-03-08", "Frauentag"},
		{"SN", "2026-11-18", "Buß- und Bettag"}, {"BY", "2026-11-18", ""}, {"TH", "2026-09-20", "Weltkindertag"},
		{"HE", "2026-04-03", "Karfreitag"}, {"HE", "2038-04-26", "Ostermontag"}, {"NW", "2027-05-27", "Fronleichnam"},
		{"NI", "2026-10-31", "Reformationstag"}, {"HE", "2026-10-31", ""}, {"BY", "2026-01-06", "Heilige Drei Könige"},
	} {
		if got := c.land.Holiday(c.day); got != c.want {
			t.Errorf("%s on %s: %q, want %q", c.land, c.day, got, c.want)
		}
	}
}

// Whatever the hours are, an opening says the same as walking through the days minute by minute, around both changes of the
// clock.
func TestOpeningAgreesWithTheClockOnTheWall(t *testing.T) {
	dice := rand.New(rand.NewPCG(3, 11)) //nolint:gosec // a test that is the same each time
	for _, around := range []Date{"2026-03-27", "2026-10-23", "2026-12-22"} {
		for range 40 {
			c := calendar{land: "BY", office: &Hours{}}
			for weekday := range c.office.Week {
				c.office.Week[weekday] = anySpans(dice)
			}
			c.town = []Day{{First: around.next(), Last: around.next().next(), Hours: anySpans(dice), Why: "Fest"}}
			c.office.Days = []Day{{First: around.next(), Last: around.next()}}
			c.walk(t, around, 6)
		}
	}
}

func anySpans(dice *rand.Rand) (spans []Span) {
	for at := dice.IntN(8) * 180; at < wholeDay && len(spans) < mostSpans; at += 60 * (1 + dice.IntN(8)) {
		until := min(at+60*(1+dice.IntN(10)), wholeDay)
		spans = append(spans, Span{From: at, Until: until})
		at = until
	}
	return spans
}

func (c calendar) walk(t *testing.T, first Date, days int) {
	t.Helper()
	openAt := func(at time.Time) bool {
		local := at.In(Zone())
		spans, _ := c.day(DateOf(at))
		minute := local.Hour()*60 + local.Minute()
		return slices.ContainsFunc(spans, func(s Span) bool { return s.From <= minute && minute < s.Until })
	}
	start := first.on(0)
	for at := start; at.Before(start.AddDate(0, 0, days)); at = at.Add(30 * time.Minute) {
		w := c.opening(at)
		if h := at.In(Zone()).Hour(); h >= 1 && h <= 3 && (DateOf(at) == "2026-03-29" || DateOf(at) == "2026-10-25") {
			continue // an hour that is not there, or there twice, can be meant either way
		}
		if w.open != openAt(at) {
			t.Fatalf("%s: open %t by %+v", at.In(Zone()), w.open, c.office)
		}
		if !w.until.After(at) {
			t.Fatalf("%s: worth until %s only", at, w.until)
		}
		changes := w.opensAt
		if w.open {
			changes = w.closesAt
		}
		if changes.IsZero() || changes.Sub(at) > 3*24*time.Hour {
			continue
		}
		for next := at; next.Before(changes); next = next.Add(30 * time.Minute) {
			if h := next.In(Zone()).Hour(); openAt(next) != w.open && (h < 1 || h > 3) {
				t.Fatalf("%s: told to change at %s, but does at %s", at.In(Zone()), changes.In(Zone()), next.In(Zone()))
			}
		}
		if h := changes.In(Zone()).Hour(); openAt(changes) == w.open && (h < 1 || h > 3) {
			t.Fatalf("%s: told to change at %s, and does not", at.In(Zone()), changes.In(Zone()))
		}
	}
}

func TestHoursThatAreRefused(t *testing.T) {
	day := func(first, last Date, spans ...Span) Hours {
		return Hours{Days: []Day{{First: first, Last: last, Hours: spans}}}
	}
	week := func(spans ...Span) (h Hours) { h.Week[1] = spans; return h }
	for name, c := range map[string]struct {
		hours Hours
		code  string // empty: allowed
	}{
		"none":               {},
		"morning":            {hours: week(Span{480, 720})},
		"to midnight":        {hours: week(Span{0, 1440})},
		"past midnight":      {hours: week(Span{1320, 1500}), code: "hours-invalid"},
		"backwards":          {hours: week(Span{720, 480}), code: "hours-invalid"},
		"empty":              {hours: week(Span{480, 480}), code: "hours-invalid"},
		"negative":           {hours: week(Span{-10, 480}), code: "hours-invalid"},
		"overlapping":        {hours: week(Span{480, 720}, Span{660, 800}), code: "hours-invalid"},
		"touching":           {hours: week(Span{480, 720}, Span{720, 800}), code: "hours-invalid"},
		"too many":           {hours: week(Span{1, 2}, Span{3, 4}, Span{5, 6}, Span{7, 8}, Span{9, 10}, Span{11, 12}, Span{13, 14}), code: "hours-too-many"},
		"a day":              {hours: day("2026-12-24", "2026-12-24")},
		"no day":             {hours: day("2026-02-30", "2026-03-01"), code: "date-invalid"},
		"before it begins":   {hours: day("2026-12-24", "2026-12-23"), code: "date-invalid"},
		"longer than a year": {hours: day("2026-01-01", "2027-01-02"), code: "date-invalid"},
		"a day's hours":      {hours: day("2026-12-24", "2026-12-24", Span{600, 500}), code: "hours-invalid"},
		"twice the day": {hours: Hours{Days: []Day{{First: "2026-12-27", Last: "2026-12-27"}, {First: "2026-12-24", Last: "2026-12-31"}}},
			code: "days-overlap"},
	} {
		got := ""
		_, err := checkHours(c.hours)
		if refusal := (*Error)(nil); errors.As(err, &refusal) {
			got = refusal.Code
		}
		if got != c.code {
			t.Errorf("%s: %q, want %q", name, got, c.code)
		}
	}
}
