package appliance

import (
	"reflect"
	"slices"
	"time"
)

const maxID = 64 // characters of an office's or clerk's id

// mayOrganise refuses everybody but the operator's command line and administrators.
func (h *House) mayOrganise(by Actor) error {
	switch by.Role {
	case TheHouse:
		return nil
	case Administrator:
		if c := h.clerks[by.Clerk]; c != nil && !c.Disabled && slices.Contains(c.Roles, Administrator) {
			return nil
		}
	}
	return refuse(Forbidden, "role")
}

func (h *House) putClerk(now time.Time, by Actor, row Clerk) (Change, error) {
	if err := h.mayOrganise(by); err != nil {
		return Change{}, err
	}
	after := cloneClerk(&row)
	if err := h.checkClerk(after); err != nil {
		return Change{}, err
	}
	before := h.clerks[row.ID]
	if before != nil && reflect.DeepEqual(before, after) {
		return Change{}, nil
	}
	return Change{At: now, Actor: by, Action: "clerk", Clerks: []Step[Clerk]{
		{Before: cloneClerk(before), After: after},
	}}, nil
}

func (h *House) checkClerk(c *Clerk) error {
	var err error
	if c.ID == "" || !plainID(string(c.ID)) {
		return wrong("id-invalid", "id")
	}
	if c.Name, err = checkLine(c.Name, "name", MaxName, true); err != nil {
		return err
	}
	if c.Title, err = checkLine(c.Title, "title", MaxName, true); err != nil {
		return err
	}
	for _, r := range c.Roles {
		if !slices.Contains([]Role{ClerkRole, Host, Administrator}, r) {
			return wrong("role-unknown", "roles")
		}
	}
	for _, o := range c.Offices {
		if h.offices[o] == nil {
			return wrong("office-unknown", "offices")
		}
	}
	return nil
}

func (h *House) putOffice(now time.Time, by Actor, row Office) (Change, error) {
	if err := h.mayOrganise(by); err != nil {
		return Change{}, err
	}
	after := cloneOffice(&row)
	after.OpensAt = moment(after.OpensAt)
	if err := h.checkOffice(after); err != nil {
		return Change{}, err
	}
	before := h.offices[row.ID]
	if before != nil && reflect.DeepEqual(before, after) {
		return Change{}, nil
	}
	return Change{At: now, Actor: by, Action: "office", Offices: []Step[Office]{
		{Before: cloneOffice(before), After: after},
	}}, nil
}

func (h *House) checkOffice(o *Office) error {
	var err error
	if o.ID == "" || !plainID(string(o.ID)) {
		return wrong("id-invalid", "id")
	}
	if o.Name, err = checkLine(o.Name, "name", MaxName, true); err != nil {
		return err
	}
	if o.Hours, err = checkHours(o.Hours); err != nil {
		return err
	}
	switch {
	case o.Limit < 0:
		return wrong("limit-invalid", "limit")
	case o.Duration < 0:
		return wrong("duration-invalid", "duration")
	}
	for parent := o.Parent; parent != ""; {
		above := h.offices[parent]
		if above == nil || above.ID == o.ID {
			return wrong("parent-invalid", "parent")
		}
		parent = above.Parent
	}
	return nil
}

// plainID keeps ids fit for paths, cookies and logs: a to z, 0 to 9, and ".", "-", "_" within.
func plainID(id string) bool {
	for i, r := range id {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
		case (r == '.' || r == '-' || r == '_') && i > 0:
		default:
			return false
		}
	}
	return len(id) <= maxID
}
