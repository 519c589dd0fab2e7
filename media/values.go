package media

import "time"

// The values that hall and media exchange. There is nothing else between the two: no pointers, no callbacks. All of
// it survives a trip through JSON, so that the media plane can become a process of its own.

// RoomID and SeatID are opaque and unguessable. A seat id is never used twice.
type (
	RoomID string
	SeatID string
)

// Seat asks for a place in a room. The room opens with its first seat and ends with its last.
//
// Reached is the host:port under which the browser reached the box: there its relay is found too, whatever lies
// between. Empty: any of the box's addresses.
//
// Foreign is an encoder or a viewer that is no page of ours. It is offered nothing: what it receives it asks for by View.
// It may use the older SRTP profile beside AES-GCM, since Debian's GStreamer has no other.
type Seat struct {
	ID      SeatID `json:"id"`
	Room    RoomID `json:"room"`
	Reached string `json:"reached,omitempty"`
	Foreign bool   `json:"foreign,omitempty"`
}

// Access is what a browser needs to reach the box: relay credentials bound to this seat. Layers tells that the box takes
// its camera in several sizes at once (simulcast, RFC 8853): such a section names no stream, and an older plane refuses it.
type Access struct {
	Relay  []RelayServer `json:"relay"`
	Layers bool          `json:"layers,omitempty"`
}

// RelayServer is one entry of RTCConfiguration.iceServers.
type RelayServer struct {
	URLs     []string  `json:"urls"`
	Username string    `json:"username"`
	Password string    `json:"credential"`
	Expires  time.Time `json:"expires"`
}

// Source is what a track shows.
type Source string

// Sources of a seat. A seat publishes each at most once.
const (
	Microphone Source = "microphone"
	Camera     Source = "camera"
	Screen     Source = "screen"
)

// Offer is a browser's offer for the connection that it publishes with. Sources names what each mid carries; a mid
// without a name is refused.
type Offer struct {
	SDP     string            `json:"sdp"`
	Sources map[string]Source `json:"sources"`
}

// Answer is the box's answer. Late holds ICE-TCP candidates in SDP form ("candidate:…"): the browser adds them when it
// has no connection after 1.5 s. In the description itself Firefox would sometimes prefer TCP although UDP works.
type Answer struct {
	SDP  string   `json:"sdp"`
	Late []string `json:"late"`
}

// SubscribeOffer is the box's offer for the connection that a seat receives on. Revisions count from 1 for each seat; an
// answer to an older revision is dropped.
type SubscribeOffer struct {
	Revision int      `json:"revision"`
	SDP      string   `json:"sdp"`
	Late     []string `json:"late"`
	Tracks   []Track  `json:"tracks"`
}

// Track is one received track: which mid shows what of whom.
type Track struct {
	Mid    string `json:"mid"`
	Seat   SeatID `json:"seat"`
	Source Source `json:"source"`
}

// Picture names one that a seat publishes: its camera or its screen.
type Picture struct {
	Seat   SeatID `json:"seat"`
	Source Source `json:"source"`
}

// Shown is how large a received picture is shown, in pixels of the screen (CSS pixels times devicePixelRatio). Zero by
// zero: it is not, because the page is hidden, for instance.
type Shown struct {
	Seat   SeatID `json:"seat"`
	Source Source `json:"source"`
	Width  int    `json:"width"`
	Height int    `json:"height"`
}

// Event is what the media plane tells: exactly one of the kinds below.
type Event struct {
	Kind      EventKind       `json:"kind"`
	Room      RoomID          `json:"room"`
	Seat      SeatID          `json:"seat"`
	Subscribe *SubscribeOffer `json:"subscribe,omitempty"` // for Subscribe
	Paused    []Picture       `json:"paused,omitempty"`    // for Paused: all that are now; none: all pictures flow
	Speaker   SeatID          `json:"speaker,omitempty"`   // for Speaker: who speaks; none: nobody
}

// EventKind says what happened to a seat, or to a room: those have no seat.
type EventKind string

// Kinds of event.
const (
	Subscribe EventKind = "subscribe" // send this offer to the seat's browser
	Connected EventKind = "connected" // the seat's publishing connection is up
	// Interrupted: one of the seat's connections has been silent for two seconds, and does not answer. Whoever is there
	// restarts ICE: by an offer for the publishing connection; for the receiving one an offer of the box follows. It is told
	// again every three seconds.
	Interrupted EventKind = "interrupted"
	Resumed     EventKind = "resumed" // both are heard again

	Paused    EventKind = "paused"     // other pictures than before are not sent to the seat, so that its sound stays
	Lost      EventKind = "lost"       // a connection of the seat failed; it must rejoin with a new seat
	Speaker   EventKind = "speaker"    // somebody else than before speaks in the room, or nobody; twice a second at most
	RoomEnded EventKind = "room_ended" // a fault ended the room; every seat must rejoin
)
