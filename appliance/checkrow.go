package appliance

import (
	"fmt"
	"time"
)

// Most of what an office's row may hold.
const (
	mostServices = 60
	mostBring    = 20
	maxTelephone = 40
	longestTalk  = 8 * time.Hour
	mostWaiting  = 10_000
)

func checkTown(t *Town) error {
	var err error
	if t.Name, err = checkLine(t.Name, "name", MaxName, true); err != nil {
		return err
	}
	if t.Kind, err = checkLine(t.Kind, "kind", MaxName, true); err != nil {
		return err
	}
	if t.Telephone, err = checkLine(t.Telephone, "telephone", maxTelephone, true); err != nil {
		return err
	}
	if !t.Land.Known() {
		return wrong("land-unknown", "land")
	}
	t.Days, err = checkDays(t.Days, "days")
	return err
}

func (h *House) checkOffice(o *Office) error {
	var err error
	if o.ID == "" || !plainID(string(o.ID)) {
		return wrong("id-invalid", "id")
	}
	if o.Name, err = checkLine(o.Name, "name", MaxName, true); err != nil {
		return err
	}
	if o.Telephone, err = checkLine(o.Telephone, "telephone", maxTelephone, false); err != nil {
		return err
	}
	if o.Hours, err = checkHours(o.Hours); err != nil {
		return err
	}
	switch {
	case o.Limit < 0 || o.Limit > mostWaiting:
		return wrong("limit-invalid", "limit")
	case o.Duration < 0 || o.Duration > longestTalk:
		return wrong("duration-invalid", "duration")
	}
	if o.Bring, err = checkBring(o.Bring, "bring"); err != nil {
		return err
	}
	if err := checkServices(o.Services); err != nil {
		return err
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

func checkServices(services []Service) error {
	if len(services) > mostServices {
		return wrong("services-too-many", "services")
	}
	ids := make(map[string]bool, len(services))
	for i := range services {
		s, at := &services[i], fmt.Sprintf("services.%d", i)
		if s.ID == "" || !plainID(s.ID) || ids[s.ID] {
			return wrong("id-invalid", at+".id")
		}
		ids[s.ID] = true
		var err error
		if s.Name, err = checkText(s.Name, at+".name", "name", MaxName, true); err != nil {
			return err
		}
		if s.Duration < 0 || s.Duration > longestTalk {
			return wrong("duration-invalid", at+".duration")
		}
		if s.Bring, err = checkBring(s.Bring, at+".bring"); err != nil {
			return err
		}
	}
	return nil
}

// checkBring reads what to have ready: a line each; empty ones are left out.
func checkBring(lines []string, field string) ([]string, error) {
	if len(lines) > mostBring {
		return nil, wrong("bring-too-many", field)
	}
	var kept []string
	for _, l := range lines {
		l, err := checkText(l, field, "bring", MaxReason, false)
		if err != nil {
			return nil, err
		}
		if l != "" {
			kept = append(kept, l)
		}
	}
	return kept, nil
}
