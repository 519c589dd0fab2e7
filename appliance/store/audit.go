package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"schalter/appliance"
)

// Head is an end of the audit chain: the number of a row and its hash. Whoever notes the newest one elsewhere can prove
// later that no row before it was changed, added or removed.
type Head struct {
	Seq  int64
	Hash [sha256.Size]byte
}

// String is the form to note down: number and hash in hex.
func (h Head) String() string { return fmt.Sprintf("%d %s", h.Seq, hex.EncodeToString(h.Hash[:])) }

// row is one entry of the audit log.
type row struct {
	seq                  int64
	at                   time.Time
	role                 appliance.Role
	actor, action        string
	visit, clerk, office string
	fromOffice           string
	fromState, toState   string
	version              int64
	reason               []byte // salted hash, or nil
}

// hash is SHA-256 over the row in one canonical form: a tag, the hash of the row before, then every column, numbers
// as 64 bits big-endian, texts with their length before them. So no two different rows have the same form.
func (r *row) hash(previous [sha256.Size]byte) (sum [sha256.Size]byte) {
	b := append([]byte("schalter audit 1\n"), previous[:]...)
	for _, n := range []int64{r.seq, r.at.UnixMicro(), r.version} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	for _, s := range []string{
		string(r.role), r.actor, r.action, r.visit, r.clerk, r.office, r.fromOffice, r.fromState, r.toState, string(r.reason),
	} {
		b = binary.BigEndian.AppendUint64(b, uint64(len(s)))
		b = append(b, s...)
	}
	return sha256.Sum256(b)
}

// auditChange writes what a change did: a row for each visit, or, when it moved no visit, for each other row.
func (t *transaction) auditChange(ctx context.Context, c *appliance.Change) error {
	rows := make([]row, 0, 1)
	for _, step := range c.Visits {
		rows = append(rows, visitRow(step))
	}
	if len(rows) == 0 {
		rows = houseRows(c)
	}
	for i, r := range rows {
		r.at, r.role, r.action = c.At, c.Actor.Role, c.Action
		r.actor = string(c.Actor.Clerk) + string(c.Actor.Visit)
		reason := ""
		if i == 0 {
			reason = c.Reason
		}
		if err := t.audit(ctx, r, reason); err != nil {
			return err
		}
	}
	return nil
}

func visitRow(step appliance.Step[appliance.Visit]) row {
	v := step.After
	r := row{
		visit: string(v.ID), clerk: string(v.Clerk), office: string(v.Office), toState: string(v.State), version: v.Version,
	}
	if b := step.Before; b != nil {
		r.fromState = string(b.State)
		if v.Clerk == "" {
			r.clerk = string(b.Clerk)
		}
		if b.Office != v.Office {
			r.fromOffice = string(b.Office)
		}
	}
	return r
}

func houseRows(c *appliance.Change) []row {
	var rows []row
	for _, step := range c.Desks {
		r := row{clerk: string(step.After.Clerk), toState: string(step.After.State)}
		if step.Before != nil {
			r.fromState = string(step.Before.State)
		}
		rows = append(rows, r)
	}
	for _, step := range c.Clerks {
		r := row{clerk: string(step.After.ID), toState: choose(step.After.Disabled, "disabled", "enabled")}
		if step.Before != nil {
			r.fromState = choose(step.Before.Disabled, "disabled", "enabled")
		}
		rows = append(rows, r)
	}
	for _, step := range c.Offices {
		r := row{office: string(step.After.ID), toState: choose(step.After.Closed, "closed", "open")}
		if step.Before != nil {
			r.fromState = choose(step.Before.Closed, "closed", "open")
		}
		rows = append(rows, r)
	}
	if c.Town != nil {
		rows = append(rows, row{})
	}
	return rows
}

func choose(is bool, yes, no string) string {
	if is {
		return yes
	}
	return no
}

