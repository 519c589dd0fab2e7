package web

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"schalter/appliance"
	"schalter/appliance/hall"
)

// form reads a posted form; the body was read within its limit before.
func (c *call) form() (url.Values, error) {
	kind, _, _ := strings.Cut(c.r.Header.Get("Content-Type"), ";")
	if strings.TrimSpace(kind) != "application/x-www-form-urlencoded" {
		return nil, refuse(http.StatusUnsupportedMediaType, "not-a-form")
	}
	values, err := url.ParseQuery(string(c.body))
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "malformed")
	}
	for _, list := range values {
		for i, s := range list {
			if !utf8.ValidString(s) {
				return nil, refuse(http.StatusBadRequest, "malformed")
			}
			list[i] = strings.ReplaceAll(s, "\r\n", "\n") // browsers send lines so
		}
	}
	return values, nil
}

func (w *Web) startPage(c *call) error {
	offices, err := w.offices(c)
	if err != nil {
		return err
	}
	return w.document(c, http.StatusOK, "start", w.texts.get("start.title"),
		struct{ Offices []appliance.OfficeView }{offices}, shape{start: true})
}

// offices are the town's, each with a telephone number.
func (w *Web) offices(c *call) ([]appliance.OfficeView, error) {
	town, err := w.hall.Town(c.ctx())
	if err != nil {
		return nil, err
	}
	offices := slices.Clone(town.Offices)
	for i := range offices {
		if offices[i].Telephone == "" {
			offices[i].Telephone = town.Telephone
		}
	}
	return offices, nil
}

// doorForm is what somebody filled in at an office's door.
type doorForm struct {
	Key, Name, Service, Matter string
	Needs                      []string
	Notice                     bool
}

// Has tells whether a need was ticked.
func (f doorForm) Has(need appliance.Need) bool { return slices.Contains(f.Needs, string(need)) }

// formFault is one thing to put right, at the field with this id.
type formFault struct{ Field, Text string }

type doorView struct {
	Office     appliance.OfficeView
	Telephone  string
	Services   []string
	Needs      []appliance.Need
	Notice     int
	MatterLeft int
	Form       doorForm
	Errors     []formFault
	Open       []appliance.OfficeView // others, when this one takes nobody
}

func (w *Web) door(c *call) (doorView, error) {
	offices, err := w.offices(c)
	if err != nil {
		return doorView{}, err
	}
	at := slices.IndexFunc(offices, func(o appliance.OfficeView) bool {
		return string(o.ID) == c.r.PathValue("office")
	})
	if at < 0 {
		return doorView{}, refuse(http.StatusNotFound, "office-unknown")
	}
	town, err := w.hall.Town(c.ctx())
	if err != nil {
		return doorView{}, err
	}
	v := doorView{
		Office: offices[at], Telephone: offices[at].Telephone, Services: offices[at].Services, Notice: town.Notice,
		MatterLeft: appliance.MaxMatter,
		Needs: []appliance.Need{
			appliance.NeedInterpreter, appliance.NeedSignLanguage, appliance.NeedTextOnly, appliance.NeedNoPicture,
			appliance.NeedCompanion,
		},
	}
	longest := 0
	for _, s := range v.Services {
		longest = max(longest, utf8.RuneCountInString(s)+len(": "))
	}
	v.MatterLeft -= longest // the service's name goes before the words
	for _, o := range offices {
		if o.State == appliance.Open && o.ID != v.Office.ID {
			v.Open = append(v.Open, o)
		}
	}
	return v, nil
}

func (w *Web) doorPage(c *call) error {
	v, err := w.door(c)
	if err != nil {
		return err
	}
	c.rw.Header().Set("Cache-Control", "no-store") // each form has a key of its own
	if v.Office.State != appliance.Open {
		return w.closedDoor(c, v)
	}
	if v.Form.Key, err = newKey(); err != nil {
		return err
	}
	return w.showDoor(c, http.StatusOK, v)
}

