package store

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
)

// Page is a part of the rows that meet some conditions.
type Page[T any] struct {
	Rows []T
	Next Cursor // of the next page; "" after the last
}

// Cursor says where a page begins: after the row that it remembers by its
// values, so that rows which come or go before it move nothing. It is text of
// letters, digits, - and _ that may be handed to a caller and taken back from
// one; it is neither secret nor signed.
type Cursor string

// PageRequest says which page is wanted.
type PageRequest struct {
	Size    int      // rows at most, 1 to dbop.MaxLimit; 0 is dbop.DefaultLimit
	After   Cursor   // Next of the page before; "" for the first
	OrderBy []string // as OrderBy has it; the primary key completes it
}

// Page returns the rows that meet all conditions, in an order, from where a
// cursor says on. A cursor that is malformed, or of another order, fails with
// job.ErrMalformedCursor. The columns of the order that may be NULL must be
// fields that can tell: a pointer, or nullzero.
func (r *Repository[T]) Page(ctx context.Context, want PageRequest, conds ...Cond) (Page[T], error) {
	if want.Size == 0 {
		want.Size = dbop.DefaultLimit
	}
	if want.Size < 1 || want.Size > dbop.MaxLimit {
		return Page[T]{}, job.Permanent(job.CodeInvalid, "size %d of a page must be 1 to %d", want.Size, dbop.MaxLimit)
	}
	keys, err := r.model.keyset(want.OrderBy)
	if err != nil {
		return Page[T]{}, err
	}
	sel := selection{conds: conds, limit: min(want.Size+1, dbop.MaxLimit+1), limited: true}
	for _, k := range keys {
		sel.order = append(sel.order, k.Order)
	}
	sel.check = keys.check
	if want.After != "" {
		after, err := parseCursor(want.After, keys)
		if err != nil {
			return Page[T]{}, err
		}
		sel.conds = append(slices.Clone(conds), keys.after(after, r.session.target().grammar().nullsFirst))
	}
	rows, err := query[T](ctx, r.session, dbop.SelectMany, sel, nil)
	if err != nil || len(rows) <= want.Size {
		return Page[T]{Rows: rows}, err
	}
	next, err := keys.cursor(reflect.ValueOf(&rows[want.Size-1]).Elem())
	return Page[T]{Rows: rows[:want.Size], Next: next}, err
}

// keyset is an order in which no two rows are the same.
type keyset []keysetColumn

type keysetColumn struct {
	dbop.Order
	field modelField
}

// keyset completes an order by the primary key.
func (m *model) keyset(columns []string) (keyset, error) {
	if len(m.key) == 0 {
		return nil, job.Permanent(job.CodeInvalid, "%s has no primary key, without which there are no pages; tag its field with bun:\",pk\"", m.TypeName)
	}
	var keys keyset
	for _, o := range append(orders(columns), orders(m.key)...) {
		at := slices.IndexFunc(m.fields, func(f modelField) bool { return f.Name == o.Column })
		if at < 0 {
			return nil, job.Permanent(job.CodeUnknownColumn, "%s has no field for column %q", m.TypeName, o.Column)
		}
		if !slices.ContainsFunc(keys, func(k keysetColumn) bool { return k.Column == o.Column }) {
			keys = append(keys, keysetColumn{o, m.fields[at]})
		}
	}
	return keys, nil
}

// check refuses an order by a column whose NULL no field could tell a cursor.
func (keys keyset) check(t *table) error {
	for _, k := range keys {
		if c := t.column(k.Column); c != nil && c.nullable && !k.field.nullable() {
			return job.Permanent(job.CodeInvalid, "column %q of %q may be NULL, which field %s cannot tell from its zero: make it a pointer, or nullzero", k.Column, t.name, k.field.GoName)
		}
	}
	return nil
}

// text names the order, so that a cursor of another one is found out.
func (keys keyset) text() string {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = map[bool]string{true: "-"}[k.Descending] + k.Column
	}
	return strings.Join(names, ",")
}

// position is what a cursor holds.
type position struct {
	Order  string            `json:"o"`
	Values []json.RawMessage `json:"v"` // as the fields' types marshal
}

