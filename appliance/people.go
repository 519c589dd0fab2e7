package appliance

import "time"

// Names of rows. All are opaque; visit ids are 128 random bits in lower-case hex and unique across boxes.
type (
	OfficeID string
	ClerkID  string
	VisitID  string
)

// Role is what somebody may be towards the house. The table of who may do what is in package auth.
type Role string

// The roles of the house.
const (
	Anonymous     Role = "anonymous"
	Citizen       Role = "visit" // holds a visit's token
	Companion     Role = "companion"
	RoomDevice    Role = "room_device"
	Viewer        Role = "viewer"
	ClerkRole     Role = "clerk"
	Host          Role = "host"
	Administrator Role = "administrator"
	TheHouse      Role = "house" // a timer or the operator's command line; never given to a request
)

// Actor is who asks for a change. Exactly one of Visit and Clerk is set for people.
type Actor struct {
	Role  Role    `json:"role"`
	Visit VisitID `json:"visit,omitempty"`
	Clerk ClerkID `json:"clerk,omitempty"`
}

// Town is the one tenant of a box.
type Town struct {
	Name      string `json:"name"`      // "Lindenau"
	Kind      string `json:"kind"`      // "Stadt", "Gemeinde"
	Telephone string `json:"telephone"` // shown when an office has none of its own
	Notice    int    `json:"notice"`    // version of the privacy notice in force
	Land      Land   `json:"land"`      // whose public holidays close the house
	Days      []Day  `json:"days"`      // what differs from the week in every office
}

// Office is a node of the organisation tree that people wait for; it owns one waiting room.
type Office struct {
	ID        OfficeID      `json:"id"`
	Parent    OfficeID      `json:"parent,omitempty"`
	Name      string        `json:"name"`
	Telephone string        `json:"telephone"`
	Closed    bool          `json:"closed"`   // by hand, whatever the hours say
	OpensAt   time.Time     `json:"opens_at"` // told while closed by hand; zero: not known
	Hours     Hours         `json:"hours"`
	Limit     int           `json:"limit"`    // waiting visits at most; 0: no limit
	Duration  time.Duration `json:"duration"` // of a talk, until twenty were measured
	Bring     []string      `json:"bring"`    // what to have ready
	Order     int           `json:"order"`    // in lists
	Services  []Service     `json:"services"`
}

// Service is what a citizen comes for.
type Service struct {
	ID       string        `json:"id"`
	Name     string        `json:"name"`
	Duration time.Duration `json:"duration"`
	Bring    []string      `json:"bring"`
}

// Clerk is signed-in staff.
type Clerk struct {
	ID       ClerkID    `json:"id"`    // the sign-in name
	Name     string     `json:"name"`  // "Sabine Weber"
	Title    string     `json:"title"` // as a citizen reads it: "Frau Weber"
	Roles    []Role     `json:"roles"`
	Offices  []OfficeID `json:"offices"`
	Disabled bool       `json:"disabled"`
}

// DeskState is whether a clerk takes people.
type DeskState string

// Desk states. Busy is never stored: it follows from an open call or talk.
const (
	Available DeskState = "available"
	Pause     DeskState = "pause"
	Busy      DeskState = "busy"
)

// Desk is a clerk's working place. There is one for each clerk, however often the clerk is signed in.
type Desk struct {
	Clerk ClerkID   `json:"clerk"`
	State DeskState `json:"state"` // Available or Pause
}
