package store

import (
	"context"
	"errors"
	"slices"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
)

// conflictError says that a unique key objected to a row which had nothing in
// its way a moment before: another transaction was faster, or it is not a key
// that on_conflict speaks of. Trying again tells.
type conflictError struct{ err error }

func (e *conflictError) Error() string { return e.err.Error() }

func (e *conflictError) Unwrap() error { return e.err }

// mergeMany is insert_many with on_conflict for a database that cannot say
// which unique key it is about: row by row.
func (t *Target) mergeMany(ctx context.Context, tx querier, visible *table, op dbop.Operation) (*Result, error) {
	var total int64
	for _, row := range op.Rows {
		_, n, err := t.merge(ctx, tx, visible, op.OnConflict, row)
		if err != nil {
			return nil, err
		}
		total += n
	}
	return affected(total), nil
}

// merge inserts a row, or does to the one in its way what on_conflict says: it
// looks for that row, locks it, and then knows what to do. It returns how many
// rows that affected, and the condition that finds the row, nil if there is none.
func (t *Target) merge(ctx context.Context, tx querier, visible *table, c *dbop.OnConflict, row []dbop.Assignment) (where dbop.Cond, n int64, err error) {
	keys, err := conflictKeys(visible.whole(), c)
	if err != nil {
		return nil, 0, err
	}
	var inTheWay dbop.Or
	for _, key := range keys {
		if same := sameKey(visible.whole(), key, row, nil); same != nil {
			inTheWay = append(inTheWay, same)
		}
	}
	if len(inTheWay) > 0 {
		q := newBuilder(t.dialect)
		q.lock(visible, inTheWay)
		text, err := q.sql()
		if err != nil {
			return nil, 0, err
		}
		found := false
		if err := t.fetch(ctx, tx, text, 1, func([]any) { found = true }); err != nil {
			return nil, 0, err
		}
		if found {
			n, err := t.mergeInto(ctx, tx, visible, c, row, inTheWay)
			return inTheWay, n, err
		}
	}
	where, err = t.insertAndIdentify(ctx, tx, visible, row)
	if err != nil && t.dialect.diagnose(err).duplicate {
		err = &conflictError{err}
	}
	return where, 1, err
}

// mergeInto updates the row that where finds, if that is what on_conflict says.
func (t *Target) mergeInto(ctx context.Context, tx querier, visible *table, c *dbop.OnConflict, row []dbop.Assignment, where dbop.Cond) (int64, error) {
	update := updated(c, columnsOf([][]dbop.Assignment{row}))
	if len(update) == 0 {
		return 0, nil
	}
	q := newBuilder(t.dialect)
	q.mergeUpdate(visible, update, row, where)
	text, err := q.sql()
	if err != nil {
		return 0, err
	}
	return t.affect(ctx, tx, text)
}

// conflictKeys returns the unique keys that on_conflict speaks of.
func conflictKeys(t *table, c *dbop.OnConflict) ([][]string, error) {
	if len(c.Columns) == 0 {
		if c.Action == dbop.ConflictUpdate {
			return nil, noConflictColumns()
		}
		return t.unique, nil
	}
	for _, name := range c.Columns {
		if t.column(name) == nil {
			return nil, unknownColumn(t, name)
		}
	}
	for _, key := range t.unique {
		if len(key) == len(c.Columns) && !slices.ContainsFunc(key, func(name string) bool { return !slices.Contains(c.Columns, name) }) {
			return [][]string{key}, nil
		}
	}
	f := job.Permanent(job.CodeInvalid, "table %q has no unique key over the columns of on_conflict", t.name)
	f.Err = errNoSuchKey
	return nil, f
}

// errNoSuchKey asks for a look at what the table's keys are now.
var errNoSuchKey = errors.New("no unique key over these columns")

// lock writes the select that locks the rows where finds.
func (q *builder) lock(t *table, where dbop.Cond) {
	q.raw("SELECT 1 FROM ")
	q.table(t)
	q.where(t.whole(), where)
	q.raw(" FOR UPDATE")
}

// mergeUpdate writes the update of the row where finds by a new one's columns.
func (q *builder) mergeUpdate(t *table, update []string, row []dbop.Assignment, where dbop.Cond) {
	q.raw("UPDATE ")
	q.table(t)
	q.raw(" SET ")
	q.list(len(update), func(i int) {
		q.name(q.known(t, update[i]).name)
		q.raw(" = ")
		at := slices.IndexFunc(row, func(a dbop.Assignment) bool { return a.Column == update[i] })
		if at < 0 {
			q.raw("DEFAULT")
			return
		}
		q.assigned(t, row[at])
	})
	q.where(t.whole(), where)
}

// explainMerge writes what merge does, for a reader.
func (q *builder) explainMerge(t *table, op dbop.Operation) {
	rows := op.Rows[:min(len(op.Rows), 1)]
	var where dbop.Cond
	if len(rows) > 0 && len(op.OnConflict.Columns) > 0 {
		where = sameKey(t, op.OnConflict.Columns, rows[0], nil)
	}
	if where != nil {
		q.lock(t, where)
		q.raw("; ")
	}
	q.insert(t, op, rows, nil)
	if update := updated(op.OnConflict, columnsOf(rows)); where != nil && len(update) > 0 {
		q.raw("; or ")
		q.mergeUpdate(t, update, rows[0], where)
	}
}
