package web

import (
	"fmt"
	"net/http"

	"schalter/appliance"
	"schalter/appliance/hall"
)

func (w *Web) getDesk(c *call) error {
	desk, err := w.hall.Desk(c.ctx(), c.by.clerk)
	if err != nil {
		return err
	}
	return writeJSON(c.rw, http.StatusOK, desk)
}

func (w *Web) putDesk(c *call) error {
	var body struct {
		State appliance.DeskState `json:"state"`
	}
	answer, err := w.clerkEvent(c, &body, false, func() appliance.Event { return appliance.SetDesk{State: body.State} })
	if err != nil {
		return err
	}
	if answer.Desk == nil {
		return fmt.Errorf("set desk: the hall answered without a desk")
	}
	return writeJSON(c.rw, http.StatusOK, answer.Desk)
}

func (w *Web) next(c *call) error {
	var body struct {
		Office appliance.OfficeID `json:"office"`
	}
	answer, err := w.clerkEvent(c, &body, true, func() appliance.Event { return appliance.Next{Office: body.Office} })
	if err != nil {
		return err
	}
	if answer.None {
		c.rw.Header().Set("Cache-Control", "no-store")
		c.rw.WriteHeader(http.StatusNoContent)
		return nil
	}
	return staffVisit(c, answer)
}

func (w *Web) callVisit(c *call) error {
	var body struct {
		Reason string `json:"reason"`
	}
	return w.visitEvent(c, &body, false, func(id appliance.VisitID) appliance.Event {
		return appliance.Call{Visit: id, Reason: body.Reason}
	})
}

func (w *Web) transfer(c *call) error {
	var body struct {
		Office appliance.OfficeID `json:"office"`
		Note   string             `json:"note"`
		Reason string             `json:"reason"`
	}
	return w.visitEvent(c, &body, false, func(id appliance.VisitID) appliance.Event {
		return appliance.Transfer{Visit: id, Office: body.Office, Note: body.Note, Reason: body.Reason}
	})
}

func (w *Web) pullBack(c *call) error {
	return w.visitEvent(c, &struct{}{}, true, func(id appliance.VisitID) appliance.Event {
		return appliance.PullBack{Visit: id}
	})
}

func (w *Web) park(c *call) error {
	return w.visitEvent(c, &struct{}{}, true, func(id appliance.VisitID) appliance.Event {
		return appliance.Park{Visit: id}
	})
}

func (w *Web) recall(c *call) error {
	return w.visitEvent(c, &struct{}{}, true, func(id appliance.VisitID) appliance.Event {
		return appliance.Recall{Visit: id}
	})
}

func (w *Web) finish(c *call) error {
	var body struct {
		Outcome appliance.Outcome `json:"outcome"`
	}
	return w.visitEvent(c, &body, false, func(id appliance.VisitID) appliance.Event {
		return appliance.Finish{Visit: id, Outcome: body.Outcome}
	})
}

func (w *Web) note(c *call) error {
	var body struct {
		Text string `json:"text"`
	}
	return w.visitEvent(c, &body, false, func(id appliance.VisitID) appliance.Event {
		return appliance.AddNote{Visit: id, Text: body.Text}
	})
}

// visitEvent does a clerk's event on the visit that the path names and answers with the visit.
func (w *Web) visitEvent(c *call, body any, mayLack bool, event func(appliance.VisitID) appliance.Event) error {
	id := appliance.VisitID(c.r.PathValue("id"))
	answer, err := w.clerkEvent(c, body, mayLack, func() appliance.Event { return event(id) })
	if err != nil {
		return err
	}
	return staffVisit(c, answer)
}

func (w *Web) clerkEvent(c *call, body any, mayLack bool, event func() appliance.Event) (hall.Answer, error) {
	if err := c.decode(body, mayLack); err != nil {
		return hall.Answer{}, err
	}
	return w.hall.Do(c.ctx(), hall.Request{Actor: c.by.actor(appliance.ClerkRole), Event: event(), Key: c.key})
}

func staffVisit(c *call, answer hall.Answer) error {
	if answer.Staff == nil {
		return fmt.Errorf("clerk's event: the hall answered without a visit")
	}
	return writeJSON(c.rw, http.StatusOK, answer.Staff)
}
