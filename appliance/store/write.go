package store

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"schalter/appliance"
)

// keptAnswers is how long an Idempotency-Key finds its first answer.
const keptAnswers = 24 * time.Hour

// Write makes all entries durable in one transaction, or none of them. A visit whose stored version is not the one a
// step was decided on is a Conflict; a disk that is full or does not work is Unavailable.
func (s *Store) Write(ctx context.Context, entries []Entry) error {
	if len(entries) == 0 {
		return nil
	}
	return s.change(ctx, "write changes", func(ctx context.Context, t *transaction) error {
		for i := range entries {
			if err := t.entry(ctx, &entries[i], s.now()); err != nil {
				return fmt.Errorf("%s: %w", entries[i].Change.Action, err)
			}
		}
		return nil
	})
}

// entry writes one entry. A refusal, which changes nothing, has no time of its own; its answer is kept from now on.
func (t *transaction) entry(ctx context.Context, e *Entry, now time.Time) error {
	c := &e.Change
	if c.Town != nil {
		if err := t.town(ctx, *c.Town.After); err != nil {
			return fmt.Errorf("town: %w", err)
		}
	}
	for _, step := range c.Offices {
		if err := t.office(ctx, step); err != nil {
			return err
		}
	}
	for _, step := range c.Clerks {
		if err := t.clerk(ctx, step); err != nil {
			return err
		}
	}
	for _, step := range c.Desks {
		if err := t.desk(ctx, *step.After); err != nil {
			return err
		}
	}
	for _, step := range c.Visits {
		if err := t.visit(ctx, step, e.Token); err != nil {
			return err
		}
	}
	if c.Talk > 0 {
		if err := t.talk(ctx, c.TalkAt, c.At, c.Talk); err != nil {
			return err
		}
	}
	if !c.Empty() {
		if err := t.auditChange(ctx, c); err != nil {
			return err
		}
	}
	if e.Key == nil {
		return nil
	}
	if !c.At.IsZero() {
		now = c.At
	}
	return t.answer(ctx, e, now)
}

func (t *transaction) talk(ctx context.Context, office appliance.OfficeID, at time.Time, d time.Duration) error {
	_, err := t.exec(ctx, `INSERT INTO talks (office, at, duration) VALUES (?, ?, ?)`,
		string(office), at.UnixMicro(), max(d.Microseconds(), 1))
	if err != nil {
		return fmt.Errorf("talk: %w", err)
	}
	return nil
}

// answer keeps the first answer. A key that is past its term but not swept yet is free again.
func (t *transaction) answer(ctx context.Context, e *Entry, now time.Time) error {
	at := now.UnixMicro()
	n, err := t.exec(ctx, `INSERT INTO answers (caller, route, key, body, json, at) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (caller, route, key) DO UPDATE SET body = excluded.body, json = excluded.json, at = excluded.at
		WHERE answers.at <= ?`,
		e.Key.Caller, e.Key.Route, e.Key.Value, e.Key.Body[:], nonNil(e.Answer), at, at-keptAnswers.Microseconds())
	if err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	if n != 1 {
		return fmt.Errorf("answer: %w", &appliance.Error{Kind: appliance.Conflict, Code: "key-used"})
	}
	return nil
}

// Answered looks up the first answer to a repeated request; nil when there is none. It does not know the time: an
// answer older than 24 hours may still be there until the next sweep, see its At.
func (s *Store) Answered(ctx context.Context, key Key) (*Answer, error) {
	var a *Answer
	err := each(ctx, s.readers, func(scan func(...any) error) error {
		a = &Answer{}
		var body []byte
		if err := scan(&body, &a.JSON, moment{&a.At}); err != nil {
			return err
		}
		copy(a.Body[:], body)
		return nil
	}, `SELECT body, json, at FROM answers WHERE caller = ? AND route = ? AND key = ?`, key.Caller, key.Route, key.Value)
	if err != nil {
		return nil, fmt.Errorf("look up answer: %w", fault(err))
	}
	return a, nil
}

