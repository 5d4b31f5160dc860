package store

import (
	"strconv"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"
)

// builder writes one SQL statement. Identifiers come from the catalog or the
// configuration and are quoted by bun; values are written by the dialect's
// codec, or as placeholders if hide is set. The first error stays.
type builder struct {
	b       []byte
	gen     schema.QueryGen
	grammar grammar
	codec   codec
	hide    bool
	hidden  int // placeholders so far
	err     error
}

func newBuilder(d dialect) *builder {
	g := d.grammar()
	return &builder{gen: schema.NewQueryGen(g.bun), grammar: g, codec: d.codec()}
}

func (q *builder) sql() (string, error) { return string(q.b), q.err }

func (q *builder) raw(s string) { q.b = append(q.b, s...) }

func (q *builder) name(name string) {
	b, err := bun.Name(name).AppendQuery(q.gen, q.b)
	q.b = b
	q.fail(err)
}

// table writes a table's name with the alias t.
func (q *builder) table(t *table) {
	q.bareTable(t)
	q.raw(" AS ")
	q.name("t")
}

// bareTable writes a table's name.
func (q *builder) bareTable(t *table) {
	if t.schema != "" {
		q.name(t.schema)
		q.raw(".")
	}
	q.name(t.name)
}

// column writes a column of the table with alias t. The alias matters: a bare
// name in ORDER BY would mean the text that the select list makes of it.
func (q *builder) column(name string) {
	q.name("t")
	q.raw(".")
	q.name(name)
}

func (q *builder) value(v dbop.Value, c columnInfo) {
	if q.hide {
		q.hidden++
		if q.grammar.questionMarks {
			q.raw("?")
		} else {
			q.raw("$" + strconv.Itoa(q.hidden))
		}
		return
	}
	if v.Kind == dbop.Reference || v.Kind == dbop.Template {
		q.fail(job.Permanent(job.CodeInvalid, "column %q: a reference stands for a value in a transaction only", c.name))
		return
	}
	b, err := q.codec.literal(q.b, v, c)
	if err != nil {
		q.fail(err)
		return
	}
	q.b = b
}

// text writes a value that belongs to no column.
func (q *builder) text(s string) {
	q.value(dbop.Value{Kind: dbop.String, Text: s}, columnInfo{class: classText})
}

// list calls item for each of n items, separated by commas.
func (q *builder) list(n int, item func(i int)) {
	for i := range n {
		if i > 0 {
			q.raw(", ")
		}
		item(i)
	}
}

// read writes the expressions by which columns are fetched.
func (q *builder) read(columns []columnInfo, qualified bool) {
	q.list(len(columns), func(i int) {
		start := len(q.b)
		if qualified {
			q.column(columns[i].name)
		} else {
			q.name(columns[i].name)
		}
		if q.hide || columns[i].plain && q.grammar.plainReads {
			return
		}
		expr := string(q.b[start:])
		q.b = q.codec.read(q.b[:start], expr, columns[i])
	})
}

func (q *builder) fail(err error) {
	if q.err == nil {
		q.err = err
	}
}

// known returns the column, or notes that there is none.
func (q *builder) known(t *table, name string) columnInfo {
	c := t.column(name)
	if c == nil {
		q.fail(unknownColumn(t, name))
		return columnInfo{name: name}
	}
	return *c
}

func unknownColumn(t *table, name string) error {
	return job.Permanent(job.CodeUnknownColumn, "table %q has no column %q", t.name, name)
}
