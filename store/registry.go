package store

import (
	"fmt"
	"slices"
	"strings"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
)

// Codes of the field errors that Registry.Check reports.
const (
	FieldUnknownTable  = "unknown_table"
	FieldUnknownColumn = "unknown_column"
	FieldReadOnly      = "read_only"
	FieldUnknownQuery  = "unknown_query"
	FieldChangedQuery  = "changed_query" // its parameters are not those of the operation
)

// Registry knows which tables and columns of a target jobs may touch, and which
// named statements they may run. It needs
// no connection and is safe for concurrent use.
type Registry struct {
	database string
	dialect  dialect
	tables   map[string]Table
	queries  map[string]*namedQuery
}

// NewRegistry returns the registry of the target that cfg describes.
func NewRegistry(cfg Config) (*Registry, error) {
	d, err := dialectOf(cfg.Driver)
	if err != nil {
		return nil, err
	}
	queries, err := nameQueries(d, cfg)
	if err != nil {
		return nil, err
	}
	return &Registry{database: cfg.Name, dialect: d, tables: cfg.Tables, queries: queries}, nil
}

// Check reports what the operation names that it may not. Pointers are
// relative to the operation's args; everything inside a where is "/where".
func (r *Registry) Check(op dbop.Operation) []job.FieldError {
	if op.Op == dbop.Query {
		return r.checkQuery(op)
	}
	table, ok := r.lookUp(op.Table)
	if !ok {
		return []job.FieldError{{Pointer: "/table", Code: FieldUnknownTable,
			Message: fmt.Sprintf("table %q is not listed for database %q", op.Table, r.database)}}
	}
	var errs []job.FieldError
	if op.Writes() && !table.Write {
		errs = append(errs, job.FieldError{Pointer: "/table", Code: FieldReadOnly,
			Message: fmt.Sprintf("table %q of database %q may be read only; write: true in the configuration allows writes", op.Table, r.database)})
	}
	if len(table.Columns) == 0 {
		return errs
	}
	eachColumn(op, func(pointer, column string) {
		if !slices.Contains(table.Columns, column) {
			errs = append(errs, job.FieldError{Pointer: pointer, Code: FieldUnknownColumn,
				Message: fmt.Sprintf("column %q is not listed for table %q", column, op.Table)})
		}
	})
	return errs
}

// lookUp finds a table by its own name, else by "*".
func (r *Registry) lookUp(name string) (Table, bool) {
	if table, ok := r.tables[name]; ok && name != AllTables {
		return table, true
	}
	_, all := r.tables[AllTables]
	if !all || name == "" || name == AllTables || reserved(name) || strings.Contains(name, ".") {
		return Table{}, false
	}
	return Table{}, true
}

// eachColumn calls f with every column that the operation names.
func eachColumn(op dbop.Operation, f func(pointer, column string)) {
	list := func(pointer string, columns []string) {
		for i, column := range columns {
			if column != "*" || pointer != "/returning" {
				f(fmt.Sprintf("%s/%d", pointer, i), column)
			}
		}
	}
	assignments := func(pointer string, as []dbop.Assignment) {
		for _, a := range as {
			f(pointer+"/"+escapePointer(a.Column), a.Column)
		}
	}
	list("/columns", op.Columns)
	eachCondColumn(op.Where, func(column string) { f("/where", column) })
	for i, order := range op.OrderBy {
		f(fmt.Sprintf("/order_by/%d", i), order.Column)
	}
	for i, row := range op.Rows {
		if op.Op == dbop.InsertMany {
			assignments(fmt.Sprintf("/rows/%d", i), row)
		} else {
			assignments("/values", row)
		}
	}
	assignments("/values", op.Set)
	list("/returning", op.Returning)
	if op.OnConflict != nil {
		list("/on_conflict/columns", op.OnConflict.Columns)
		list("/on_conflict/update", op.OnConflict.Update)
	}
}

func eachCondColumn(c dbop.Cond, f func(column string)) {
	switch c := c.(type) {
	case dbop.And:
		for _, part := range c {
			eachCondColumn(part, f)
		}
	case dbop.Or:
		for _, part := range c {
			eachCondColumn(part, f)
		}
	case dbop.Not:
		eachCondColumn(c.Cond, f)
	case dbop.Compare:
		f(c.Column)
	case dbop.In:
		f(c.Column)
	case dbop.IsNull:
		f(c.Column)
	}
}

// escapePointer writes a name as one token of a JSON pointer (RFC 6901).
func escapePointer(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// failure turns the first of Check's errors into a run's: configuration may
// differ between the API that checked and the worker that runs.
func (r *Registry) failure(op dbop.Operation) error {
	errs := r.Check(op)
	if len(errs) == 0 {
		return nil
	}
	code := map[string]job.Code{
		FieldUnknownTable: job.CodeUnknownTable, FieldUnknownColumn: job.CodeUnknownColumn, FieldReadOnly: job.CodeReadOnly,
		FieldUnknownQuery: job.CodeInvalid, FieldChangedQuery: job.CodeInvalid,
	}[errs[0].Code]
	return job.Permanent(code, "%s", errs[0].Message)
}

// Explain returns the SQL that would run for the operation, with placeholders
// for values. It is what a reader wants to see: casts that only serve the
// reading of results, and splitting into chunks, are left out.
func (r *Registry) Explain(op dbop.Operation) (string, error) {
	if err := r.failure(op); err != nil {
		return "", err
	}
	if op.Op == dbop.Query {
		return r.queries[op.Query].text, nil
	}
	q := newBuilder(r.dialect)
	q.hide = true
	t := r.imagine(op)
	switch op.Op {
	case dbop.SelectOne, dbop.SelectMany:
		q.selectRows(t, op)
	case dbop.InsertOne, dbop.InsertMany:
		if op.OnConflict != nil && !q.grammar.onConflict {
			q.explainMerge(t, op)
			break
		}
		q.insert(t, op, op.Rows[:min(len(op.Rows), 1)], t.pick(op.Returning))
	case dbop.UpdateOne, dbop.UpdateMany:
		q.update(t, op)
	case dbop.DeleteOne, dbop.DeleteMany:
		q.deleteRows(t, op)
	default:
		return "", job.Permanent(job.CodeInvalid, "operation %q is not known", op.Op)
	}
	return string(q.b), q.err
}

// imagine returns a table that has every column that the operation names.
func (r *Registry) imagine(op dbop.Operation) *table {
	schema, name := splitTable(op.Table)
	t := &table{schema: schema, name: name}
	allowed, _ := r.lookUp(op.Table)
	add := func(column string) {
		if t.column(column) == nil {
			t.columns = append(t.columns, columnInfo{name: column})
		}
	}
	for _, column := range allowed.Columns {
		add(column)
	}
	eachColumn(op, func(_, column string) { add(column) })
	return t
}
