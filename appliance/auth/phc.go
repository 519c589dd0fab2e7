package auth

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// cost is what one Argon2id hashing takes.
type cost struct {
	memory  uint32 // KiB
	passes  uint32
	threads uint8
}

// today is OWASP's first recommendation for Argon2id (Password Storage Cheat Sheet): 19 MiB, two passes, one thread.
// One thread, because the number of hashings at once is bounded by the cores already.
func today() cost { return cost{memory: 19 * 1024, passes: 2, threads: 1} }

// Bounds of what a stored hash may ask for, so that a damaged row cannot take the box's memory.
const (
	mostMemory  = 256 * 1024 // KiB
	mostPasses  = 16
	mostThreads = 16
	saltSize    = 16
	hashSize    = 32
)

// phc is a password hash in the PHC string format: $argon2id$v=19$m=19456,t=2,p=1$salt$hash, the last two in base64
// without padding.
type phc struct {
	cost
	salt, hash []byte
}

func (p phc) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.memory, p.passes, p.threads,
		b64.EncodeToString(p.salt), b64.EncodeToString(p.hash))
}

// parsePHC reads exactly the form that String writes.
func parsePHC(s string) (phc, error) {
	bad := errors.New("not an Argon2id hash in PHC form")
	part := strings.Split(s, "$")
	if len(part) != 6 || part[0] != "" || part[1] != "argon2id" || part[2] != "v="+strconv.Itoa(argon2.Version) {
		return phc{}, bad
	}
	numbers := strings.Split(part[3], ",")
	if len(numbers) != 3 {
		return phc{}, bad
	}
	var n [3]uint64
	for i, bound := range []struct {
		name string
		most uint64
	}{{"m=", mostMemory}, {"t=", mostPasses}, {"p=", mostThreads}} {
		digits, ok := strings.CutPrefix(numbers[i], bound.name)
		v, err := strconv.ParseUint(digits, 10, 32)
		if !ok || err != nil || v == 0 || v > bound.most || digits[0] == '0' {
			return phc{}, bad
		}
		n[i] = v
	}
	if n[0] < 8*n[2] { // RFC 9106, section 3.1
		return phc{}, bad
	}
	b64 := base64.RawStdEncoding.Strict()
	salt, err1 := b64.DecodeString(part[4])
	hash, err2 := b64.DecodeString(part[5])
	if err1 != nil || err2 != nil || len(salt) < 8 || len(salt) > 64 || len(hash) < 16 || len(hash) > 64 ||
		strings.ContainsAny(s, "\r\n") {
		return phc{}, bad
	}
	return phc{cost: cost{memory: uint32(n[0]), passes: uint32(n[1]), threads: uint8(n[2])}, salt: salt, hash: hash}, nil
}
