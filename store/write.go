package store

import (
	"context"
	"reflect"
	"slices"
	"sync"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
	"github.com/uptrace/bun"
)

// InsertOne inserts the row and returns how many rows that affected: 1, or 0
// where OnConflictIgnore left it out. Fields that are nil, or zero and tagged
// nullzero or autoincrement, are left to the database, and have its values
// afterwards. A key that is there already fails with constraint and is
// job.ErrExists.
func InsertOne[T any](ctx context.Context, s Session, row *T, opts ...InsertOption) (int64, error) {
	m, err := modelOf[T](s.target())
	if err != nil {
		return 0, err
	}
	if row == nil {
		return 0, job.Permanent(job.CodeInvalid, "there is no %s to insert", m.TypeName)
	}
	var in insertion
	for _, o := range opts {
		o.toInsert(&in)
	}
	t := s.target()
	if err := m.beforeWrite(ctx, row, func() bun.Query { return t.writer.NewInsert().Model(row) }); err != nil {
		return 0, err
	}
	strct := reflect.ValueOf(row).Elem()
	var n int64
	c := call{op: dbop.InsertOne, table: m.Name, writes: true}
	c.single = func(known *table) bool {
		g := t.grammar()
		return (in.conflict == nil || g.onConflict) && (g.returning || m.onlyNumberLeft(known, strct))
	}
	c.do = func(ctx context.Context, db querier, known *table) (ran explained, _ int64, err error) {
		ran, n, err = t.insertModel(ctx, db, m, strct, known, in)
		return ran, n, err
	}
	if err := s.exec(ctx, c); err != nil {
		return 0, err
	}
	return n, nil
}

// onlyNumberLeft reports whether what a struct leaves to the database is, at
// most, the number of the row, which an insert tells without RETURNING.
func (m *model) onlyNumberLeft(known *table, strct reflect.Value) bool {
	for _, f := range m.fields {
		if c := known.column(f.Name); f.leaves(strct) && (c == nil || !c.counted) {
			return false
		}
	}
	return true
}

func (t *Target) insertModel(ctx context.Context, db querier, m *model, strct reflect.Value, known *table, in insertion) (ran explained, n int64, err error) {
	set, left, err := m.row(known, strct)
	if err != nil {
		return nil, 0, err
	}
	op := dbop.Operation{Op: dbop.InsertOne, Table: m.Name, Rows: [][]dbop.Assignment{set}, OnConflict: in.conflict}
	ran = t.explaining(op)
	var columns []columnInfo
	if len(left) > 0 {
		if columns, err = m.columns(known, left); err != nil {
			return ran, 0, err
		}
	}
	var values []any
	if !t.grammar().returning && in.conflict == nil && m.onlyNumberLeft(known, strct) {
		values, err = t.insertNumbered(ctx, db, known, set, len(columns))
		n = 1
	} else {
		values, n, err = t.insertRow(ctx, db, known, op, columns)
	}
	if err != nil || values == nil {
		return ran, n, err
	}
	return ran, n, m.fill(strct, columns, values)
}

// insertNumbered inserts a row and returns the number that the database gave it,
// if that is wanted.
func (t *Target) insertNumbered(ctx context.Context, db querier, known *table, set []dbop.Assignment, wanted int) ([]any, error) {
	q := newBuilder(t.dialect)
	q.insert(known, dbop.Operation{}, [][]dbop.Assignment{set}, nil)
	text, err := q.sql()
	if err != nil {
		return nil, err
	}
	res, err := t.execute(ctx, db, text)
	if err != nil || wanted == 0 {
		return nil, err
	}
	number, err := res.LastInsertId()
	if number < 0 { // one above 2^63
		return []any{uint64(number)}, err
	}
	return []any{number}, err
}

