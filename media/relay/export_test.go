package relay

import "time"

// NewIdle is New with another time for connections that hold no allocation.
func NewIdle(c Config, idle time.Duration) (*Relay, error) { return newRelay(c, idle) }

// Crowd sets how many connections there may be.
func (r *Relay) Crowd(most int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.most = most
}
