package dbop_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
	"github.com/google/go-cmp/cmp"
)

func ref(path string) dbop.Value { return dbop.Value{Kind: dbop.Reference, Text: path} }

// names are those of a transaction's steps, of which the third is read.
var names = []string{"user", "", "self", "later"}

func stepParser() *dbop.Parser {
	var p dbop.Parser
	p.Step(names, 2)
	return &p
}

func TestReferences(t *testing.T) {
	t.Parallel()
	p := stepParser()
	got := p.Update(json.RawMessage(`{"a":{"$ref":"user.id"},"b":{"$inc":{"$ref":"user.row.n"}},"c":{"$literal":{"$ref":"user.id"}},"d":{"$literal":{"$ref":"nobody"}},
		"e":{"x":[{"$ref":"user.rows.0.id"}]},"f":[{"$ref":"user.id"},1],"g":{"x":{"$ref":1,"y":2}},"h":"user.id","i":{"$now":true},"j":{"$inc":1}}`), "/values")
	want := []dbop.Assignment{
		{Column: "a", Value: ref("user.id")},
		{Column: "b", Op: dbop.Inc, Value: ref("user.row.n")},
		{Column: "c", Value: dbop.Value{Kind: dbop.JSON, Text: `{"$ref":"user.id"}`}},
		{Column: "d", Value: dbop.Value{Kind: dbop.JSON, Text: `{"$ref":"nobody"}`}},
		{Column: "e", Value: dbop.Value{Kind: dbop.Template, Text: `{"x":[{"$ref":"user.rows.0.id"}]}`}},
		{Column: "f", Value: dbop.Value{Kind: dbop.Template, Text: `[{"$ref":"user.id"},1]`}},
		{Column: "g", Value: dbop.Value{Kind: dbop.JSON, Text: `{"x":{"$ref":1,"y":2}}`}},
		{Column: "h", Value: str("user.id")},
		{Column: "i", Op: dbop.Now},
		{Column: "j", Op: dbop.Inc, Value: num("1")},
	}
	if diff := cmp.Diff(want, got); diff != "" || len(p.Errors()) > 0 {
		t.Errorf("Update: errors %v, -want +got\n%s", p.Errors(), diff)
	}
	p = stepParser()
	cond := p.Where(json.RawMessage(`{"a":{"$ref":"user.id"},"b":{"$gt":{"$ref":"user.n"}},"c":{"$in":[1,{"$ref":"user.n"},null]},"d":{"$like":{"$ref":"user.s"}},
		"$or":[{"e":{"$not":{"$ne":{"$ref":"user.n"}}}},{"f":[{"$ref":"user.n"}]}]}`), "/where")
	wantCond := dbop.And{
		dbop.Compare{Column: "a", Op: dbop.Eq, Value: ref("user.id")},
		dbop.Compare{Column: "b", Op: dbop.Gt, Value: ref("user.n")},
		dbop.Or{dbop.In{Column: "c", Values: []dbop.Value{num("1"), ref("user.n")}}, dbop.IsNull{Column: "c"}},
		dbop.Compare{Column: "d", Op: dbop.Like, Value: ref("user.s")},
		dbop.Or{
			dbop.Not{Cond: dbop.Compare{Column: "e", Op: dbop.Ne, Value: ref("user.n")}},
			dbop.Compare{Column: "f", Op: dbop.Eq, Value: dbop.Value{Kind: dbop.Template, Text: `[{"$ref":"user.n"}]`}},
		},
	}
	if diff := cmp.Diff(dbop.Cond(wantCond), cond); diff != "" || len(p.Errors()) > 0 {
		t.Errorf("Where: errors %v, -want +got\n%s", p.Errors(), diff)
	}
}

