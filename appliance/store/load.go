package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"schalter/appliance"
)

// keptVisits is how long an ended visit is kept: the citizen's farewell page, the clerks' view back.
const keptVisits = 24 * time.Hour

// keptTalks is how many talks of an office feed its estimate.
const keptTalks = 20

// Load reads all that a house needs to start, as of one moment. Visits that ended within 24 hours of the last change are part
// of it. (The last change rather than the clock, which may be wrong when a box starts.)
func (s *Store) Load(ctx context.Context) (appliance.Snapshot, error) {
	snap, err := s.load(ctx)
	if err != nil {
		return appliance.Snapshot{}, fmt.Errorf("load house: %w", fault(err))
	}
	return snap, nil
}

func (s *Store) load(ctx context.Context) (snap appliance.Snapshot, err error) {
	tx, err := s.readers.BeginTx(ctx, nil)
	if err != nil {
		return snap, err
	}
	// Nothing was written, so nothing is lost by what ending it reports.
	defer func() { _ = tx.Rollback() }()
	t := &snap.Town
	err = tx.QueryRowContext(ctx, `SELECT name, kind, telephone, notice, land FROM town`).
		Scan(&t.Name, &t.Kind, &t.Telephone, &t.Notice, &t.Land)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return snap, fmt.Errorf("town: %w", err)
	}
	for _, part := range []struct {
		what string
		read func(context.Context, querier, *appliance.Snapshot) error
	}{
		{"offices", loadOffices}, {"hours", loadHours}, {"clerks", loadClerks}, {"desks", loadDesks}, {"visits", loadVisits}, {"talks", loadTalks},
	} {
		if err := part.read(ctx, tx, &snap); err != nil {
			return snap, fmt.Errorf("%s: %w", part.what, err)
		}
	}
	return snap, nil
}

func loadOffices(ctx context.Context, db querier, snap *appliance.Snapshot) error {
	at := map[appliance.OfficeID]int{}
	err := each(ctx, db, func(scan func(...any) error) error {
		var o appliance.Office
		err := scan(&o.ID, word[appliance.OfficeID]{&o.Parent}, &o.Name, &o.Telephone, &o.Closed, moment{&o.OpensAt},
			&o.Limit, span{&o.Duration}, words[string]{&o.Bring}, &o.Order)
		at[o.ID] = len(snap.Offices)
		snap.Offices = append(snap.Offices, o)
		return err
	}, `SELECT id, parent, name, telephone, closed, opens_at, "limit", duration, bring, "order" FROM offices
		ORDER BY "order", id`)
	if err != nil {
		return err
	}
	return each(ctx, db, func(scan func(...any) error) error {
		var office appliance.OfficeID
		var sv appliance.Service
		if err := scan(&office, &sv.ID, &sv.Name, span{&sv.Duration}, words[string]{&sv.Bring}); err != nil {
			return err
		}
		i, ok := at[office]
		if !ok {
			return fmt.Errorf("service %s: its office is not there", sv.ID)
		}
		snap.Offices[i].Services = append(snap.Offices[i].Services, sv)
		return nil
	}, `SELECT office, id, name, duration, bring FROM services ORDER BY office, n`)
}

func loadClerks(ctx context.Context, db querier, snap *appliance.Snapshot) error {
	at := map[appliance.ClerkID]int{}
	err := each(ctx, db, func(scan func(...any) error) error {
		var c appliance.Clerk
		err := scan(&c.ID, &c.Name, &c.Title, &c.Disabled)
		at[c.ID] = len(snap.Clerks)
		snap.Clerks = append(snap.Clerks, c)
		return err
	}, `SELECT id, name, title, disabled FROM clerks ORDER BY id`)
	if err != nil {
		return err
	}
	err = each(ctx, db, func(scan func(...any) error) error {
		var id appliance.ClerkID
		var role appliance.Role
		if err := scan(&id, &role); err != nil {
			return err
		}
		i, ok := at[id]
		if !ok {
			return fmt.Errorf("role %s: its clerk is not there", role)
		}
		snap.Clerks[i].Roles = append(snap.Clerks[i].Roles, role)
		return nil
	}, `SELECT clerk, role FROM clerk_roles ORDER BY clerk, n`)
	if err != nil {
		return err
	}
	return each(ctx, db, func(scan func(...any) error) error {
		var id appliance.ClerkID
		var office appliance.OfficeID
		if err := scan(&id, &office); err != nil {
			return err
		}
		i, ok := at[id]
		if !ok {
			return fmt.Errorf("office %s: its clerk is not there", office)
		}
		snap.Clerks[i].Offices = append(snap.Clerks[i].Offices, office)
		return nil
	}, `SELECT clerk, office FROM clerk_offices ORDER BY clerk, n`)
}

