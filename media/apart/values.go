package apart

import (
	"context"
	"errors"
	"fmt"

	"schalter/media"
	"schalter/media/port"
	"schalter/media/relay"
)

// Around is what media needs to know of the box around it.
type Around struct {
	// Addresses are offered to browsers.
	Addresses media.Addresses `json:"addresses"`
	// Reached is the host:port for whoever did not say how the box was reached; empty: there is none.
	Reached string `json:"reached"`
}

// Figures are what the media process counts of itself, since its start.
type Figures struct {
	Media media.Totals `json:"media"`
	Port  port.Stats   `json:"port"`
	Relay relay.Stats  `json:"relay"`
	// Goroutines, Files (open descriptors) and Memory (bytes from the system) show leaks.
	Goroutines int     `json:"goroutines"`
	Files      int     `json:"files"`
	Memory     uint64  `json:"memory"`
	CPU        float64 `json:"cpu"` // seconds
}

// request is the body of a call.
type request struct {
	Method string       `json:"method"`
	Seat   media.SeatID `json:"seat"`   // calls for one seat are carried out in their order
	Within int64        `json:"within"` // milliseconds; who asked waits no longer
	Given  any          `json:"given"`
}

// Names of the calls. One more takes a name here, its line in server.go's methods, and its method of Plane.
const (
	join       = "join"
	publish    = "publish"
	view       = "view"
	subscribed = "subscribed"
	show       = "show"
	restart    = "restart"
	leave      = "leave"
	stats      = "stats"
	figures    = "figures"
)

// nothing is given to, or comes from, a call that has nothing to say.
type nothing struct{}

// settled is what Subscribed gives.
type settled struct {
	Revision int    `json:"revision"`
	SDP      string `json:"sdp"`
}

// code tells the errors apart that callers of media.Plane may want to tell apart.
type code string

const (
	noSeat  code = "no_seat"
	taken   code = "taken"
	closed  code = "closed"
	refused code = "refused"
	late    code = "late" // media did not come to it in time
	failed  code = "failed"
)

// known are the errors that have a code.
func known() map[code]error {
	return map[code]error{
		noSeat: media.ErrNoSeat, taken: media.ErrTaken, closed: media.ErrClosed, refused: media.ErrRefused,
		late: context.DeadlineExceeded, failed: errFailed,
	}
}

var errFailed = errors.New("media failed")

// mostText bounds an error's text, in bytes.
const mostText = 300

// fault is an error on its way to the office. It is the text that hall keeps out of logs: it may quote a browser.
type fault struct {
	Code code   `json:"code"`
	Text string `json:"text"`
}

func faultOf(err error) *fault {
	f := fault{Code: failed, Text: err.Error()}
	for c, known := range known() {
		if errors.Is(err, known) {
			f.Code = c
		}
	}
	if errors.Is(err, context.Canceled) {
		f.Code = late
	}
	f.Text = f.Text[:min(len(f.Text), mostText)]
	return &f
}

// error gives it back, wrapped as media.Plane does. Nil: the code is none of ours.
func (f *fault) error() error {
	is, ok := known()[f.Code]
	if !ok || len(f.Text) > 2*mostText { // an invalid byte that was cut off grows
		return nil
	}
	return fmt.Errorf("%s (%w)", f.Text, is)
}
