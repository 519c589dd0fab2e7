package appliance

import (
	"cmp"
	"slices"
	"time"
)

// moment is the grain of stored time: UTC, whole microseconds, no monotonic reading. With it the order of arrival is
// the same before and after a restart.
func moment(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// byArrival is the order of everything: who was in the house first, then the id.
func byArrival(a, b *Visit) int {
	return cmp.Or(a.ArrivedAt.Compare(b.ArrivedAt), cmp.Compare(a.ID, b.ID))
}

// held tells whether a clerk is taken up by the visit: an open call or talk.
func (v *Visit) held() bool { return v.State == Called || v.State == Talking }

// leg is the current one. Every visit has one from arrival on; a damaged row gets one that nobody keeps.
func (v *Visit) leg() *Leg {
	if len(v.Legs) == 0 {
		return &Leg{Office: v.Office, From: v.ArrivedAt}
	}
	return &v.Legs[len(v.Legs)-1]
}

// former is the leg before the current one, or nil.
func (v *Visit) former() *Leg {
	if len(v.Legs) < 2 {
		return nil
	}
	return &v.Legs[len(v.Legs)-2]
}

// Works tells whether somebody may sit at a desk: who is disabled, or has other roles alone, may not.
func (c *Clerk) Works() bool { return !c.Disabled && slices.Contains(c.Roles, ClerkRole) }

// serves tells whether people who wait for this office are the clerk's.
func (c *Clerk) serves(office OfficeID) bool { return slices.Contains(c.Offices, office) }

func clone[T any](row *T) *T {
	if row == nil {
		return nil
	}
	c := *row
	return &c
}

func cloneVisit(v *Visit) *Visit {
	c := clone(v)
	if c != nil {
		c.Needs = slices.Clone(v.Needs)
		c.Legs = slices.Clone(v.Legs)
		c.Notes = slices.Clone(v.Notes)
	}
	return c
}

func cloneClerk(k *Clerk) *Clerk {
	c := clone(k)
	if c != nil {
		c.Roles = slices.Clone(k.Roles)
		c.Offices = slices.Clone(k.Offices)
	}
	return c
}

func cloneTown(t *Town) *Town {
	c := clone(t)
	if c != nil {
		c.Days = cloneDays(t.Days)
	}
	return c
}

func cloneOffice(o *Office) *Office {
	c := clone(o)
	if c != nil {
		c.Bring = slices.Clone(o.Bring)
		c.Hours = o.Hours.clone()
		c.Services = slices.Clone(o.Services)
		for i := range c.Services {
			c.Services[i].Bring = slices.Clone(c.Services[i].Bring)
		}
	}
	return c
}
