package auth

import "golang.org/x/crypto/argon2"

// CheapPasswords hash with a thousandth of the work, for tests that sign in many times. What they store says today's
// cost all the same.
func CheapPasswords() *Passwords {
	p := NewPasswords()
	p.key = func(password, salt []byte, _ cost, size uint32) []byte {
		return argon2.IDKey(password, salt, 1, 8, 1, size)
	}
	return p
}