func TestReferencesRefused(t *testing.T) {
	t.Parallel()
	const notAPath = `not a path; want the name of an earlier operation and what of its result, such as "user.id"; for an object as it stands write {"$literal":{…}}`
	for text, want := range map[string]job.FieldError{
		`{"a":{"$ref":"usr.id"}}`:                                {Pointer: "/v/a/$ref", Code: "unknown_reference", Message: `no earlier operation is called usr; did you mean "user"?`},
		`{"a":{"$ref":"nobody.id"}}`:                             {Pointer: "/v/a/$ref", Code: "unknown_reference", Message: "no earlier operation is called nobody; known are user"},
		`{"a":{"$ref":"later.id"}}`:                              {Pointer: "/v/a/$ref", Code: "unknown_reference", Message: "later is a later operation, the one at 3; put it before this one"},
		`{"a":{"$ref":"self.id"}}`:                               {Pointer: "/v/a/$ref", Code: "unknown_reference", Message: "self is this operation itself; its result is there for later ones"},
		`{"a":{"$ref":"user"}}`:                                  {Pointer: "/v/a/$ref", Code: "invalid_value", Message: notAPath},
		`{"a":{"$ref":""}}`:                                      {Pointer: "/v/a/$ref", Code: "invalid_value", Message: notAPath},
		`{"a":{"$ref":"user."}}`:                                 {Pointer: "/v/a/$ref", Code: "invalid_value", Message: notAPath},
		`{"a":{"$ref":"user..id"}}`:                              {Pointer: "/v/a/$ref", Code: "invalid_value", Message: notAPath},
		`{"a":{"$ref":".id"}}`:                                   {Pointer: "/v/a/$ref", Code: "invalid_value", Message: notAPath},
		`{"a":{"$ref":"#/definitions/a"}}`:                       {Pointer: "/v/a/$ref", Code: "invalid_value", Message: notAPath},
		`{"a":{"$ref":"user.` + strings.Repeat("x", 508) + `"}}`: {Pointer: "/v/a/$ref", Code: "too_long", Message: "the path has 513 bytes; want at most 512"},
		`{"a":{"$ref":7}}`:                                       {Pointer: "/v/a/$ref", Code: "wrong_type", Message: "want a string, got a number"},
		`{"a":{"$ref":["user","id"]}}`:                           {Pointer: "/v/a/$ref", Code: "wrong_type", Message: "want a string, got an array"},
		`{"a":{"$ref":"user.id","b":1}}`:                         {Pointer: "/v/a/$ref", Code: "unknown_operator", Message: `an operator stands alone; for an object with such a member write {"$literal":{…}}`},
		`{"a":{"$inc":{"$ref":"nobody.id"}}}`:                    {Pointer: "/v/a/$inc/$ref", Code: "unknown_reference", Message: "no earlier operation is called nobody; known are user"},
		`{"a":{"$inc":{"$ref":"user.id","b":1}}}`:                {Pointer: "/v/a/$inc", Code: "wrong_type", Message: "want a number, got an object"},
		`{"a":{"$base64":{"$ref":"user.id"}}}`:                   {Pointer: "/v/a/$base64", Code: "wrong_type", Message: "want a string, got an object"},
		`{"a":{"b/c":[1,{"$ref":"nobody.id"}]}}`:                 {Pointer: "/v/a/b~1c/1/$ref", Code: "unknown_reference", Message: "no earlier operation is called nobody; known are user"},
		`{"a":{"b":{"$ref":"#/definitions/x"}}}`:                 {Pointer: "/v/a/b/$ref", Code: "invalid_value", Message: notAPath},
		`{"a":{"$reff":"user.id"}}`:                              {Pointer: "/v/a/$reff", Code: "unknown_operator", Message: `no such operator here; did you mean "$ref"?`},
	} {
		p := stepParser()
		p.Update(json.RawMessage(text), "/v")
		if diff := cmp.Diff([]job.FieldError{want}, p.Errors()); diff != "" {
			t.Errorf("%.60s: -want +got\n%s", text, diff)
		}
	}
	for text, want := range map[string]job.FieldError{
		`{"$ref":"user.id"}`:                   {Pointer: "/w/$ref", Code: "unknown_operator", Message: "no such operator here; known are $and, $or, $not"},
		`{"a":{"$in":{"$ref":"user.rows"}}}`:   {Pointer: "/w/a/$in", Code: "wrong_type", Message: "want an array, got an object"},
		`{"a":{"$in":[{"$ref":"later.id"}]}}`:  {Pointer: "/w/a/$in/0/$ref", Code: "unknown_reference", Message: "later is a later operation, the one at 3; put it before this one"},
		`{"a":{"$null":{"$ref":"user.id"}}}`:   {Pointer: "/w/a/$null", Code: "wrong_type", Message: "want true or false, got an object"},
		`{"a":{"$gt":[{"$ref":"user.id"}]}}`:   {Pointer: "/w/a/$gt", Code: "wrong_type", Message: "want a number, a string or a boolean, got an array"},
		`{"a":{"$like":[{"$ref":"user.id"}]}}`: {Pointer: "/w/a/$like", Code: "wrong_type", Message: "want a string, got an array"},
		`{"$not":{"a":{"$ref":"nobody.id"}}}`:  {Pointer: "/w/$not/a/$ref", Code: "unknown_reference", Message: "no earlier operation is called nobody; known are user"},
		`{"a":{"$ref":"user.id","$gt":1}}`:     {Pointer: "/w/a/$ref", Code: "unknown_operator", Message: `an operator stands alone; for an object with such a member write {"$literal":{…}}`},
	} {
		p := stepParser()
		p.Where(json.RawMessage(text), "/w")
		if diff := cmp.Diff([]job.FieldError{want}, p.Errors()); diff != "" {
			t.Errorf("%.60s: -want +got\n%s", text, diff)
		}
	}
}

