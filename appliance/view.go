package appliance

import "time"

// Views are what a person sees, computed from the house at one moment. They are the JSON of the public API and of
// the live connection; names are a contract. Times are RFC 3339 UTC.

// OfficeState is open, closed or full.
type OfficeState string

// Office states.
const (
	Open         OfficeState = "open"
	ClosedOffice OfficeState = "closed"
	Full         OfficeState = "full"
)

// TownView is GET /api/v1/town.
type TownView struct {
	Name      string       `json:"name"`
	Kind      string       `json:"kind"`
	Telephone string       `json:"telephone"`
	Notice    int          `json:"notice_version"`
	Offices   []OfficeView `json:"offices"`
}

// OfficeView is an office as anyone may see it.
type OfficeView struct {
	ID          OfficeID    `json:"id"`
	Parent      OfficeID    `json:"parent,omitempty"`
	Name        string      `json:"name"`
	Telephone   string      `json:"telephone"`
	State       OfficeState `json:"state"`
	Waiting     int         `json:"waiting"`
	WaitMinutes *[2]int     `json:"wait_minutes"`         // nil: no one is at a desk
	OpensAt     *time.Time  `json:"opens_at"`             // while closed; nil: not known
	ClosesAt    *time.Time  `json:"closes_at"`            // while open; nil: around the clock
	ClosedFor   string      `json:"closed_for,omitempty"` // why today is closed: "Karfreitag", or the town's words
	Staff       int         `json:"staff"`                // desks at work for it now
	Services    []string    `json:"services,omitempty"`
}

// VisitView is a citizen's own visit. It never holds another person's data but the clerk's title.
type VisitView struct {
	ID          VisitID     `json:"id"`
	Version     int64       `json:"version"`
	State       State       `json:"state"`
	Office      OfficeID    `json:"office"`
	OfficeName  string      `json:"office_name"`
	Telephone   string      `json:"telephone"`
	Position    *int        `json:"position"` // from 1; nil when not waiting
	WaitMinutes *[2]int     `json:"wait_minutes"`
	Staff       int         `json:"staff"`
	OfficeState OfficeState `json:"office_state"`
	Name        string      `json:"name"`
	Matter      string      `json:"matter"`
	Needs       []Need      `json:"needs"`
	Bring       []string    `json:"bring"`
	ArrivedAt   time.Time   `json:"arrived_at"`
	Call        *CallView   `json:"call"`  // while called
	Talk        *TalkView   `json:"talk"`  // while talking
	Moved       *MovedView  `json:"moved"` // after a transfer, until the talk ends
	Misses      int         `json:"misses"`
	Outcome     Outcome     `json:"outcome,omitempty"`
	EndedAt     *time.Time  `json:"ended_at"`
}

// CallView is an open call. Title is the clerk's: "Frau Weber".
type CallView struct {
	Title string    `json:"title"`
	Ends  time.Time `json:"ends"`
	More  bool      `json:"more"` // more time may still be asked for
}

// TalkView is a running talk, as the citizen sees it.
type TalkView struct {
	Title string    `json:"title"`
	Since time.Time `json:"since"`
	Alone bool      `json:"alone"` // the clerk's connection is lost: "one moment"
}

// MovedView tells where the citizen comes from and why.
type MovedView struct {
	FromOffice string `json:"from_office"` // name
	By         string `json:"by"`          // title
	Reason     string `json:"reason,omitempty"`
}

// DeskView is GET /api/v1/desk.
type DeskView struct {
	Clerk   ClerkView    `json:"clerk"`
	State   DeskState    `json:"state"`
	Current *StaffVisit  `json:"current"` // the open call or talk
	Queues  []QueueView  `json:"queues"`  // of the offices served, in order
	Parked  []StaffVisit `json:"parked"`  // by this clerk or at the offices served
	Passed  []StaffVisit `json:"passed"`  // passed on by this clerk, can still be pulled back
	Others  []OfficeView `json:"others"`  // every office, to pass on to
	Now     time.Time    `json:"now"`
}

// ClerkView is the signed-in clerk.
type ClerkView struct {
	ID      ClerkID    `json:"id"`
	Name    string     `json:"name"`
	Title   string     `json:"title"`
	Roles   []Role     `json:"roles"`
	Offices []OfficeID `json:"offices"`
}

// QueueView is one office's waiting room, in order of calling.
type QueueView struct {
	Office OfficeID     `json:"office"`
	Name   string       `json:"name"`
	State  OfficeState  `json:"state"`
	Staff  int          `json:"staff"`
	Visits []StaffVisit `json:"visits"` // waiting first, then those whom colleagues have, with Holder
}

// StaffVisit is a visit as a clerk of its office sees it.
type StaffVisit struct {
	ID         VisitID    `json:"id"`
	Version    int64      `json:"version"`
	State      State      `json:"state"`
	Office     OfficeID   `json:"office"`
	OfficeName string     `json:"office_name"`
	Name       string     `json:"name"`
	Matter     string     `json:"matter"`
	Needs      []Need     `json:"needs"`
	ArrivedAt  time.Time  `json:"arrived_at"`
	WaitsFrom  time.Time  `json:"waits_from"`
	Position   *int       `json:"position"`
	Presence   Presence   `json:"presence"`
	Misses     int        `json:"misses"`
	Holder     string     `json:"holder,omitempty"` // the clerk's name who has it
	HolderID   ClerkID    `json:"holder_id,omitempty"`
	Orphaned   bool       `json:"orphaned"` // its clerk's connection is lost
	CallEnds   *time.Time `json:"call_ends"`
	TalksAt    *time.Time `json:"talks_at"`
	Outcome    Outcome    `json:"outcome,omitempty"`
	From       string     `json:"from,omitempty"` // name of the office it came from
	Notes      []NoteView `json:"notes"`
	History    []LegView  `json:"history"` // earlier legs
}

// NoteView is a note with names.
type NoteView struct {
	At     time.Time `json:"at"`
	Clerk  string    `json:"clerk"`
	Office string    `json:"office"`
	Text   string    `json:"text"`
}

// LegView is an earlier leg with names.
type LegView struct {
	Office string    `json:"office"`
	Clerk  string    `json:"clerk,omitempty"`
	From   time.Time `json:"from"`
	Until  time.Time `json:"until"`
	Reason string    `json:"reason,omitempty"`
}
