package appliance

import "time"

// SignIn is one signed-in browser of a clerk. A clerk may have several.
type SignIn struct {
	Hash    [32]byte // SHA-256 of the cookie's token; the token is stored nowhere
	Clerk   ClerkID
	BeganAt time.Time
	SeenAt  time.Time
}

// Secret is what a clerk's sign-in is checked against.
type Secret struct {
	Clerk    ClerkID
	Password string // Argon2id as a PHC string; empty: none was set
	Disabled bool
}
