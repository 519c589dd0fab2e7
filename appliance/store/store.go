package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/mattn/go-sqlite3"
)

// readers is how many connections read at once. Reads are short; more would only hold more page caches.
const readers = 4

// Store is an open database file. Its methods may be called by several goroutines.
type Store struct {
	path    string
	log     *slog.Logger
	now     func() time.Time // for what has no time of its own: filling, the town's row
	readers *sql.DB

	turn chan struct{} // holds one token: whose turn it is to write

	// Used by the turn's holder only.
	writer *sql.DB
	broken bool // the writing connection must be opened anew
	closed bool
	head   Head // of the audit chain, as this store knows it to be durable
}

// Open opens the database file, makes it when it is not there, and brings its schema up to date. A file of a newer
// schema, or of another program, is refused and left as it is.
func Open(ctx context.Context, path string, log *slog.Logger) (*Store, error) {
	return open(ctx, path, log, migrations())
}

func open(ctx context.Context, path string, log *slog.Logger, steps fs.FS) (*Store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	if err := makeFile(path); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	s := &Store{path: path, log: log, now: time.Now, turn: make(chan struct{}, 1)}
	if err := s.start(ctx, steps); err != nil {
		return nil, errors.Join(fmt.Errorf("open store: %w", fault(err)), s.Close())
	}
	return s, nil
}

func (s *Store) start(ctx context.Context, steps fs.FS) error {
	if err := probe(ctx, s.path, steps); err != nil {
		return err
	}
	s.writer = openWriter(s.path)
	// Idle readers stay open: as long as one is, a writer that is opened anew finds the shared index of the
	// write-ahead log, and a commit that failed cannot come back by a recovery.
	s.readers = sql.OpenDB(connector(readerDSN(s.path)))
	s.readers.SetMaxOpenConns(readers)
	s.readers.SetMaxIdleConns(readers)
	if err := migrate(ctx, s, steps); err != nil {
		return err
	}
	if err := s.readers.PingContext(ctx); err != nil {
		return fmt.Errorf("open for reading: %w", err)
	}
	head, err := readHead(ctx, s.readers)
	if err != nil {
		return err
	}
	s.head = head
	return nil
}

// Close waits for the running write and closes the file. The write-ahead log is merged into it.
func (s *Store) Close() error {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	if s.closed {
		return nil
	}
	s.closed = true
	var errs []error
	if s.readers != nil {
		errs = append(errs, s.readers.Close())
	}
	if s.writer != nil {
		errs = append(errs, s.writer.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close store: %w", err)
	}
	return nil
}

// makeFile makes an empty file that only its owner may open. SQLite gives its log and index files the same mode. A file
// that is there is not opened: closing it would drop the locks of another connection in this process.
func makeFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return os.Chmod(path, 0o600)
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), syncFolder(filepath.Dir(path)))
}

// syncFolder makes the names in a folder durable.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// settings that every connection gets. secure_delete overwrites what is deleted; the statement cache keeps every
// statement of this package prepared.
func settings() url.Values {
	return url.Values{
		"_foreign_keys":    {"1"},
		"_busy_timeout":    {"5000"}, // ms: a reader of another process, a backup
		"_secure_delete":   {"1"},
		"_stmt_cache_size": {"96"},
	}
}

func dsn(path string, v url.Values) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + v.Encode()
}

func writerDSN(path string) string {
	v := settings()
	v.Set("mode", "rw")
	v.Set("_journal_mode", "WAL")
	v.Set("_synchronous", "FULL")
	v.Set("_txlock", "immediate")
	return dsn(path, v)
}

func readerDSN(path string) string {
	v := settings()
	v.Set("mode", "ro")
	v.Set("_query_only", "1")
	return dsn(path, v)
}

func openWriter(path string) *sql.DB {
	db := sql.OpenDB(connector(writerDSN(path)))
	db.SetMaxOpenConns(1)
	return db
}

// connector opens connections to one DSN, without the global list of database/sql.
type connector string

func (c connector) Connect(context.Context) (driver.Conn, error) { return c.Driver().Open(string(c)) }

// Driver gives SQLite with what the DSN cannot say: no temporary file is ever written, a schema is not trusted to call
// functions, and damaged cells are noticed when they are read.
func (c connector) Driver() driver.Driver {
	return &sqlite3.SQLiteDriver{ConnectHook: func(conn *sqlite3.SQLiteConn) error {
		_, err := conn.Exec(`PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON`, nil)
		return err
	}}
}

// change runs f in a writing transaction and makes it durable. A write that has begun is not cut off.
func (s *Store) change(ctx context.Context, what string, f func(context.Context, *transaction) error) error {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", what, context.Cause(ctx))
	}
	defer func() { <-s.turn }()
	if s.closed {
		return fmt.Errorf("%s: %w", what, fault(sql.ErrConnDone))
	}
	ctx = context.WithoutCancel(ctx)
	err := s.changeNow(ctx, f)
	if err == nil {
		return nil
	}
	if breaks(err) {
		again := s.broken
		s.broken = true
		if err := s.repair(ctx); err != nil && !again { // once, not with every attempt on a full disk
			s.log.Warn("writing connection not repaired", "error", err)
		}
	}
	return fmt.Errorf("%s: %w", what, fault(err))
}

func (s *Store) changeNow(ctx context.Context, f func(context.Context, *transaction) error) error {
	if err := s.repair(ctx); err != nil {
		return err
	}
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	t := &transaction{tx: tx}
	if err := t.run(ctx, s.head, f); err != nil {
		// SQLite has often rolled back by itself, so an error here says nothing new.
		_ = tx.Rollback()
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	s.head = t.head
	return nil
}

// repair opens the writing connection anew if the last write broke it. A commit whose sync failed may lie in the
// write-ahead log all the same, whole, and a restart would find it; so its place is written over by a commit that changes
// nothing, before anything else is acknowledged.
func (s *Store) repair(ctx context.Context) error {
	if !s.broken {
		return nil
	}
	// What closing a broken connection reports was reported by the write that broke it.
	_ = s.writer.Close()
	s.writer = openWriter(s.path)
	version, err := look(ctx, s.writer)
	if err != nil {
		return fmt.Errorf("open anew: %w", err)
	}
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("write over: begin: %w", err)
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf(`PRAGMA user_version = %d`, version)); err != nil {
		_ = tx.Rollback() // the error that led here is the one to report
		return fmt.Errorf("write over: %w", err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("write over: commit: %w", err)
	}
	s.broken = false
	s.log.Warn("writing connection opened anew")
	return nil
}

// transaction is one writing transaction and the audit chain's end within it.
type transaction struct {
	tx   *sql.Tx
	head Head
}

func (t *transaction) run(ctx context.Context, known Head, f func(context.Context, *transaction) error) error {
	head, err := readHead(ctx, t.tx)
	if err != nil {
		return err
	}
	if head != known {
		return fmt.Errorf("%w: audit row %d is the last one, %d was expected", errChangedOutside, head.Seq, known.Seq)
	}
	t.head = head
	return f(ctx, t)
}

// exec runs a statement and tells how many rows it changed.
func (t *transaction) exec(ctx context.Context, query string, args ...any) (int64, error) {
	r, err := t.tx.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}
