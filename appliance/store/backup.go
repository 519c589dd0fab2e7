package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/mattn/go-sqlite3"
)

// backupPages is how many pages a backup copies between two looks at its context: 4 MiB.
const backupPages = 1024

// Backup copies the database as of one moment into a new file, while work goes on. The copy is checked and durable
// before it gets its name; a file that has the name already is replaced. It holds what the database holds, so it is
// for encrypted places only.
func (s *Store) Backup(ctx context.Context, path string) error {
	if err := s.backup(ctx, path); err != nil {
		return fmt.Errorf("back up: %w", fault(err))
	}
	return nil
}

func (s *Store) backup(ctx context.Context, path string) (err error) {
	part := path + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := makeFile(part); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(part))
		}
	}()
	if err := s.copyTo(ctx, part); err != nil {
		return err
	}
	if err := checkFile(ctx, part); err != nil {
		return err
	}
	if err := syncFile(part); err != nil {
		return err
	}
	if err := os.Rename(part, path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// copyTo copies page by page within one reading transaction: the copy is of one moment, and writers are not held up.
func (s *Store) copyTo(ctx context.Context, path string) error {
	conn, err := s.readers.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()     // read only
	if _, err := look(ctx, tx); err != nil { // the first read fixes the moment
		return err
	}
	// No log beside the copy, and no sync by SQLite: the file is synced as a whole before it is renamed.
	target := dsn(path, url.Values{"mode": {"rw"}, "_synchronous": {"OFF"}})
	to, err := connector(target).Connect(ctx)
	if err != nil {
		return err
	}
	err = conn.Raw(func(from any) error {
		b, err := to.(*sqlite3.SQLiteConn).Backup("main", from.(*sqlite3.SQLiteConn), "main")
		if err != nil {
			return err
		}
		for done := false; !done && err == nil; {
			if err = context.Cause(ctx); err == nil {
				done, err = b.Step(backupPages)
			}
		}
		return errors.Join(err, b.Finish())
	})
	return errors.Join(err, to.Close())
}

// checkFile looks through a whole database file. On a connection opened with mode=ro SQLite leaves out the CHECK
// constraints (seen with 3.54.1), so this one could write and is told not to.
func checkFile(ctx context.Context, path string) error {
	v := settings()
	v.Set("mode", "rw")
	v.Set("_query_only", "1")
	db := sql.OpenDB(connector(dsn(path, v)))
	return errors.Join(check(ctx, db), db.Close())
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Check looks through the whole database: its pages, its indexes, its constraints, its references. It reads every page.
func (s *Store) Check(ctx context.Context) error {
	if err := checkFile(ctx, s.path); err != nil {
		return fmt.Errorf("check database: %w", err)
	}
	return nil
}

func check(ctx context.Context, db querier) error {
	var faults []error
	err := each(ctx, db, func(scan func(...any) error) error {
		var text string
		err := scan(&text)
		if text != "ok" {
			faults = append(faults, errors.New(text))
		}
		return err
	}, `PRAGMA integrity_check`)
	if err != nil {
		return fault(err)
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	return foreignKeys(ctx, db)
}

func foreignKeys(ctx context.Context, db querier) error {
	return each(ctx, db, func(scan func(...any) error) error {
		var table, parent string
		var id sql.NullInt64
		var key int
		if err := scan(&table, &id, &parent, &key); err != nil {
			return err
		}
		return fmt.Errorf("table %s, row %d: refers to a row of %s that is not there", table, id.Int64, parent)
	}, `PRAGMA foreign_key_check`)
}