// audit appends a row to the chain.
func (t *transaction) audit(ctx context.Context, r row, reason string) error {
	r.seq = t.head.Seq + 1
	var salt [16]byte
	if reason != "" {
		if _, err := rand.Read(salt[:]); err != nil {
			return fmt.Errorf("salt: %w", err)
		}
		r.reason = reasonHash(salt[:], reason)
	}
	previous := t.head.Hash
	hash := r.hash(previous)
	_, err := t.exec(ctx, `INSERT INTO audit (seq, at, role, actor, action, visit, clerk, office, from_office, from_state,
		to_state, version, reason, previous, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		r.seq, r.at.UnixMicro(), string(r.role), r.actor, r.action, r.visit, r.clerk, r.office, r.fromOffice, r.fromState,
		r.toState, r.version, blob(r.reason), previous[:], hash[:])
	if err == nil && reason != "" {
		_, err = t.exec(ctx, `INSERT INTO reasons (seq, at, visit, salt, text) VALUES (?, ?, ?, ?, ?)`,
			r.seq, r.at.UnixMicro(), r.visit, salt[:], reason)
	}
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	t.head = Head{Seq: r.seq, Hash: hash}
	return nil
}

func reasonHash(salt []byte, reason string) []byte {
	sum := sha256.Sum256(append(append([]byte("schalter reason 1\n"), salt...), reason...))
	return sum[:]
}

// readHead reads the newest end of the chain, or the anchor when no row is left, or zero.
func readHead(ctx context.Context, db querier) (h Head, err error) {
	var hash []byte
	err = db.QueryRowContext(ctx, `SELECT seq, hash FROM (SELECT seq, hash FROM audit_anchor
		UNION ALL SELECT seq, hash FROM (SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1))
		ORDER BY seq DESC LIMIT 1`).Scan(&h.Seq, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		return Head{}, nil
	}
	if err != nil {
		return Head{}, fmt.Errorf("end of the audit log: %w", err)
	}
	copy(h.Hash[:], hash)
	return h, nil
}

// errTampered: the audit log is not as it was written.
var errTampered = errors.New("the audit log was changed")

// VerifyAudit walks the whole audit log and returns its newest end. An error names the first row that is not as it was
// written.
func (s *Store) VerifyAudit(ctx context.Context) (Head, error) {
	head, err := s.verify(ctx)
	if err != nil {
		return Head{}, fmt.Errorf("verify audit log: %w", err)
	}
	return head, nil
}

func (s *Store) verify(ctx context.Context) (Head, error) {
	tx, err := s.readers.BeginTx(ctx, nil)
	if err != nil {
		return Head{}, fault(err)
	}
	defer func() { _ = tx.Rollback() }() // read only
	var head Head
	var hash []byte
	err = tx.QueryRowContext(ctx, `SELECT seq, hash FROM audit_anchor`).Scan(&head.Seq, &hash)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return Head{}, fault(err)
	}
	copy(head.Hash[:], hash)
	err = each(ctx, tx, func(scan func(...any) error) error {
		r, previous, hash := row{}, []byte{}, []byte{}
		var salt []byte
		var text sql.NullString
		err := scan(&r.seq, moment{&r.at}, &r.role, &r.actor, &r.action, &r.visit, &r.clerk, &r.office, &r.fromOffice,
			&r.fromState, &r.toState, &r.version, &r.reason, &previous, &hash, &salt, &text)
		if err != nil {
			return fault(err)
		}
		want := r.hash(head.Hash)
		switch {
		case r.seq != head.Seq+1:
			return fmt.Errorf("%w: row %d follows row %d", errTampered, r.seq, head.Seq)
		case string(previous) != string(head.Hash[:]) || string(hash) != string(want[:]):
			return fmt.Errorf("%w: row %d", errTampered, r.seq)
		case text.Valid && string(reasonHash(salt, text.String)) != string(r.reason):
			return fmt.Errorf("%w: reason of row %d", errTampered, r.seq)
		}
		head = Head{Seq: r.seq, Hash: want}
		return nil
	}, `SELECT a.seq, a.at, role, actor, action, a.visit, clerk, office, from_office, from_state, to_state, version,
		reason, previous, hash, salt, text FROM audit a LEFT JOIN reasons r ON r.seq = a.seq ORDER BY a.seq`)
	return head, err
}
