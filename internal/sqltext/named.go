package sqltext

import (
	"fmt"
	"slices"
	"strings"
)

// Fault is what is wrong with a named statement.
type Fault struct {
	Setting string // of the statement: sql, params or write
	Problem string // reads on from the setting's name, and names the fix
}

// firstWords begin the statements that may be named: none of them ends a
// transaction behind one's back.
var firstWords = []string{"SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "REPLACE", "VALUES", "MERGE"}

// Named reads a statement that is to be run by its name, with so many
// parameters, for reading or for writing.
func Named(sql string, d Dialect, params int, write bool) (*Statement, *Fault) {
	s, err := Scan(sql, d)
	switch {
	case err != nil:
		return nil, &Fault{"sql", err.Error()}
	case !slices.Contains(firstWords, s.FirstWord):
		return nil, &Fault{"sql", "begins with a word that is not allowed; begin with one of " + strings.Join(firstWords, ", ")}
	case s.Into:
		return nil, &Fault{"sql", "puts what it selects somewhere; write INSERT INTO … SELECT, or remove INTO"}
	case s.Changes && !write:
		return nil, &Fault{"write", "is false for a statement that changes rows; write true"}
	case s.Locks && !write:
		return nil, &Fault{"write", "is false for a statement that locks rows, which a reading transaction cannot; write true, or remove FOR UPDATE"}
	case s.Params != params:
		return nil, &Fault{"params", fmt.Sprintf("has %s for %s in sql; write one for each, in order",
			count(params, "entry", "entries"), count(s.Params, "placeholder", "placeholders"))}
	}
	return s, nil
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
