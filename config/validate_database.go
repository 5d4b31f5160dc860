package config

import (
	"strings"
	"unicode"

	"github.com/asyncops/asyncops/internal/sqltext"
)

func (v *validator) database(path, name string, d Database) {
	v.name(path, name)
	for _, table := range sortedKeys(d.Tables) {
		v.table(joinPath(path+".tables", table), table, d.Tables[table])
	}
	for _, query := range sortedKeys(d.Queries) {
		v.query(joinPath(path+".queries", query), query, d.DSN.Driver, d.Queries[query])
	}
}

func (v *validator) table(path, name string, t Table) {
	if name == AllTables {
		if t.Write || len(t.Columns) > 0 {
			v.problem(path, `is every table, which is read-only with all columns; write "*": {}, and list the tables that need more by name`)
		}
		return
	}
	if !isIdentifier(name) {
		v.problem(path, "has a malformed name; write the table's name as the database knows it, up to 128 characters")
	}
	seen := map[string]string{}
	for i, column := range t.Columns {
		setting := indexPath(path+".columns", i)
		if !isIdentifier(column) {
			v.problem(setting, "is not a column; write its name as the database knows it, up to 128 characters")
			continue
		}
		v.unique(setting, column, seen)
	}
}

// isIdentifier reports whether a database may have a table or column of this
// name; quoting is the business of who uses it.
func isIdentifier(s string) bool {
	return s != "" && len(s) <= 128 && s == strings.TrimSpace(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// dialects are those of the drivers, for whoever reads statements.
var dialects = map[string]sqltext.Dialect{DriverPostgres: sqltext.Postgres, DriverMySQL: sqltext.MySQL, DriverSQLite: sqltext.SQLite}

func (v *validator) query(path, name, driver string, q Query) {
	v.name(path, name)
	if q.SQL == "" {
		return // reported as missing
	}
	if _, fault := sqltext.Named(q.SQL, dialects[driver], len(q.Params), q.Write); fault != nil {
		v.problem(path+"."+fault.Setting, "%s", fault.Problem)
	}
	if len(q.Writes) > 0 && !q.Write {
		v.problem(path+".writes", "names tables while write is false; write write: true, or remove them")
	}
	seen := map[string]string{}
	for i, param := range q.Params {
		v.param(indexPath(path+".params", i)+".name", param.Name, seen)
	}
	for i, table := range q.Writes {
		if !isIdentifier(table) || table == AllTables {
			v.problem(indexPath(path+".writes", i), "is not a table; write its name as the database knows it")
		}
	}
}

func (v *validator) param(setting, name string, seen map[string]string) {
	if name == "" {
		return // reported as missing
	}
	if len(name) > 64 || !madeOf(name, lower+upper+digits+"_") || strings.Contains(digits, name[:1]) {
		v.problem(setting, "has a malformed name; write a letter, then up to 63 letters, digits and _")
		return
	}
	v.unique(setting, name, seen)
}
