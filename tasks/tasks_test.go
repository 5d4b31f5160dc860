package tasks_test

import (
	"fmt"
	"slices"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/tasks"
)

// targets is a configuration: databases by name, each with its tables, and
// clients by name.
type targets struct {
	databases map[string]registry
	clients   map[string]httpop.Policy
}

// registry has the columns of each table; those in readOnly take no writes.
type registry struct {
	tables   map[string][]string
	readOnly []string
}

func (t targets) Database(name string) (tasks.Database, bool) {
	if name == "" && len(t.databases) == 1 {
		for only := range t.databases {
			name = only
		}
	}
	r, ok := t.databases[name]
	return tasks.Database{Name: name, Registry: r}, ok
}

func (t targets) Client(name string) (tasks.Client, bool) {
	if name == "" && len(t.clients) == 1 {
		for only := range t.clients {
			name = only
		}
	}
	p, ok := t.clients[name]
	return tasks.Client{Name: name, Policy: p}, ok
}

// queries are the named statements of every database.
var queries = map[string]dbop.NamedQuery{
	"active": {Name: "active", Params: []dbop.Param{{Name: "status", Type: dbop.ParamString}, {Name: "since", Type: dbop.ParamTime}}},
	"all":    {Name: "all"},
	"types": {Name: "types", Write: true, Params: []dbop.Param{{Name: "i", Type: dbop.ParamInteger}, {Name: "n", Type: dbop.ParamNumber}, {Name: "d", Type: dbop.ParamDecimal},
		{Name: "b", Type: dbop.ParamBoolean}, {Name: "y", Type: dbop.ParamBytes}, {Name: "j", Type: dbop.ParamJSON}}},
}

func (r registry) Query(name string) (dbop.NamedQuery, bool) {
	query, ok := queries[name]
	return query, ok
}

func (r registry) Check(op dbop.Operation) []job.FieldError {
	if _, ok := queries[op.Query]; op.Op == dbop.Query && !ok {
		return []job.FieldError{{Pointer: "/name", Code: "unknown_query", Message: "the query is not configured"}}
	} else if op.Op == dbop.Query {
		return nil
	}
	columns, ok := r.tables[op.Table]
	if !ok {
		return []job.FieldError{{Pointer: "/table", Code: "unknown_table", Message: "the table is not listed"}}
	}
	var faults []job.FieldError
	if op.Writes() && slices.Contains(r.readOnly, op.Table) {
		faults = append(faults, job.FieldError{Pointer: "/table", Code: "read_only", Message: "the table may be read only"})
	}
	look := func(pointer, column string) {
		if !slices.Contains(columns, column) {
			faults = append(faults, job.FieldError{Pointer: pointer, Code: "unknown_column", Message: "the column is not listed"})
		}
	}
	for i, column := range op.Columns {
		look(fmt.Sprintf("/columns/%d", i), column)
	}
	for i, order := range op.OrderBy {
		look(fmt.Sprintf("/order_by/%d", i), order.Column)
	}
	for i, row := range op.Rows {
		for _, a := range row {
			pointer := "/values/" + a.Column
			if op.Op == dbop.InsertMany {
				pointer = fmt.Sprintf("/rows/%d/%s", i, a.Column)
			}
			look(pointer, a.Column)
		}
	}
	for _, a := range op.Set {
		look("/values/"+a.Column, a.Column)
	}
	for i, column := range op.Returning {
		if column != "*" {
			look(fmt.Sprintf("/returning/%d", i), column)
		}
	}
	return faults
}

// configured is one database and one client.
func configured() targets {
	return targets{
		databases: map[string]registry{"main": {
			tables: map[string][]string{
				"users": {"id", "name", "email", "age", "status", "balance", "meta", "created_at", "deleted_at"},
				"audit": {"id", "note"},
			},
			readOnly: []string{"audit"},
		}},
		clients: map[string]httpop.Policy{"crm": {AllowHeaders: []string{"Prefer"}}},
	}
}

// several has two of each, so that none can be left out.
func several() targets {
	t := configured()
	t.databases["other"] = registry{}
	t.clients["other"] = httpop.Policy{}
	return t
}
