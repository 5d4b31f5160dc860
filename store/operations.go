package store

import (
	"context"
	"database/sql"
	"slices"
	"strconv"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
)

// read runs a select.
func (t *Target) read(ctx context.Context, db querier, visible *table, op dbop.Operation) (*Result, error) {
	q := newBuilder(t.dialect)
	q.selectRows(visible, op)
	text, err := q.sql()
	if err != nil {
		return nil, err
	}
	columns := q.selected(visible, op)
	out := []byte(`{"rows":[`)
	if op.Op == dbop.SelectOne {
		out = []byte(`{"row":`)
	}
	var n int64
	err = t.fetch(ctx, db, text, len(columns), func(values []any) {
		if n > 0 {
			out = append(out, ',')
		}
		n++
		out = appendRow(out, q.codec, columns, values)
	})
	if err != nil {
		return nil, err
	}
	switch {
	case op.Op == dbop.SelectMany:
		out = append(strconv.AppendInt(append(out, `],"count":`...), n, 10), `,"cached":false}`...)
	case n == 0:
		out = append(out, `null,"cached":false}`...)
	default:
		out = append(out, `,"cached":false}`...)
	}
	return &Result{JSON: out, Rows: n}, nil
}

// fetch runs a query and calls row with each row's values, which row must not
// keep.
func (t *Target) fetch(ctx context.Context, db querier, text string, columns int, row func([]any)) error {
	return t.statement(ctx, func(ctx context.Context) (err error) {
		rows, err := db.QueryContext(ctx, text)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		values := make([]any, columns)
		dest := make([]any, columns)
		for i := range values {
			dest[i] = &values[i]
		}
		for rows.Next() {
			if err := rows.Scan(dest...); err != nil {
				return err
			}
			row(values)
		}
		return rows.Err()
	})
}

// affect runs a statement and returns the number of rows that it affected.
func (t *Target) affect(ctx context.Context, db querier, text string) (n int64, err error) {
	err = t.statement(ctx, func(ctx context.Context) error {
		var res sql.Result
		if res, err = db.ExecContext(ctx, text); err != nil {
			return err
		}
		n, err = res.RowsAffected()
		return err
	})
	return n, err
}

// change runs a write.
func (t *Target) change(ctx context.Context, tx querier, visible *table, op dbop.Operation) (*Result, error) {
	switch op.Op {
	case dbop.InsertOne:
		return t.insertOne(ctx, tx, visible, op)
	case dbop.InsertMany:
		return t.insertMany(ctx, tx, visible, op)
	case dbop.UpdateOne, dbop.UpdateMany, dbop.DeleteOne, dbop.DeleteMany:
		return t.changeRows(ctx, tx, visible, op)
	}
	return nil, job.Permanent(job.CodeInvalid, "operation %q is not known", op.Op)
}

func (t *Target) insertOne(ctx context.Context, tx querier, visible *table, op dbop.Operation) (*Result, error) {
	if len(op.Rows) != 1 {
		return nil, job.Permanent(job.CodeInvalid, "insert_one takes one row, not %d", len(op.Rows))
	}
	q := newBuilder(t.dialect)
	for _, name := range op.Returning {
		if name != "*" {
			q.known(visible, name)
		}
	}
	returning := visible.pick(op.Returning)
	columns := returning
	id := -1
	if len(visible.key) == 1 && visible.column(visible.key[0]) != nil {
		if id = slices.IndexFunc(columns, func(c columnInfo) bool { return c.name == visible.key[0] }); id < 0 {
			id = len(columns)
			columns = append(slices.Clone(columns), *visible.column(visible.key[0]))
		}
	}
	q.insert(visible, op, op.Rows, columns)
	text, err := q.sql()
	if err != nil {
		return nil, err
	}
	out := []byte(`{"id":`)
	var n int64
	if len(columns) == 0 {
		if n, err = t.affect(ctx, tx, text); err == nil {
			out = append(out, "null"...)
		}
	} else {
		err = t.fetch(ctx, tx, text, len(columns), func(values []any) {
			n++
			if id >= 0 && values[id] != nil {
				out = q.codec.decode(out, values[id], columns[id])
			} else {
				out = append(out, "null"...)
			}
			if len(returning) > 0 {
				out = appendRow(append(out, `,"row":`...), q.codec, returning, values)
			}
		})
		if n == 0 { // a conflict was ignored
			out = append(out, "null"...)
			if len(returning) > 0 {
				out = append(out, `,"row":null`...)
			}
		}
	}
	if err != nil {
		return nil, err
	}
	out = append(strconv.AppendInt(append(out, `,"rows_affected":`...), n, 10), '}')
	return &Result{JSON: out, Rows: n}, nil
}

