package store

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"schalter/appliance"
)

// Empty tells whether nothing was set up yet: no town, no office, no clerk.
func (s *Store) Empty(ctx context.Context) (bool, error) {
	empty, err := isEmpty(ctx, s.readers)
	if err != nil {
		return false, fmt.Errorf("look whether the house is set up: %w", fault(err))
	}
	return empty, nil
}

func isEmpty(ctx context.Context, db querier) (empty bool, err error) {
	err = db.QueryRowContext(ctx, `SELECT NOT (EXISTS (SELECT 1 FROM town) OR EXISTS (SELECT 1 FROM offices)
		OR EXISTS (SELECT 1 FROM clerks))`).Scan(&empty)
	return empty, err
}

// Fill sets up an empty house: town, offices, clerks with their password hashes, desks, and visits and talks if the snapshot has
// any. A house that is set up is refused and left as it is.
func (s *Store) Fill(ctx context.Context, snap appliance.Snapshot, secrets map[appliance.ClerkID]string) error {
	return s.change(ctx, "fill", func(ctx context.Context, t *transaction) error {
		empty, err := isEmpty(ctx, t.tx)
		if err != nil {
			return err
		}
		if !empty {
			return &appliance.Error{Kind: appliance.Conflict, Code: "already-set-up"}
		}
		if err := t.fill(ctx, snap); err != nil {
			return err
		}
		now := s.now()
		for _, clerk := range slices.Sorted(maps.Keys(secrets)) {
			if err := t.secret(ctx, clerk, secrets[clerk], now); err != nil {
				return fmt.Errorf("password of %s: %w", clerk, err)
			}
		}
		for _, office := range slices.Sorted(maps.Keys(snap.Talks)) {
			for _, d := range snap.Talks[office] {
				if err := t.talk(ctx, office, now, d); err != nil {
					return err
				}
			}
		}
		return t.audit(ctx, row{at: now, role: appliance.TheHouse, action: "fill"}, "")
	})
}

func (t *transaction) fill(ctx context.Context, snap appliance.Snapshot) error {
	if err := t.town(ctx, snap.Town); err != nil {
		return fmt.Errorf("town: %w", err)
	}
	for i := range snap.Offices {
		if err := t.office(ctx, appliance.Step[appliance.Office]{After: &snap.Offices[i]}); err != nil {
			return err
		}
	}
	for i := range snap.Clerks {
		if err := t.clerk(ctx, appliance.Step[appliance.Clerk]{After: &snap.Clerks[i]}); err != nil {
			return err
		}
	}
	for _, d := range snap.Desks {
		if err := t.desk(ctx, d); err != nil {
			return err
		}
	}
	for i := range snap.Visits {
		if err := t.visit(ctx, appliance.Step[appliance.Visit]{After: &snap.Visits[i]}, nil); err != nil {
			return err
		}
	}
	return nil
}
