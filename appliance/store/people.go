package store

import (
	"context"
	"fmt"

	"schalter/appliance"
)

// town writes the one row.
func (t *transaction) town(ctx context.Context, town appliance.Town) error {
	_, err := t.exec(ctx, `INSERT INTO town (id, name, kind, telephone, notice, land) VALUES (1, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, kind = excluded.kind, telephone = excluded.telephone,
		notice = excluded.notice, land = excluded.land`, town.Name, town.Kind, town.Telephone, town.Notice, string(town.Land))
	if err != nil {
		return err
	}
	return t.specialDays(ctx, "", town.Days)
}

// office inserts a new office or changes one that must be there; its services are written as a whole.
func (t *transaction) office(ctx context.Context, step appliance.Step[appliance.Office]) error {
	o := step.After
	bring, err := list(o.Bring)
	if err != nil {
		return err
	}
	query := `INSERT INTO offices (parent, name, telephone, closed, opens_at, "limit", duration, bring, "order", id)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	if step.Before != nil {
		query = `UPDATE offices SET parent = ?, name = ?, telephone = ?, closed = ?, opens_at = ?, "limit" = ?,
			duration = ?, bring = ?, "order" = ? WHERE id = ?`
	}
	n, err := t.exec(ctx, query, optional(o.Parent), o.Name, o.Telephone, o.Closed, micros(o.OpensAt), o.Limit,
		o.Duration.Microseconds(), bring, o.Order, string(o.ID))
	if err != nil {
		return fmt.Errorf("office %s: %w", o.ID, err)
	}
	if n != 1 {
		return stale(fmt.Sprintf("office %s is not there", o.ID))
	}
	if err := t.hours(ctx, o.ID, o.Hours); err != nil {
		return fmt.Errorf("office %s: hours: %w", o.ID, err)
	}
	if _, err := t.exec(ctx, `DELETE FROM services WHERE office = ?`, string(o.ID)); err != nil {
		return fmt.Errorf("office %s: services: %w", o.ID, err)
	}
	for i, sv := range o.Services {
		bring, err := list(sv.Bring)
		if err != nil {
			return err
		}
		_, err = t.exec(ctx, `INSERT INTO services (office, n, id, name, duration, bring) VALUES (?, ?, ?, ?, ?, ?)`,
			string(o.ID), i, sv.ID, sv.Name, sv.Duration.Microseconds(), bring)
		if err != nil {
			return fmt.Errorf("office %s: service %s: %w", o.ID, sv.ID, err)
		}
	}
	return nil
}

// clerk inserts a new clerk or changes one who must be there. Who is disabled is signed out everywhere.
func (t *transaction) clerk(ctx context.Context, step appliance.Step[appliance.Clerk]) error {
	c := step.After
	query := `INSERT INTO clerks (name, title, disabled, id) VALUES (?, ?, ?, ?)`
	if step.Before != nil {
		query = `UPDATE clerks SET name = ?, title = ?, disabled = ? WHERE id = ?`
	}
	n, err := t.exec(ctx, query, c.Name, c.Title, c.Disabled, string(c.ID))
	if err != nil {
		return fmt.Errorf("clerk %s: %w", c.ID, err)
	}
	if n != 1 {
		return stale(fmt.Sprintf("clerk %s is not there", c.ID))
	}
	if c.Disabled {
		if _, err := t.exec(ctx, `DELETE FROM sign_ins WHERE clerk = ?`, string(c.ID)); err != nil {
			return fmt.Errorf("clerk %s: sign-ins: %w", c.ID, err)
		}
	}
	if err := t.clerkLists(ctx, c); err != nil {
		return fmt.Errorf("clerk %s: %w", c.ID, err)
	}
	return nil
}

func (t *transaction) clerkLists(ctx context.Context, c *appliance.Clerk) error {
	if _, err := t.exec(ctx, `DELETE FROM clerk_roles WHERE clerk = ?`, string(c.ID)); err != nil {
		return err
	}
	for i, role := range c.Roles {
		_, err := t.exec(ctx, `INSERT INTO clerk_roles (clerk, n, role) VALUES (?, ?, ?)`, string(c.ID), i, string(role))
		if err != nil {
			return fmt.Errorf("role %s: %w", role, err)
		}
	}
	if _, err := t.exec(ctx, `DELETE FROM clerk_offices WHERE clerk = ?`, string(c.ID)); err != nil {
		return err
	}
	for i, office := range c.Offices {
		_, err := t.exec(ctx, `INSERT INTO clerk_offices (clerk, n, office) VALUES (?, ?, ?)`, string(c.ID), i, string(office))
		if err != nil {
			return fmt.Errorf("office %s: %w", office, err)
		}
	}
	return nil
}

// desk writes a desk's state. A clerk's desk is there from the first sign-in on, so there is no telling new from old.
func (t *transaction) desk(ctx context.Context, d appliance.Desk) error {
	_, err := t.exec(ctx, `INSERT INTO desks (clerk, state) VALUES (?, ?)
		ON CONFLICT (clerk) DO UPDATE SET state = excluded.state`, string(d.Clerk), string(d.State))
	if err != nil {
		return fmt.Errorf("desk of %s: %w", d.Clerk, err)
	}
	return nil
}
