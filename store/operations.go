package store

import (
	"context"
	"database/sql"
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
		out = appendRow(out, q.codec.decode, columns, values)
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
// keep. More than MaxReadBytes of them fail.
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
		var bytes readBytes
		for rows.Next() {
			if err := rows.Scan(dest...); err != nil {
				return err
			}
			if err := bytes.add(values...); err != nil {
				return err
			}
			row(values)
		}
		return rows.Err()
	})
}

// execute runs a statement.
func (t *Target) execute(ctx context.Context, db querier, text string) (res sql.Result, err error) {
	err = t.statement(ctx, func(ctx context.Context) error {
		res, err = db.ExecContext(ctx, text)
		return err
	})
	return res, err
}

// affect runs a statement and returns the number of rows that it affected.
func (t *Target) affect(ctx context.Context, db querier, text string) (int64, error) {
	res, err := t.execute(ctx, db, text)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
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
