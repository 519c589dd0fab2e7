package appliance

import "time"

// OrganisationView is the house as an administrator changes it: rows with their editions.
type OrganisationView struct {
	Town    Town
	Edition Edition // of the town's row
	Offices []OfficeRow
}

// OfficeRow is an office's row, and how the office stands.
type OfficeRow struct {
	Office  Office
	Edition Edition
	State   OfficeState
}

// OrganisationView gives copies.
func (h *House) OrganisationView(now time.Time) OrganisationView {
	v := OrganisationView{Town: *cloneTown(&h.town), Edition: editionOf(&h.town), Offices: make([]OfficeRow, 0, len(h.order))}
	for _, o := range h.order {
		v.Offices = append(v.Offices, OfficeRow{Office: *cloneOffice(o), Edition: editionOf(o), State: h.officeState(o, now)})
	}
	return v
}
