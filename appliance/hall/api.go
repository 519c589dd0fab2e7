package hall

import (
	"context"

	"schalter/appliance"
	"schalter/appliance/store"
	"schalter/media"
)

// Media is the media plane as the hall uses it: values in, values out. In the daemon it is *apart.Plane, whose process may die and
// come back (RoomEnded); within one process it is *media.Plane.
type Media interface {
	// Join seats somebody and issues relay credentials. Joining a seat that is there is an error.
	Join(ctx context.Context, seat media.Seat) (media.Access, error)
	// Publish answers the browser's offer. A second offer renegotiates the same connection.
	Publish(ctx context.Context, seat media.SeatID, offer media.Offer) (media.Answer, error)
	MediaOut
	// Leave closes the seat's connections and revokes its relay credentials. Unknown seats are no error.
	Leave(ctx context.Context, seat media.SeatID) error
	// Events is closed when the plane has closed.
	Events() <-chan media.Event
}

// MediaOut is the half of Media that concerns what a seat receives.
type MediaOut interface {
	// Subscribed hands in the browser's answer to a SubscribeOffer.
	Subscribed(ctx context.Context, seat media.SeatID, revision int, sdp string) error
	// Show tells at which sizes a seat shows the pictures that it receives: all of them; what is not named is not shown.
	Show(ctx context.Context, seat media.SeatID, shown []media.Shown) error
	// Restart has the seat's receiving connection offered anew, by an event: its browser's way to the box is another now.
	Restart(ctx context.Context, seat media.SeatID) error
	// View answers a viewer's offer, for a foreign seat. A second offer renegotiates the same connection.
	View(ctx context.Context, seat media.SeatID, sdp string) (media.Answer, error)
}

// Store is what the hall needs of package store.
type Store interface {
	Load(ctx context.Context) (appliance.Snapshot, error)
	// Write makes all entries durable in one transaction, or none.
	Write(ctx context.Context, entries []store.Entry) error
	// Answered looks up the first answer to a repeated request; nil when there is none.
	Answered(ctx context.Context, key store.Key) (*store.Answer, error)
	RoomStore
}

// Request is one wish to change the house.
type Request struct {
	Actor appliance.Actor
	Event appliance.Event
	Key   *store.Key // optional: a repeated request gets the first answer
	Token []byte     // hash of the new visit's token, for Arrive
}

// Answer is what the asker is told: the state as of the change, or why not. It is stored with the key as JSON.
type Answer struct {
	Visit *appliance.VisitView  `json:"visit,omitempty"` // for citizens' events
	Staff *appliance.StaffVisit `json:"staff,omitempty"` // for clerks' events on a visit
	Desk  *appliance.DeskView   `json:"desk,omitempty"`  // for SetDesk
	None  bool                  `json:"none,omitempty"`  // Next: nobody waits
	Error *appliance.Error      `json:"error,omitempty"` // decided against (Conflict only is stored with a key)
}

// Push is what a live connection is sent. Exactly one field is set.
type Push struct {
	Visit       *appliance.VisitView // the citizen's view changed
	Desk        *appliance.DeskView  // the clerk's view changed
	Seat        *SeatGiven           // start media with this seat
	Unseat      *media.SeatID        // media with this seat is over: close its connections
	Answer      *Published           // to an offer of this line
	Subscribe   *Subscribed          // an offer to this line
	Paused      *Paused              // which received pictures rest now
	Speaker     *media.SeatID        // who speaks now in the room of this seat; none: nobody
	Text        *Text                // real-time text of the other side (and one's own, on a new line)
	Devices     *Devices             // the other side's microphone, camera, screen
	Interrupted *Interrupted         // a side is not heard any more, or is again
	Replaced    bool                 // a newer page of the same person took the place; this one may take it back
	Ended       string               // the line is closed: "signed-out", "visit-over", "shutdown", "slow" (see Line)
	Problem     *appliance.Error     // a message of this line was refused
}

// SeatGiven starts media in the browser.
type SeatGiven struct {
	Seat   media.SeatID
	Room   media.RoomID
	Access media.Access
}

// Published answers Line.Publish.
type Published struct {
	Seat   media.SeatID
	Answer media.Answer
}

// Subscribed is an offer for the receiving connection of a seat.
type Subscribed struct {
	Seat  media.SeatID
	Offer media.SubscribeOffer
}

// Paused names the pictures that a seat does not get for now, so that its sound stays: all of them; none: all flow.
type Paused struct {
	Seat     media.SeatID
	Pictures []media.Picture
}

// Interrupted tells that the box does not hear a side's sound and picture any more (Now), or that it does again. Both sides
// are told: the one looks for another way to the box each time, the other waits.
type Interrupted struct {
	Side Side
	Now  bool
}

// Side tells the two ends of a talk apart.
type Side string

// The sides. A companion's will follow.
const (
	SideCitizen Side = "citizen"
	SideClerk   Side = "clerk"
)

// Text is one line of real-time text: always the whole line as it stands now, so that a lost message heals itself.
// In each talk Line counts from 1 for each side, and goes on after a reload (the page reads its own lines first); Done
// closes it: a closed line cannot be changed any more. The last 200 are kept in memory until the talk ends, never stored.
type Text struct {
	Side Side   `json:"side"`
	Name string `json:"name"`
	Line int    `json:"line"`
	Text string `json:"text"` // at most 1,000 characters
	Done bool   `json:"done"`
}

// Devices is what a side sends now.
type Devices struct {
	Side       Side `json:"side"`
	Microphone bool `json:"microphone"`
	Camera     bool `json:"camera"`
	Screen     bool `json:"screen"`
}
