package dbop_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/asyncops/asyncops/dbop"
	"pgregory.net/rapid"
)

// truth is a value of SQL's logic: whether something holds, does not, or is
// unknown because of a null.
type truth int

const (
	no truth = iota - 1
	unknown
	yes
)

func of(b bool) truth {
	if b {
		return yes
	}
	return no
}

func every(parts []truth) truth {
	result := yes
	for _, t := range parts {
		result = min(result, t)
	}
	return result
}

func some(parts []truth) truth {
	result := no
	for _, t := range parts {
		result = max(result, t)
	}
	return result
}

// row has a number or nil for each column.
type row map[string]*int

// holds evaluates a parsed condition.
func holds(c dbop.Cond, r row) truth {
	each := func(conds []dbop.Cond) (parts []truth) {
		for _, cond := range conds {
			parts = append(parts, holds(cond, r))
		}
		return parts
	}
	switch c := c.(type) {
	case nil:
		return yes
	case dbop.And:
		return every(each(c))
	case dbop.Or:
		return some(each(c))
	case dbop.Not:
		return -holds(c.Cond, r)
	case dbop.IsNull:
		return of((r[c.Column] == nil) != c.Negated)
	case dbop.Compare:
		n, _ := strconv.Atoi(c.Value.Text)
		return compare(string(c.Op), r[c.Column], n)
	case dbop.In:
		result := no
		for _, v := range c.Values {
			n, _ := strconv.Atoi(v.Text)
			result = max(result, compare("$eq", r[c.Column], n))
		}
		if c.Negated {
			return -result
		}
		return result
	}
	panic("another Cond")
}

func compare(op string, have *int, want int) truth {
	if have == nil {
		return unknown
	}
	return of(map[string]bool{
		"$eq": *have == want, "$ne": *have != want, "$gt": *have > want,
		"$gte": *have >= want, "$lt": *have < want, "$lte": *have <= want,
	}[op])
}

// member is one member of a where document.
type member struct {
	name  string
	value any // nil, int, []any of nil and int, bool, document, []document
}

type document []member

func (d document) MarshalJSON() ([]byte, error) {
	var b strings.Builder
	for i, m := range d {
		if i > 0 {
			b.WriteByte(',')
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		b.WriteString(strconv.Quote(m.name) + ":" + string(value))
	}
	return []byte("{" + b.String() + "}"), nil
}

// means evaluates a document as the contract describes it.
func (d document) means(r row) truth {
	var parts []truth
	for _, m := range d {
		switch v := m.value.(type) {
		case []document:
			var each []truth
			for _, doc := range v {
				each = append(each, doc.means(r))
			}
			if m.name == "$and" {
				parts = append(parts, every(each))
			} else {
				parts = append(parts, some(each))
			}
		case document:
			if m.name == "$not" {
				parts = append(parts, -v.means(r))
				continue
			}
			for _, op := range v {
				parts = append(parts, operator(op, r[m.name]))
			}
		default:
			parts = append(parts, operator(member{"$eq", v}, r[m.name]))
		}
	}
	return every(parts)
}

func operator(op member, have *int) truth {
	switch v := op.value.(type) {
	case nil:
		return of((have == nil) == (op.name == "$eq"))
	case bool:
		return of((have == nil) == v)
	case int:
		return compare(op.name, have, v)
	case []any:
		found := no
		for _, item := range v {
			found = max(found, operator(member{"$eq", item}, have))
		}
		if op.name == "$nin" {
			return -found
		}
		return found
	}
	panic("another operator")
}

func scalars() *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		if n := rapid.IntRange(-1, 2).Draw(t, "scalar"); n >= 0 {
			return n
		}
		return nil
	})
}

func operators() *rapid.Generator[member] {
	return rapid.Custom(func(t *rapid.T) member {
		name := rapid.SampledFrom([]string{"$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$null"}).Draw(t, "operator")
		switch name {
		case "$in", "$nin":
			return member{name, append([]any{}, rapid.SliceOfN(scalars(), 0, 3).Draw(t, "values")...)}
		case "$null":
			return member{name, rapid.Bool().Draw(t, "null")}
		case "$eq", "$ne":
			return member{name, scalars().Draw(t, "value")}
		}
		return member{name, rapid.IntRange(0, 2).Draw(t, "value")}
	})
}

