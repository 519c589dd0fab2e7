package appliance

import "time"

// State is where a visit stands.
type State string

// States of a visit. Absence is not a state of its own: see [Presence].
const (
	Waiting State = "waiting"
	Called  State = "called"
	Talking State = "talking"
	Parked  State = "parked"
	Done    State = "done"
	Left    State = "left"    // by the citizen, or not heard of for too long
	NoShow  State = "no_show" // three calls unanswered
)

// Over tells whether the visit has ended.
func (s State) Over() bool { return s == Done || s == Left || s == NoShow }

// Presence is how surely the citizen is there.
type Presence string

// Present: heard of within 20 s or connected. Interrupted: less than 2 minutes ago; still in the queue and
// callable. Absent: longer; skipped, but not removed for another 15 minutes.
const (
	Present     Presence = "present"
	Interrupted Presence = "interrupted"
	Absent      Presence = "absent"
)

// Need is what a citizen said to need.
type Need string

// The needs that the contract names.
const (
	NeedInterpreter  Need = "interpreter"
	NeedSignLanguage Need = "sign_language"
	NeedTextOnly     Need = "text_only"
	NeedNoPicture    Need = "no_picture"
	NeedCompanion    Need = "companion"
)

// Outcome is how a clerk finished a visit.
type Outcome string

// The outcomes that the contract names.
const (
	OutcomeDone     Outcome = "done"
	OutcomeSentAway Outcome = "sent_away"
	OutcomeNoShow   Outcome = "no_show"
	OutcomeFollowUp Outcome = "follow_up"
)

// Limits of texts, in characters (code points).
const (
	MaxName   = 100
	MaxMatter = 500
	MaxNote   = 500
	MaxReason = 500
)

// Visit is one citizen's stay in the house, from arrival to end. It never depends on a connection.
type Visit struct {
	ID        VisitID   `json:"id"`
	Version   int64     `json:"version"` // counts changes, from 1
	State     State     `json:"state"`
	Office    OfficeID  `json:"office"` // of the current leg
	Name      string    `json:"name"`
	Matter    string    `json:"matter"`
	Needs     []Need    `json:"needs"`
	Notice    int       `json:"notice"`     // version of the notice that was acknowledged
	ArrivedAt time.Time `json:"arrived_at"` // in the house: the sort key of every queue it stands in
	WaitsFrom time.Time `json:"waits_from"` // since when it waits in this leg

	Clerk    ClerkID   `json:"clerk,omitempty"` // has it: called, talking or parked by
	CalledAt time.Time `json:"called_at"`
	CallEnds time.Time `json:"call_ends"` // an unanswered call lapses then
	More     bool      `json:"more"`      // "I need more time" was used for this call
	TalksAt  time.Time `json:"talks_at"`
	ParkedAt time.Time `json:"parked_at"`
	Misses   int       `json:"misses"`    // unanswered calls in this leg
	MissedAt time.Time `json:"missed_at"` // the last of them
	Front    bool      `json:"front"`     // the talk was orphaned: first in its queue

	Transfers int       `json:"transfers"`
	Outcome   Outcome   `json:"outcome,omitempty"`
	EndedAt   time.Time `json:"ended_at"`
	Legs      []Leg     `json:"legs"`  // oldest first; the last one is current
	Notes     []Note    `json:"notes"` // for staff only, oldest first
}

// Leg is one stay of a visit with one office.
type Leg struct {
	Office OfficeID  `json:"office"`
	From   time.Time `json:"from"`
	Until  time.Time `json:"until"`            // zero: current
	Clerk  ClerkID   `json:"clerk,omitempty"`  // who talked in it last
	Reason string    `json:"reason,omitempty"` // why it was passed on; the citizen is told
}

// Note is what a clerk wrote for colleagues.
type Note struct {
	At     time.Time `json:"at"`
	Clerk  ClerkID   `json:"clerk"`
	Office OfficeID  `json:"office"` // of the leg in which it was written
	Text   string    `json:"text"`
}