// results are those of two steps: one with a row, one with rows.
func results() *dbop.Results {
	var r dbop.Results
	r.Add("user", json.RawMessage(`{"id":7,"row":{"id":"eight","n":9007199254740993,"d":"10.50","t":true,"z":null,"rows_affected":5,"b":{"$base64":"aGk="},
		"j":{"a":[1,{"$base64":"aGk="}],"a":[2,3.0]},"row":"inner","s":"a\u00e9"},"rows_affected":1}`))
	r.Add("all", json.RawMessage(`{"rows":[{"id":1},{"id":2}],"count":2,"cached":false}`))
	r.Add("none", json.RawMessage(`{"row":null,"cached":false}`))
	return &r
}

func TestResolve(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]dbop.Value{
		"user.row.n": num("9007199254740993"), "user.n": num("9007199254740993"), "user.d": str("10.50"), "user.t": {Kind: dbop.Bool, Text: "true"},
		"user.z": {}, "user.s": str("aé"), "user.b": {Kind: dbop.Bytes, Text: "hi"},
		"user.id": str("eight"), "user.rows_affected": num("5"), // the row comes first
		"user.row.row": str("inner"),
		"user.j.a.1":   num("3.0"), "user.row.j.a": {Kind: dbop.JSON, Text: "[2,3.0]"},
		"all.rows.1.id": num("2"), "all.rows.0": {Kind: dbop.JSON, Text: `{"id":1}`}, "all.count": num("2"), "all.cached": {Kind: dbop.Bool, Text: "false"},
		"none.row": {}, "none.cached": {Kind: dbop.Bool, Text: "false"},
	} {
		op := dbop.Operation{Op: dbop.InsertOne, Rows: [][]dbop.Assignment{{{Column: "c", Value: ref(path)}}}}
		got, err := op.Resolve(results(), func(string) bool { return false })
		if err != nil || got.Rows[0][0].Value != want {
			t.Errorf("Resolve(%s) = %v, %v, want %v", path, got.Rows, err, want)
		}
		if op.Rows[0][0].Value != ref(path) {
			t.Errorf("Resolve(%s) has changed the operation", path)
		}
	}
}

func TestResolveForJSONColumn(t *testing.T) {
	t.Parallel()
	op := dbop.Operation{Op: dbop.InsertOne, Rows: [][]dbop.Assignment{{
		{Column: "doc", Value: ref("user.b")},
		{Column: "doc", Value: dbop.Value{Kind: dbop.Template, Text: `{"a":{"$ref":"user.b"},"b":[],"c":[{"$ref":"user.z"},{"\u0024ref":"user.n"}],"d\n":{"$ref":"user.n","x":1}}`}},
	}}}
	got, err := op.Resolve(results(), func(column string) bool { return column == "doc" })
	want := []dbop.Assignment{
		{Column: "doc", Value: dbop.Value{Kind: dbop.JSON, Text: `{"$base64":"aGk="}`}},
		{Column: "doc", Value: dbop.Value{Kind: dbop.JSON, Text: `{"a":{"$base64":"aGk="},"b":[],"c":[null,9007199254740993],"d\n":{"$ref":"user.n","x":1}}`}},
	}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.Rows[0]); diff != "" {
		t.Errorf("Resolve: -want +got\n%s", diff)
	}
}

