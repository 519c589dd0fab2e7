package store

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"syscall"

	"github.com/mattn/go-sqlite3"

	"schalter/appliance"
)

// errChangedOutside: the audit log does not end where this store left it, so somebody else wrote to the file. Nothing
// more is written until the daemon was started again and has looked at the file.
var errChangedOutside = errors.New("the database was changed from outside")

// fault gives an error of SQLite the kind that the asker can act on. Refusals pass as they are.
func fault(err error) error {
	if refusal := (*appliance.Error)(nil); err == nil || errors.As(err, &refusal) {
		return err
	}
	code := "store-failed"
	if full(err) {
		code = "disk-full"
	}
	return fmt.Errorf("%w: %w", err, &appliance.Error{Kind: appliance.Unavailable, Code: code})
}

// full tells whether there is no room, by whatever way SQLite noticed: a log or index file that cannot grow is an
// input or output error to it.
func full(err error) bool {
	e := sqlite3.Error{}
	if !errors.As(err, &e) {
		return false
	}
	return e.Code == sqlite3.ErrFull || e.SystemErrno == syscall.ENOSPC || e.SystemErrno == syscall.EDQUOT
}

// breaks tells whether the connection may not be used after this error. After a failed sync the kernel has forgotten
// what was not written, so nothing that SQLite holds of the file is trusted any more.
func breaks(err error) bool {
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, sql.ErrTxDone) {
		return true
	}
	e := sqlite3.Error{}
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code {
	case sqlite3.ErrConstraint, sqlite3.ErrBusy, sqlite3.ErrLocked, sqlite3.ErrTooBig, sqlite3.ErrMismatch:
		return false
	}
	return true
}

// stale refuses a change that was decided on a version which is not the stored one.
func stale(what string) error {
	return fmt.Errorf("%s: %w", what, &appliance.Error{Kind: appliance.Conflict, Code: "version-conflict"})
}
