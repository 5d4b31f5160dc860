package ledger

import (
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

	"github.com/asyncops/asyncops/job"
)

// dialect is where the two databases differ. Fragments are spliced into
// statements as they stand; none holds a value.
type dialect struct {
	name string
	// now is the database's clock in microseconds since 1970.
	now string
	// prepares is true where statements are prepared: see statement.
	prepares bool
	// among is what comes after id where it is to be one of those that an
	// argument lists. PostgreSQL reads one array much faster than a list of as
	// many values.
	among func(arg string) string
	// list makes that argument.
	list func(ids []job.ID) any
	// outcomes is the query of a row for each outcome, and outcomeArgs makes its
	// arguments. With parking it has the columns for that.
	outcomes    func(parking bool) string
	outcomeArgs func(outcomes []outcome, parking bool) named
	// insertOne is an INSERT of a row, whose arguments are its args, and insertMany
	// one of many, whose arguments insertArgs makes. insertKeyed takes idempotency
	// keys, too, whose arguments keyArgs makes, leaves out rows whose key is taken,
	// and returns the ids of those whose key is not. They are "" where bun's serve
	// as well.
	insertOne, insertMany, insertKeyed string
	insertArgs                         func(rows []insertRow) named
	keyArgs                            func(keys []keyRow) named
	// skipLocked makes a SELECT pass over rows that others hold, and keep
	// those that it returns for the rest of the transaction.
	skipLocked string
	// forUpdate makes a SELECT wait for rows that others hold.
	forUpdate string
	// materialized makes a WITH query run once.
	materialized string
	// hasTag is true for rows whose tags hold the placeholder's value.
	hasTag string
	// contains is true where the column before it holds the placeholder's
	// pattern, whatever its case.
	contains string

	// schemaMade asks whether any migration was ever applied.
	schemaMade string

	// missingTable: perhaps the schema is behind. unreachable: the database
	// did not answer, or gave no room; what was asked may have been done.
	// refused: certainly nothing was done, no connection was made.
	// deadlock: undone by the database, to be tried again.
	missingTable, unreachable, refused, deadlock func(error) bool
}

// among is what comes after id where it is to be one of ids.
func (l *Ledger) among(ids []job.ID) schema.QueryAppender {
	return bun.SafeQuery(l.dialect.among("?"), l.dialect.list(ids))
}
