package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
	"github.com/uptrace/bun/schema"
)

// dialect is what differs between the kinds of databases. Each has a file of
// its own; nothing else in the package asks which one it is.
type dialect interface {
	// open returns pools that have not dialled yet.
	open(Config) (*pools, error)
	grammar() grammar
	codec() codec
	// diagnose says what a driver's error means.
	diagnose(error) fault
	server
}

// server is what a dialect has its server do.
type server interface {
	binder
	inquirer
}

// binder runs named statements, whose values the server binds.
type binder interface {
	// placeholder writes that of the nth value, counted from 1, for a parameter.
	placeholder(n int, p dbop.Param) string
	// argument is a value as the driver takes it. Errors are *job.Failure.
	argument(v dbop.Value, p dbop.Param) (any, error)
	// describeRows says what the columns of an answer hold, for appendValue.
	describeRows(ctx context.Context, db querier, types []*sql.ColumnType) ([]columnInfo, error)
	// appendValue appends a value of an answer, which is not nil, as JSON.
	appendValue(b []byte, value any, c columnInfo) []byte
}

// inquirer is what a dialect asks its server about.
type inquirer interface {
	// describe reads a table's columns from the catalog; nil when there is no
	// such table.
	describe(ctx context.Context, db querier, schema, name string) (*table, error)
	// inspect reports what keeps the server, or tables that jobs write, from
	// keeping promises: each a sentence that names what is wrong and the fix.
	inspect(ctx context.Context, db querier, look inspection) ([]string, error)
	// plan asks the database how it would run a SELECT, without values.
	plan(ctx context.Context, db asker, text string) ([]string, error)
}

// codec moves values between JSON and a column. Errors are *job.Failure.
type codec interface {
	// literal appends a value as SQL that compares with, and is stored in, the
	// column.
	literal(b []byte, v dbop.Value, c columnInfo) ([]byte, error)
	// now appends the database's clock as a value for the column.
	now(b []byte, c columnInfo) []byte
	// read appends the expression by which the column's value is fetched.
	read(b []byte, expr string, c columnInfo) []byte
	// decode appends the fetched value as JSON.
	decode(b []byte, value any, c columnInfo) []byte
}

// grammar holds a dialect's words.
type grammar struct {
	bun             schema.Dialect
	questionMarks   bool   // placeholders are ?, else $1, $2, …
	countsParams    bool   // a value may stand in several places of a named statement, by its number
	likeEscape      string // the backslash, as a constant
	defaultInValues bool   // VALUES (…, DEFAULT, …)
	emptyRow        string // what follows the table to insert a row of defaults
	insertAlias     bool   // INSERT INTO … AS t
	returning       bool   // INSERT … RETURNING; else rows are read back
	onConflict      bool   // ON CONFLICT; else rows in the way are looked for
	deleteFrom      string // up to the table
	oneWriter       bool   // transactions that write run one after the other, and all are serializable
	// statementGrace is how much longer than statement_timeout we wait where the
	// server keeps that time itself; 0 where it does not.
	statementGrace time.Duration
	effects        effectsWords
}

// effectsWords are the statements about asyncops_effects.
type effectsWords struct {
	create string
	// probe fails unless the table is there with our columns, and returns what
	// keeps us from using it: "" for nothing.
	probe string
	// onDuplicate follows the INSERT of a row, so that a duplicate inserts
	// nothing. Where it is empty a duplicate is an error, fault.duplicate.
	onDuplicate string
	// inTransaction is a condition that holds inside of a transaction only; empty
	// where a transaction cannot end without an error.
	inTransaction string
	// recordUnread stores a result where a serializable transaction is held to
	// what it has read, the neighbours of a row in its index included: %s of the
	// job, %d, '%s' and %s of the new row, '%s' of the old. It returns true if
	// the row was there. Empty where an UPDATE by key reads its row only.
	recordUnread string
	// prune deletes rows of jobs before an id and made before a time, at most so
	// many: %s, '%s', %d.
	prune string
}

// pruneByKey is effectsWords.prune where IN takes a subquery with a LIMIT.
const pruneByKey = `DELETE FROM asyncops_effects WHERE (job_id, generation) IN (
	SELECT job_id, generation FROM asyncops_effects WHERE job_id < %s AND created_at < '%s' ORDER BY job_id LIMIT %d)`

// pools are a target's connections.
type pools struct {
	read, write *sql.DB // may be the same
	writers     int     // writes at the same time; 0 for as many as there are connections
	share       *sql.DB // of inserts that share statements; nil where they cannot
	close       func() error
}

// spareConns are connections for health, catalog and effects table, beside
// those of operations.
const spareConns = 2

// asker is who answers a query.
type asker interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// querier is a pool or a transaction.
type querier interface {
	asker
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// preparer is a pool of database/sql or a transaction.
type preparer interface {
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// transaction is one that runs.
type transaction interface {
	querier
	preparer
}

// fault is what a driver's error means.
type fault struct {
	class     job.Class
	code      job.Code
	message   string // from us, or from the database if private
	private   bool
	transient bool // the same transaction may succeed at once
	stale     bool // what we know of the table may be out of date
	duplicate bool // a unique key has the value already
}

func dialectOf(d Driver) (dialect, error) {
	switch d {
	case Postgres:
		return newPostgres(), nil
	case MySQL:
		return newMySQL(), nil
	case SQLite:
		return newSQLite(), nil
	}
	return nil, fmt.Errorf("store: driver %q is not known", d)
}

// class is what a column holds, in the words of the contract's values.
type class int

const (
	classOther   class = iota // text that the database reads and writes in its own spelling
	classText                 // a string
	classInt                  // an integer
	classFloat                // a binary floating-point number
	classDecimal              // an exact number: a string in JSON
	classBool
	classTime      // a point in time
	classLocalTime // a date and time of day without a zone, taken for UTC
	classDate
	classBytes
	classJSON
	classArray     // a JSON array
	classComposite // a JSON object when read
	classAny       // whatever a row happens to hold
)

// columnInfo is a column as the catalog describes it.
type columnInfo struct {
	name     string
	class    class
	declared string // type in the database's words
	element  class  // of an array that arrives in PostgreSQL's spelling
	param    bool   // it is no column, but a parameter of a named statement
	counted  bool   // the database numbers rows in it; known where there is no RETURNING
}

// table is a table or view as the catalog describes it.
type table struct {
	schema, name string // schema "" is the connection's own
	columns      []columnInfo
	key          []string   // of the primary key, in order; none for a view
	unique       [][]string // every unique key, the primary one first; known where there is no ON CONFLICT
	engine       string     // one that cannot roll back; "" for those that can
	full         *table     // what only has left columns out of; nil for itself
}

func (t *table) column(name string) *columnInfo {
	for i := range t.columns {
		if t.columns[i].name == name {
			return &t.columns[i]
		}
	}
	return nil
}

// pick returns the named columns, or all for ["*"]. The names are known.
func (t *table) pick(names []string) []columnInfo {
	if len(names) == 1 && names[0] == "*" {
		return t.columns
	}
	picked := make([]columnInfo, 0, len(names))
	for _, name := range names {
		if c := t.column(name); c != nil {
			picked = append(picked, *c)
		}
	}
	return picked
}

// only returns the table without the columns that are not listed; an empty
// list is every column.
func (t *table) only(names []string) *table {
	if len(names) == 0 {
		return t
	}
	narrow := *t
	narrow.columns, narrow.full = t.pick(names), t
	return &narrow
}

// whole returns the table with all of its columns.
func (t *table) whole() *table {
	if t.full != nil {
		return t.full
	}
	return t
}
