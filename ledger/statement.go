package ledger

import (
	"context"
	"database/sql"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"
)

// statement is a query that is run for every job, with named arguments.
// PostgreSQL reads and plans it once for each connection and not each time,
// which would take a quarter to a half of a lone job's time.
//
// So its plan may be older than the rows that it finds. It must have but one
// sensible plan, whatever the table holds: by ids, or along the one index that
// has the rows in the order asked for.
type statement struct {
	text   string   // as bun formats it
	query  string   // as PostgreSQL prepares it; "" where it is not prepared
	params []string // the names of $1, $2, …
	pool   *bun.DB  // what db is, or is a transaction of

	stmt atomic.Pointer[sql.Stmt] // nil until it is needed; ends with the pool
}

// statements are those of every job's life.
type statements struct {
	// nil where bun's serve as well
	insertOne, insertMany, insertKeyed, insertFires *statement
	claim, claimDue, finish, finishParking          *statement
}

func newStatements(l *Ledger) statements {
	s := statements{
		claim: l.statement(l.claimQuery()), claimDue: l.statement(l.claimDueQuery()),
		finish: l.statement(l.finishQuery(false)), finishParking: l.statement(l.finishQuery(true)),
	}
	if l.dialect.insertOne != "" {
		s.insertOne = l.statement(l.dialect.insertOne + ` ON CONFLICT (id) DO NOTHING`)
		s.insertMany = l.statement(l.dialect.insertMany + ` ON CONFLICT (id) DO NOTHING`)
		s.insertKeyed = l.statement(l.dialect.insertKeyed)
		s.insertFires = l.statement(l.dialect.insertMany + ` ON CONFLICT DO NOTHING RETURNING id`)
	}
	return s
}

// named are the arguments of a statement by their names.
type named map[string]any

// AppendNamedArg implements schema.NamedArgAppender.
func (n named) AppendNamedArg(gen schema.QueryGen, b []byte, name string) ([]byte, bool) {
	value, ok := n[name]
	if !ok {
		return b, false
	}
	return gen.Append(b, value), true
}

// statement makes one of a query of the writing side, in which ?now is the
// database's clock.
func (l *Ledger) statement(query string) *statement {
	s := &statement{text: l.timed(query), pool: l.write}
	if l.dialect.prepares {
		var n numbering
		s.query = l.write.QueryGen().FormatQuery(s.text, &n)
		s.params = n.names
	}
	return s
}

// numbering writes $1, $2, … for named arguments.
type numbering struct{ names []string }

// AppendNamedArg implements schema.NamedArgAppender.
func (n *numbering) AppendNamedArg(_ schema.QueryGen, b []byte, name string) ([]byte, bool) {
	i := slices.Index(n.names, name)
	if i < 0 {
		i = len(n.names)
		n.names = append(n.names, name)
	}
	return strconv.AppendInt(append(b, '$'), int64(i+1), 10), true
}

// exec runs the statement in db, the pool or a transaction of it.
func (s *statement) exec(ctx context.Context, db bun.IDB, args named) error {
	if s.query == "" {
		_, err := db.NewRaw(s.text, args).Exec(ctx)
		return err
	}
	stmt, err := s.in(ctx, db) //nolint:sqlclosecheck // it stays prepared
	if err != nil {
		return err
	}
	_, err = stmt.ExecContext(ctx, s.values(args)...)
	return err
}

// scan is exec for a statement that returns rows, which dest then holds.
func (s *statement) scan(ctx context.Context, db bun.IDB, args named, dest any) error {
	if s.query == "" {
		return db.NewRaw(s.text, args).Scan(ctx, dest)
	}
	stmt, err := s.in(ctx, db) //nolint:sqlclosecheck // it stays prepared
	if err != nil {
		return err
	}
	rows, err := stmt.QueryContext(ctx, s.values(args)...) //nolint:rowserrcheck // ScanRows does both
	if err != nil {
		return err
	}
	return s.pool.ScanRows(ctx, rows, dest)
}

func (s *statement) values(args named) []any {
	values := make([]any, len(s.params))
	for i, name := range s.params {
		values[i] = args[name]
	}
	return values
}

// in is the prepared statement for use in db.
func (s *statement) in(ctx context.Context, db bun.IDB) (*sql.Stmt, error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	stmt := s.stmt.Load()
	if tx, ok := db.(bun.Tx); ok {
		return tx.StmtContext(ctx, stmt), nil // which ends with the transaction
	}
	return stmt, nil
}

// ready prepares the statements. It is called before a transaction: within, that
// would take a second connection, for which all the others may be waiting, too.
func (s *statements) ready(ctx context.Context) error {
	for _, one := range []*statement{
		s.insertOne, s.insertMany, s.insertKeyed, s.insertFires, s.claim, s.claimDue, s.finish, s.finishParking,
	} {
		if err := one.ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *statement) ready(ctx context.Context) error {
	if s == nil || s.query == "" || s.stmt.Load() != nil {
		return nil
	}
	stmt, err := s.pool.DB.PrepareContext(ctx, s.query)
	if err == nil && !s.stmt.CompareAndSwap(nil, stmt) {
		err = stmt.Close() //nolint:sqlclosecheck // another call was faster
	}
	return err
}
