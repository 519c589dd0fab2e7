package media

import (
	"context"
	"errors"
)

// View answers a viewer's offer of sections that it receives on, for a foreign seat: every section gets the room's tracks
// of its kind as they come and go. A second offer renegotiates the same connection.
func (p *Plane) View(context.Context, SeatID, string) (Answer, error) {
	return Answer{}, errors.New("view: not there yet")
}
