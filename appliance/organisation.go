package appliance

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
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

func (h *House) putOffice(now time.Time, by Actor, e PutOffice) (Change, error) {
	if err := h.mayOrganise(by); err != nil {
		return Change{}, err
	}
	after := cloneOffice(&e.Office)
	after.OpensAt = moment(after.OpensAt)
	if err := h.checkOffice(after); err != nil {
		return Change{}, err
	}
	before := h.offices[after.ID]
	if err := e.Edition.check(before != nil, before); err != nil {
		return Change{}, err
	}
	if before != nil && reflect.DeepEqual(before, after) {
		return Change{}, nil
	}
	return Change{At: now, Actor: by, Action: "office", Offices: []Step[Office]{
		{Before: cloneOffice(before), After: after},
	}}, nil
}

func (h *House) putTown(now time.Time, by Actor, e PutTown) (Change, error) {
	if err := h.mayOrganise(by); err != nil {
		return Change{}, err
	}
	after := cloneTown(&e.Town)
	if err := checkTown(after); err != nil {
		return Change{}, err
	}
	after.Notice = h.town.Notice // a new notice is an event of its own
	if err := e.Edition.check(true, &h.town); err != nil {
		return Change{}, err
	}
	if reflect.DeepEqual(&h.town, after) {
		return Change{}, nil
	}
	return Change{At: now, Actor: by, Action: "town", Town: &Step[Town]{Before: cloneTown(&h.town), After: after}}, nil
}

// Edition names one state of a row, so that of two administrators who change it at once the second is told.
type Edition string

// NewRow is the edition of a row that shall not be there yet.
const NewRow Edition = "new"

func editionOf(row any) Edition {
	b, err := json.Marshal(row)
	if err != nil {
		return "" // rows are plain values
	}
	sum := sha256.Sum256(b)
	return Edition(hex.EncodeToString(sum[:8]))
}

func (e Edition) check(there bool, row any) error {
	switch {
	case e == "":
	case e == NewRow && there:
		return refuse(Conflict, "id-taken")
	case e != NewRow && (!there || e != editionOf(row)):
		return refuse(Conflict, "changed-meanwhile")
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
