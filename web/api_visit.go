package web

import (
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"fmt"
	"net/http"

	"schalter/appliance"
	"schalter/appliance/hall"
)

//go:embed openapi.yaml
var description []byte

func (w *Web) getDescription(c *call) error {
	h := c.rw.Header()
	h.Set("Content-Type", "application/yaml")
	h.Set("Cache-Control", "no-cache")
	_, _ = c.rw.Write(description) // the asker went away; nothing to do
	return nil
}

func (w *Web) getTown(c *call) error {
	town, err := w.hall.Town(c.ctx())
	if err != nil {
		return err
	}
	if town.Offices == nil {
		town.Offices = []appliance.OfficeView{}
	}
	return writeJSON(c.rw, http.StatusOK, town)
}

// arrival is the answer to a new visit: the visit's own view and, this once, its token.
type arrival struct {
	Token string `json:"token"`
	appliance.VisitView
}

func (w *Web) postVisit(c *call) error {
	var body struct {
		Office appliance.OfficeID `json:"office"`
		Name   string             `json:"name"`
		Matter string             `json:"matter"`
		Needs  []appliance.Need   `json:"needs"`
		Notice int                `json:"notice_version"`
	}
	if err := w.arrivals.Arrive(networkOf(c.r)); err != nil {
		return err
	}
	if err := c.decode(&body, false); err != nil {
		return err
	}
	visit, token, err := w.arrive(c, appliance.Arrive{
		Office: body.Office, Name: body.Name, Matter: body.Matter, Needs: body.Needs, Notice: body.Notice,
	}, c.key)
	if err != nil {
		return err
	}
	c.rw.Header().Set("Location", "/api/v1/visit?visit="+string(visit.ID))
	return writeJSON(c.rw, http.StatusCreated, arrival{Token: token, VisitView: visit})
}

// arrive begins a visit. A repeated request answers with the first one's visit; its token is derived again from the
// visit's id, because only its hash is stored.
func (w *Web) arrive(c *call, e appliance.Arrive, key *hall.Key) (appliance.VisitView, string, error) {
	id, err := newVisitID()
	if err != nil {
		return appliance.VisitView{}, "", err
	}
	e.ID = id
	answer, err := w.hall.Do(c.ctx(), hall.Request{
		Actor: appliance.Actor{Role: appliance.Anonymous},
		Event: e,
		Key:   key,
		Token: w.tokens.Hash(w.tokens.Token(id)),
	})
	if err != nil {
		return appliance.VisitView{}, "", err
	}
	if answer.Visit == nil {
		return appliance.VisitView{}, "", fmt.Errorf("arrive: the hall answered without a visit")
	}
	return *answer.Visit, w.tokens.Token(answer.Visit.ID), nil
}

func newVisitID() (appliance.VisitID, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("make visit id: %w", err)
	}
	return appliance.VisitID(hex.EncodeToString(b[:])), nil
}

func (w *Web) getVisit(c *call) error {
	visit, err := w.hall.Visit(c.ctx(), c.by.visit)
	if err != nil {
		return err
	}
	return writeJSON(c.rw, http.StatusOK, visit)
}

func (w *Web) acceptCall(c *call) error { return w.citizenEvent(c, appliance.Accept{}) }
func (w *Web) moreTime(c *call) error   { return w.citizenEvent(c, appliance.MoreTime{}) }
func (w *Web) leaveVisit(c *call) error { return w.citizenEvent(c, appliance.Leave{}) }

// citizenEvent does what needs no more words than the event itself.
func (w *Web) citizenEvent(c *call, e appliance.Event) error {
	if err := c.noBody(); err != nil {
		return err
	}
	answer, err := w.hall.Do(c.ctx(), hall.Request{Actor: c.by.actor(appliance.Citizen), Event: e, Key: c.key})
	if err != nil {
		return err
	}
	if answer.Visit == nil {
		return fmt.Errorf("citizen's event: the hall answered without a visit")
	}
	return writeJSON(c.rw, http.StatusOK, answer.Visit)
}

// healthy says that the process answers; ready that it can serve.
func (w *Web) healthy(c *call) error { return status(c, true) }

func (w *Web) ready(c *call) error {
	if w.draining.Load() {
		return status(c, false)
	}
	_, err := w.hall.Town(c.ctx())
	return status(c, err == nil)
}

// status answers with nothing but yes or no: strangers need no more.
func status(c *call, ok bool) error {
	h := c.rw.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	if !ok {
		h.Set("Retry-After", "5")
		c.rw.WriteHeader(http.StatusServiceUnavailable)
		_, _ = c.rw.Write([]byte("not ready\n"))
		return nil
	}
	_, _ = c.rw.Write([]byte("ok\n"))
	return nil
}

// policyReport counts what browsers report against the policy. The report itself may hold a link page's address, so it
// is not kept.
func (w *Web) policyReport(c *call) error {
	if w.counters.policyReport.Add(1) == 1 {
		w.log.Warn("a browser reported a breach of the content security policy")
	}
	c.rw.WriteHeader(http.StatusNoContent)
	return nil
}
