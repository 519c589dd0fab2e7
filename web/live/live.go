// Package live holds the messages of the live connection (GET /api/v1/live, a WebSocket with JSON text messages) and a
// Go client for them. It is a leaf: the room device and the load generator use it without the rest of the house.
//
// Every message is an object with "t". Unknown types, unknown fields, missing fields, duplicate keys and messages over
// 64 KiB are refused with a problem; three in a row end the connection. SDP is opaque here.
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
//
// # Fields
//
// Every field named here is always there, in exactly this spelling; there are no others. Page to server:
//
//	{"t":"ping"}
//	{"t":"publish",    "seat":"…", "sdp":"v=0…", "sources":{"0":"microphone","1":"camera","2":"screen"}}
//	{"t":"subscribed", "seat":"…", "revision":1, "sdp":"v=0…"}
//	{"t":"show",       "seat":"…", "pictures":[{"seat":"…","source":"camera","width":1280,"height":720}]}
//	{"t":"restart",    "seat":"…"}
//	{"t":"rejoin",     "seat":"…"}
//	{"t":"devices",    "microphone":true, "camera":false, "screen":false}
//	{"t":"text",       "line":1, "text":"Guten T", "done":false}
//	{"t":"take_over"}
//
// Server to page:
//
//	{"t":"pong"}
//	{"t":"visit",      "view":{…appliance.VisitView…}}
//	{"t":"desk",       "view":{…appliance.DeskView…}}
//	{"t":"seat",       "seat":"…", "room":"…", "ice_servers":[{"urls":["turns:…"],"username":"…","credential":"…","expires":"2026-…Z"}],
//	                   "layers":true}
//	{"t":"unseat",     "seat":"…"}
//	{"t":"published",  "seat":"…", "sdp":"v=0…", "late":["candidate:…"]}
//	{"t":"subscribe",  "seat":"…", "revision":1, "sdp":"v=0…", "late":["candidate:…"],
//	                   "tracks":[{"mid":"0","seat":"…","source":"camera"}]}
//	{"t":"paused",     "seat":"…", "pictures":[{"seat":"…","source":"camera"}]}
//	{"t":"speaker",    "seat":"…"}
//	{"t":"text",       "side":"citizen"|"clerk", "name":"Frau Weber", "line":1, "text":"Guten T", "done":false}
//	{"t":"devices",    "side":"citizen"|"clerk", "microphone":true, "camera":false, "screen":false}
//	{"t":"interrupted","side":"citizen"|"clerk", "interrupted":true}
//	{"t":"replaced"}
//	{"t":"ended",      "reason":"signed-out"|"visit-over"|"shutdown"|"slow"}
//	{"t":"problem",    "code":"malformed", "title":"…"}   (title: German, to be shown)
//
// Arrays and objects are never null. In "sources" the key is the mid of the offer. "late" holds ICE-TCP candidates in
// SDP form, to be added when there is no connection after 1.5 s. Text is always the whole line as it stands, at most
// 1,000 characters; lines count from 1 for each side.
//
// "rejoin" may have waited in a line that was dead. So a seat that worked is repeated, and a page that still wants another one
// says so again within 5 s.
//
// With "layers" the page may publish its camera in several sizes at once (simulcast); without it is one stream.
//
// "show" tells at which size the page shows each picture that it receives, in pixels of the screen (CSS pixels times
// devicePixelRatio), so that no more is sent than is seen: all pictures each time, at most 64; one that is not named is not
// shown, and a hidden page shows none. A page sends it on change, at most about twice a second; until the first one
// everything counts as shown in full. "paused" names the received pictures that rest so that the sound stays, all each time.
//
// "speaker" tells whose seat speaks now, one's own among them; an empty one: nobody. It is told on change, at most twice a
// second, and never of a pause for breath; until the first one, and after "seat", nobody speaks.
//
// "interrupted" tells that the box does not hear a side's sound and picture, or that it does again. The page of that side
// restarts ICE: by a "publish" with other credentials for the connection that it sends on; the one that it receives on the
// box offers anew by itself. It is said again every three seconds, and to a page that comes back. "restart" is for a page that
// sees by itself that its way to the box is another now: it asks for that offer.
//
// # Close codes
//
// 1000 and 1001: over, or the box restarts; connect again unless "ended" said otherwise. 1008: refused for good (three
// bad messages, too many messages, no longer signed in): ask GET /api/v1/visit or /desk first. 1009: a message was too big.
package live

import "time"

// Path is where the live connection is.
const Path = "/api/v1/live"

// Limits of a connection.
const (
	MaxMessage = 64 << 10         // bytes of one message, either way from a page
	Heartbeat  = 10 * time.Second // how often a page sends ping
	MaxBad     = 3                // refused messages in a row until the end
	MaxShown   = 64               // pictures in one "show"
	MaxSide    = 16384            // pixels of a shown picture's width or height
)

// Types of message, client to server.
const (
	Ping       = "ping"
	Publish    = "publish"    // Seat, SDP, Sources
	Subscribed = "subscribed" // Seat, Revision, SDP
	Show       = "show"       // Seat, Pictures
	Restart    = "restart"    // Seat: its way to the box is another now; a subscribe follows
	Rejoin     = "rejoin"     // Seat: its media failed; a new seat follows, or the same one, which asks back
	Devices    = "devices"    // Microphone, Camera, Screen (both ways)
	Text       = "text"       // Line, Text, Done (both ways)
	TakeOver   = "take_over"  // this page wants the place back
)

// Types of message, server to client.
const (
	Pong        = "pong"
	Visit       = "visit"       // View: appliance.VisitView
	Desk        = "desk"        // View: appliance.DeskView
	SeatGiven   = "seat"        // Seat, Room, ICEServers, Layers
	Unseat      = "unseat"      // Seat
	Published   = "published"   // Seat, SDP, Late
	Subscribe   = "subscribe"   // Seat, Revision, SDP, Late, Tracks
	Paused      = "paused"      // Seat, Pictures
	Speaker     = "speaker"     // Seat: of who speaks, none for nobody
	Interrupted = "interrupted" // Side, Interrupted
	Replaced    = "replaced"
	Ended       = "ended"   // Reason
	Problem     = "problem" // Code, Title
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

// Picture says which picture ("camera", "screen") of which seat.
type Picture struct {
	Seat   string `json:"seat"`
	Source string `json:"source"`
}

// Shown is a picture and its size on the screen, in pixels.
type Shown struct {
	Seat   string `json:"seat"`
	Source string `json:"source"`
	Width  int    `json:"width"`
	Height int    `json:"height"`
}