// How much one insert statement holds at most.
const (
	chunkRows  = 1000
	chunkBytes = 1 << 20 // of values
)

func (t *Target) insertMany(ctx context.Context, tx querier, visible *table, op dbop.Operation) (*Result, error) {
	var total int64
	for rows := range chunks(op.Rows, op.ChunkSize, t.grammar.defaultInValues) {
		q := newBuilder(t.dialect)
		q.insert(visible, op, rows, nil)
		text, err := q.sql()
		if err != nil {
			return nil, err
		}
		n, err := t.affect(ctx, tx, text)
		if err != nil {
			return nil, err
		}
		total += n
	}
	return affected(total), nil
}

// chunks splits rows, in their order, into what one statement may hold.
// Without mixed, all rows of a chunk have the same columns; a row without any
// stands alone.
func chunks(rows [][]dbop.Assignment, size int, mixed bool) func(yield func([][]dbop.Assignment) bool) {
	if size <= 0 {
		size = chunkRows
	}
	return func(yield func([][]dbop.Assignment) bool) {
		start, bytes := 0, 0
		for i, row := range rows {
			weight := 0
			for _, a := range row {
				weight += len(a.Value.Text) + len(a.Column)
			}
			split := i-start >= size || bytes+weight > chunkBytes
			if i > start && !split {
				split = len(row) == 0 || len(rows[i-1]) == 0 || !mixed && !sameColumns(rows[i-1], row)
			}
			if split && i > start {
				if !yield(rows[start:i]) {
					return
				}
				start, bytes = i, 0
			}
			bytes += weight
		}
		if start < len(rows) {
			yield(rows[start:])
		}
	}
}

func sameColumns(a, b []dbop.Assignment) bool {
	if len(a) != len(b) {
		return false
	}
	for _, x := range a {
		if !slices.ContainsFunc(b, func(y dbop.Assignment) bool { return y.Column == x.Column }) {
			return false
		}
	}
	return true
}

// changeRows runs an update or delete. The bounds are checked when the rows
// are counted, before the commit: an error rolls everything back.
func (t *Target) changeRows(ctx context.Context, tx querier, visible *table, op dbop.Operation) (*Result, error) {
	q := newBuilder(t.dialect)
	one := op.Op == dbop.UpdateOne || op.Op == dbop.DeleteOne
	if op.Op == dbop.UpdateOne || op.Op == dbop.UpdateMany {
		q.update(visible, op)
	} else {
		q.deleteRows(visible, op)
	}
	text, err := q.sql()
	if err != nil {
		return nil, err
	}
	n, err := t.affect(ctx, tx, text)
	if err != nil {
		return nil, err
	}
	bound := int64(op.MaxAffected)
	if bound <= 0 {
		bound = int64(t.cfg.MaxAffected)
	}
	switch {
	case one && n > 1:
		return nil, job.Permanent(job.CodeTooManyRows, "%s matches %d rows of %q; nothing was changed", op.Op, n, op.Table)
	case one && n == 0 && op.Require:
		return nil, job.Permanent(job.CodeNoRows, "%s matches no row of %q", op.Op, op.Table)
	case !one && n > bound:
		return nil, job.Permanent(job.CodeMaxAffected, "%s matches %d rows of %q, more than %d; nothing was changed", op.Op, n, op.Table, bound)
	}
	return affected(n), nil
}

func affected(n int64) *Result {
	return &Result{JSON: append(strconv.AppendInt([]byte(`{"rows_affected":`), n, 10), '}'), Rows: n}
}
