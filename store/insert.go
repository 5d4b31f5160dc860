package store

import (
	"context"
	"slices"
	"strconv"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
)

func (t *Target) insertOne(ctx context.Context, tx querier, visible *table, op dbop.Operation) (*Result, error) {
	if len(op.Rows) != 1 {
		return nil, job.Permanent(job.CodeInvalid, "insert_one takes one row, not %d", len(op.Rows))
	}
	for _, name := range op.Returning {
		if name != "*" && visible.column(name) == nil {
			return nil, unknownColumn(visible, name)
		}
	}
	returning := visible.pick(op.Returning)
	columns := returning
	id := -1 // where among columns the primary key is
	if len(visible.key) == 1 && visible.column(visible.key[0]) != nil {
		if id = slices.IndexFunc(columns, func(c columnInfo) bool { return c.name == visible.key[0] }); id < 0 {
			id = len(columns)
			columns = append(slices.Clone(columns), *visible.column(visible.key[0]))
		}
	}
	values, n, err := t.insertRow(ctx, tx, visible, op, columns)
	if err != nil {
		return nil, err
	}
	codec := t.dialect.codec()
	out := []byte(`{"id":`)
	if id >= 0 && values != nil && values[id] != nil {
		out = codec.decode(out, values[id], columns[id])
	} else {
		out = append(out, "null"...)
	}
	switch {
	case len(returning) > 0 && values != nil:
		out = appendRow(append(out, `,"row":`...), codec.decode, returning, values)
	case len(returning) > 0: // a conflict was ignored
		out = append(out, `,"row":null`...)
	}
	out = append(strconv.AppendInt(append(out, `,"rows_affected":`...), n, 10), '}')
	return &Result{JSON: out, Rows: n}, nil
}

// insertRow inserts the row of an insert_one and returns what its columns are
// then, nil if a conflict was ignored, and the number of rows affected.
func (t *Target) insertRow(ctx context.Context, tx querier, visible *table, op dbop.Operation, columns []columnInfo) (values []any, n int64, err error) {
	g := t.grammar()
	var where dbop.Cond
	switch {
	case op.OnConflict != nil && !g.onConflict:
		where, n, err = t.merge(ctx, tx, visible, op.OnConflict, op.Rows[0])
	case !g.returning:
		where, err = t.insertAndIdentify(ctx, tx, visible, op.Rows[0])
		n = 1
	default:
		return t.insertReturning(ctx, tx, visible, op, columns)
	}
	switch {
	case err != nil || n == 0:
		return nil, 0, err
	case where == nil && len(op.Returning) > 0:
		return nil, 0, notFoundAgain(visible)
	case where == nil || len(columns) == 0:
		return make([]any, len(columns)), n, nil
	}
	values, err = t.readBack(ctx, tx, visible, where, columns)
	return values, n, err
}

// insertReturning is insertRow where INSERT does all of it.
func (t *Target) insertReturning(ctx context.Context, tx querier, visible *table, op dbop.Operation, columns []columnInfo) (values []any, n int64, err error) {
	q := newBuilder(t.dialect)
	q.insert(visible, op, op.Rows, columns)
	text, err := q.sql()
	if err != nil {
		return nil, 0, err
	}
	if len(columns) == 0 {
		n, err = t.affect(ctx, tx, text)
		return nil, n, err
	}
	err = t.fetch(ctx, tx, text, len(columns), func(row []any) {
		n++
		values = slices.Clone(row)
	})
	return values, n, err
}

// How much one insert statement holds at most.
const (
	chunkRows  = 1000
	chunkBytes = 1 << 20 // of values
)

func (t *Target) insertMany(ctx context.Context, tx querier, visible *table, op dbop.Operation) (*Result, error) {
	if op.OnConflict != nil && !t.grammar().onConflict {
		return t.mergeMany(ctx, tx, visible, op)
	}
	var total int64
	for rows := range chunks(op.Rows, op.ChunkSize, t.grammar().defaultInValues) {
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
