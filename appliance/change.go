package appliance

import "time"

// Change is what one event does: every row as it was and as it shall be. Values only; it is stored and audited
// as a whole in one transaction.
type Change struct {
	At      time.Time
	Actor   Actor
	Action  string // one word for the audit log: "arrive", "call", "accept", …
	Reason  string // given for an action out of order
	Visits  []Step[Visit]
	Desks   []Step[Desk]
	Clerks  []Step[Clerk]
	Offices []Step[Office]
	Town    *Step[Town] // nil: as it was
	// Talk is how long a talk that ended with this change took; zero when none did. It feeds the estimate.
	Talk   time.Duration
	TalkAt OfficeID
}

// Step is one row's way. Before is nil for a new row.
type Step[T any] struct {
	Before *T
	After  *T
}

// Empty tells whether nothing changes.
func (c Change) Empty() bool {
	return len(c.Visits)+len(c.Desks)+len(c.Clerks)+len(c.Offices) == 0 && c.Town == nil
}

// Snapshot is all that a house needs to start: what store loads.
type Snapshot struct {
	Town    Town
	Offices []Office
	Clerks  []Clerk
	Desks   []Desk
	Visits  []Visit                      // those that are not over, and those that ended in the last 24 hours
	Talks   map[OfficeID][]time.Duration // the last twenty measured, oldest first
}
