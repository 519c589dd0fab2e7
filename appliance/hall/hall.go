package hall

import (
	"context"
	"log/slog"
	"time"

	"schalter/appliance"
	"schalter/media"
)

// Config is what a hall is made of.
type Config struct {
	Store Store
	Media Media
	Terms appliance.Terms
	Now   func() time.Time
	Log   *slog.Logger
}

// Hall is the running house.
type Hall struct{}

// Open loads the house and starts it. It stops by Close.
func Open(ctx context.Context, c Config) (*Hall, error) { return &Hall{}, nil }

// Close stops taking requests, ends the rooms and waits for every goroutine.
func (h *Hall) Close(ctx context.Context) error { return nil }

// Do decides one request, makes it durable and answers. A refusal is an *appliance.Error. It counts as a sign of life
// of the actor.
func (h *Hall) Do(ctx context.Context, r Request) (Answer, error) { return Answer{}, nil }

// Town, Visit and Desk read. Visit and Desk count as a sign of life.
func (h *Hall) Town(ctx context.Context) (appliance.TownView, error) {
	return appliance.TownView{}, nil
}

// Visit reads a citizen's own visit.
func (h *Hall) Visit(ctx context.Context, id appliance.VisitID) (appliance.VisitView, error) {
	return appliance.VisitView{}, nil
}

// Desk reads a clerk's view.
func (h *Hall) Desk(ctx context.Context, id appliance.ClerkID) (appliance.DeskView, error) {
	return appliance.DeskView{}, nil
}

// Joiner is who opens a live connection. Page names the browser page (32 hex digits), Session the sign-in session
// (its hash in hex) of a clerk.
type Joiner struct {
	Actor   appliance.Actor
	Page    string
	Session string
}

// Connect opens a live connection. It ends by Line.Close or when Pushes closes.
func (h *Hall) Connect(ctx context.Context, j Joiner) (*Line, error) { return &Line{}, nil }

// SignedOut ends every line of a sign-in session at once.
func (h *Hall) SignedOut(session string) {}

// Line is one live connection of one person's page. Its methods never block for long: what does not fit the room's
// inbox is refused with Unavailable. Refusals come as *appliance.Error.
type Line struct{}

// Pushes gives what to send, newest view first; it closes when the line has ended. A reader that is too slow is cut
// off with Ended "slow".
func (l *Line) Pushes() <-chan Push { return nil }

// Seen is the page's heartbeat.
func (l *Line) Seen() {}

// Publish hands in the browser's offer; the answer comes as a push.
func (l *Line) Publish(ctx context.Context, seat media.SeatID, o media.Offer) error { return nil }

// Subscribed hands in the browser's answer to an offer.
func (l *Line) Subscribed(ctx context.Context, seat media.SeatID, revision int, sdp string) error {
	return nil
}

// Rejoin says that the page's media failed; a new seat is pushed.
func (l *Line) Rejoin(ctx context.Context, seat media.SeatID) error { return nil }

// SetDevices tells the other side what is sent now.
func (l *Line) SetDevices(ctx context.Context, d Devices) error { return nil }

// Type sends one line of real-time text as it stands.
func (l *Line) Type(ctx context.Context, line int, text string, done bool) error { return nil }

// TakeOver takes the place back from a newer page.
func (l *Line) TakeOver(ctx context.Context) error { return nil }

// Close ends the line; the seat stays for 30 s for the same page to come back.
func (l *Line) Close() {}
