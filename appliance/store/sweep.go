package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"schalter/appliance"
)

// Terms of keeping. Visits and answers have theirs beside their code.
const (
	keptSignIns = 12 * time.Hour       // no sign-in session is longer, so what was last seen before has ended
	keptAudit   = 365 * 24 * time.Hour // the log is for a year's review, then it goes, from its old end
	keptCopies  = 24 * time.Hour       // of the database as it was before a migration
)

// Swept counts what a sweep deleted, by class.
type Swept struct {
	Answers int64 `json:"answers"`
	SignIns int64 `json:"sign_ins"`
	Visits  int64 `json:"visits"` // with name, matter, needs, token and legs
	Notes   int64 `json:"notes"`
	Reasons int64 `json:"reasons"`
	Talks   int64 `json:"talks"` // durations that no estimate uses any more
	Audit   int64 `json:"audit"`
	Copies  int64 `json:"copies"` // files
}

// Sweep deletes what has reached the end of its term and writes down how many of each class. It ends by merging and
// emptying the write-ahead log, so that what was deleted is in no file any more; as long as a reader of another
// process keeps that from happening it returns an error, and what was deleted is deleted all the same.
func (s *Store) Sweep(ctx context.Context, now time.Time) (Swept, error) {
	copies, err := s.sweepCopies(now)
	if err != nil {
		return Swept{}, fmt.Errorf("sweep: %w", err)
	}
	var swept Swept
	err = s.change(ctx, "sweep", func(ctx context.Context, t *transaction) error {
		swept = Swept{Copies: copies}
		return t.sweep(ctx, now, &swept)
	})
	if err != nil {
		return Swept{}, err
	}
	return swept, s.truncate(ctx)
}

func (t *transaction) sweep(ctx context.Context, now time.Time, swept *Swept) error {
	visits := now.Add(-keptVisits).UnixMicro()
	for _, part := range []struct {
		class string
		count *int64
		query string
		term  int64
	}{
		{"answers", &swept.Answers, `DELETE FROM answers WHERE at <= ?`, now.Add(-keptAnswers).UnixMicro()},
		{"sign_ins", &swept.SignIns, `DELETE FROM sign_ins WHERE seen_at <= ?1 OR began_at <= ?1`, now.Add(-keptSignIns).UnixMicro()},
		{"notes", &swept.Notes, `DELETE FROM notes WHERE visit IN (SELECT id FROM visits WHERE ended_at <= ?)`, visits},
		{"visits", &swept.Visits, `DELETE FROM visits WHERE ended_at <= ?`, visits},
		{"reasons", &swept.Reasons, `DELETE FROM reasons WHERE at <= ? AND visit NOT IN (SELECT id FROM visits)`, visits},
		{"talks", &swept.Talks, `DELETE FROM talks WHERE id IN (SELECT id FROM (SELECT id,
			row_number() OVER (PARTITION BY office ORDER BY id DESC) AS age FROM talks) WHERE age > ?)`, keptTalks},
	} {
		n, err := t.exec(ctx, part.query, part.term)
		if err != nil {
			return fmt.Errorf("%s: %w", part.class, err)
		}
		*part.count = n
		if err := t.proof(ctx, now, part.class, n); err != nil {
			return err
		}
	}
	var err error
	if swept.Audit, err = t.sweepAudit(ctx, now.Add(-keptAudit)); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	if err := errors.Join(t.proof(ctx, now, "audit", swept.Audit), t.proof(ctx, now, "copies", swept.Copies)); err != nil {
		return err
	}
	return t.audit(ctx, row{at: now, role: appliance.TheHouse, action: "sweep"}, "")
}

// proof writes down what was deleted. Two sweeps at the same moment add up.
func (t *transaction) proof(ctx context.Context, at time.Time, class string, count int64) error {
	_, err := t.exec(ctx, `INSERT INTO sweeps (at, class, count) VALUES (?, ?, ?)
		ON CONFLICT (at, class) DO UPDATE SET count = count + excluded.count`, at.UnixMicro(), class, count)
	if err != nil {
		return fmt.Errorf("proof: %w", err)
	}
	return nil
}

// sweepAudit deletes the old end of the audit log, up to the first row that is still within its term, and keeps the
// hash of the last deleted row as the anchor of the rest.
func (t *transaction) sweepAudit(ctx context.Context, before time.Time) (int64, error) {
	n, err := t.exec(ctx, `INSERT INTO audit_anchor (id, seq, hash)
		SELECT 1, seq, hash FROM audit
		WHERE seq < coalesce((SELECT min(seq) FROM audit WHERE at > ?), (SELECT max(seq) + 1 FROM audit))
		ORDER BY seq DESC LIMIT 1
		ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, hash = excluded.hash`, before.UnixMicro())
	if err != nil || n == 0 {
		return 0, err
	}
	return t.exec(ctx, `DELETE FROM audit WHERE seq <= (SELECT seq FROM audit_anchor)`)
}

// sweepCopies removes old copies of the database that were made before a migration.
func (s *Store) sweepCopies(now time.Time) (int64, error) {
	paths, err := filepath.Glob(s.path + copySuffix + "[0-9][0-9][0-9][0-9]")
	if err != nil {
		return 0, err
	}
	var n int64
	for _, path := range paths {
		st, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) || err == nil && now.Sub(st.ModTime()) < keptCopies {
			continue
		}
		if err == nil {
			err = os.Remove(path)
		}
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// truncate merges the write-ahead log into the file and empties it.
func (s *Store) truncate(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("empty the write-ahead log: %w", context.Cause(ctx))
	}
	defer func() { <-s.turn }()
	var busy, frames, merged int
	err := s.repair(ctx)
	if err == nil {
		err = s.writer.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &frames, &merged)
	}
	if err == nil && busy != 0 {
		err = errors.New("a reader holds it")
	}
	if err != nil {
		return fmt.Errorf("empty the write-ahead log: %w", fault(err))
	}
	return nil
}
