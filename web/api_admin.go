package web

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"schalter/appliance"
	"schalter/appliance/hall"
)

// organisationBody is the house as the administrator's pages read and write it. Clock times are "08:00" to "24:00" by the clock on the
// wall, talks are whole minutes.
type organisationBody struct {
	Town    townBody     `json:"town"`
	Offices []officeBody `json:"offices"`
}

type townBody struct {
	Name      string            `json:"name"`
	Kind      string            `json:"kind"`
	Telephone string            `json:"telephone"`
	Land      appliance.Land    `json:"land"`
	Days      []dayBody         `json:"days"`
	Edition   appliance.Edition `json:"edition"`
}

type officeBody struct {
	ID        appliance.OfficeID    `json:"id"`
	Parent    appliance.OfficeID    `json:"parent"`
	Name      string                `json:"name"`
	Telephone string                `json:"telephone"`
	Closed    bool                  `json:"closed"`
	OpensAt   *time.Time            `json:"opens_at"`
	Week      [7][]spanBody         `json:"week"` // Sunday first
	Days      []dayBody             `json:"days"`
	Limit     int                   `json:"limit"`
	Minutes   int                   `json:"minutes"`
	Bring     []string              `json:"bring"`
	Order     int                   `json:"order"`
	Services  []serviceBody         `json:"services"`
	Edition   appliance.Edition     `json:"edition"`
	State     appliance.OfficeState `json:"state,omitempty"` // read only
}

type serviceBody struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Minutes int      `json:"minutes"`
	Bring   []string `json:"bring"`
}

type dayBody struct {
	First appliance.Date `json:"first"`
	Last  appliance.Date `json:"last"`
	Hours []spanBody     `json:"hours"` // none: closed
	Why   string         `json:"why"`
}

type spanBody struct {
	From  string `json:"from"`
	Until string `json:"until"`
}

func (w *Web) getOrganisation(c *call) error {
	body, err := w.organisation(c)
	if err != nil {
		return err
	}
	c.rw.Header().Set("Cache-Control", "no-store")
	return writeJSON(c.rw, http.StatusOK, body)
}

// organisation is the house as it is now.
func (w *Web) organisation(c *call) (organisationBody, error) {
	v, err := w.hall.Organisation(c.ctx(), c.by.actor(appliance.Administrator))
	if err != nil {
		return organisationBody{}, err
	}
	body := organisationBody{Town: townBodyOf(&v.Town, v.Edition), Offices: make([]officeBody, 0, len(v.Offices))}
	for i := range v.Offices {
		body.Offices = append(body.Offices, officeBodyOf(&v.Offices[i]))
	}
	return body, nil
}

func (w *Web) putTown(c *call) error {
	var body townBody
	if err := c.decode(&body, false); err != nil {
		return err
	}
	days, err := daysOf(body.Days, "days")
	if err != nil {
		return err
	}
	return w.organise(c, appliance.PutTown{Edition: body.Edition, Town: appliance.Town{
		Name: body.Name, Kind: body.Kind, Telephone: body.Telephone, Land: body.Land, Days: days,
	}})
}

func (w *Web) putOffice(c *call) error {
	var body officeBody
	if err := c.decode(&body, false); err != nil {
		return err
	}
	if body.ID != "" && string(body.ID) != c.r.PathValue("office") {
		return &refusal{status: http.StatusUnprocessableEntity, code: "id-invalid", field: "id"}
	}
	body.ID = appliance.OfficeID(c.r.PathValue("office"))
	row, err := body.row()
	if err != nil {
		return err
	}
	return w.organise(c, appliance.PutOffice{Office: row, Edition: body.Edition})
}

// organise does an administrator's event and answers with the house as it is then.
func (w *Web) organise(c *call, e appliance.Event) error {
	_, err := w.hall.Do(c.ctx(), hall.Request{Actor: c.by.actor(appliance.Administrator), Event: e, Key: c.key})
	if err != nil {
		return err
	}
	return w.getOrganisation(c)
}

func townBodyOf(t *appliance.Town, e appliance.Edition) townBody {
	return townBody{
		Name: t.Name, Kind: t.Kind, Telephone: t.Telephone, Land: t.Land, Days: dayBodiesOf(t.Days), Edition: e,
	}
}

