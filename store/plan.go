package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
)

// planTimeout bounds what a plan may cost whoever asks for one.
const planTimeout = time.Second

// Plan asks the database how it would run a read, and returns its answer line
// by line, with ? in the place of values. No row of the result is read. It takes a
// second at most; errors are *job.Failure.
func (t *Target) Plan(ctx context.Context, op dbop.Operation) ([]string, error) {
	if err := t.registry.failure(op); err != nil {
		return nil, err
	}
	if op.Writes() {
		return nil, job.Permanent(job.CodeInvalid, "only reads have a plan")
	}
	ctx, cancel := context.WithTimeout(ctx, planTimeout)
	defer cancel()
	lines, err := t.plan(ctx, op)
	if err != nil {
		return nil, t.failure(ctx, op.Op, err)
	}
	return lines, nil
}

func (t *Target) plan(ctx context.Context, op dbop.Operation) ([]string, error) {
	if _, err := t.slots.acquire(ctx, planTimeout, 0); err != nil {
		return nil, err
	}
	defer t.slots.release()
	if op.Op == dbop.Query {
		bound, err := t.bind(op)
		if err != nil {
			return nil, err
		}
		return t.dialect.plan(ctx, boundAsker{t.pools.read, bound.args}, bound.text)
	}
	described, err := t.catalog.table(ctx, op.Table)
	if err != nil {
		return nil, err
	}
	allowed, _ := t.registry.lookUp(op.Table)
	q := newBuilder(t.dialect)
	q.selectRows(described.only(allowed.Columns), op)
	text, err := q.sql()
	if err != nil {
		return nil, err
	}
	return t.dialect.plan(ctx, t.reader, text)
}

// plan leaves nodes as they are and takes the values out of their conditions.
func (postgres) plan(ctx context.Context, db asker, text string) ([]string, error) {
	lines, err := queryNames(ctx, db, "EXPLAIN "+text)
	for i, line := range lines {
		if !strings.Contains(line, "(cost=") {
			lines[i] = maskValues(line)
		}
	}
	return lines, err
}

// plan returns a line for each table, whose columns depend on the server. They
// hold no values.
func (*mysql) plan(ctx context.Context, db asker, text string) (lines []string, err error) {
	rows, err := db.QueryContext(ctx, "EXPLAIN "+text)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	values := make([]any, len(names))
	dest := make([]any, len(names))
	for i := range values {
		dest[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return nil, err
		}
		var line []string
		for i, name := range names {
			value := values[i]
			if b, ok := value.([]byte); ok {
				value = string(b)
			}
			if value != nil && value != "" && name != "id" {
				line = append(line, fmt.Sprintf("%s=%v", name, value))
			}
		}
		lines = append(lines, strings.Join(line, " "))
	}
	return lines, rows.Err()
}

// plan indents what is part of something else. SQLite shows placeholders.
func (sqlite) plan(ctx context.Context, db asker, text string) (lines []string, err error) {
	rows, err := db.QueryContext(ctx, "EXPLAIN QUERY PLAN "+text)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	depth := map[int]int{}
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			return nil, err
		}
		if d, ok := depth[parent]; ok {
			depth[id] = d + 1
		} else {
			depth[id] = 0
		}
		lines = append(lines, strings.Repeat("  ", depth[id])+detail)
	}
	return lines, rows.Err()
}

// maskValues puts ? in the place of quoted constants and numbers of an
// expression. Quoted names, and digits in names, stay.
func maskValues(expr string) string {
	var out strings.Builder
	for i := 0; i < len(expr); {
		switch c := expr[i]; {
		case c == '"':
			end := closing(expr, i)
			out.WriteString(expr[i:end])
			i = end
		case c == '\'':
			out.WriteByte('?')
			i = closing(expr, i)
		case isDigit(c):
			out.WriteByte('?')
			for i++; i < len(expr) && (isDigit(expr[i]) || expr[i] == '.' || expr[i] == 'e' || expr[i] == 'E'); i++ {
			}
		case isWord(c):
			start := i
			for i++; i < len(expr) && (isWord(expr[i]) || isDigit(expr[i])); i++ {
			}
			if i < len(expr) && expr[i] == '\'' { // E'…', a constant's prefix
				start = i
			}
			out.WriteString(expr[start:i])
		default:
			out.WriteByte(c)
			i++
		}
	}
	return out.String()
}

// closing is where the quoted text that begins at i is over; the quote doubled
// is one of its characters.
func closing(s string, i int) int {
	quote := s[i]
	for i++; i < len(s); i++ {
		if s[i] != quote {
			continue
		}
		if i+1 < len(s) && s[i+1] == quote {
			i++
			continue
		}
		return i + 1
	}
	return len(s)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isWord(c byte) bool {
	return c == '_' || c == '$' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// PlanSkipped says, for whoever asked for a plan, why there is none.
func PlanSkipped(err error) string {
	var f *job.Failure
	if !errors.As(err, &f) {
		return string(job.CodeInternal)
	}
	if f.Code == job.CodeTimeout || f.Code == job.CodePoolTimeout {
		return "the database did not answer within " + planTimeout.String()
	}
	return "the database gives none: " + string(f.Code)
}
