package store

import (
	"slices"
	"strconv"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
)

// selectRows writes a select. The order is complete where the table has a
// primary key: it breaks the ties that order_by leaves.
func (q *builder) selectRows(t *table, op dbop.Operation) {
	limit := 1
	if op.Op == dbop.SelectMany {
		limit = min(op.Limit, dbop.MaxLimit)
		if limit <= 0 {
			limit = dbop.DefaultLimit
		}
	}
	q.selectColumns(t, op, q.selected(t, op), limit)
}

// selectColumns writes a select of columns, of at most limit rows.
func (q *builder) selectColumns(t *table, op dbop.Operation, columns []columnInfo, limit int) {
	q.raw("SELECT ")
	q.read(columns, true)
	q.raw(" FROM ")
	q.table(t)
	q.where(t, op.Where)
	order := slices.Clone(op.OrderBy)
	for _, column := range t.key {
		if !slices.ContainsFunc(order, func(o dbop.Order) bool { return o.Column == column }) {
			order = append(order, dbop.Order{Column: column})
		}
	}
	for i, o := range order {
		q.raw(map[bool]string{true: " ORDER BY ", false: ", "}[i == 0])
		if i < len(op.OrderBy) {
			q.known(t, o.Column)
		}
		q.column(o.Column)
		if o.Descending {
			q.raw(" DESC")
		}
	}
	q.raw(" LIMIT " + strconv.Itoa(limit))
	if op.Offset > 0 && op.Op == dbop.SelectMany {
		q.raw(" OFFSET " + strconv.Itoa(op.Offset))
	}
}

// selected returns the columns of a select.
func (q *builder) selected(t *table, op dbop.Operation) []columnInfo {
	if len(op.Columns) == 0 {
		return t.columns
	}
	for _, name := range op.Columns {
		q.known(t, name)
	}
	return t.pick(op.Columns)
}

// insert writes an insert of rows, which fit one statement. Where the dialect
// has no DEFAULT among values, all rows have the same columns.
func (q *builder) insert(t *table, op dbop.Operation, rows [][]dbop.Assignment, returning []columnInfo) {
	columns := columnsOf(rows)
	q.raw("INSERT INTO ")
	if q.grammar.insertAlias {
		q.table(t)
	} else {
		q.bareTable(t)
	}
	q.raw(" ")
	if len(columns) == 0 {
		q.raw(q.grammar.emptyRow) // of one row: see chunks
	} else {
		q.raw("(")
		q.list(len(columns), func(i int) { q.name(q.known(t, columns[i]).name) })
		q.raw(") VALUES ")
		q.list(len(rows), func(i int) { q.row(t, columns, rows[i]) })
	}
	if q.grammar.onConflict {
		q.onConflict(t, op.OnConflict, columns)
	}
	if len(returning) > 0 && q.grammar.returning {
		q.raw(" RETURNING ")
		q.read(returning, false)
	}
}

// columnsOf returns the columns of all rows, in the order of appearance.
func columnsOf(rows [][]dbop.Assignment) []string {
	var columns []string
	seen := map[string]bool{}
	for _, row := range rows {
		for _, a := range row {
			if !seen[a.Column] {
				seen[a.Column] = true
				columns = append(columns, a.Column)
			}
		}
	}
	return columns
}

func (q *builder) row(t *table, columns []string, row []dbop.Assignment) {
	q.raw("(")
	q.list(len(columns), func(i int) {
		at := slices.IndexFunc(row, func(a dbop.Assignment) bool { return a.Column == columns[i] })
		if at < 0 {
			q.raw("DEFAULT")
			return
		}
		q.assigned(t, row[at])
	})
	q.raw(")")
}

// assigned writes what a column becomes.
func (q *builder) assigned(t *table, a dbop.Assignment) {
	column := q.known(t, a.Column)
	switch a.Op {
	case dbop.Set:
		q.value(a.Value, column)
	case dbop.Now:
		if q.hide {
			q.raw("CURRENT_TIMESTAMP")
			return
		}
		q.b = q.codec.now(q.b, column)
	default:
		q.fail(job.Permanent(job.CodeInvalid, "column %q: $inc is for updates", a.Column))
	}
}

func noConflictColumns() error {
	return job.Permanent(job.CodeInvalid, "on_conflict with action update needs the columns of the unique constraint")
}

// updated returns the columns that a row in the way takes from a new one with
// these columns; none if it stays as it is.
func updated(c *dbop.OnConflict, columns []string) []string {
	if c.Action != dbop.ConflictUpdate {
		return nil
	}
	if len(c.Update) > 0 {
		return c.Update
	}
	return slices.DeleteFunc(slices.Clone(columns), func(name string) bool { return slices.Contains(c.Columns, name) })
}

func (q *builder) onConflict(t *table, c *dbop.OnConflict, columns []string) {
	if c == nil {
		return
	}
	update := updated(c, columns)
	q.raw(" ON CONFLICT")
	if len(c.Columns) > 0 {
		q.raw(" (")
		q.list(len(c.Columns), func(i int) { q.name(q.known(t, c.Columns[i]).name) })
		q.raw(")")
	}
	if len(update) == 0 {
		q.raw(" DO NOTHING")
		return
	}
	if len(c.Columns) == 0 {
		q.fail(noConflictColumns())
	}
	q.raw(" DO UPDATE SET ")
	q.list(len(update), func(i int) {
		q.name(q.known(t, update[i]).name)
		q.raw(" = EXCLUDED.")
		q.name(update[i])
	})
}

func (q *builder) update(t *table, op dbop.Operation) {
	q.raw("UPDATE ")
	q.table(t)
	q.raw(" SET ")
	if len(op.Set) == 0 {
		q.fail(job.Permanent(job.CodeInvalid, "an update needs values"))
	}
	q.list(len(op.Set), func(i int) {
		a := op.Set[i]
		column := q.known(t, a.Column)
		q.name(a.Column)
		q.raw(" = ")
		if a.Op != dbop.Inc {
			q.assigned(t, a)
			return
		}
		switch column.class {
		case classInt, classFloat, classDecimal, classAny:
		default:
			if !q.hide {
				q.fail(job.Permanent(job.CodeInvalidValue, "column %q is not a number: $inc does not fit its type %s", a.Column, column.declared))
			}
		}
		if a.Value.Kind != dbop.Number && !q.hide {
			q.fail(job.Permanent(job.CodeInvalidValue, "$inc of column %q must be a number", a.Column))
		}
		q.column(a.Column)
		q.raw(" + ")
		q.value(a.Value, column)
	})
	q.changeWhere(t, op)
}

func (q *builder) deleteRows(t *table, op dbop.Operation) {
	q.raw(q.grammar.deleteFrom)
	q.table(t)
	q.changeWhere(t, op)
}

// changeWhere refuses to change every row for want of a predicate, whatever
// has been checked before.
func (q *builder) changeWhere(t *table, op dbop.Operation) {
	if op.Where == nil {
		q.fail(job.Permanent(job.CodeInvalid, "%s needs a where", op.Op))
	}
	q.where(t, op.Where)
}
