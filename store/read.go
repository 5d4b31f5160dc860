package store

import (
	"context"
	"reflect"
	"slices"
	"strconv"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
	"github.com/uptrace/bun/schema"
)

// SelectOne returns the first row of T's table that meets all conditions, in
// the order of OrderBy, else of the primary key. None is job.ErrNotFound.
func SelectOne[T any](ctx context.Context, s Session, opts ...SelectOption) (*T, error) {
	sel := selectionOf(opts)
	sel.limit, sel.limited = 1, true
	rows, err := query[T](ctx, s, dbop.SelectOne, sel, make([]T, 0, 1))
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		m, err := modelOf[T](s.target())
		if err == nil {
			err = notFound(m)
		}
		return nil, err
	}
	return &rows[0], nil
}

func notFound(m *model) error {
	f := job.Permanent(job.CodeNoRows, "no row of %s matches", m.TypeName)
	f.Err = job.ErrNotFound
	return f
}

// SelectMany returns the rows of T's table that meet all conditions, in the
// order of OrderBy, else of the primary key. Without Limit it returns them all,
// or fails with too_many_rows if there are more than dbop.MaxLimit: nothing is
// left out in silence. The values of one read are bounded by MaxReadBytes.
func SelectMany[T any](ctx context.Context, s Session, opts ...SelectOption) ([]T, error) {
	sel := selectionOf(opts)
	if err := sel.bound(); err != nil {
		return nil, err
	}
	most := sel.limit
	if !sel.limited {
		most, sel.limit = dbop.MaxLimit, dbop.MaxLimit+1
	}
	rows, err := query[T](ctx, s, dbop.SelectMany, sel, nil)
	if err == nil && len(rows) > most {
		return nil, job.Permanent(job.CodeTooManyRows, "more than %d rows of %s match; give a Limit, or read them page by page", most, reflect.TypeFor[T]())
	}
	return rows, err
}

// query appends the rows of a selection.
func query[T any](ctx context.Context, s Session, op dbop.Op, sel selection, rows []T) ([]T, error) {
	m, err := modelOf[T](s.target())
	if err != nil {
		return nil, err
	}
	if space := s.kept(); space != nil && sel.cached {
		return keptRows(ctx, s, space, m, op, sel, rows)
	}
	return ask(ctx, s, m, op, sel, rows, nil)
}

// ask is query by the database. packed, if not nil, gets what the driver gave.
func ask[T any](ctx context.Context, s Session, m *model, op dbop.Op, sel selection, rows []T, packed *packedRows) ([]T, error) {
	begin := len(rows)
	err := s.exec(ctx, call{op: op, table: m.Name, do: func(ctx context.Context, db querier, t *table) (explained, int64, error) {
		columns, text, err := sel.sql(s.target(), m, t, op, false)
		if err != nil {
			return nil, 0, err
		}
		rows = rows[:begin]
		if packed != nil {
			*packed = packedRows{data: packed.data[:1]}
		}
		err = s.target().scan(ctx, db, text, m, columns, packed, func() reflect.Value {
			rows = append(rows, *new(T))
			return reflect.ValueOf(&rows[len(rows)-1]).Elem()
		})
		return func() (string, error) {
			_, text, err := sel.sql(s.target(), m, t, op, true)
			return text, err
		}, int64(len(rows)), err
	}})
	if err != nil {
		return nil, err
	}
	return rows, nil
}

// sql writes the selection as a statement, with placeholders for values if hide
// is set, and says which columns it fetches.
func (s *selection) sql(target *Target, m *model, t *table, op dbop.Op, hide bool) (columns []columnInfo, text string, err error) {
	ran, err := s.operation(m, t, op)
	if err != nil {
		return nil, "", err
	}
	if columns, err = m.columns(t, s.columns); err != nil {
		return nil, "", err
	}
	q := newBuilder(target.dialect)
	q.hide = hide
	q.selectColumns(t, ran, columns, s.limit)
	text, err = q.sql()
	return columns, text, err
}

func (s *selection) operation(m *model, t *table, op dbop.Op) (dbop.Operation, error) {
	b := binding{table: t}
	if s.check != nil {
		if err := s.check(t); err != nil {
			return dbop.Operation{}, err
		}
	}
	ran := dbop.Operation{Op: op, Table: m.Name, Where: m.where(&b, s.conds, s.deleted), OrderBy: s.order, Offset: s.offset}
	return ran, b.err
}

// Count returns how many rows of T's table meet all conditions.
func Count[T any](ctx context.Context, s Session, conds ...Cond) (int64, error) {
	return count[T](ctx, s, selection{conds: conds})
}

// Exists reports whether some row of T's table meets all conditions.
func Exists[T any](ctx context.Context, s Session, conds ...Cond) (bool, error) {
	n, err := count[T](ctx, s, selection{conds: conds, limit: 1, limited: true})
	return n > 0, err
}

