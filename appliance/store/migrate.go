package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"

	"schalter/appliance"
)

// applicationID marks the file as ours: "Schl" in ASCII, at offset 68 of the file.
const applicationID = 0x5363686c

//go:embed migrations/*.sql
var migrationFiles embed.FS

func migrations() fs.FS {
	sub, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		panic(err) // the name is a constant
	}
	return sub
}

// steps lists the migrations in order and makes sure that their numbers have no gap.
func steps(files fs.FS) ([]string, error) {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return nil, fmt.Errorf("list migrations: %w", err)
	}
	for i, name := range names {
		if n, err := strconv.Atoi(name[:min(4, len(name))]); err != nil || n != i+1 {
			return nil, fmt.Errorf("migration %q: number %04d was expected", name, i+1)
		}
	}
	return names, nil
}

// probe looks at a file before anything is changed in it.
func probe(ctx context.Context, path string, files fs.FS) error {
	if st, err := os.Stat(path); err != nil || st.Size() == 0 {
		return err
	}
	db := sql.OpenDB(connector(readerDSN(path)))
	version, err := look(ctx, db)
	if err := errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("look at %s: %w", path, err)
	}
	names, err := steps(files)
	if err != nil {
		return err
	}
	if version > len(names) {
		return fmt.Errorf("the database has schema %d, this program knows schemas up to %d: start the newer program, "+
			"or restore a backup made with this one: %w", version, len(names),
			&appliance.Error{Kind: appliance.Unavailable, Code: "newer-schema"})
	}
	return nil
}

// look reads the schema's version and refuses a database of another program.
func look(ctx context.Context, db querier) (int, error) {
	var application, version, tables int
	err := db.QueryRowContext(ctx, `SELECT (SELECT application_id FROM pragma_application_id),
		(SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_schema)`).
		Scan(&application, &version, &tables)
	if err != nil {
		return 0, err
	}
	if application != applicationID && tables > 0 {
		return 0, fmt.Errorf("the database belongs to another program (application id %#x): %w", application,
			&appliance.Error{Kind: appliance.Unavailable, Code: "foreign-database"})
	}
	return version, nil
}

// migrate brings the schema up to date, each step in a transaction of its own.
func migrate(ctx context.Context, s *Store, files fs.FS) error {
	names, err := steps(files)
	if err != nil {
		return err
	}
	version, err := look(ctx, s.writer)
	if err != nil {
		return err
	}
	if version > 0 && version < len(names) {
		if err := s.Backup(ctx, fmt.Sprintf("%s%s%04d", s.path, copySuffix, version+1)); err != nil {
			return fmt.Errorf("copy before migration: %w", err)
		}
	}
	for i := version; i < len(names); i++ {
		if err := step(ctx, s.writer, files, names[i], i+1); err != nil {
			return fmt.Errorf("migration %s: %w", names[i], err)
		}
		s.log.Info("schema migrated", "schema", i+1)
	}
	return nil
}

// copySuffix names the copies made before a migration.
const copySuffix = ".before-"

func step(ctx context.Context, db *sql.DB, files fs.FS, name string, version int) (err error) {
	text, err := fs.ReadFile(files, name)
	if err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = tx.Rollback() // the error that led here is the one to report
		}
	}()
	for _, text := range []string{
		`PRAGMA defer_foreign_keys = ON`, string(text),
		fmt.Sprintf(`PRAGMA application_id = %d`, applicationID), fmt.Sprintf(`PRAGMA user_version = %d`, version),
	} {
		if _, err := tx.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	if err := foreignKeys(ctx, tx); err != nil {
		return err
	}
	return tx.Commit()
}
