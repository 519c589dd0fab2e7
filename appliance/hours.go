package appliance

import (
	"fmt"
	"slices"
	"time"
)

// Hours is when an office takes people in, in the town's own time. Without any it is open around the clock; holidays and
// special days close it all the same.
type Hours struct {
	Week [7][]Span `json:"week"` // by weekday, Sunday first as in [time.Weekday]; each in order
	Days []Day     `json:"days"` // what differs from the week
}

// Span is a part of a day, in minutes since its midnight as a clock on the wall shows them. Until is not part of it; 1440 is
// midnight.
type Span struct {
	From  int `json:"from"`
	Until int `json:"until"`
}

// Day is one day, or several in a row, that differ from the week: a works outing, the days between the years, a long
// Thursday.
type Day struct {
	First Date   `json:"first"`
	Last  Date   `json:"last"`
	Hours []Span `json:"hours"` // none: closed
	Why   string `json:"why"`   // told to citizens; may be empty
}

// Date is a day of the calendar, "2026-12-24". Dates compare as their times do.
type Date string

// DateOf is the day that a moment belongs to in the town.
func DateOf(t time.Time) Date { return Date(t.In(Zone()).Format(time.DateOnly)) }

// on is a moment of this day by the clock on the wall. For what a change of the clock leaves out or shows twice it is one of the
// two moments that can be meant.
func (d Date) on(minute int) time.Time {
	t, err := time.ParseInLocation(time.DateOnly, string(d), Zone())
	if err != nil {
		return time.Time{} // checked before it was stored
	}
	return time.Date(t.Year(), t.Month(), t.Day(), 0, minute, 0, 0, Zone())
}

func (d Date) next() Date { return DateOf(d.on(36 * 60)) }

// Most of what an office's hours may hold.
const (
	mostSpans   = 6
	mostDays    = 200
	longestDays = 366
	wholeDay    = 24 * 60
)

// checkHours reads what an administrator typed. The field names the part that is wrong.
func checkHours(h Hours) (Hours, error) {
	h = h.clone()
	for weekday, spans := range h.Week {
		if err := checkSpans(spans, fmt.Sprintf("hours.week.%d", weekday)); err != nil {
			return Hours{}, err
		}
	}
	days, err := checkDays(h.Days, "hours.days")
	h.Days = days
	return h, err
}

func checkDays(days []Day, field string) ([]Day, error) {
	if len(days) > mostDays {
		return nil, wrong("days-too-many", field)
	}
	var err error
	for i := range days {
		d, at := &days[i], fmt.Sprintf("%s.%d", field, i)
		first, firstErr := time.Parse(time.DateOnly, string(d.First))
		last, lastErr := time.Parse(time.DateOnly, string(d.Last))
		if firstErr != nil || lastErr != nil || last.Before(first) || last.Sub(first) >= longestDays*24*time.Hour {
			return nil, wrong("date-invalid", at)
		}
		if err := checkSpans(d.Hours, at); err != nil {
			return nil, err
		}
		if d.Why, err = checkLine(d.Why, "why", MaxName, false); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(days, func(a, b Day) int { return compareDates(a.First, b.First) })
	for i := 1; i < len(days); i++ {
		if days[i].First <= days[i-1].Last {
			return nil, wrong("days-overlap", fmt.Sprintf("%s.%d", field, i))
		}
	}
	return days, nil
}

func compareDates(a, b Date) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func checkSpans(spans []Span, field string) error {
	if len(spans) > mostSpans {
		return wrong("hours-too-many", field)
	}
	ends := 0
	for i, s := range spans {
		if s.From < ends || i > 0 && s.From == ends || s.Until <= s.From || s.Until > wholeDay {
			return wrong("hours-invalid", field)
		}
		ends = s.Until
	}
	return nil
}

func (h Hours) clone() Hours {
	for i := range h.Week {
		h.Week[i] = slices.Clone(h.Week[i])
	}
	h.Days = cloneDays(h.Days)
	return h
}

func cloneDays(days []Day) []Day {
	days = slices.Clone(days)
	for i := range days {
		days[i].Hours = slices.Clone(days[i].Hours)
	}
	return days
}

// always tells that the week says nothing.
func (h *Hours) always() bool {
	for _, spans := range h.Week {
		if len(spans) > 0 {
			return false
		}
	}
	return true
}

// special is the entry for a day, or nil.
func special(days []Day, d Date) *Day {
	for i := range days {
		if days[i].First <= d && d <= days[i].Last {
			return &days[i]
		}
	}
	return nil
}
