package store

import (
	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
)

// Cond is a condition on the columns of a row. Values are Go values, which are
// written by the rules of the column; nil is NULL. Comparisons are SQL's: where
// the column is NULL, only Eq and Ne with nil, and In with a nil, tell. The zero
// value is no condition and fails.
//
// Given as options, several conditions must all hold.
type Cond struct {
	lower func(b *binding) dbop.Cond
}

// binding turns conditions and changes into those of dbop, by what is known of
// a table. The first error stays.
type binding struct {
	table *table
	err   error
}

func (b *binding) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

func (b *binding) value(column string, v any) dbop.Value {
	c := b.table.column(column)
	if c == nil {
		b.fail(unknownColumn(b.table, column))
		return dbop.Value{}
	}
	value, err := bindAny(v, *c)
	if err != nil {
		b.fail(err)
	}
	return value
}

func (b *binding) cond(c Cond) dbop.Cond {
	if c.lower == nil {
		b.fail(job.Permanent(job.CodeInvalid, "a condition is empty; make it with Eq, In, And, …"))
		return nil
	}
	return c.lower(b)
}

// all lowers conditions that all must hold; none is nil.
func (b *binding) all(conds []Cond) dbop.Cond {
	switch len(conds) {
	case 0:
		return nil
	case 1:
		return b.cond(conds[0])
	}
	return dbop.And(b.list(conds))
}

func (b *binding) list(conds []Cond) []dbop.Cond {
	lowered := make([]dbop.Cond, len(conds))
	for i, c := range conds {
		lowered[i] = b.cond(c)
	}
	return lowered
}

// Eq holds when the column equals the value; with nil, when it is NULL.
func Eq(column string, value any) Cond { return equal(column, value, false) }

// Ne holds when the column is not NULL and does not equal the value; with nil,
// when it is not NULL.
func Ne(column string, value any) Cond { return equal(column, value, true) }

func equal(column string, value any, negated bool) Cond {
	return Cond{func(b *binding) dbop.Cond {
		v := b.value(column, value)
		switch {
		case v.Kind == dbop.Null:
			return dbop.IsNull{Column: column, Negated: negated}
		case negated:
			return dbop.Compare{Column: column, Op: dbop.Ne, Value: v}
		}
		return dbop.Compare{Column: column, Op: dbop.Eq, Value: v}
	}}
}

// Gt holds when the column is greater than the value, which must not be nil.
func Gt(column string, value any) Cond { return compare(column, dbop.Gt, value) }

// Gte holds when the column is greater than the value, which must not be nil,
// or equals it.
func Gte(column string, value any) Cond { return compare(column, dbop.Gte, value) }

// Lt holds when the column is less than the value, which must not be nil.
func Lt(column string, value any) Cond { return compare(column, dbop.Lt, value) }

// Lte holds when the column is less than the value, which must not be nil, or
// equals it.
func Lte(column string, value any) Cond { return compare(column, dbop.Lte, value) }

// Like holds when the column matches SQL's pattern: % and _, escaped by \, case
// as the database does.
func Like(column, pattern string) Cond { return compare(column, dbop.Like, pattern) }

func compare(column string, op dbop.CompareOp, value any) Cond {
	return Cond{func(b *binding) dbop.Cond {
		return dbop.Compare{Column: column, Op: op, Value: b.value(column, value)}
	}}
}

// In holds when the column equals one of the values, or is NULL and one of them
// is nil. Without values it never holds.
func In[V any](column string, values ...V) Cond {
	return Cond{func(b *binding) dbop.Cond {
		in := dbop.In{Column: column}
		null := false
		for _, value := range values {
			if v := b.value(column, value); v.Kind == dbop.Null {
				null = true
			} else {
				in.Values = append(in.Values, v)
			}
		}
		if null {
			return dbop.Or{in, dbop.IsNull{Column: column}}
		}
		return in
	}}
}

// And holds when every condition does; without one it holds.
func And(conds ...Cond) Cond {
	return Cond{func(b *binding) dbop.Cond { return dbop.And(b.list(conds)) }}
}

// Or holds when some condition does; without one it does not.
func Or(conds ...Cond) Cond {
	return Cond{func(b *binding) dbop.Cond { return dbop.Or(b.list(conds)) }}
}

// Not holds when the condition is false. Where a column of it is NULL it is
// neither true nor false, and Not does not hold.
func Not(cond Cond) Cond {
	return Cond{func(b *binding) dbop.Cond { return dbop.Not{Cond: b.cond(cond)} }}
}
