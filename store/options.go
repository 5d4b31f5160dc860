package store

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
)

// SelectOption says which rows are read, and from where: a Cond, OrderBy, Limit,
// Offset, Columns, WithDeleted, CacheFor.
type SelectOption interface{ toSelect(*selection) }

// InsertOption says what an insert does besides: OnConflictIgnore,
// OnConflictUpdate.
type InsertOption interface{ toInsert(*insertion) }

// UpdateOption says which rows become what: a Cond, Set, Inc, SetNow, Require,
// MaxAffected, WithDeleted.
type UpdateOption interface{ toUpdate(*change) }

// DeleteOption says which rows go: a Cond, Require, MaxAffected, WithDeleted.
type DeleteOption interface{ toDelete(*change) }

func (c Cond) toSelect(s *selection) { s.conds = append(s.conds, c) }
func (c Cond) toUpdate(w *change)    { w.conds = append(w.conds, c) }
func (c Cond) toDelete(w *change)    { w.conds = append(w.conds, c) }

// selection is what a read reads.
type selection struct {
	conds   []Cond
	order   []dbop.Order
	columns []string
	limit   int
	limited bool
	offset  int
	deleted bool // those that are deleted softly, too
	check   func(*table) error
	cached  bool // the target's cache may answer
	ttl     time.Duration
}

func selectionOf(opts []SelectOption) selection {
	var s selection
	for _, o := range opts {
		o.toSelect(&s)
	}
	return s
}

type selectOption func(*selection)

func (o selectOption) toSelect(s *selection) { o(s) }

// OrderBy sorts by columns, each descending after a minus: OrderBy("-created_at",
// "id"). Ties, and rows without an order, are sorted by the primary key.
func OrderBy(columns ...string) SelectOption {
	return selectOption(func(s *selection) { s.order = append(s.order, orders(columns)...) })
}

func orders(columns []string) []dbop.Order {
	order := make([]dbop.Order, len(columns))
	for i, column := range columns {
		name, descending := strings.CutPrefix(column, "-")
		order[i] = dbop.Order{Column: name, Descending: descending}
	}
	return order
}

// Limit reads at most n rows, 1 to dbop.MaxLimit.
func Limit(n int) SelectOption {
	return selectOption(func(s *selection) { s.limit, s.limited = n, true })
}

// Offset leaves out the first n rows of the order.
func Offset(n int) SelectOption { return selectOption(func(s *selection) { s.offset = n }) }

// Columns reads these columns only and leaves the model's other fields zero.
func Columns(names ...string) SelectOption {
	return selectOption(func(s *selection) { s.columns = append(s.columns, names...) })
}

// bound checks the numbers of a selection.
func (s *selection) bound() error {
	switch {
	case s.limited && (s.limit < 1 || s.limit > dbop.MaxLimit):
		return job.Permanent(job.CodeInvalid, "limit %d must be 1 to %d", s.limit, dbop.MaxLimit)
	case s.offset < 0:
		return job.Permanent(job.CodeInvalid, "offset %d must not be negative", s.offset)
	}
	return nil
}

// where lowers the conditions, with that on rows that are deleted softly.
func (m *model) where(b *binding, conds []Cond, deleted bool) dbop.Cond {
	where := b.all(conds)
	if m.deleted == "" || deleted {
		return where
	}
	there := dbop.IsNull{Column: m.deleted}
	if where == nil {
		return there
	}
	return dbop.And{where, there}
}

// insertion is what an insert does.
type insertion struct{ conflict *dbop.OnConflict }

type insertOption func(*insertion)

func (o insertOption) toInsert(i *insertion) { o(i) }

// OnConflictIgnore leaves a row out whose values of the columns are there
// already; without columns, one that any primary or unique key objects to.
func OnConflictIgnore(columns ...string) InsertOption {
	return insertOption(func(i *insertion) {
		i.conflict = &dbop.OnConflict{Columns: columns, Action: dbop.ConflictIgnore}
	})
}

// OnConflictUpdate updates the row whose values of the columns, those of one
// primary or unique key, are there already: the columns of update take the new
// row's values; none are all that the new row has, but for the key.
func OnConflictUpdate(columns []string, update ...string) InsertOption {
	return insertOption(func(i *insertion) {
		i.conflict = &dbop.OnConflict{Columns: columns, Action: dbop.ConflictUpdate, Update: update}
	})
}

// change is what an update or delete does.
type change struct {
	conds   []Cond
	sets    []setter
	row     reflect.Value // a struct whose fields are the new values; may be none
	columns []string      // of row; empty for all but the key
	require bool
	most    int
	deleted bool
}

type setter struct {
	column string
	op     dbop.AssignOp
	value  any
}

// lower returns what the columns become.
func (w *change) assignments(b *binding, m *model) (set []dbop.Assignment) {
	if w.row.IsValid() {
		var err error
		if set, err = m.changes(b.table, w.row, w.columns); err != nil {
			b.fail(err)
		}
	}
	for _, s := range w.sets {
		a := dbop.Assignment{Column: s.column, Op: s.op}
		if s.op != dbop.Now {
			a.Value = b.value(s.column, s.value)
		}
		if a.Op == dbop.Inc && a.Value.Kind == dbop.String { // a decimal
			a.Value.Kind = dbop.Number
		}
		if slices.ContainsFunc(set, func(x dbop.Assignment) bool { return x.Column == s.column }) {
			b.fail(job.Permanent(job.CodeInvalid, "column %q is set twice", s.column))
		}
		set = append(set, a)
	}
	return set
}

// rowChange is an update to what a struct says.
func rowChange(row reflect.Value, columns []string) UpdateOption {
	return updateOption(func(w *change) { w.row, w.columns = row, columns })
}

type updateOption func(*change)

func (o updateOption) toUpdate(w *change) { o(w) }

// Set gives a column a value; nil is NULL.
func Set(column string, value any) UpdateOption {
	return updateOption(func(w *change) { w.sets = append(w.sets, setter{column, dbop.Set, value}) })
}

// Inc adds to a column of numbers: an integer, a float, or a decimal as a
// string. A negative one takes away.
func Inc(column string, by any) UpdateOption {
	return updateOption(func(w *change) { w.sets = append(w.sets, setter{column, dbop.Inc, by}) })
}

// SetNow gives a column the time of the database's clock.
func SetNow(column string) UpdateOption {
	return updateOption(func(w *change) { w.sets = append(w.sets, setter{column: column, op: dbop.Now}) })
}

// ChangeOption is an option of updates and deletes.
type ChangeOption interface {
	UpdateOption
	DeleteOption
}

type changeOption func(*change)

func (o changeOption) toUpdate(w *change) { o(w) }
func (o changeOption) toDelete(w *change) { o(w) }

// Require makes it an error, job.ErrNotFound, that no row matches.
func Require() ChangeOption { return changeOption(func(w *change) { w.require = true }) }

// MaxAffected is the most rows that UpdateMany and DeleteMany may affect, in the
// place of Config.MaxAffected.
func MaxAffected(n int) ChangeOption { return changeOption(func(w *change) { w.most = n }) }

// RowOption is an option of reads, updates and deletes.
type RowOption interface {
	SelectOption
	UpdateOption
	DeleteOption
}

type withDeleted struct{}

func (withDeleted) toSelect(s *selection) { s.deleted = true }
func (withDeleted) toUpdate(w *change)    { w.deleted = true }
func (withDeleted) toDelete(w *change)    { w.deleted = true }

// WithDeleted takes rows of a model with bun's soft_delete for rows like any
// others: reads and updates see those that are deleted, and deletes remove them.
func WithDeleted() RowOption { return withDeleted{} }
