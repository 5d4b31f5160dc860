package store

import (
	"context"
	"slices"
	"strconv"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
)

// insertAndIdentify inserts a row and returns the condition that finds it, nil
// if there is none.
func (t *Target) insertAndIdentify(ctx context.Context, tx querier, visible *table, row []dbop.Assignment) (where dbop.Cond, err error) {
	q := newBuilder(t.dialect)
	q.insert(visible, dbop.Operation{}, [][]dbop.Assignment{row}, nil)
	text, err := q.sql()
	if err != nil {
		return nil, err
	}
	res, err := t.execute(ctx, tx, text)
	if err != nil {
		return nil, err
	}
	number, err := res.LastInsertId()
	return identify(visible.whole(), row, uint64(number)), err // one above 2^63 comes as a negative one
}

// counts reports whether the database numbers rows in the column.
func counts(t *table, name string) bool {
	c := t.column(name)
	return c != nil && c.counted
}

// identify returns the condition that holds for a new row only: its values of
// the primary key, with the number that the database gave, or of a unique key.
func identify(t *table, row []dbop.Assignment, number uint64) dbop.Cond {
	for i, key := range t.unique {
		var given *uint64
		if i == 0 && slices.Equal(key, t.key) {
			given = &number
		}
		if where := sameKey(t, key, row, given); where != nil {
			return where
		}
	}
	return nil
}

// sameKey returns the condition that a row's columns of a key equal a new
// row's; nil if that cannot be told, or nothing equals them because of a NULL.
func sameKey(t *table, key []string, row []dbop.Assignment, number *uint64) dbop.Cond {
	var where dbop.And
	for _, name := range key {
		at := slices.IndexFunc(row, func(a dbop.Assignment) bool { return a.Column == name })
		switch {
		case at >= 0 && row[at].Op == dbop.Set && row[at].Value.Kind != dbop.Null:
			where = append(where, dbop.Compare{Column: name, Op: dbop.Eq, Value: row[at].Value})
		case number != nil && counts(t, name):
			where = append(where, dbop.Compare{Column: name, Op: dbop.Eq, Value: dbop.Value{Kind: dbop.Number, Text: strconv.FormatUint(*number, 10)}})
		default:
			return nil
		}
	}
	return where
}

// readBack reads the columns of the one row that where finds.
func (t *Target) readBack(ctx context.Context, tx querier, visible *table, where dbop.Cond, columns []columnInfo) (values []any, err error) {
	q := newBuilder(t.dialect)
	q.raw("SELECT ")
	q.read(columns, true)
	q.raw(" FROM ")
	q.table(visible)
	q.where(visible.whole(), where)
	text, err := q.sql()
	if err != nil {
		return nil, err
	}
	err = t.fetch(ctx, tx, text, len(columns), func(row []any) { values = slices.Clone(row) })
	if err == nil && values == nil { // a trigger gave it another key
		err = notFoundAgain(visible)
	}
	return values, err
}

func notFoundAgain(t *table) error {
	return job.Permanent(job.CodeInvalid, "the new row of %q cannot be returned: this database has no RETURNING, and no primary or unique key finds the row", t.name)
}