// visit inserts a new visit or takes a stored one to its next version.
func (t *transaction) visit(ctx context.Context, step appliance.Step[appliance.Visit], token []byte) error {
	v := step.After
	needs, err := list(v.Needs)
	if err != nil {
		return err
	}
	args := []any{
		v.Version, string(v.State), string(v.Office), v.Name, v.Matter, needs, v.Notice, v.ArrivedAt.UnixMicro(),
		v.WaitsFrom.UnixMicro(), optional(v.Clerk), micros(v.CalledAt), micros(v.CallEnds), v.More, micros(v.TalksAt),
		micros(v.ParkedAt), v.Misses, micros(v.MissedAt), v.Front, v.Transfers, optional(v.Outcome), micros(v.EndedAt),
	}
	before := step.Before
	if before == nil {
		before = &appliance.Visit{}
		err = t.insertVisit(ctx, v, args, token)
	} else {
		err = t.updateVisit(ctx, before, v, args)
	}
	if err != nil {
		return fmt.Errorf("visit %s: %w", v.ID, err)
	}
	if err := t.legs(ctx, v.ID, before.Legs, v.Legs); err != nil {
		return fmt.Errorf("visit %s: legs: %w", v.ID, err)
	}
	if err := t.notes(ctx, v.ID, before.Notes, v.Notes); err != nil {
		return fmt.Errorf("visit %s: notes: %w", v.ID, err)
	}
	return nil
}

func (t *transaction) insertVisit(ctx context.Context, v *appliance.Visit, args []any, token []byte) error {
	if len(token) != 0 && len(token) != sha256.Size {
		return fmt.Errorf("hash of the token: %d bytes", len(token))
	}
	_, err := t.exec(ctx, `INSERT INTO visits (version, state, office, name, matter, needs, notice, arrived_at, waits_from,
		clerk, called_at, call_ends, more, talks_at, parked_at, misses, missed_at, front, transfers, outcome, ended_at,
		id, token_hash)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, append(args, string(v.ID), blob(token))...)
	return err
}

func (t *transaction) updateVisit(ctx context.Context, before, v *appliance.Visit, args []any) error {
	n, err := t.exec(ctx, `UPDATE visits SET version = ?, state = ?, office = ?, name = ?, matter = ?, needs = ?,
		notice = ?, arrived_at = ?, waits_from = ?, clerk = ?, called_at = ?, call_ends = ?, more = ?, talks_at = ?,
		parked_at = ?, misses = ?, missed_at = ?, front = ?, transfers = ?, outcome = ?, ended_at = ?
		WHERE id = ? AND version = ?`, append(args, string(before.ID), before.Version)...)
	if err != nil {
		return err
	}
	if n != 1 {
		return stale(fmt.Sprintf("is not at version %d", before.Version))
	}
	return nil
}

// legs writes those legs that are new or differ; all earlier ones stay untouched.
func (t *transaction) legs(ctx context.Context, id appliance.VisitID, before, after []appliance.Leg) error {
	for n, l := range after {
		if n < len(before) && before[n] == l {
			continue
		}
		_, err := t.exec(ctx, `INSERT INTO legs (visit, n, office, from_at, until, clerk, reason) VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (visit, n) DO UPDATE SET office = excluded.office, from_at = excluded.from_at,
			until = excluded.until, clerk = excluded.clerk, reason = excluded.reason`,
			string(id), n, string(l.Office), l.From.UnixMicro(), micros(l.Until), optional(l.Clerk), l.Reason)
		if err != nil {
			return err
		}
	}
	if len(after) >= len(before) {
		return nil
	}
	_, err := t.exec(ctx, `DELETE FROM legs WHERE visit = ? AND n >= ?`, string(id), len(after))
	return err
}

func (t *transaction) notes(ctx context.Context, id appliance.VisitID, before, after []appliance.Note) error {
	for n, note := range after {
		if n < len(before) && before[n] == note {
			continue
		}
		_, err := t.exec(ctx, `INSERT INTO notes (visit, n, at, clerk, office, text) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (visit, n) DO UPDATE SET at = excluded.at, clerk = excluded.clerk, office = excluded.office,
			text = excluded.text`,
			string(id), n, note.At.UnixMicro(), string(note.Clerk), string(note.Office), note.Text)
		if err != nil {
			return err
		}
	}
	if len(after) >= len(before) {
		return nil
	}
	_, err := t.exec(ctx, `DELETE FROM notes WHERE visit = ? AND n >= ?`, string(id), len(after))
	return err
}

// blob is bytes whose empty value is NULL.
func blob(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

// nonNil makes an empty answer an empty value rather than NULL.
func nonNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
