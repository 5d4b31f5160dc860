package store

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/internal/sqltext"
	"github.com/asyncops/asyncops/job"
)

// namedQuery is a named statement in its dialect.
type namedQuery struct {
	Query
	text    string // with the dialect's placeholders
	order   []int  // the parameter of each value that the server is given
	returns bool   // rows
}

// dialects are those of the drivers, for whoever reads statements.
var dialects = map[Driver]sqltext.Dialect{Postgres: sqltext.Postgres, MySQL: sqltext.MySQL, SQLite: sqltext.SQLite}

// read reads the statement, or says what is wrong with it.
func (q Query) read(driver Driver) (*sqltext.Statement, error) {
	statement, fault := sqltext.Named(q.SQL, dialects[driver], len(q.Params), q.Write)
	switch {
	case fault != nil:
		return nil, fmt.Errorf("%s: %s", fault.Setting, fault.Problem)
	case !q.Write && len(q.Writes) > 0:
		return nil, errors.New("writes: names tables while write is false")
	}
	seen := map[string]bool{}
	for _, param := range q.Params {
		switch {
		case param.Name == "" || seen[param.Name]:
			return nil, fmt.Errorf("params: %q is no name of its own", param.Name)
		case !slices.Contains(dbop.ParamTypes(), param.Type):
			return nil, fmt.Errorf("params: %s has the unknown type %q", param.Name, param.Type)
		}
		seen[param.Name] = true
	}
	return statement, nil
}

// nameQueries reads the statements of a configuration.
func nameQueries(d dialect, cfg Config) (map[string]*namedQuery, error) {
	queries := make(map[string]*namedQuery, len(cfg.Queries))
	for name, query := range cfg.Queries {
		statement, err := query.read(cfg.Driver)
		if err != nil {
			return nil, fmt.Errorf("store: database %q: queries: %s %w", cfg.Name, name, err)
		}
		q := &namedQuery{Query: query, returns: statement.Returns}
		q.text, q.order = statement.Bind(func(param int) string { return d.placeholder(param+1, query.Params[param]) })
		if d.grammar().countsParams {
			slices.Sort(q.order)
			q.order = slices.Compact(q.order)
		}
		queries[name] = q
	}
	return queries, nil
}

// Query describes a named statement; false if there is none of the name.
func (r *Registry) Query(name string) (dbop.NamedQuery, bool) {
	q, ok := r.queries[name]
	if !ok {
		return dbop.NamedQuery{}, false
	}
	return dbop.NamedQuery{Name: name, Params: q.Params, Write: q.Write}, true
}

// checkQuery is Check of a named statement.
func (r *Registry) checkQuery(op dbop.Operation) []job.FieldError {
	q, ok := r.queries[op.Query]
	if !ok {
		return []job.FieldError{{Pointer: "/name", Code: FieldUnknownQuery,
			Message: fmt.Sprintf("query %q is not configured for database %q%s", op.Query, r.database, r.knownQueries())}}
	}
	same := len(op.Args) == len(q.Params) && op.Write == q.Write
	for i := 0; same && i < len(op.Args); i++ {
		same = op.Args[i].Param == q.Params[i]
	}
	if !same {
		return []job.FieldError{{Pointer: "/params", Code: FieldChangedQuery,
			Message: fmt.Sprintf("query %q has other parameters in database %q", op.Query, r.database)}}
	}
	return nil
}

// maxTold is how many names an error lists.
const maxTold = 20

// knownQueries helps who has misspelt a name.
func (r *Registry) knownQueries() string {
	names := slices.Sorted(maps.Keys(r.queries))
	switch {
	case len(names) == 0:
		return "; it has none"
	case len(names) > maxTold:
		names = append(names[:maxTold], "…")
	}
	return "; known are " + strings.Join(names, ", ")
}

// Writes returns the tables that the operation changes, none for one that
// reads; AllTables stands for any table of the database.
func (r *Registry) Writes(op dbop.Operation) []string {
	switch {
	case !op.Writes():
		return nil
	case op.Op != dbop.Query:
		return []string{op.Table}
	}
	if q, ok := r.queries[op.Query]; ok && len(q.Writes) > 0 {
		return q.Writes
	}
	return []string{AllTables}
}

// Reads returns the tables that the operation reads, none for one that writes;
// AllTables, which it is for every named statement, stands for any table of the
// database.
func (r *Registry) Reads(op dbop.Operation) []string {
	switch {
	case op.Writes():
		return nil
	case op.Op == dbop.Query:
		return []string{AllTables}
	}
	return []string{op.Table}
}

// touches returns the tables that are known to be an operation's.
func (r *Registry) touches(op dbop.Operation) []string {
	if op.Op != dbop.Query {
		return []string{op.Table}
	}
	if q, ok := r.queries[op.Query]; ok {
		return q.Writes
	}
	return nil
}