func officeBodyOf(r *appliance.OfficeRow) officeBody {
	o := &r.Office
	b := officeBody{
		ID: o.ID, Parent: o.Parent, Name: o.Name, Telephone: o.Telephone, Closed: o.Closed, Days: dayBodiesOf(o.Hours.Days), Limit: o.Limit,
		Minutes: int(o.Duration / time.Minute), Bring: notNil(o.Bring), Order: o.Order, Services: make([]serviceBody, 0, len(o.Services)),
		Edition: r.Edition, State: r.State,
	}
	if !o.OpensAt.IsZero() {
		b.OpensAt = &o.OpensAt
	}
	for weekday, spans := range o.Hours.Week {
		b.Week[weekday] = spanBodiesOf(spans)
	}
	for _, s := range o.Services {
		b.Services = append(b.Services, serviceBody{ID: s.ID, Name: s.Name, Minutes: int(s.Duration / time.Minute), Bring: notNil(s.Bring)})
	}
	return b
}

func (b *officeBody) row() (appliance.Office, error) {
	o := appliance.Office{
		ID: b.ID, Parent: b.Parent, Name: b.Name, Telephone: b.Telephone, Closed: b.Closed, Limit: b.Limit,
		Duration: time.Duration(b.Minutes) * time.Minute, Bring: b.Bring, Order: b.Order,
	}
	if b.OpensAt != nil {
		o.OpensAt = *b.OpensAt
	}
	var err error
	for weekday, spans := range b.Week {
		if o.Hours.Week[weekday], err = spansOf(spans, fmt.Sprintf("week.%d", weekday)); err != nil {
			return appliance.Office{}, err
		}
	}
	if o.Hours.Days, err = daysOf(b.Days, "days"); err != nil {
		return appliance.Office{}, err
	}
	for _, s := range b.Services {
		o.Services = append(o.Services, appliance.Service{
			ID: s.ID, Name: s.Name, Duration: time.Duration(s.Minutes) * time.Minute, Bring: s.Bring,
		})
	}
	return o, nil
}

func dayBodiesOf(days []appliance.Day) []dayBody {
	bodies := make([]dayBody, 0, len(days))
	for _, d := range days {
		bodies = append(bodies, dayBody{First: d.First, Last: d.Last, Hours: spanBodiesOf(d.Hours), Why: d.Why})
	}
	return bodies
}

func daysOf(bodies []dayBody, field string) (days []appliance.Day, err error) {
	for i, b := range bodies {
		d := appliance.Day{First: b.First, Last: b.Last, Why: b.Why}
		if d.Hours, err = spansOf(b.Hours, fmt.Sprintf("%s.%d", field, i)); err != nil {
			return nil, err
		}
		days = append(days, d)
	}
	return days, nil
}

func spanBodiesOf(spans []appliance.Span) []spanBody {
	bodies := make([]spanBody, 0, len(spans))
	for _, s := range spans {
		bodies = append(bodies, spanBody{From: clockOf(s.From), Until: clockOf(s.Until)})
	}
	return bodies
}

func spansOf(bodies []spanBody, field string) (spans []appliance.Span, err error) {
	for _, b := range bodies {
		from, fromOK := minuteOf(b.From)
		until, untilOK := minuteOf(b.Until)
		if !fromOK || !untilOK {
			return nil, &refusal{status: http.StatusUnprocessableEntity, code: "hours-invalid", field: field}
		}
		spans = append(spans, appliance.Span{From: from, Until: until})
	}
	return spans, nil
}

func clockOf(minute int) string { return fmt.Sprintf("%02d:%02d", minute/60, minute%60) }

// minuteOf reads "08:00", and "24:00" for midnight.
func minuteOf(clock string) (int, bool) {
	h, m, ok := strings.Cut(clock, ":")
	if !ok || len(h) != 2 || len(m) != 2 {
		return 0, false
	}
	hour, err := strconv.ParseUint(h, 10, 8)
	minute, err2 := strconv.ParseUint(m, 10, 8)
	if err != nil || err2 != nil || minute > 59 || hour > 24 || hour == 24 && minute > 0 {
		return 0, false
	}
	return int(hour*60 + minute), true
}

func notNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
