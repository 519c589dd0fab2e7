package relay

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// lifetime of a credential: longer than any seat's. It ends with its seat (Revoke), and with this process. Were it shorter, a seat that
// comes to need the relay late in a talk, by another network for instance, would be refused.
const lifetime = 24 * time.Hour

// Credential is what a browser signs in with.
type Credential struct {
	Username string
	Password string
	Expires  time.Time
}

// Issue makes a credential for a seat. Issuing again gives a further one for the same seat; the limits are the seat's.
func (r *Relay) Issue(id string) Credential {
	now := r.cfg.Now()
	expires := now.Add(lifetime).Truncate(time.Second)
	r.mu.Lock()
	r.sweepLocked(now)
	s := r.seats[id]
	if s == nil {
		s = &seat{connections: make(map[*connection]bool)}
		r.seats[id] = s
	}
	s.expires = expires
	r.mu.Unlock()
	name := username(expires, id)
	return Credential{Username: name, Password: r.password(name), Expires: expires}
}

// Revoke ends a seat: its allocations and connections at once, its credentials for good. Unknown seats are no error.
func (r *Relay) Revoke(id string) {
	r.mu.Lock()
	var held []*connection
	if s := r.seats[id]; s != nil {
		for c := range s.connections {
			held = append(held, c)
		}
		delete(r.seats, id)
	}
	r.mu.Unlock()
	for _, c := range held {
		c.close()
	}
}

// sweepLocked forgets seats whose credentials have expired and that hold nothing, once a minute.
func (r *Relay) sweepLocked(now time.Time) {
	if now.Sub(r.swept) < time.Minute {
		return
	}
	r.swept = now
	for id, s := range r.seats {
		if now.After(s.expires) && len(s.connections) == 0 {
			delete(r.seats, id)
		}
	}
}

func (r *Relay) password(name string) string {
	h := hmac.New(sha256.New, r.cfg.Secret)
	h.Write([]byte(name))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

func username(expires time.Time, id string) string {
	return strconv.FormatInt(expires.Unix(), 10) + ":" + id
}

// parseUsername takes "expiry:seat" apart.
func parseUsername(name string) (expires time.Time, id string, ok bool) {
	digits, id, ok := strings.Cut(name, ":")
	if !ok || id == "" || len(digits) > 12 {
		return time.Time{}, "", false
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || strconv.FormatUint(n, 10) != digits {
		return time.Time{}, "", false
	}
	return time.Unix(int64(n), 0), id, true
}
