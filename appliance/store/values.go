package store

import (
	"time"

	"schalter/appliance"
)

// Entry is one decided change with, if the request had a key, the answer to give to its repetitions. A key with an
// empty change is stored too (a 204 or a conflict is an answer).
type Entry struct {
	Change appliance.Change
	Key    *Key
	Answer []byte // JSON; only with a key
	// Token is the hash of a new visit's token.
	Token []byte
}

// Key is an Idempotency-Key in its scope. It is kept for 24 hours.
type Key struct {
	Caller string   // who: "visit:ID", "clerk:ID", "anonymous"
	Route  string   // "POST /api/v1/desk/next"
	Value  string   // the header
	Body   [32]byte // SHA-256 of the request's body
}

// Answer is a stored first answer.
type Answer struct {
	Body [32]byte // of the first request; another body with the same key is refused
	JSON []byte
	At   time.Time
}