func TestResolveWhere(t *testing.T) {
	t.Parallel()
	compare := func(op dbop.CompareOp, v dbop.Value) dbop.Cond { return dbop.Compare{Column: "c", Op: op, Value: v} }
	null, notNull := dbop.IsNull{Column: "c"}, dbop.IsNull{Column: "c", Negated: true}
	in := func(negated bool, values ...dbop.Value) dbop.In {
		return dbop.In{Column: "c", Negated: negated, Values: values}
	}
	for name, c := range map[string]struct{ where, want dbop.Cond }{
		"equal":              {compare(dbop.Eq, ref("all.count")), compare(dbop.Eq, num("2"))},
		"null":               {compare(dbop.Eq, ref("user.z")), null},
		"not null":           {compare(dbop.Ne, ref("user.z")), notNull},
		"among":              {in(false, num("1"), ref("all.count")), in(false, num("1"), num("2"))},
		"null among":         {in(false, num("1"), ref("user.z")), dbop.Or{in(false, num("1")), null}},
		"null among nothing": {in(false, ref("user.z")), null},
		"not null among":     {in(true, num("1"), ref("user.z")), dbop.And{in(true, num("1")), notNull}},
		"inside":             {dbop.And{dbop.Or{compare(dbop.Like, ref("user.s"))}, dbop.Not{Cond: null}, null}, dbop.And{dbop.Or{compare(dbop.Like, str("aé"))}, dbop.Not{Cond: null}, null}},
	} {
		got, err := dbop.Operation{Op: dbop.DeleteMany, Where: c.where}.Resolve(results(), func(string) bool { return false })
		if diff := cmp.Diff(c.want, got.Where); err != nil || diff != "" {
			t.Errorf("%s: %v, -want +got\n%s", name, err, diff)
		}
	}
}

func TestResolveRefuses(t *testing.T) {
	t.Parallel()
	var large dbop.Results
	text := strings.Repeat("x", 1<<20)
	large.Add("big", json.RawMessage(`{"row":{"text":"`+text+`"}}`))
	var copies []dbop.Assignment
	for i := range 17 {
		copies = append(copies, dbop.Assignment{Column: fmt.Sprint("c", i), Value: ref("big.text")})
	}
	compare := func(op dbop.CompareOp, path string) dbop.Operation {
		return dbop.Operation{Op: dbop.SelectMany, Where: dbop.Compare{Column: "c", Op: op, Value: ref(path)}}
	}
	inc := func(path string) dbop.Operation {
		return dbop.Operation{Op: dbop.UpdateOne, Where: dbop.IsNull{Column: "c"}, Set: []dbop.Assignment{{Column: "c", Op: dbop.Inc, Value: ref(path)}}}
	}
	for _, c := range []struct {
		name    string
		op      dbop.Operation
		results *dbop.Results
		want    string
	}{
		{"no result", compare(dbop.Eq, "nobody.id"), results(), "$ref nobody.id: there is no result of an operation called nobody"},
		{"no member", compare(dbop.Eq, "user.nope"), results(), `$ref user.nope: user has no "nope"; it has id, row, rows_affected; row has id, n, d, t, z, rows_affected, b, j, row, s`},
		{"no member of the row", compare(dbop.Eq, "user.row.nope"), results(), `$ref user.row.nope: user.row has no "nope"; it has id, n, d, t, z, rows_affected, b, j, row, s`},
		{"no row", compare(dbop.Eq, "none.row.id"), results(), "$ref none.row.id: none.row is null"},
		{"no element", compare(dbop.Eq, "all.rows.2.id"), results(), "$ref all.rows.2.id: all.rows has 2 elements"},
		{"leading zero", compare(dbop.Eq, "all.rows.00.id"), results(), "$ref all.rows.00.id: all.rows has 2 elements"},
		{"greater than null", compare(dbop.Gt, "user.z"), results(), `$ref user.z: nothing compares with null; write {"$null":true} or {"$null":false}`},
		{"like a number", compare(dbop.Like, "user.n"), results(), "$ref user.n: want a string, got a number"},
		{"like null", compare(dbop.Like, "user.z"), results(), `$ref user.z: nothing compares with null; write {"$null":true} or {"$null":false}`},
		{"greater than an array", compare(dbop.Gt, "all.rows"), results(), "$ref all.rows: want a number, a string or a boolean, got an array"},
		{"too long", compare(dbop.Eq, "big.text"), &large, "$ref big.text: too long to compare with"},
		{"too much", dbop.Operation{Op: dbop.InsertOne, Rows: [][]dbop.Assignment{copies}}, &large, "$ref big.text: the references bring more than 16777216 bytes in all"},
		{"sum of text", inc("user.s"), results(), "$ref user.s: not a number, which $inc of c wants"},
		{"sum of null", inc("user.z"), results(), "$ref user.z: not a number, which $inc of c wants"},
		{"sum of a boolean", inc("user.t"), results(), "$ref user.t: not a number, which $inc of c wants"},
		{"in a template", dbop.Operation{Op: dbop.InsertOne, Rows: [][]dbop.Assignment{{{Column: "c", Value: dbop.Value{Kind: dbop.Template, Text: `[[{"$ref":"none.id"}]]`}}}}}, results(),
			`$ref none.id: none has no "id"; it has row, cached; row is null`},
		{"every row", dbop.Operation{Op: dbop.UpdateMany, Where: dbop.Or{dbop.Compare{Column: "c", Op: dbop.Eq, Value: ref("user.z")}, dbop.IsNull{Column: "c", Negated: true}}}, results(),
			"with what its references stand for, the where cannot exclude any row"},
	} {
		_, err := c.op.Resolve(c.results, func(string) bool { return false })
		var f *job.Failure
		if !errors.As(err, &f) || f.Code != job.CodeInvalidReference || f.Class != job.ClassPermanent || f.Message != c.want {
			t.Errorf("%s: Resolve = %v, want %s", c.name, err, c.want)
		}
	}
	sum, err := inc("user.d").Resolve(results(), func(string) bool { return false })
	if err != nil || sum.Set[0].Value != num("10.50") {
		t.Errorf("a decimal to add = %v, %v, want 10.50", sum.Set, err)
	}
}

