package store

import (
	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
)

// where writes the predicate with its keyword; nil writes nothing.
func (q *builder) where(t *table, c dbop.Cond) {
	if c == nil {
		return
	}
	q.raw(" WHERE ")
	q.cond(t, c)
}

func (q *builder) cond(t *table, c dbop.Cond) {
	switch c := c.(type) {
	case nil:
		q.raw("1 = 1")
	case dbop.And:
		q.join(t, c, " AND ", "1 = 1")
	case dbop.Or:
		q.join(t, c, " OR ", "1 = 0")
	case dbop.Not:
		q.raw("NOT (")
		q.cond(t, c.Cond)
		q.raw(")")
	case dbop.Compare:
		q.compare(t, c)
	case dbop.In:
		q.in(t, c)
	case dbop.IsNull:
		q.known(t, c.Column)
		q.column(c.Column)
		if c.Negated {
			q.raw(" IS NOT NULL")
		} else {
			q.raw(" IS NULL")
		}
	default:
		q.fail(job.Permanent(job.CodeInvalid, "where has a part of unknown type %T", c))
	}
}

// join writes the parts as a balanced tree: databases bound the depth of an
// expression, and a chain of n is n deep.
func (q *builder) join(t *table, parts []dbop.Cond, operator, empty string) {
	switch len(parts) {
	case 0:
		q.raw(empty)
	case 1:
		q.cond(t, parts[0])
	default:
		half := len(parts) / 2
		q.raw("(")
		q.join(t, parts[:half], operator, empty)
		q.raw(operator)
		q.join(t, parts[half:], operator, empty)
		q.raw(")")
	}
}

func (q *builder) compare(t *table, c dbop.Compare) {
	column := q.known(t, c.Column)
	operator := map[dbop.CompareOp]string{
		dbop.Eq: " = ", dbop.Ne: " <> ", dbop.Gt: " > ", dbop.Gte: " >= ", dbop.Lt: " < ", dbop.Lte: " <= ", dbop.Like: " LIKE ",
	}[c.Op]
	if operator == "" {
		q.fail(job.Permanent(job.CodeInvalid, "where has the unknown operator %q", c.Op))
		return
	}
	if c.Value.Kind == dbop.Null {
		q.fail(job.Permanent(job.CodeInvalid, "where compares %q with null by %s; use null itself or $null", c.Column, c.Op))
		return
	}
	q.column(c.Column)
	q.raw(operator)
	if c.Op != dbop.Like {
		q.value(c.Value, column)
		return
	}
	if c.Value.Kind != dbop.String && !q.hide {
		q.fail(job.Permanent(job.CodeInvalidValue, "the pattern of $like for %q must be a string", c.Column))
		return
	}
	q.text(c.Value.Text)
	q.raw(" ESCAPE " + q.grammar.likeEscape)
}

func (q *builder) in(t *table, c dbop.In) {
	column := q.known(t, c.Column)
	if len(c.Values) == 0 {
		q.raw(map[bool]string{false: "1 = 0", true: "1 = 1"}[c.Negated])
		return
	}
	q.column(c.Column)
	if c.Negated {
		q.raw(" NOT")
	}
	q.raw(" IN (")
	q.list(len(c.Values), func(i int) {
		if c.Values[i].Kind == dbop.Null {
			q.fail(job.Permanent(job.CodeInvalid, "the values for %q must not hold null; use $null", c.Column))
			return
		}
		q.value(c.Values[i], column)
	})
	q.raw(")")
}
