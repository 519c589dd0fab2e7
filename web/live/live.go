// Package live holds the messages of the live connection (GET /api/v1/live, a WebSocket with JSON text messages) and a
// Go client for them. It is a leaf: the room device and the load generator use it without the rest of the house.
//
// Every message is an object with "t". Unknown types, unknown fields, duplicate keys and messages over 64 KiB are
// refused with a problem; three in a row end the connection. SDP is opaque here.
//
// # The way of a connection
//
// The server pushes "visit" or "desk" at once and on every change. When a talk starts it sends "seat"; the page opens
// its publishing connection and sends "publish", gets "published"; it gets "subscribe" for its receiving connection
// and answers "subscribed". "unseat" ends both. On a transfer the citizen gets no unseat: only "subscribe" with fewer,
// later with other tracks. The page sends "ping" every 10 s; that is its heartbeat.
//
// A page is named by the query parameter page (32 hex digits, made by the page when it loads). When the same page
// reconnects within 30 s its seat is still there and the page keeps its connections; the server repeats "seat" with
// the same id. Another page of the same person takes the place: the older one gets "replaced".
package live

import "time"

// Types of message, client to server.
const (
	Ping       = "ping"
	Publish    = "publish"    // Seat, SDP, Sources
	Subscribed = "subscribed" // Seat, Revision, SDP
	Rejoin     = "rejoin"     // Seat: its media failed; a new seat follows
	Devices    = "devices"    // Microphone, Camera, Screen (both ways)
	Text       = "text"       // Line, Text, Done (both ways)
	TakeOver   = "take_over"  // this page wants the place back
)

// Types of message, server to client.
const (
	Pong      = "pong"
	Visit     = "visit"     // View: appliance.VisitView
	Desk      = "desk"      // View: appliance.DeskView
	SeatGiven = "seat"      // Seat, Room, ICEServers
	Unseat    = "unseat"    // Seat
	Published = "published" // Seat, SDP, Late
	Subscribe = "subscribe" // Seat, Revision, SDP, Late, Tracks
	Replaced  = "replaced"
	Ended     = "ended"   // Reason
	Problem   = "problem" // Code, Title
)

// ICEServer is one entry of RTCConfiguration.iceServers.
type ICEServer struct {
	URLs       []string  `json:"urls"`
	Username   string    `json:"username"`
	Credential string    `json:"credential"`
	Expires    time.Time `json:"expires"`
}

// Track says which mid shows what ("microphone", "camera", "screen") of which seat.
type Track struct {
	Mid    string `json:"mid"`
	Seat   string `json:"seat"`
	Source string `json:"source"`
}