// count counts the rows of a selection, up to its limit.
func count[T any](ctx context.Context, s Session, sel selection) (n int64, err error) {
	m, err := modelOf[T](s.target())
	if err != nil {
		return 0, err
	}
	write := func(t *table, hide bool) (string, error) {
		ran, err := sel.operation(m, t, dbop.SelectMany)
		if err != nil {
			return "", err
		}
		q := newBuilder(s.target().dialect)
		q.hide = hide
		q.count(t, ran.Where, sel.limit)
		return q.sql()
	}
	err = s.exec(ctx, call{op: dbop.SelectMany, table: m.Name, do: func(ctx context.Context, db querier, t *table) (explained, int64, error) {
		text, err := write(t, false)
		if err != nil {
			return nil, 0, err
		}
		err = s.target().statement(ctx, func(ctx context.Context) error { return queryOne(ctx, db, text, &n) })
		return func() (string, error) { return write(t, true) }, 1, err
	}})
	return n, err
}

// count writes a statement that counts the rows where a condition holds, up to
// limit; 0 is all.
func (q *builder) count(t *table, where dbop.Cond, limit int) {
	if limit <= 0 {
		q.raw("SELECT COUNT(*) FROM ")
		q.table(t)
		q.where(t, where)
		return
	}
	q.raw("SELECT COUNT(*) FROM (SELECT 1 AS n FROM ")
	q.table(t)
	q.where(t, where)
	q.raw(" LIMIT " + strconv.Itoa(limit) + ") AS c")
}

// scan runs a query for columns and reads each row into the struct that next
// returns; packed, if not nil, gets it too.
func (t *Target) scan(ctx context.Context, db querier, text string, m *model, columns []columnInfo, packed *packedRows, next func() reflect.Value) error {
	return t.statement(ctx, func(ctx context.Context) error {
		rows, err := db.QueryContext(ctx, text)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		var strct reflect.Value
		var bytes readBytes
		cells := make([]cell, len(columns))
		dest := make([]any, len(columns))
		for i, c := range columns {
			cells[i] = cell{field: m.FieldMap[c.name], class: c.class, strct: &strct, bytes: &bytes, packed: packed}
			dest[i] = &cells[i]
		}
		for rows.Next() {
			strct = next()
			if err := m.scanned(ctx, strct, func() error { return rows.Scan(dest...) }); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

// scanned reads a row into the struct by scan, and calls the model's hooks, as
// bun does.
func (m *model) scanned(ctx context.Context, strct reflect.Value, scan func() error) error {
	if m.HasBeforeScanRowHook() {
		if err := strct.Addr().Interface().(schema.BeforeScanRowHook).BeforeScanRow(ctx); err != nil {
			return err
		}
	}
	if err := scan(); err != nil {
		return err
	}
	if m.HasAfterScanRowHook() {
		return strct.Addr().Interface().(schema.AfterScanRowHook).AfterScanRow(ctx)
	}
	return nil
}

// cell is where a column's value goes.
type cell struct {
	field  *schema.Field
	class  class
	strct  *reflect.Value
	bytes  *readBytes
	packed *packedRows // nil for none
}

// Scan implements sql.Scanner.
func (c *cell) Scan(value any) error {
	if err := c.bytes.add(value); err != nil {
		return err
	}
	if c.packed != nil {
		c.packed.add(value)
	}
	return read(c.field, *c.strct, value, c.class)
}

// read gives a field the value of a column of a class.
func read(f *schema.Field, strct reflect.Value, value any, in class) error {
	if overflows(f.IndirectType, value) {
		return job.Permanent(job.CodeInvalidValue, "column %q has a number that field %s, a Go %s, cannot hold", f.Name, f.GoName, f.IndirectType)
	}
	if err := f.ScanValue(strct, exactly(value, in)); err != nil {
		unreadable := job.Permanent(job.CodeInvalidValue, "column %q has a value that field %s, a Go %s, cannot hold", f.Name, f.GoName, f.IndirectType)
		unreadable.Err = err
		return unreadable
	}
	return nil
}

// overflows reports whether a field would keep another integer than it is given.
func overflows(field reflect.Type, value any) bool {
	n, ok := value.(int64)
	if !ok {
		return false
	}
	switch field.Kind() {
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int:
		return field.OverflowInt(n)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint, reflect.Uint64:
		return n < 0 || field.OverflowUint(uint64(n))
	}
	return false
}

// exactly writes an exact number that a database keeps in floating point with
// its digits, as jobs see it, not with an exponent.
func exactly(value any, in class) any {
	if f, ok := value.(float64); ok && in == classDecimal {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return value
}

// fill reads one row's columns, as they came from an insert, into the struct.
func (m *model) fill(strct reflect.Value, columns []columnInfo, values []any) error {
	for i, c := range columns {
		if err := read(m.FieldMap[c.name], strct, values[i], c.class); err != nil {
			return err
		}
	}
	return nil
}

// uniquely reports whether a condition finds one row at most: it has the value of
// every column of the primary key.
func uniquely(t *table, where dbop.Cond) bool {
	if len(t.key) == 0 {
		return false
	}
	var given []string
	var look func(c dbop.Cond)
	look = func(c dbop.Cond) {
		switch c := c.(type) {
		case dbop.And:
			for _, part := range c {
				look(part)
			}
		case dbop.Compare:
			if c.Op == dbop.Eq {
				given = append(given, c.Column)
			}
		}
	}
	look(where)
	return !slices.ContainsFunc(t.key, func(column string) bool { return !slices.Contains(given, column) })
}
