package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"
)

// querier is a database, a connection or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// each runs a query and hands every row to f.
func each(ctx context.Context, db querier, f func(scan func(...any) error) error, query string, args ...any) (err error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() {
		if e := rows.Close(); err == nil {
			err = e
		}
	}()
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// micros is a time as a column holds it; the zero time is NULL.
func micros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// moment is a nullable time column, read into a time.
type moment struct{ t *time.Time }

func (m moment) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*m.t = time.Time{}
	case int64:
		*m.t = time.UnixMicro(v).UTC()
	default:
		return fmt.Errorf("a time is stored as %T", v)
	}
	return nil
}

// span is a duration column in microseconds.
type span struct{ d *time.Duration }

func (s span) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return fmt.Errorf("a duration is stored as %T", v)
	}
	*s.d = time.Duration(n) * time.Microsecond
	return nil
}

// optional is text whose empty value is NULL, for columns that refer to another row.
func optional[T ~string](s T) any {
	if s == "" {
		return nil
	}
	return string(s)
}

// word is a nullable text column.
type word[T ~string] struct{ s *T }

func (w word[T]) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*w.s = ""
	case string:
		*w.s = T(v)
	default:
		return fmt.Errorf("a word is stored as %T", v)
	}
	return nil
}

// list writes a short list as JSON text.
func list[T ~string](l []T) (string, error) {
	if len(l) == 0 {
		return "[]", nil
	}
	b, err := json.Marshal(l)
	return string(b), err
}

// words reads a list that list wrote; an empty one is nil.
type words[T ~string] struct{ l *[]T }

func (w words[T]) Scan(v any) error {
	s, ok := v.(string)
	if !ok {
		return fmt.Errorf("a list is stored as %T", v)
	}
	*w.l = nil
	if err := json.Unmarshal([]byte(s), w.l); err != nil {
		return fmt.Errorf("list: %w", err)
	}
	if len(*w.l) == 0 {
		*w.l = nil
	}
	return nil
}
