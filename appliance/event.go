package appliance

import "time"

// Event is one of the closed set below: something somebody asks for, or a moment that came.
type Event interface{ event() }

// Events. The comment names who may ask; the actor is given beside the event.
type (
	// Arrive: anyone. ID is new and random, made by the caller.
	Arrive struct {
		ID     VisitID
		Office OfficeID
		Name   string
		Matter string
		Needs  []Need
		Notice int
	}
	// Accept: the citizen comes. called → talking.
	Accept struct{}
	// MoreTime: the citizen was called and needs more time; once a call.
	MoreTime struct{}
	// Leave: the citizen goes.
	Leave struct{}

	// Next: a clerk takes the first person who may be called, of all served offices or of one.
	Next struct{ Office OfficeID }
	// Call: a clerk takes this visit, out of order, with a reason.
	Call struct {
		Visit  VisitID
		Reason string
	}
	// Transfer: leg ends here, waits there.
	Transfer struct {
		Visit  VisitID
		Office OfficeID
		Note   string
		Reason string // needed from the third transfer on
	}
	// PullBack: the clerk who passed it on takes it back while it still waits there.
	PullBack struct{ Visit VisitID }
	// Park: the clerk puts it aside; the clerk is free.
	Park struct{ Visit VisitID }
	// Recall: a clerk of that office calls a parked visit again.
	Recall struct{ Visit VisitID }
	// Finish: allowed from called on.
	Finish struct {
		Visit   VisitID
		Outcome Outcome
	}
	// AddNote: a clerk who has the visit writes for colleagues.
	AddNote struct {
		Visit VisitID
		Text  string
	}
	// SetDesk: a clerk is available or pauses.
	SetDesk struct{ State DeskState }

	// Tick: the house looks at its clocks: lapsed calls, orphaned talks, long absence. One Tick decides one
	// due thing; the hall repeats it until the change is empty.
	Tick struct{}
	// PutClerk, PutOffice and PutTown: the operator or an administrator changes the house. An edition says which row the
	// change was made from, or that there shall be none yet; without one it is made from whatever there is.
	PutClerk  struct{ Clerk Clerk }
	PutOffice struct {
		Office  Office
		Edition Edition
	}
	PutTown struct {
		Town    Town
		Edition Edition
	}
)

func (Arrive) event()    {}
func (Accept) event()    {}
func (MoreTime) event()  {}
func (Leave) event()     {}
func (Next) event()      {}
func (Call) event()      {}
func (Transfer) event()  {}
func (PullBack) event()  {}
func (Park) event()      {}
func (Recall) event()    {}
func (Finish) event()    {}
func (AddNote) event()   {}
func (SetDesk) event()   {}
func (Tick) event()      {}
func (PutClerk) event()  {}
func (PutOffice) event() {}
func (PutTown) event()   {}

// Terms of the reception. The administrator's page will change them; until then they are these.
type Terms struct {
	CallFor     time.Duration // an unanswered call lapses after
	MoreTime    time.Duration // "I need more time" adds
	MaxCalls    int           // unanswered calls until no_show
	SkipMissed  time.Duration // after an unanswered call others go first, so long
	Interrupted time.Duration // not heard of: shown grey
	PresentFor  time.Duration // not heard of: absent, skipped; the same for a clerk's claim
	AbsentFor   time.Duration // absent so long: left
	ParkedFor   time.Duration // the same for who is parked: time to fetch a paper, but not to the next day
	PullBackFor time.Duration // a transfer can be taken back so long, while it still waits
	ReasonFrom  int           // transfers from which on a reason is needed
}

// DefaultTerms are the values of the specification.
func DefaultTerms() Terms {
	return Terms{
		CallFor: 45 * time.Second, MoreTime: 60 * time.Second, MaxCalls: 3, SkipMissed: 2 * time.Minute,
		Interrupted: 20 * time.Second, PresentFor: 2 * time.Minute, AbsentFor: 15 * time.Minute,
		ParkedFor: 12 * time.Hour, PullBackFor: 5 * time.Minute, ReasonFrom: 3,
	}
}