// InsertMany inserts the rows, in the order that they have, all or none, and
// returns how many rows that affected. Their fields are not filled in: what the
// database has decided is not read back.
func InsertMany[T any](ctx context.Context, s Session, rows []T, opts ...InsertOption) (int64, error) {
	m, err := modelOf[T](s.target())
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	var in insertion
	for _, o := range opts {
		o.toInsert(&in)
	}
	t := s.target()
	insert := sync.OnceValue(func() bun.Query { return t.writer.NewInsert().Model(&rows) })
	for i := range rows {
		if err := m.beforeWrite(ctx, &rows[i], insert); err != nil {
			return 0, err
		}
	}
	var n int64
	err = s.exec(ctx, call{op: dbop.InsertMany, table: m.Name, writes: true, do: func(ctx context.Context, db querier, known *table) (ran explained, _ int64, err error) {
		n = 0
		for some := range slices.Chunk(rows, chunkRows) {
			op := dbop.Operation{Op: dbop.InsertMany, Table: m.Name, OnConflict: in.conflict, Rows: make([][]dbop.Assignment, len(some))}
			for i := range some {
				if op.Rows[i], _, err = m.row(known, reflect.ValueOf(&some[i]).Elem()); err != nil {
					return ran, n, err
				}
			}
			ran = t.explaining(op)
			res, err := t.insertMany(ctx, db, known, op)
			if err != nil {
				return ran, n, err
			}
			n += res.Rows
		}
		return ran, n, nil
	}})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// UpdateOne changes the row of T's table that meets all conditions, and returns
// how many that were: 0 or 1. More than one changes nothing and fails with
// too_many_rows. There must be a condition.
func UpdateOne[T any](ctx context.Context, s Session, opts ...UpdateOption) (int64, error) {
	return update[T](ctx, s, dbop.UpdateOne, opts)
}

// UpdateMany changes the rows of T's table that meet all conditions, and returns
// how many that were. More than MaxAffected, or Config.MaxAffected, change
// nothing and fail with max_affected. There must be a condition.
func UpdateMany[T any](ctx context.Context, s Session, opts ...UpdateOption) (int64, error) {
	return update[T](ctx, s, dbop.UpdateMany, opts)
}

func update[T any](ctx context.Context, s Session, op dbop.Op, opts []UpdateOption) (int64, error) {
	var w change
	for _, o := range opts {
		o.toUpdate(&w)
	}
	m, err := modelOf[T](s.target())
	if err != nil {
		return 0, err
	}
	return w.run(ctx, s, m, op)
}

// DeleteOne deletes the row of T's table that meets all conditions, and returns
// how many that were: 0 or 1. More than one deletes nothing and fails with
// too_many_rows. There must be a condition. A model with bun's soft_delete is
// marked instead.
func DeleteOne[T any](ctx context.Context, s Session, opts ...DeleteOption) (int64, error) {
	return remove[T](ctx, s, dbop.DeleteOne, opts)
}

// DeleteMany deletes the rows of T's table that meet all conditions, and returns
// how many that were. More than MaxAffected, or Config.MaxAffected, delete
// nothing and fail with max_affected. There must be a condition. Rows of a model
// with bun's soft_delete are marked instead.
func DeleteMany[T any](ctx context.Context, s Session, opts ...DeleteOption) (int64, error) {
	return remove[T](ctx, s, dbop.DeleteMany, opts)
}

func remove[T any](ctx context.Context, s Session, op dbop.Op, opts []DeleteOption) (int64, error) {
	var w change
	for _, o := range opts {
		o.toDelete(&w)
	}
	m, err := modelOf[T](s.target())
	if err != nil {
		return 0, err
	}
	if m.deleted != "" && !w.deleted {
		w.sets = append(w.sets, setter{column: m.deleted, op: dbop.Now})
		op = map[dbop.Op]dbop.Op{dbop.DeleteOne: dbop.UpdateOne, dbop.DeleteMany: dbop.UpdateMany}[op]
	}
	return w.run(ctx, s, m, op)
}

// run carries an update or delete out.
func (w *change) run(ctx context.Context, s Session, m *model, op dbop.Op) (n int64, err error) {
	c := call{op: op, table: m.Name, writes: true}
	c.single = func(t *table) bool {
		ran, err := w.operation(m, t, op)
		return err == nil && (op == dbop.UpdateOne || op == dbop.DeleteOne) && uniquely(t, ran.Where)
	}
	c.do = func(ctx context.Context, db querier, t *table) (explained, int64, error) {
		lowered, err := w.operation(m, t, op)
		if err != nil {
			return nil, 0, err
		}
		ran := s.target().explaining(lowered)
		res, err := s.target().changeRows(ctx, db, t, lowered)
		if err != nil {
			return ran, 0, err
		}
		if n = res.Rows; n == 0 && w.require {
			err = notFound(m)
		}
		return ran, n, err
	}
	if err := s.exec(ctx, c); err != nil {
		return 0, err
	}
	return n, nil
}

// operation is the change in the words of dbop.
func (w *change) operation(m *model, t *table, op dbop.Op) (dbop.Operation, error) {
	b := binding{table: t}
	if where := b.all(w.conds); b.err == nil && dbop.CannotExclude(where) {
		return dbop.Operation{}, job.Permanent(job.CodeInvalid, "%s of %s needs a condition that can leave rows out", op, m.TypeName)
	}
	ran := dbop.Operation{Op: op, Table: m.Name, Set: w.assignments(&b, m), Where: m.where(&b, w.conds, w.deleted), MaxAffected: w.most}
	return ran, b.err
}
