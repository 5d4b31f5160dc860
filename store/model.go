package store

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"
)

// model is a Go struct as a table's rows, by bun's tags.
type model struct {
	*schema.Table
	fields  []modelField // in the struct's order
	key     []string     // columns of the primary key, as the tags have it
	deleted string       // the column of bun's soft_delete; "" for none
}

type modelField struct {
	*schema.Field
	bind bindFunc
}

// modelOf returns the model of T. A T that cannot be one fails with invalid.
func modelOf[T any](t *Target) (*model, error) {
	typ := reflect.TypeFor[T]()
	if known, ok := t.models.Load(typ); ok {
		return known.(*model), nil
	}
	m, err := t.newModel(typ)
	if err != nil {
		return nil, job.Permanent(job.CodeInvalid, "Go type %s is no model: %v", typ, err)
	}
	known, _ := t.models.LoadOrStore(typ, m)
	return known.(*model), nil
}

func (t *Target) newModel(typ reflect.Type) (m *model, err error) {
	if typ.Kind() != reflect.Struct {
		return nil, errors.New("it is not a struct")
	}
	defer func() { // bun panics where tags make no sense
		if p := recover(); p != nil {
			m, err = nil, fmt.Errorf("%v", p)
		}
	}()
	m = &model{Table: t.reader.Table(typ)}
	if len(m.Fields) == 0 {
		return nil, errors.New("it has no fields that are columns")
	}
	for _, f := range m.Fields {
		if f.Tag.HasOption("msgpack") {
			return nil, fmt.Errorf("field %s is kept as msgpack, which jobs could not read; keep it as JSON", f.GoName)
		}
		if f.IsPK {
			m.key = append(m.key, f.Name)
		}
		m.fields = append(m.fields, modelField{f, binderOf(f.StructField.Type)})
	}
	if f := m.SoftDeleteField; f != nil {
		if f.IndirectType != timeType || !f.IsPtr && !f.NullZero {
			return nil, fmt.Errorf("field %s is soft_delete: it must be a *time.Time, or a time.Time with nullzero", f.GoName)
		}
		m.deleted = f.Name
	}
	return m, nil
}

// columns returns what is known of the model's columns, to be fetched as the
// driver gives them. Names picks some; none is all.
func (m *model) columns(t *table, names []string) ([]columnInfo, error) {
	columns := make([]columnInfo, 0, len(m.fields))
	for _, f := range m.fields {
		if len(names) > 0 && !slices.Contains(names, f.Name) {
			continue
		}
		c := t.column(f.Name)
		if c == nil {
			return nil, unknownColumn(t, f.Name)
		}
		columns = append(columns, plainly(*c))
	}
	for _, name := range names {
		if !m.HasField(name) {
			return nil, job.Permanent(job.CodeUnknownColumn, "%s has no field for column %q", m.TypeName, name)
		}
	}
	return columns, nil
}

func plainly(c columnInfo) columnInfo {
	c.plain = true
	return c
}

// row is what a struct's fields say as the values of a new row, and the columns
// that are left to the database: those that are nil, or zero under nullzero.
func (m *model) row(t *table, strct reflect.Value) (set []dbop.Assignment, left []string, err error) {
	set = make([]dbop.Assignment, 0, len(m.fields))
	for _, f := range m.fields {
		if f.leaves(strct) {
			left = append(left, f.Name)
			continue
		}
		a, err := f.assign(t, strct.FieldByIndex(f.Index))
		if err != nil {
			return nil, nil, err
		}
		set = append(set, a)
	}
	return set, left, nil
}

// leaves reports whether a struct leaves the column of a new row to the database.
func (f modelField) leaves(strct reflect.Value) bool {
	v, err := strct.FieldByIndexErr(f.Index)
	return err != nil || f.IsPtr && v.IsNil() || f.emptiedBy(v)
}

// emptiedBy reports whether a value stands for no value.
func (f modelField) emptiedBy(v reflect.Value) bool {
	return (f.NullZero || f.Identity) && f.IsZero(v)
}

// nullable reports whether the field has a value for NULL.
func (f modelField) nullable() bool {
	typ := f.StructField.Type
	switch typ.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Slice:
		return true
	}
	return f.NullZero || typ.Implements(valuerType) || reflect.PointerTo(typ).Implements(valuerType)
}

func (f modelField) assign(t *table, v reflect.Value) (dbop.Assignment, error) {
	c := t.column(f.Name)
	if c == nil {
		return dbop.Assignment{}, unknownColumn(t, f.Name)
	}
	value, err := f.bind(v, *c)
	return dbop.Assignment{Column: f.Name, Value: value}, err
}

// changes is what a struct's fields say as the new values of its row: those of
// names, or of every column but the key.
func (m *model) changes(t *table, strct reflect.Value, names []string) (set []dbop.Assignment, err error) {
	for _, f := range m.fields {
		if len(names) == 0 && (f.IsPK || f.SkipUpdate() || f.Name == m.deleted) || len(names) > 0 && !slices.Contains(names, f.Name) {
			continue
		}
		a := dbop.Assignment{Column: f.Name}
		if v, err := strct.FieldByIndexErr(f.Index); err == nil && !f.emptiedBy(v) {
			if a, err = f.assign(t, v); err != nil {
				return nil, err
			}
		}
		set = append(set, a)
	}
	return set, nil
}

// identity is the condition that finds a struct's row: its primary key.
func (m *model) identity(strct reflect.Value) (Cond, error) {
	if len(m.key) == 0 {
		return Cond{}, job.Permanent(job.CodeInvalid, "%s has no primary key; tag its field with bun:\",pk\"", m.TypeName)
	}
	var all []Cond
	for _, f := range m.fields {
		if !f.IsPK {
			continue
		}
		v, err := strct.FieldByIndexErr(f.Index)
		if err != nil || f.emptiedBy(v) {
			return Cond{}, job.Permanent(job.CodeInvalid, "field %s of %s, its primary key, has no value", f.GoName, m.TypeName)
		}
		all = append(all, Eq(f.Name, v.Interface()))
	}
	return And(all...), nil
}

// beforeWrite calls the model's BeforeAppendModel, if it has one, as bun does.
func (m *model) beforeWrite(ctx context.Context, row any, query func() bun.Query) error {
	if !m.HasBeforeAppendModelHook() {
		return nil
	}
	return row.(bun.BeforeAppendModelHook).BeforeAppendModel(ctx, query())
}
