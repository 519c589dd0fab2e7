package appliance_test

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"schalter/appliance"
)

// shelf keeps rows as a store would: it knows of the house only what its changes say.
type shelf struct {
	town    appliance.Town
	offices map[appliance.OfficeID]appliance.Office
	clerks  map[appliance.ClerkID]appliance.Clerk
	desks   map[appliance.ClerkID]appliance.Desk
	visits  map[appliance.VisitID]appliance.Visit
	talks   map[appliance.OfficeID][]time.Duration
}

func newShelf(t appliance.Town) *shelf {
	return &shelf{
		town:    t,
		offices: make(map[appliance.OfficeID]appliance.Office),
		clerks:  make(map[appliance.ClerkID]appliance.Clerk),
		desks:   make(map[appliance.ClerkID]appliance.Desk),
		visits:  make(map[appliance.VisitID]appliance.Visit),
		talks:   make(map[appliance.OfficeID][]time.Duration),
	}
}

func (k *shelf) write(c appliance.Change) {
	if c.Town != nil {
		k.town = *c.Town.After
	}
	for _, s := range c.Offices {
		k.offices[s.After.ID] = *s.After
	}
	for _, s := range c.Clerks {
		k.clerks[s.After.ID] = *s.After
	}
	for _, s := range c.Desks {
		k.desks[s.After.Clerk] = *s.After
	}
	for _, s := range c.Visits {
		k.visits[s.After.ID] = *s.After
	}
	if c.Talk > 0 {
		talks := append(k.talks[c.TalkAt], c.Talk)
		k.talks[c.TalkAt] = slices.Clone(talks[max(len(talks)-20, 0):])
	}
}

func (k *shelf) snapshot() appliance.Snapshot {
	return appliance.Snapshot{
		Town:    k.town,
		Offices: slices.Collect(maps.Values(k.offices)),
		Clerks:  slices.Collect(maps.Values(k.clerks)),
		Desks:   slices.Collect(maps.Values(k.desks)),
		Visits:  slices.Collect(maps.Values(k.visits)),
		Talks:   maps.Clone(k.talks),
	}
}

// queue is who waits for an office in calling order: by position, and those who are skipped before the one whose
// place they would have. The desk's view must say the same.
func (k *shelf) queue(h *appliance.House, now time.Time, office appliance.OfficeID) []appliance.StaffVisit {
	for id, c := range k.clerks {
		if !slices.Contains(c.Offices, office) {
			continue
		}
		desk, _ := h.DeskView(now, id)
		for _, q := range desk.Queues {
			if q.Office == office {
				return slices.DeleteFunc(q.Visits, func(v appliance.StaffVisit) bool { return v.State != appliance.Waiting })
			}
		}
	}
	// Nobody serves it: no desk shows it, so take the visits one by one.
	var waiting []appliance.StaffVisit
	for id, v := range k.visits {
		if v.State == appliance.Waiting && v.Office == office {
			s, _ := h.StaffVisit(now, id)
			waiting = append(waiting, s)
		}
	}
	slices.SortFunc(waiting, func(a, b appliance.StaffVisit) int {
		return cmp.Or(cmp.Compare(*a.Position, *b.Position), a.ArrivedAt.Compare(b.ArrivedAt), cmp.Compare(a.ID, b.ID))
	})
	return waiting
}