// documents generates a where at most depth levels deep, its members distinct.
func documents(depth int) *rapid.Generator[document] {
	return rapid.Custom(func(t *rapid.T) document {
		names := []string{"a", "b", "c"}
		if depth > 0 {
			names = append(names, "$and", "$or", "$not")
		}
		var doc document
		for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(names), 0, 3, rapid.ID).Draw(t, "names") {
			switch {
			case name == "$not":
				doc = append(doc, member{name, documents(depth-1).Draw(t, "not")})
			case name[0] == '$':
				doc = append(doc, member{name, append([]document{}, rapid.SliceOfN(documents(depth-1), 0, 3).Draw(t, "parts")...)})
			case rapid.Bool().Draw(t, "plain"):
				doc = append(doc, member{name, scalars().Draw(t, "value")})
			default:
				ops := rapid.SliceOfNDistinct(operators(), 1, 3, func(m member) string { return m.name }).Draw(t, "operators")
				doc = append(doc, member{name, document(ops)})
			}
		}
		if doc == nil {
			doc = document{}
		}
		return doc
	})
}

func rows() *rapid.Generator[row] {
	return rapid.Custom(func(t *rapid.T) row {
		r := row{}
		for _, name := range []string{"a", "b", "c"} {
			if n := rapid.IntRange(-1, 2).Draw(t, name); n >= 0 {
				r[name] = &n
			}
		}
		return r
	})
}

// TestWhereMeansWhatItSays compares what is parsed with a reading of the
// document itself, and the rule for wheres that cannot exclude with both.
func TestWhereMeansWhatItSays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		doc, r := documents(3).Draw(t, "where"), rows().Draw(t, "row")
		text, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		cond, errs := dbop.ParseWhere(text, "/where")
		if len(errs) > 0 {
			t.Fatalf("ParseWhere(%s) = %v", text, errs)
		}
		if got, want := holds(cond, r), doc.means(r); got != want {
			t.Fatalf("%s on %v: parsed to %#v, which gives %d, want %d", text, r, cond, got, want)
		}
		if !strings.Contains(string(text), "$not") && dbop.CannotExclude(cond) && holds(cond, r) != yes {
			t.Fatalf("CannotExclude(%s) = true, and it excludes %v", text, r)
		}
		if !mentionsNull(cond) && !dbop.CannotExclude(cond) && holds(cond, row{}) == yes {
			t.Fatalf("CannotExclude(%s) = false, and a row of nulls is not excluded", text)
		}
	})
}

// mentionsNull reports whether a row of nulls may satisfy the condition in
// another way than by its excluding nothing.
func mentionsNull(c dbop.Cond) bool {
	switch c := c.(type) {
	case dbop.And:
		for _, part := range c {
			if mentionsNull(part) {
				return true
			}
		}
	case dbop.Or:
		for _, part := range c {
			if mentionsNull(part) {
				return true
			}
		}
	case dbop.Not, dbop.IsNull:
		return true
	}
	return false
}

// FuzzParseWhere holds the parser to this, whatever it reads: it does not
// panic, and what it returns is well-formed.
func FuzzParseWhere(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, `{"a":1,"b":{"$in":[1,null],"$ne":"x"}}`, `{"$or":[{"a":null},{"$not":{"b":{"$like":"%"}}}]}`,
		`{"a":{"$base64":"aGk="},"b":{"$literal":{"$x":1}}}`, `{"a":{}}`, `{"a":{"$not":{"$gt":1}}}`, `{"a":[1,{"b":2}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		cond, errs := dbop.ParseWhere(data, "/where")
		if len(errs) > 0 {
			if cond != nil || len(errs) > dbop.MaxErrors {
				t.Fatalf("ParseWhere(%q) = %v, %d errors", data, cond, len(errs))
			}
			for _, e := range errs {
				if !strings.HasPrefix(e.Pointer, "/where") || e.Code == "" || e.Message == "" {
					t.Fatalf("ParseWhere(%q): incomplete error %+v", data, e)
				}
			}
			return
		}
		dbop.CannotExclude(cond)
		if cond != nil {
			wellFormed(t, cond)
		}
	})
}

func wellFormed(t *testing.T, c dbop.Cond) {
	t.Helper()
	literal := func(column string, values ...dbop.Value) {
		if !dbop.ValidName(column) {
			t.Fatalf("%q is not a column", column)
		}
		for _, v := range values {
			if v.Kind == dbop.Null || v.Kind != dbop.Bytes && strings.ContainsRune(v.Text, 0) {
				t.Fatalf("compared with %+v", v)
			}
		}
	}
	switch c := c.(type) {
	case dbop.And:
		for _, part := range c {
			wellFormed(t, part)
		}
	case dbop.Or:
		for _, part := range c {
			wellFormed(t, part)
		}
	case dbop.Not:
		wellFormed(t, c.Cond)
	case dbop.Compare:
		literal(c.Column, c.Value)
	case dbop.In:
		literal(c.Column, c.Values...)
	case dbop.IsNull:
		literal(c.Column)
	default:
		t.Fatalf("a condition of type %T", c)
	}
}