func (w *Web) closedDoor(c *call, v doorView) error {
	return w.document(c, http.StatusOK, "closed", w.texts.get("door.title", v.Office.Name), v, shape{telephone: v.Telephone})
}

func (w *Web) showDoor(c *call, status int, v doorView) error {
	title := w.texts.get("door.title", v.Office.Name)
	if len(v.Errors) > 0 {
		title = w.texts.get("please.check") + " " + title
	}
	return w.document(c, status, "door", title, v, shape{narrow: true, telephone: v.Telephone})
}

func newKey() (string, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("make key: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}

// enter takes the form at the door: a visit begins, and its page is the way on.
func (w *Web) enter(c *call) error {
	v, err := w.door(c)
	if err != nil {
		return err
	}
	values, err := c.form()
	if err != nil {
		return err
	}
	c.rw.Header().Set("Cache-Control", "no-store")
	v.Form = doorForm{
		Key: values.Get("key"), Name: values.Get("name"), Service: values.Get("service"), Matter: values.Get("matter"),
		Needs: values["needs"], Notice: values.Get("notice") == strconv.Itoa(v.Notice),
	}
	if !slices.Contains(v.Services, v.Form.Service) {
		v.Form.Service = "" // only what the page offered
	}
	if v.Errors = w.checkDoor(v.Form); len(v.Errors) > 0 {
		return w.showDoor(c, http.StatusUnprocessableEntity, v)
	}
	if err := w.arrivals.Arrive(networkOf(c.r)); err != nil {
		return w.doorRefused(c, v, err)
	}
	visit, token, err := w.arrive(c, v.Form.arrival(v.Office.ID, v.Notice), c.keyOf(v.Form.Key, c.body))
	if err != nil {
		return w.doorRefused(c, v, err)
	}
	setVisitCookie(c.rw, visit.ID, token)
	c.rw.Header().Set("Referrer-Policy", "no-referrer")
	http.Redirect(c.rw, c.r, "/g/"+token, http.StatusSeeOther)
	return nil
}

// checkDoor finds everything at once that a person can see is missing; the house checks the rest.
func (w *Web) checkDoor(f doorForm) []formFault {
	var faults []formFault
	if strings.TrimSpace(f.Name) == "" {
		faults = append(faults, formFault{"name", w.texts.get("problem.name-missing")})
	}
	if f.Service == "" && strings.TrimSpace(f.Matter) == "" {
		faults = append(faults, formFault{"matter", w.texts.get("problem.matter-missing")})
	}
	if !f.Notice {
		faults = append(faults, formFault{"notice", w.texts.get("problem.notice-outdated")})
	}
	if !visible(f.Key) {
		faults = append(faults, formFault{"", w.texts.get("problem.key-malformed")})
	}
	return faults
}

// arrival puts the service before the words: one text, as the clerk reads it.
func (f doorForm) arrival(office appliance.OfficeID, notice int) appliance.Arrive {
	matter := strings.TrimSpace(f.Matter)
	switch {
	case f.Service != "" && matter != "":
		matter = f.Service + ": " + matter
	case f.Service != "":
		matter = f.Service
	}
	e := appliance.Arrive{Office: office, Name: f.Name, Matter: matter, Notice: notice}
	for _, n := range f.Needs {
		e.Needs = append(e.Needs, appliance.Need(n))
	}
	return e
}

// doorRefused shows the form again with what the house said, or the closed door when it closed meanwhile.
func (w *Web) doorRefused(c *call, v doorView, err error) error {
	var e *appliance.Error
	if !errors.As(err, &e) {
		return err
	}
	p, _ := refusalOf(err)
	switch e.Kind {
	case appliance.Conflict:
		if v, err = w.door(c); err != nil {
			return err
		}
		return w.closedDoor(c, v)
	case appliance.Invalid, appliance.TooMany, appliance.Unavailable:
		w.setRefusalHeaders(c.rw, p)
		field := e.Field
		if field == "notice_version" {
			field = "notice"
		}
		if e.Code == "key-reused" { // the same form, changed and sent again: a new key makes it a new visit
			if v.Form.Key, err = newKey(); err != nil {
				return err
			}
		}
		v.Errors = []formFault{{field, w.titleOf(p)}}
		return w.showDoor(c, p.status, v)
	}
	return err
}

// visitBoot is what the visit's page begins with.
type visitBoot struct {
	ID    appliance.VisitID   `json:"id"`
	Visit appliance.VisitView `json:"visit"`
	Town  townHead            `json:"town"`
	Now   string              `json:"now"`
}

// townHead is what every live page says of the town.
type townHead struct {
	Name      string `json:"name"`
	Kind      string `json:"kind"`
	Telephone string `json:"telephone"`
}

func headOf(t appliance.TownView) townHead {
	return townHead{Name: t.Name, Kind: t.Kind, Telephone: t.Telephone}
}

type visitPageView struct {
	Visit                *appliance.VisitView
	Path, Key, Telephone string
}

// holder finds the visit of a link page. An unknown link is a page of its own.
func (w *Web) holder(c *call) (caller, error) {
	token := c.r.PathValue("token")
	if !plausible(token) {
		return caller{}, refuse(http.StatusNotFound, "link-unknown")
	}
	id, err := w.tokens.Who(c.ctx(), token)
	if isUnknown(err) {
		return caller{}, w.guesses.miss(networkOf(c.r), refuse(http.StatusNotFound, "link-unknown"))
	}
	if err != nil {
		return caller{}, err
	}
	return caller{visit: id, token: token}, nil
}

// visitPage is the one page of a whole visit. Its address never changes; reading it changes nothing.
func (w *Web) visitPage(c *call) error {
	by, err := w.holder(c)
	if err != nil {
		return err
	}
	visit, err := w.hall.Visit(c.ctx(), by.visit)
	if isUnknown(err) {
		return refuse(http.StatusNotFound, "link-unknown")
	}
	if err != nil {
		return err
	}
	town, err := w.hall.Town(c.ctx())
	if err != nil {
		return err
	}
	key, err := newKey()
	if err != nil {
		return err
	}
	telephone := visit.Telephone
	if telephone == "" {
		telephone = town.Telephone
	}
	setVisitCookie(c.rw, visit.ID, by.token)
	s := shape{
		telephone: telephone, entry: "src/visit.ts", hidden: true,
		boot: visitBoot{ID: visit.ID, Visit: visit, Town: headOf(town), Now: rfc3339(w.now())},
	}
	if !visit.State.Over() {
		s.refresh = 20
	}
	return w.document(c, http.StatusOK, "visit", w.texts.get("door.title", visit.OfficeName),
		visitPageView{Visit: &visit, Path: c.r.URL.Path, Key: key, Telephone: telephone}, s)
}

// visitForm does what the page's buttons say where there is no script. The link itself says who asks.
func (w *Web) visitForm(c *call) error {
	by, err := w.holder(c)
	if err != nil {
		return err
	}
	c.by = by
	values, err := c.form()
	if err != nil {
		return err
	}
	event, ok := map[string]appliance.Event{
		"accept": appliance.Accept{}, "more-time": appliance.MoreTime{}, "leave": appliance.Leave{},
	}[values.Get("do")]
	if !ok {
		return refuse(http.StatusBadRequest, "malformed")
	}
	request := hall.Request{Actor: by.actor(appliance.Citizen), Event: event}
	if key := values.Get("key"); visible(key) {
		request.Key = c.keyOf(key, c.body)
	}
	_, err = w.hall.Do(c.ctx(), request)
	var e *appliance.Error
	if err != nil && !(errors.As(err, &e) && e.Kind == appliance.Conflict) {
		return err
	}
	// After a conflict (the call lapsed meanwhile) the page itself says how things stand.
	http.Redirect(c.rw, c.r, c.r.URL.Path, http.StatusSeeOther)
	return nil
}

// appointmentPage: appointments come later; whoever has such a link is told whom to call.
func (w *Web) appointmentPage(*call) error { return refuse(http.StatusNotFound, "appointment-unknown") }

// deskBoot is what the desk begins with.
type deskBoot struct {
	Desk appliance.DeskView `json:"desk"`
	Town townHead           `json:"town"`
	Now  string             `json:"now"`
}

func (w *Web) deskPage(c *call) error {
	desk, err := w.hall.Desk(c.ctx(), c.by.clerk)
	if err != nil {
		return err
	}
	return w.staffPage(c, "desk", "desk.title", "src/desk.ts", func(town townHead, now string) any {
		return deskBoot{Desk: desk, Town: town, Now: now}
	})
}

// staffPage answers with a live page of staff, which no cache keeps.
func (w *Web) staffPage(c *call, content, title, entry string, boot func(townHead, string) any) error {
	town, err := w.hall.Town(c.ctx())
	if err != nil {
		return err
	}
	c.rw.Header().Set("Cache-Control", "no-store")
	return w.document(c, http.StatusOK, content, w.texts.get(title), nil, shape{
		entry: entry, hidden: true, boot: boot(headOf(town), rfc3339(w.now())),
	})
}

// fact is one line about the box.
type fact struct{ Name, Value string }

func (w *Web) adminPage(c *call) error {
	switch c.r.URL.Path {
	case "/admin/":
	case "/admin/aemter":
		return w.organisationPage(c)
	default:
		return refuse(http.StatusNotFound, "not-found")
	}
	offices, err := w.offices(c)
	if err != nil {
		return err
	}
	n := w.Counters()
	facts := []fact{
		{w.texts.get("admin.fact.live"), strconv.FormatInt(n.LiveNow, 10)},
		{w.texts.get("admin.fact.requests"), strconv.FormatInt(n.Requests, 10)},
		{w.texts.get("admin.fact.failed"), strconv.FormatInt(n.Failed, 10)},
		{w.texts.get("admin.fact.policy"), strconv.FormatInt(n.PolicyReport, 10)},
	}
	c.rw.Header().Set("Cache-Control", "no-store")
	return w.document(c, http.StatusOK, "admin", w.texts.get("admin.title"), struct {
		Offices []appliance.OfficeView
		Facts   []fact
	}{offices, facts}, shape{hidden: true})
}

// adminBoot is what the page of town and offices begins with.
type adminBoot struct {
	Organisation organisationBody `json:"organisation"`
	Town         townHead         `json:"town"`
	Now          string           `json:"now"`
}

func (w *Web) organisationPage(c *call) error {
	body, err := w.organisation(c)
	if err != nil {
		return err
	}
	return w.staffPage(c, "organisation", "admin.organisation", "src/admin.ts", func(town townHead, now string) any {
		return adminBoot{Organisation: body, Town: town, Now: now}
	})
}

// testBoot is what the device test begins with.
type testBoot struct {
	Town townHead `json:"town"`
	Now  string   `json:"now"`
}

func (w *Web) testPage(c *call) error {
	town, err := w.hall.Town(c.ctx())
	if err != nil {
		return err
	}
	return w.document(c, http.StatusOK, "test", w.texts.get("test.title"), struct{ Telephone string }{town.Telephone},
		shape{entry: "src/test.ts", boot: testBoot{Town: headOf(town), Now: rfc3339(w.now())}})
}

// legalPage shows one of the pages that are prose: its template is named like its address.
func (w *Web) legalPage(c *call) error {
	town, err := w.hall.Town(c.ctx())
	if err != nil {
		return err
	}
	name := strings.TrimPrefix(c.r.URL.Path, "/")
	return w.document(c, http.StatusOK, name, w.texts.get("legal."+name), town, shape{narrow: true})
}