// cursor returns the position of a row.
func (keys keyset) cursor(strct reflect.Value) (Cursor, error) {
	p := position{Order: keys.text()}
	for _, k := range keys {
		var value any
		if v, err := strct.FieldByIndexErr(k.field.Index); err == nil && !k.field.emptiedBy(v) {
			value = v.Interface()
		}
		text, err := json.Marshal(value)
		if err != nil {
			return "", job.Permanent(job.CodeInvalid, "column %q cannot be kept in a cursor: %v", k.Column, err)
		}
		p.Values = append(p.Values, text)
	}
	text, err := json.Marshal(p)
	return Cursor(base64.RawURLEncoding.EncodeToString(text)), err
}

// parseCursor returns the values that a cursor holds, of the fields' types; nil
// is NULL.
func parseCursor(c Cursor, keys keyset) ([]any, error) {
	text, err := base64.RawURLEncoding.DecodeString(string(c))
	if err != nil {
		return nil, badCursor(err)
	}
	var p position
	if err := json.Unmarshal(text, &p); err != nil {
		return nil, badCursor(err)
	}
	if p.Order != keys.text() || len(p.Values) != len(keys) {
		return nil, badCursor(fmt.Errorf("it is of another order than %s", keys.text()))
	}
	values := make([]any, len(keys))
	for i, k := range keys {
		if bytes.Equal(p.Values[i], []byte("null")) {
			continue
		}
		v := reflect.New(k.field.StructField.Type)
		if err := json.Unmarshal(p.Values[i], v.Interface()); err != nil {
			return nil, badCursor(err)
		}
		values[i] = v.Elem().Interface()
	}
	return values, nil
}

func badCursor(err error) error {
	f := job.Permanent(job.CodeInvalid, "the cursor is none of this order")
	f.Err = fmt.Errorf("%w: %w", job.ErrMalformedCursor, err)
	return f
}

// after is the condition of the rows that come after the values: those whose
// first column that differs is further on.
func (keys keyset) after(values []any, nullsFirst bool) Cond {
	var ways []Cond
	for i, k := range keys {
		way := make([]Cond, 0, i+1)
		for j := range i {
			way = append(way, Eq(keys[j].Column, values[j]))
		}
		ways = append(ways, And(append(way, k.beyond(values[i], nullsFirst))...))
	}
	return Cond{func(b *binding) dbop.Cond {
		after := b.cond(Or(ways...))
		if from := keys[0].from(b, values[0], nullsFirst); from != nil && len(keys) > 1 {
			return dbop.And{from, after}
		}
		return after
	}}
}

// from is what holds for everything that is not before the value, in one
// comparison, so that an index can be entered there; nil if one does not say it.
func (k keysetColumn) from(b *binding, value any, nullsFirst bool) dbop.Cond {
	v, c := b.value(k.Column, value), b.table.column(k.Column)
	if v.Kind == dbop.Null || c == nil || c.nullable && nullsFirst == k.Descending {
		return nil
	}
	return dbop.Compare{Column: k.Column, Op: map[bool]dbop.CompareOp{false: dbop.Gte, true: dbop.Lte}[k.Descending], Value: v}
}

// beyond is the condition that a column is further on than a value. NULL is the
// least value where nulls are first, else the greatest.
func (k keysetColumn) beyond(value any, nullsFirst bool) Cond {
	return Cond{func(b *binding) dbop.Cond {
		c := b.table.column(k.Column)
		nullIsBeyond := nullsFirst == k.Descending
		v := b.value(k.Column, value)
		switch {
		case v.Kind == dbop.Null && nullIsBeyond:
			return dbop.Or{}
		case v.Kind == dbop.Null:
			return dbop.IsNull{Column: k.Column, Negated: true}
		}
		further := dbop.Compare{Column: k.Column, Op: map[bool]dbop.CompareOp{false: dbop.Gt, true: dbop.Lt}[k.Descending], Value: v}
		if nullIsBeyond && c != nil && c.nullable {
			return dbop.Or{further, dbop.IsNull{Column: k.Column}}
		}
		return further
	}}
}
