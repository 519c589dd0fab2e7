package appliance

import (
	"fmt"
	"time"
)

// Kind sorts errors by what the asker can do about them. package web maps kinds to HTTP, once.
type Kind string

// Kinds of error.
const (
	Malformed    Kind = "malformed"    // not understood
	Invalid      Kind = "invalid"      // understood, but a value is missing, too long or not allowed
	Unauthorised Kind = "unauthorised" // no or a wrong token
	Forbidden    Kind = "forbidden"    // not this role
	NotFound     Kind = "not_found"    // not there, or not yours: no difference is shown
	Conflict     Kind = "conflict"     // the state does not allow it (any more)
	TooMany      Kind = "too_many"     // throttled
	Unavailable  Kind = "unavailable"  // the box cannot now: disk full, shutting down
)

// Error is a refusal that a person can be told. Code is stable and machine-readable, part of the problem type:
// "office-closed", "already-called", "note-too-long". The German text for it is web's.
type Error struct {
	Kind   Kind
	Code   string
	Field  string        // the value at fault, by its JSON name
	Holder string        // who has it, for conflicts: the clerk's name, for staff only
	Wait   time.Duration // for TooMany: when to try again
}

func (e *Error) Error() string {
	s := fmt.Sprintf("%s: %s", e.Kind, e.Code)
	if e.Field != "" {
		s += " (" + e.Field + ")"
	}
	return s
}
