package sqliteconn

import (
	"errors"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// Result codes that callers tell apart and that have no question below.
const (
	CodeError              = lib.SQLITE_ERROR // among others: no such table, no such column
	CodeSchema             = lib.SQLITE_SCHEMA
	CodePerm               = lib.SQLITE_PERM
	CodeAuth               = lib.SQLITE_AUTH
	CodeTooBig             = lib.SQLITE_TOOBIG
	CodeMismatch           = lib.SQLITE_MISMATCH
	CodeRange              = lib.SQLITE_RANGE
	CodeIO                 = lib.SQLITE_IOERR
	CodeConstraintDataType = lib.SQLITE_CONSTRAINT_DATATYPE // a STRICT table refused a type
)

// Code returns the extended result code of SQLite's error in err's tree
// (https://www.sqlite.org/rescode.html), or 0.
func Code(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

// Primary returns the primary part of the code that Code returns, or 0.
func Primary(err error) int { return Code(err) & 0xff }

// Message returns SQLite's own words for the error in err's tree, or "".
// They may quote names and values.
func Message(err error) string {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Error()
	}
	return ""
}

// Busy reports whether another connection held a lock for longer than the busy
// timeout. Nothing was changed; the same transaction may succeed later.
func Busy(err error) bool {
	switch Primary(err) {
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED:
		return true
	}
	return false
}

// Constraint reports whether a constraint refused the values.
func Constraint(err error) bool { return Primary(err) == lib.SQLITE_CONSTRAINT }

// Duplicate reports whether a primary or unique key has the values already.
func Duplicate(err error) bool {
	switch Code(err) {
	case lib.SQLITE_CONSTRAINT_UNIQUE, lib.SQLITE_CONSTRAINT_PRIMARYKEY, lib.SQLITE_CONSTRAINT_ROWID:
		return true
	}
	return false
}

// Unreachable reports whether the database cannot be used at all at present:
// it cannot be opened, its disk is full or fails, the file is not a database.
func Unreachable(err error) bool {
	switch Primary(err) {
	case lib.SQLITE_CANTOPEN, lib.SQLITE_IOERR, lib.SQLITE_FULL, lib.SQLITE_NOTADB, lib.SQLITE_CORRUPT, lib.SQLITE_PROTOCOL:
		return true
	}
	return false
}

// ReadOnly reports whether the database or the connection takes no writes.
func ReadOnly(err error) bool { return Primary(err) == lib.SQLITE_READONLY }

// Interrupted reports whether the statement's context ended it.
func Interrupted(err error) bool { return Primary(err) == lib.SQLITE_INTERRUPT }
