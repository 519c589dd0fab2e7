package store

import (
	"context"
	"encoding/json"
	"fmt"

	"schalter/appliance"
)

// hours writes an office's hours as a whole.
func (t *transaction) hours(ctx context.Context, office appliance.OfficeID, h appliance.Hours) error {
	if _, err := t.exec(ctx, `DELETE FROM week_hours WHERE office = ?`, string(office)); err != nil {
		return err
	}
	for weekday, spans := range h.Week {
		for _, s := range spans {
			_, err := t.exec(ctx, `INSERT INTO week_hours (office, weekday, opens, closes) VALUES (?, ?, ?, ?)`,
				string(office), weekday, s.From, s.Until)
			if err != nil {
				return err
			}
		}
	}
	return t.specialDays(ctx, office, h.Days)
}

// specialDays writes the days that differ, of an office or, without one, of the whole house.
func (t *transaction) specialDays(ctx context.Context, office appliance.OfficeID, days []appliance.Day) error {
	if _, err := t.exec(ctx, `DELETE FROM special_days WHERE office IS ?`, optional(office)); err != nil {
		return err
	}
	for _, d := range days {
		hours := []byte("[]")
		if len(d.Hours) > 0 {
			var err error
			if hours, err = json.Marshal(d.Hours); err != nil {
				return err
			}
		}
		_, err := t.exec(ctx, `INSERT INTO special_days (office, first, last, hours, why) VALUES (?, ?, ?, ?, ?)`,
			optional(office), string(d.First), string(d.Last), string(hours), d.Why)
		if err != nil {
			return fmt.Errorf("special day %s: %w", d.First, err)
		}
	}
	return nil
}

// loadHours comes after the offices.
func loadHours(ctx context.Context, db querier, snap *appliance.Snapshot) error {
	at := make(map[appliance.OfficeID]*appliance.Hours, len(snap.Offices))
	for i := range snap.Offices {
		at[snap.Offices[i].ID] = &snap.Offices[i].Hours
	}
	err := each(ctx, db, func(scan func(...any) error) error {
		var office appliance.OfficeID
		var weekday int
		var s appliance.Span
		if err := scan(&office, &weekday, &s.From, &s.Until); err != nil {
			return err
		}
		h := at[office]
		if h == nil || weekday < 0 || weekday >= len(h.Week) {
			return fmt.Errorf("weekday %d of %s: there is no such", weekday, office)
		}
		h.Week[weekday] = append(h.Week[weekday], s)
		return nil
	}, `SELECT office, weekday, opens, closes FROM week_hours ORDER BY office, weekday, opens`)
	if err != nil {
		return err
	}
	return each(ctx, db, func(scan func(...any) error) error {
		var office appliance.OfficeID
		var d appliance.Day
		var hours string
		if err := scan(word[appliance.OfficeID]{&office}, &d.First, &d.Last, &hours, &d.Why); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(hours), &d.Hours); err != nil {
			return fmt.Errorf("special day %s: %w", d.First, err)
		}
		if len(d.Hours) == 0 {
			d.Hours = nil
		}
		days := &snap.Town.Days
		if office != "" {
			h := at[office]
			if h == nil {
				return fmt.Errorf("special day %s: its office is not there", d.First)
			}
			days = &h.Days
		}
		*days = append(*days, d)
		return nil
	}, `SELECT office, first, last, hours, why FROM special_days ORDER BY office, first`)
}