func loadDesks(ctx context.Context, db querier, snap *appliance.Snapshot) error {
	return each(ctx, db, func(scan func(...any) error) error {
		var d appliance.Desk
		err := scan(&d.Clerk, &d.State)
		snap.Desks = append(snap.Desks, d)
		return err
	}, `SELECT clerk, state FROM desks ORDER BY clerk`)
}

func loadVisits(ctx context.Context, db querier, snap *appliance.Snapshot) error {
	at := map[appliance.VisitID]int{}
	err := each(ctx, db, func(scan func(...any) error) error {
		var v appliance.Visit
		err := scan(&v.ID, &v.Version, &v.State, &v.Office, &v.Name, &v.Matter, words[appliance.Need]{&v.Needs}, &v.Notice,
			moment{&v.ArrivedAt}, moment{&v.WaitsFrom}, word[appliance.ClerkID]{&v.Clerk}, moment{&v.CalledAt},
			moment{&v.CallEnds}, &v.More, moment{&v.TalksAt}, moment{&v.ParkedAt}, &v.Misses, moment{&v.MissedAt},
			&v.Front, &v.Transfers, word[appliance.Outcome]{&v.Outcome}, moment{&v.EndedAt})
		at[v.ID] = len(snap.Visits)
		snap.Visits = append(snap.Visits, v)
		return err
	}, `SELECT id, version, state, office, name, matter, needs, notice, arrived_at, waits_from, clerk, called_at, call_ends,
		more, talks_at, parked_at, misses, missed_at, front, transfers, outcome, ended_at FROM visits
		WHERE ended_at IS NULL OR ended_at > (SELECT max(at) FROM audit) - ? ORDER BY arrived_at, id`, keptVisits.Microseconds())
	if err != nil {
		return err
	}
	err = each(ctx, db, func(scan func(...any) error) error {
		var id appliance.VisitID
		var l appliance.Leg
		err := scan(&id, &l.Office, moment{&l.From}, moment{&l.Until}, word[appliance.ClerkID]{&l.Clerk}, &l.Reason)
		if i, ok := at[id]; ok {
			snap.Visits[i].Legs = append(snap.Visits[i].Legs, l)
		}
		return err
	}, `SELECT visit, office, from_at, until, clerk, reason FROM legs ORDER BY visit, n`)
	if err != nil {
		return err
	}
	return each(ctx, db, func(scan func(...any) error) error {
		var id appliance.VisitID
		var n appliance.Note
		err := scan(&id, moment{&n.At}, &n.Clerk, &n.Office, &n.Text)
		if i, ok := at[id]; ok {
			snap.Visits[i].Notes = append(snap.Visits[i].Notes, n)
		}
		return err
	}, `SELECT visit, at, clerk, office, text FROM notes ORDER BY visit, n`)
}

func loadTalks(ctx context.Context, db querier, snap *appliance.Snapshot) error {
	snap.Talks = map[appliance.OfficeID][]time.Duration{}
	return each(ctx, db, func(scan func(...any) error) error {
		var office appliance.OfficeID
		var d time.Duration
		err := scan(&office, span{&d})
		snap.Talks[office] = append(snap.Talks[office], d)
		return err
	}, `SELECT office, duration FROM (SELECT id, office, duration,
			row_number() OVER (PARTITION BY office ORDER BY id DESC) AS age FROM talks)
		WHERE age <= ? ORDER BY office, id`, keptTalks)
}
