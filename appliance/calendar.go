package appliance

import (
	"slices"
	"time"
	_ "time/tzdata" // a small machine may have none of its own

	"github.com/rickar/cal/v2"
	"github.com/rickar/cal/v2/de"
)

// zone is read once: the program carries it.
var zone = func() *time.Location {
	l, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err) // cannot be
	}
	return l
}()

// Zone is the time that German towns keep.
func Zone() *time.Location { return zone }

// Land is one of the sixteen, by the letters of ISO 3166-2:DE. Empty: no public holidays are kept.
type Land string

// holidays are the public holidays by Land. The library's lists, and what they lack:
//   - Mecklenburg-Vorpommern keeps 8 March since 2023 (Feiertagsgesetz M-V, section 2);
//   - Easter and Whit Sunday, which are holidays in Brandenburg alone and Sundays everywhere, are left out.
//
// What only some towns keep (Mariä Himmelfahrt in Bavaria, Fronleichnam in parts of Saxony and Thuringia, the Friedensfest in
// Augsburg) a town enters as special days of its own.
func holidays(l Land) []*cal.Holiday {
	switch l {
	case "BW":
		return de.HolidaysBW
	case "BY":
		return de.HolidaysBY
	case "BE":
		return de.HolidaysBE
	case "BB":
		return de.HolidaysBB
	case "HB":
		return de.HolidaysHB
	case "HH":
		return de.HolidaysHH
	case "HE":
		return de.HolidaysHE
	case "MV":
		return append(slices.Clone(de.HolidaysMV), de.Frauentag.Clone(&cal.Holiday{StartYear: 2023}))
	case "NI":
		return de.HolidaysNI
	case "NW":
		return de.HolidaysNW
	case "RP":
		return de.HolidaysRP
	case "SL":
		return de.HolidaysSL
	case "SN":
		return de.HolidaysSN
	case "ST":
		return de.HolidaysST
	case "SH":
		return de.HolidaysSH
	case "TH":
		return de.HolidaysTH
	}
	return nil
}

// Known tells whether this is one of the sixteen, or none.
func (l Land) Known() bool { return l == "" || holidays(l) != nil }

// Holiday names the public holiday that a day is; empty when it is none.
func (l Land) Holiday(d Date) string {
	t := d.on(0)
	for _, h := range holidays(l) {
		// Midnight in another zone: compared by the calendar alone.
		if actual, _ := h.Calc(t.Year()); actual.Format(time.DateOnly) == string(d) {
			return h.Name
		}
	}
	return ""
}

// opening is how an office stands by its hours, and for how long that is so.
type opening struct {
	at, until time.Time // worth from at to before until; zero: for ever
	open      bool
	opensAt   time.Time // when closed; zero: not within a year
	closesAt  time.Time // when open; zero: not within a year
	why       string    // of a whole day that is closed: a holiday's name, or what the town wrote
}

// lookAhead is how far an opening is looked for.
const lookAhead = 370 // days

// opening tells how an office stands by its hours. What it worked out is kept until it changes.
func (h *House) opening(o *Office, now time.Time) opening {
	if kept, ok := h.openings[o.ID]; ok && !now.Before(kept.at) && (kept.until.IsZero() || now.Before(kept.until)) {
		return kept
	}
	w := hoursOf(&h.town, o).opening(now)
	h.openings[o.ID] = w
	return w
}

// calendar is what decides on an office's hours.
type calendar struct {
	land   Land
	town   []Day
	office *Hours
}

func hoursOf(t *Town, o *Office) calendar {
	return calendar{land: t.Land, town: t.Days, office: &o.Hours}
}

// day gives the hours of a day; why is set when something closes the whole of it. What an office says of a day counts more
// than what the town says, and that more than a holiday.
func (c calendar) day(d Date) (spans []Span, why string) {
	for _, days := range [][]Day{c.office.Days, c.town} {
		if s := special(days, d); s != nil {
			return s.Hours, s.Why
		}
	}
	if name := c.land.Holiday(d); name != "" {
		return nil, name
	}
	if c.office.always() {
		return []Span{{From: 0, Until: wholeDay}}, ""
	}
	return c.office.Week[d.on(0).Weekday()], ""
}

func (c calendar) opening(now time.Time) opening {
	if c.land == "" && len(c.town) == 0 && len(c.office.Days) == 0 && c.office.always() {
		return opening{at: now, open: true}
	}
	d := DateOf(now)
	// The reason is a day's: it is worked out anew at midnight.
	w := opening{at: now, until: d.next().on(0).UTC()}
	if spans, why := c.day(d); len(spans) == 0 {
		w.why = why
	}
	for range lookAhead {
		spans, _ := c.day(d)
		for _, s := range spans {
			from, until := d.on(s.From).UTC(), d.on(s.Until).UTC()
			switch {
			case !until.After(now): // over, or left out by the change to summer time
			case !w.open && from.After(now):
				w.opensAt, w.until = from, earlier(w.until, from)
				return w
			case w.open && from.After(w.closesAt):
				w.until = earlier(w.until, w.closesAt)
				return w
			default: // open now, or going on over midnight
				w.open, w.closesAt = true, until
			}
		}
		if d = d.next(); w.open && d.on(0).After(w.closesAt) {
			w.until = earlier(w.until, w.closesAt)
			return w
		}
	}
	w.closesAt = time.Time{}
	return w
}
