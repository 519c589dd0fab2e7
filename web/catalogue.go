package web

import (
	"embed"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"schalter/appliance"
)

//go:embed pages
var pageFiles embed.FS

// language is the language of the catalogue and of every page so far.
const language = "de"

// catalogue holds the sentences of one language by key. %s and %d are filled in.
type catalogue map[string]string

func readCatalogue() (catalogue, error) {
	b, err := pageFiles.ReadFile("pages/" + language + ".json")
	if err != nil {
		return nil, fmt.Errorf("read catalogue: %w", err)
	}
	var c catalogue
	if err := json.Unmarshal(b, &c); err != nil {
		return nil, fmt.Errorf("read catalogue: %w", err)
	}
	return c, nil
}

func (c catalogue) find(key string) (string, bool) {
	s, ok := c[key]
	return s, ok
}

// get gives a sentence, or the key where it lacks; a test sees to it that none does.
func (c catalogue) get(key string, values ...any) string {
	s, ok := c[key]
	if !ok {
		return key
	}
	if len(values) == 0 {
		return s
	}
	return fmt.Sprintf(s, values...)
}

// count chooses between the sentence for none, one and many.
func (c catalogue) count(key string, n int) string {
	switch n {
	case 0:
		return c.get(key + ".none")
	case 1:
		return c.get(key + ".one")
	}
	return c.get(key+".many", n)
}

// minutes says a range honestly and roughly.
func (c catalogue) minutes(between [2]int) string {
	low, high := between[0], between[1]
	switch {
	case high <= 0:
		return c.get("wait.none")
	case low <= 0:
		return c.get("wait.upto", high)
	case low >= high:
		return c.get("wait.about", low)
	}
	return c.get("wait.between", low, high)
}

// load says how full an office is: "2 warten, etwa 5–10 Minuten".
func (c catalogue) load(o appliance.OfficeView) string {
	waiting := c.count("load", o.Waiting)
	switch {
	case o.Waiting == 0 && o.Staff == 0: // "nobody waits, nobody is there" reads like a riddle
		return c.get("load.unstaffed")
	case o.Waiting == 0 && o.WaitMinutes != nil && o.WaitMinutes[1] <= 0:
		return waiting
	case o.WaitMinutes != nil:
		return waiting + ", " + c.minutes(*o.WaitMinutes)
	case o.Staff == 0:
		return waiting + ", " + c.get("load.unstaffed")
	}
	return waiting
}

// waiting says how long a visit will still wait.
func (c catalogue) waiting(v *appliance.VisitView) string {
	switch {
	case v.WaitMinutes != nil:
		return c.get("visit.wait", c.minutes(*v.WaitMinutes))
	case v.Staff == 0:
		return c.get("visit.unstaffed")
	}
	return c.get("visit.soon")
}

// ahead says a position as the people before.
func (c catalogue) ahead(position int) string { return c.count("visit.ahead", position-1) }

// moment says a time to come the way people do: today, tomorrow, or with its weekday.
func (c catalogue) moment(now, at time.Time) string {
	now, at = now.In(appliance.Zone()), at.In(appliance.Zone())
	clock := clock(at)
	days := day(at).Sub(day(now)).Hours() / 24
	switch days {
	case 0:
		return c.get("moment.today", clock)
	case 1:
		return c.get("moment.tomorrow", clock)
	}
	weekday := strings.Split(c.get("weekdays"), " ")[at.Weekday()]
	month := strings.Split(c.get("months"), " ")[at.Month()-1]
	return c.get("moment.day", weekday, at.Day(), month, clock)
}

// until says when an office closes, if that is today; otherwise nothing.
func (c catalogue) until(now time.Time, at *time.Time) string {
	if at == nil || appliance.DateOf(*at) != appliance.DateOf(now) {
		return ""
	}
	return clock(at.In(appliance.Zone()))
}

func clock(at time.Time) string { return strings.TrimPrefix(at.Format("15:04"), "0") }

// day is a date without its clock, in a zone without changes of the clock.
func day(t time.Time) time.Time { return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC) }
