package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"schalter/appliance"
)

// Secret gives what a sign-in is checked against. The name is found whatever its case; an unknown one is NotFound.
func (s *Store) Secret(ctx context.Context, name string) (appliance.Secret, error) {
	var c appliance.Secret
	err := s.readers.QueryRowContext(ctx, `SELECT id, disabled, coalesce(password, '') FROM clerks
		LEFT JOIN secrets ON clerk = id WHERE id = ? COLLATE NOCASE`, name).Scan(&c.Clerk, &c.Disabled, &c.Password)
	if errors.Is(err, sql.ErrNoRows) {
		return c, &appliance.Error{Kind: appliance.NotFound, Code: "clerk-unknown"}
	}
	if err != nil {
		return c, fmt.Errorf("look up clerk: %w", fault(err))
	}
	return c, nil
}

// SetSecret stores a clerk's password hash. A fresh password ends all sign-in sessions of the clerk; the old one, hashed
// anew, does not.
func (s *Store) SetSecret(ctx context.Context, clerk appliance.ClerkID, password string, fresh bool, at time.Time) error {
	return s.change(ctx, "set password", func(ctx context.Context, t *transaction) error {
		if err := t.secret(ctx, clerk, password, at); err != nil || !fresh {
			return err
		}
		if _, err := t.exec(ctx, `DELETE FROM sign_ins WHERE clerk = ?`, string(clerk)); err != nil {
			return err
		}
		return t.audit(ctx, row{at: at, role: appliance.TheHouse, action: "set_password", clerk: string(clerk)}, "")
	})
}

func (t *transaction) secret(ctx context.Context, clerk appliance.ClerkID, password string, at time.Time) error {
	n, err := t.exec(ctx, `INSERT INTO secrets (clerk, password, changed_at) SELECT id, ?, ? FROM clerks WHERE id = ?
		ON CONFLICT (clerk) DO UPDATE SET password = excluded.password, changed_at = excluded.changed_at`,
		password, at.UnixMicro(), string(clerk))
	if err != nil {
		return err
	}
	if n != 1 {
		return &appliance.Error{Kind: appliance.NotFound, Code: "clerk-unknown"}
	}
	return nil
}

// AddSignIn stores a new sign-in session.
func (s *Store) AddSignIn(ctx context.Context, in appliance.SignIn) error {
	return s.change(ctx, "sign in", func(ctx context.Context, t *transaction) error {
		_, err := t.exec(ctx, `INSERT INTO sign_ins (hash, clerk, began_at, seen_at) VALUES (?, ?, ?, ?)`,
			in.Hash[:], string(in.Clerk), in.BeganAt.UnixMicro(), in.SeenAt.UnixMicro())
		if err != nil {
			return err
		}
		return t.audit(ctx, row{
			at: in.BeganAt, role: appliance.ClerkRole, actor: string(in.Clerk), action: "sign_in", clerk: string(in.Clerk),
		}, "")
	})
}

// SignIn finds a sign-in session by the hash of its token, and the clerk as of now: roles that were taken away are gone
// with the next request. An unknown one is NotFound.
func (s *Store) SignIn(ctx context.Context, hash [32]byte) (appliance.SignIn, appliance.Clerk, error) {
	in, c := appliance.SignIn{Hash: hash}, appliance.Clerk{}
	err := s.readers.QueryRowContext(ctx, `SELECT began_at, seen_at, id, name, title, disabled,
		(SELECT json_group_array(role) FROM (SELECT role FROM clerk_roles WHERE clerk = id ORDER BY n)),
		(SELECT json_group_array(office) FROM (SELECT office FROM clerk_offices WHERE clerk = id ORDER BY n))
		FROM sign_ins JOIN clerks ON id = clerk WHERE hash = ?`, hash[:]).
		Scan(moment{&in.BeganAt}, moment{&in.SeenAt}, &c.ID, &c.Name, &c.Title, &c.Disabled,
			words[appliance.Role]{&c.Roles}, words[appliance.OfficeID]{&c.Offices})
	if errors.Is(err, sql.ErrNoRows) {
		return in, c, &appliance.Error{Kind: appliance.NotFound, Code: "sign-in-unknown"}
	}
	if err != nil {
		return in, c, fmt.Errorf("look up sign-in session: %w", fault(err))
	}
	in.Clerk = c.ID
	return in, c, nil
}

// TouchSignIn notes when a sign-in session was last seen. One that has ended meanwhile stays ended.
func (s *Store) TouchSignIn(ctx context.Context, hash [32]byte, at time.Time) error {
	return s.change(ctx, "touch sign-in session", func(ctx context.Context, t *transaction) error {
		_, err := t.exec(ctx, `UPDATE sign_ins SET seen_at = max(seen_at, ?) WHERE hash = ?`, at.UnixMicro(), hash[:])
		return err
	})
}

// EndSignIn ends one sign-in session. Ending one that is not there is no error.
func (s *Store) EndSignIn(ctx context.Context, hash [32]byte, at time.Time) error {
	return s.change(ctx, "sign out", func(ctx context.Context, t *transaction) error {
		_, err := t.endSignIns(ctx, `DELETE FROM sign_ins WHERE hash = ? RETURNING hash, clerk`, hash[:], at, "sign_out")
		return err
	})
}

// EndSignIns ends all sign-in sessions of a clerk and tells their hashes.
func (s *Store) EndSignIns(ctx context.Context, clerk appliance.ClerkID, at time.Time) (ended [][32]byte, err error) {
	err = s.change(ctx, "sign out everywhere", func(ctx context.Context, t *transaction) error {
		ended, err = t.endSignIns(ctx, `DELETE FROM sign_ins WHERE clerk = ? RETURNING hash, clerk`, string(clerk), at,
			"sign_out_everywhere")
		return err
	})
	return ended, err
}

func (t *transaction) endSignIns(ctx context.Context, query string, which any, at time.Time, action string) ([][32]byte, error) {
	clerk, ended := "", [][32]byte{}
	err := each(ctx, t.tx, func(scan func(...any) error) error {
		var hash []byte
		err := scan(&hash, &clerk)
		ended = append(ended, [32]byte{})
		copy(ended[len(ended)-1][:], hash)
		return err
	}, query, which)
	if err != nil || len(ended) == 0 {
		return nil, err
	}
	return ended, t.audit(ctx, row{at: at, role: appliance.ClerkRole, actor: clerk, action: action, clerk: clerk}, "")
}

// VisitOf finds a visit by the hash of its token. An unknown one is NotFound.
func (s *Store) VisitOf(ctx context.Context, token []byte) (appliance.VisitID, error) {
	var id appliance.VisitID
	err := s.readers.QueryRowContext(ctx, `SELECT id FROM visits WHERE token_hash = ?`, token).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", &appliance.Error{Kind: appliance.NotFound, Code: "visit-unknown"}
	}
	if err != nil {
		return "", fmt.Errorf("look up visit: %w", fault(err))
	}
	return id, nil
}
