package store

import (
	"context"
	"database/sql"
	"strconv"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
)

// boundQuery is a named statement with its values.
type boundQuery struct {
	*namedQuery
	args []any
}

// bind turns an operation that the registry has checked into what the driver
// takes.
func (t *Target) bind(op dbop.Operation) (boundQuery, error) {
	q := boundQuery{namedQuery: t.registry.queries[op.Query]}
	for _, param := range q.order {
		value, err := t.dialect.argument(op.Args[param].Value, op.Args[param].Param)
		if err != nil {
			return q, err
		}
		q.args = append(q.args, value)
	}
	return q, nil
}

// paramColumn describes a parameter to what knows columns.
func paramColumn(p dbop.Param) columnInfo {
	return columnInfo{name: p.Name, declared: string(p.Type), param: true}
}

// onceQuery is one try of a named statement. One that reads has a transaction
// which can do nothing else.
func (t *Target) onceQuery(ctx context.Context, op dbop.Operation, effect *Effect) (res *Result, err error) {
	defer func() { t.queries.ran(op.Query, err == nil) }()
	if !op.Writes() {
		return t.readQuery(ctx, op)
	}
	if effect, err = t.recorded(ctx, effect); err != nil {
		return nil, err
	}
	if effect != nil {
		if err := t.canRollBack(ctx, op); err != nil {
			return nil, err
		}
	}
	return t.transact(ctx, t.writer, nil, effect, func(tx transaction) (*Result, error) { return t.runQuery(ctx, tx, op, false) })
}

// readQuery runs a named statement that reads.
func (t *Target) readQuery(ctx context.Context, op dbop.Operation) (*Result, error) {
	tx, err := t.reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }() // there is nothing to commit
	return t.runQuery(ctx, tx, op, true)
}

// canRollBack fails if the named statement is known to write to a table that
// cannot roll back.
func (t *Target) canRollBack(ctx context.Context, op dbop.Operation) error {
	for _, name := range t.registry.touches(op) {
		written, err := t.catalog.table(ctx, name)
		if err != nil {
			return err
		}
		if written.engine != "" {
			return cannotRollBack(name, written.engine)
		}
	}
	return nil
}

// runQuery runs a named statement. It is prepared for this run only: a statement
// that is kept by each of many connections is old when a table changes, runs on a
// plan made for other values, and counts against what a server may hold. Alone
// says that nothing else is to happen in the transaction: what is not wanted of
// the answer need not be read.
func (t *Target) runQuery(ctx context.Context, tx transaction, op dbop.Operation, alone bool) (res *Result, err error) {
	q, err := t.bind(op)
	if err != nil {
		return nil, err
	}
	err = t.statement(ctx, func(ctx context.Context) error {
		stmt, err := tx.PrepareContext(ctx, q.text)
		if err != nil {
			return err
		}
		defer func() { _ = stmt.Close() }()
		if q.returns {
			res, err = t.fetchQuery(ctx, stmt, q, op, alone)
			return err
		}
		done, err := stmt.ExecContext(ctx, q.args...)
		if err != nil {
			return err
		}
		n, err := done.RowsAffected()
		res = affected(n)
		return err
	})
	switch {
	case err != nil && !op.Writes() && t.diagnose(err).code == job.CodeReadOnly:
		return nil, job.Permanent(job.CodeReadOnly, "query %q tried to change something, and write is false in its configuration", op.Query)
	case err != nil:
		return nil, err
	case op.Writes() && op.MaxAffected > 0 && res.Rows > int64(op.MaxAffected):
		return nil, job.Permanent(job.CodeMaxAffected, "query %q affects %d rows, more than %d; nothing was changed", op.Query, res.Rows, op.MaxAffected)
	}
	return res, nil
}

// fetchQuery runs a statement that returns rows, and reads them up to limit.
// Without one there must be no more than dbop.MaxLimit.
func (t *Target) fetchQuery(ctx context.Context, stmt *sql.Stmt, q boundQuery, op dbop.Operation, alone bool) (*Result, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	rows, err := stmt.QueryContext(ctx, q.args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	columns, err := t.dialect.describeRows(ctx, t.reader, types)
	if err != nil {
		return nil, err
	}
	if err := distinctNames(columns); err != nil {
		return nil, err
	}
	values, dest := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		dest[i] = &values[i]
	}
	out, n, bytes := []byte(`{"rows":[`), int64(0), readBytes(0)
	for rows.Next() {
		if op.Limit > 0 && n == int64(op.Limit) {
			break
		}
		if n == dbop.MaxLimit {
			stop() // the server need not send the rest
			return nil, job.Permanent(job.CodeTooManyRows, "query %q returns more than %d rows; give it a LIMIT", op.Query, dbop.MaxLimit)
		}
		if err := rows.Scan(dest...); err != nil {
			return nil, err
		}
		if err := bytes.add(values...); err != nil {
			stop() // the server need not send the rest
			return nil, err
		}
		if n > 0 {
			out = append(out, ',')
		}
		n++
		out = appendRow(out, t.dialect.appendValue, columns, values)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if alone && !drained(rows) {
		stop()
	}
	if op.Writes() {
		out = append(strconv.AppendInt(append(out, `],"rows_affected":`...), n, 10), '}')
	} else {
		out = append(strconv.AppendInt(append(out, `],"count":`...), n, 10), `,"cached":false}`...)
	}
	return &Result{JSON: out, Rows: n}, nil
}

// drained reads on for a while: to have the server stop costs more than a few
// rows do. It reports whether that was all.
func drained(rows *sql.Rows) bool {
	for range dbop.MaxLimit {
		if !rows.Next() {
			return true
		}
	}
	return false
}

// distinctNames fails if two columns have one name: one of them would be lost.
func distinctNames(columns []columnInfo) error {
	seen := make(map[string]bool, len(columns))
	for _, c := range columns {
		if seen[c.name] {
			return job.Permanent(job.CodeInvalid, "the query returns two columns called %q; give one of them another name with AS", c.name)
		}
		seen[c.name] = true
	}
	return nil
}

// boundAsker asks with values, which the server binds.
type boundAsker struct {
	pool preparer
	args []any
}

// QueryContext asks query with the values; args is empty.
func (a boundAsker) QueryContext(ctx context.Context, query string, _ ...any) (*sql.Rows, error) {
	stmt, err := a.pool.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { _ = stmt.Close() }()      // database/sql waits with it for the rows
	return stmt.QueryContext(ctx, a.args...) //nolint:sqlclosecheck // whoever asks closes them
}