// Many references into one large result read it once.
func BenchmarkResolve(b *testing.B) {
	var rows []string
	op := dbop.Operation{Op: dbop.InsertMany}
	for i := range 10_000 {
		rows = append(rows, fmt.Sprintf(`{"id":%d,"name":"somebody"}`, i))
		op.Rows = append(op.Rows, []dbop.Assignment{{Column: "id", Value: ref(fmt.Sprintf("all.rows.%d.id", i))}})
	}
	result := json.RawMessage(`{"rows":[` + strings.Join(rows, ",") + `]}`)
	for b.Loop() {
		var r dbop.Results
		r.Add("all", result)
		if _, err := op.Resolve(&r, func(string) bool { return false }); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzResolve holds Resolve to this, whatever a database returns and a path
// says: it does not panic, and what it finds is part of the result.
func FuzzResolve(f *testing.F) {
	f.Add([]byte(`{"row":{"id":1,"j":[{"a":"\ud800"}]}}`), "a.row.j.0.a")
	f.Add([]byte(`{"rows":[{"id":1},`), "a.rows.1.id")
	f.Add([]byte(`[`), "a.0")
	f.Fuzz(func(t *testing.T, result []byte, path string) {
		var r dbop.Results
		r.Add("a", result)
		op := dbop.Operation{Op: dbop.UpdateOne, Where: dbop.Compare{Column: "c", Op: dbop.Eq, Value: ref(path)}}
		got, err := op.Resolve(&r, func(string) bool { return false })
		var failure *job.Failure
		if err != nil && (!errors.As(err, &failure) || failure.Code != job.CodeInvalidReference) {
			t.Fatalf("Resolve = %v", err)
		}
		if c, ok := got.Where.(dbop.Compare); err == nil && ok && (c.Value.Kind == dbop.Reference || c.Value.Kind == dbop.Template) {
			t.Fatalf("Resolve left %v", c.Value)
		}
	})
}

func ExampleOperation_Resolve() {
	var earlier dbop.Results
	earlier.Add("user", json.RawMessage(`{"id":7,"rows_affected":1}`))
	order := dbop.Operation{Op: dbop.InsertOne, Table: "orders", Rows: [][]dbop.Assignment{
		{{Column: "user_id", Value: dbop.Value{Kind: dbop.Reference, Text: "user.id"}}},
	}}
	resolved, err := order.Resolve(&earlier, func(string) bool { return false })
	fmt.Println(resolved.Rows[0][0].Value.Text, err)
	// Output: 7 <nil>
}
