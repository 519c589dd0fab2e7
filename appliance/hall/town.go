package hall

import (
	"sync"
	"time"

	"schalter/appliance"
)

// townFor is how long a view of the town is good while nothing changes: waits move with the clock.
const townFor = time.Second

// townCache keeps the view that anyone may ask for, and that is therefore asked for most.
type townCache struct {
	turn chan struct{} // held by who asks the house for a new one

	mu   sync.Mutex
	view *appliance.TownView // guarded by mu; nil after a change
	at   time.Time           // guarded by mu
}

func (t *townCache) fresh(now time.Time) (appliance.TownView, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.view == nil || now.Sub(t.at) >= townFor || now.Before(t.at) {
		return appliance.TownView{}, false
	}
	return *t.view, true
}

func (t *townCache) keep(v appliance.TownView, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.view, t.at = &v, now
}

// drop is called by the house after a change, before the change is acknowledged.
func (t *townCache) drop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.view = nil
}
