package dbop_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
	"github.com/google/go-cmp/cmp"
)

func TestParseValue(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]dbop.Value{
		`null`:                                  {Kind: dbop.Null},
		` "a\u00e9" `:                           str("aé"),
		`-12.50`:                                num("-12.50"),
		`9007199254740993`:                      num("9007199254740993"),
		`false`:                                 {Kind: dbop.Bool, Text: "false"},
		`{"$base64":"aGk="}`:                    {Kind: dbop.Bytes, Text: "hi"},
		`{ "a" : [1] }`:                         {Kind: dbop.JSON, Text: `{ "a" : [1] }`},
		`[]`:                                    {Kind: dbop.JSON, Text: `[]`},
		`{}`:                                    {Kind: dbop.JSON, Text: `{}`},
		`{"$literal":{"$ref":1}}`:               {Kind: dbop.JSON, Text: `{"$ref":1}`},
		`{"$literal":"x"}`:                      str("x"),
		`"` + strings.Repeat("x", 70_000) + `"`: str(strings.Repeat("x", 70_000)),
	} {
		got, errs := dbop.ParseValue(json.RawMessage(text), "/v")
		if len(errs) > 0 || got != want {
			t.Errorf("ParseValue(%.40s) = %v, %v, want %v", text, got, errs, want)
		}
	}
	for text, want := range map[string]job.FieldError{
		`{"$ref":"user.id"}`:    {Pointer: "/v/$ref", Code: "unknown_operator", Message: "no such operator here; known are $literal, $base64"},
		`{"a":1,"$b":2}`:        {Pointer: "/v/$b", Code: "unknown_operator", Message: `an operator stands alone; for an object with such a member write {"$literal":{…}}`},
		`{"$base64":"a"}`:       {Pointer: "/v/$base64", Code: "invalid_value", Message: "not base64; want the standard alphabet with padding (RFC 4648 §4)"},
		`{"$base64":"aGk=\n"}`:  {Pointer: "/v/$base64", Code: "invalid_value", Message: "not base64; want the standard alphabet with padding (RFC 4648 §4)"},
		`["\u0000"]`:            {Pointer: "/v/0", Code: "nul", Message: `holds the character \u0000, which is not allowed`},
		strings.Repeat("[", 33): {Pointer: "/v" + strings.Repeat("/0", 32), Code: "too_deep", Message: "nested deeper than 32 levels"},
		`1 2`:                   {Pointer: "/v", Code: "trailing_data", Message: "something follows the JSON value at line 1, column 3; send one value"},
	} {
		_, errs := dbop.ParseValue(json.RawMessage(text), "/v")
		if diff := cmp.Diff([]job.FieldError{want}, errs); diff != "" {
			t.Errorf("ParseValue(%.40s): -want +got\n%s", text, diff)
		}
	}
}

func TestAssignments(t *testing.T) {
	t.Parallel()
	var p dbop.Parser
	update := p.Update(json.RawMessage(`{"z":"x","balance":{"$inc":-10},"fee":{"$inc":"0.25"},"at":{"$now":true},"meta":{"k":1},"gone":null}`), "/values")
	want := []dbop.Assignment{
		{Column: "z", Value: str("x")},
		{Column: "balance", Op: dbop.Inc, Value: num("-10")},
		{Column: "fee", Op: dbop.Inc, Value: num("0.25")},
		{Column: "at", Op: dbop.Now},
		{Column: "meta", Value: dbop.Value{Kind: dbop.JSON, Text: `{"k":1}`}},
		{Column: "gone", Value: dbop.Value{Kind: dbop.Null}},
	}
	if diff := cmp.Diff(want, update); diff != "" || len(p.Errors()) > 0 {
		t.Errorf("Update: errors %v, -want +got\n%s", p.Errors(), diff)
	}
	rows := p.Rows(json.RawMessage(`[{"a":1},{"b":{"$now":true}}]`), "/rows")
	wantRows := [][]dbop.Assignment{{{Column: "a", Value: num("1")}}, {{Column: "b", Op: dbop.Now}}}
	if diff := cmp.Diff(wantRows, rows); diff != "" || len(p.Errors()) > 0 {
		t.Errorf("Rows: errors %v, -want +got\n%s", p.Errors(), diff)
	}
}

func TestParserRefuses(t *testing.T) {
	t.Parallel()
	rows := [][]dbop.Assignment{{{Column: "id"}, {Column: "name"}}, {{Column: "id"}}}
	tests := []struct {
		name string
		read func(p *dbop.Parser)
		want []job.FieldError
	}{
		{"no values", func(p *dbop.Parser) { p.Update(nil, "/v") }, []job.FieldError{{Pointer: "/v", Code: "required", Message: "the values are missing; want an object of columns and values"}}},
		{"null values", func(p *dbop.Parser) { p.Insert(json.RawMessage(`null`), "/v") }, []job.FieldError{{Pointer: "/v", Code: "required", Message: "the values are missing; want an object of columns and values"}}},
		{"empty values", func(p *dbop.Parser) { p.Insert(json.RawMessage(`{}`), "/v") }, []job.FieldError{{Pointer: "/v", Code: "required", Message: "there are no values; want at least one column"}}},
		{"array of values", func(p *dbop.Parser) { p.Insert(json.RawMessage(`[1]`), "/v") }, []job.FieldError{{Pointer: "/v", Code: "wrong_type", Message: "want an object of columns and values, got an array"}}},
		{"$inc in a new row", func(p *dbop.Parser) { p.Insert(json.RawMessage(`{"a":{"$inc":1}}`), "/v") }, []job.FieldError{{Pointer: "/v/a/$inc", Code: "unknown_operator", Message: "a new row has nothing to add to; $inc goes with updates"}}},
		{"$inc of text", func(p *dbop.Parser) { p.Update(json.RawMessage(`{"a":{"$inc":"1 OR 1"}}`), "/v") }, []job.FieldError{{Pointer: "/v/a/$inc", Code: "invalid_value", Message: `not a number; want one such as -10 or "0.25"`}}},
		{"$inc of null", func(p *dbop.Parser) { p.Update(json.RawMessage(`{"a":{"$inc":null}}`), "/v") }, []job.FieldError{{Pointer: "/v/a/$inc", Code: "wrong_type", Message: "want a number, got null"}}},
		{"$now false", func(p *dbop.Parser) { p.Update(json.RawMessage(`{"a":{"$now":false}}`), "/v") }, []job.FieldError{{Pointer: "/v/a/$now", Code: "invalid_value", Message: "want true"}}},
		{"$now 1", func(p *dbop.Parser) { p.Update(json.RawMessage(`{"a":{"$now":1}}`), "/v") }, []job.FieldError{{Pointer: "/v/a/$now", Code: "wrong_type", Message: "want true, got a number"}}},
		{"$dec", func(p *dbop.Parser) { p.Update(json.RawMessage(`{"a":{"$dec":1}}`), "/v") }, []job.FieldError{{Pointer: "/v/a/$dec", Code: "unknown_operator", Message: "no such operator here; known are $literal, $base64"}}},
		{"column", func(p *dbop.Parser) { p.Update(json.RawMessage(`{"a;b":1}`), "/v") }, []job.FieldError{{Pointer: "/v/a;b", Code: "invalid_name", Message: "not a name; want up to 64 letters, digits, _, $ and -, beginning with a letter or _"}}},
		{"no rows", func(p *dbop.Parser) { p.Rows(json.RawMessage(`[]`), "/r") }, []job.FieldError{{Pointer: "/r", Code: "required", Message: "there are no rows; want at least one"}}},
		{"rows missing", func(p *dbop.Parser) { p.Rows(nil, "/r") }, []job.FieldError{{Pointer: "/r", Code: "required", Message: "the rows are missing; want an array of objects"}}},
		{"rows of object", func(p *dbop.Parser) { p.Rows(json.RawMessage(`{"a":1}`), "/r") }, []job.FieldError{{Pointer: "/r", Code: "wrong_type", Message: "want an array of objects, got an object"}}},
		{"bad row", func(p *dbop.Parser) { p.Rows(json.RawMessage(`[{"a":1},2]`), "/r") }, []job.FieldError{{Pointer: "/r/1", Code: "wrong_type", Message: "want an object of columns and values, got a number"}}},
		{"10,001 rows", func(p *dbop.Parser) { p.Rows(json.RawMessage(`[`+many(10_001, `{"a":%d}`)+`]`), "/r") }, []job.FieldError{{Pointer: "/r", Code: "too_many", Message: "more than 10000 rows; send them in several jobs"}}},
		{"order", func(p *dbop.Parser) { p.OrderBy([]string{"a", "--b", "a"}, "/o") }, []job.FieldError{
			{Pointer: "/o/1", Code: "invalid_name", Message: "not a name; want up to 64 letters, digits, _, $ and -, beginning with a letter or _"},
			{Pointer: "/o/2", Code: "duplicate_column", Message: "the column a is listed twice"}}},
		{"columns", func(p *dbop.Parser) { p.Columns(make([]string, 1001), "/c") }, []job.FieldError{{Pointer: "/c", Code: "too_many", Message: "1001 columns; want at most 1000"}}},
		{"table", func(p *dbop.Parser) { p.Table("users; DROP TABLE x", "/t") }, []job.FieldError{{Pointer: "/t", Code: "invalid_name", Message: "not a name; want up to 64 letters, digits, _, $ and -, beginning with a letter or _"}}},
		{"conflict without anything", func(p *dbop.Parser) { p.OnConflict(nil, "", nil, rows, "/c") }, []job.FieldError{
			{Pointer: "/c/action", Code: "required", Message: "want ignore or update"}}},
		{"conflict updates without columns", func(p *dbop.Parser) { p.OnConflict(nil, "update", []string{"id"}, rows, "/c") }, []job.FieldError{
			{Pointer: "/c/columns", Code: "required", Message: "name the columns of a unique constraint"}}},
		{"conflict replaces", func(p *dbop.Parser) { p.OnConflict([]string{"id"}, "replace", nil, rows, "/c") }, []job.FieldError{{Pointer: "/c/action", Code: "not_allowed", Message: "want ignore or update"}}},
		{"conflict ignores and updates", func(p *dbop.Parser) { p.OnConflict([]string{"id"}, "ignore", []string{"name"}, rows, "/c") }, []job.FieldError{{Pointer: "/c/update", Code: "not_allowed", Message: "goes with the action update"}}},
		{"conflict updates nothing", func(p *dbop.Parser) { p.OnConflict([]string{"id"}, "update", nil, rows, "/c") }, []job.FieldError{{Pointer: "/c/update", Code: "required", Message: "no column is left to take from the new row; want ignore, or more values"}}},
		{"conflict updates what is not given", func(p *dbop.Parser) { p.OnConflict([]string{"id"}, "update", []string{"id", "name"}, rows, "/c") }, []job.FieldError{{Pointer: "/c/update/1", Code: "required", Message: "not every new row has a value for name"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var p dbop.Parser
			tt.read(&p)
			if diff := cmp.Diff(tt.want, p.Errors()); diff != "" {
				t.Errorf("Errors: -want +got\n%s", diff)
			}
		})
	}
}

func TestOrderBy(t *testing.T) {
	t.Parallel()
	var p dbop.Parser
	order := p.OrderBy([]string{"-created_at", "id"}, "/order_by")
	if want := []dbop.Order{{Column: "created_at", Descending: true}, {Column: "id"}}; !cmp.Equal(order, want) || len(p.Errors()) > 0 {
		t.Errorf("OrderBy = %v, %v, want %v", order, p.Errors(), want)
	}
}

func TestOnConflict(t *testing.T) {
	t.Parallel()
	rows := [][]dbop.Assignment{{{Column: "id"}, {Column: "name"}, {Column: "age"}}, {{Column: "name"}, {Column: "id"}}}
	tests := []struct {
		name            string
		columns, update []string
		action          string
		want            dbop.OnConflict
	}{
		{"ignore any", nil, nil, "ignore", dbop.OnConflict{Action: dbop.ConflictIgnore}},
		{"ignore one", []string{"id"}, nil, "ignore", dbop.OnConflict{Action: dbop.ConflictIgnore, Columns: []string{"id"}}},
		{"update", []string{"id"}, []string{"name"}, "update", dbop.OnConflict{Action: dbop.ConflictUpdate, Columns: []string{"id"}, Update: []string{"name"}}},
		{"update what all rows have", []string{"id"}, nil, "update", dbop.OnConflict{Action: dbop.ConflictUpdate, Columns: []string{"id"}, Update: []string{"name"}}},
	}
	for _, tt := range tests {
		var p dbop.Parser
		got := p.OnConflict(tt.columns, tt.action, tt.update, rows, "/c")
		if diff := cmp.Diff(&tt.want, got); diff != "" || len(p.Errors()) > 0 {
			t.Errorf("%s: OnConflict: errors %v, -want +got\n%s", tt.name, p.Errors(), diff)
		}
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"users": true, "app.users": true, "_x$1": true, "Größe": true, "": false, ".users": false, "app.": false, "a.b.c": false,
		"users; DROP TABLE x": false, "a b": false, `a"b`: false, "a`b": false, "a'b": false, "1a": false, "-a": false, "a\nb": false, "*": false,
	} {
		var p dbop.Parser
		if got := p.Table(name, "/table"); got != want || (len(p.Errors()) == 0) != want {
			t.Errorf("Table(%q) = %v, %v, want %v", name, got, p.Errors(), want)
		}
	}
}

func TestRefs(t *testing.T) {
	t.Parallel()
	var p dbop.Parser
	p.Where(json.RawMessage(`{"a":1,"$or":[{"b":{"$in":[1,null]}},{"$not":{"a":2}}],"c d":3}`), "/args/where")
	want := []dbop.Ref{{"a", "/args/where/a"}, {"b", "/args/where/$or/0/b"}, {"a", "/args/where/$or/1/$not/a"}}
	if diff := cmp.Diff(want, p.Refs()); diff != "" {
		t.Errorf("Refs: -want +got\n%s", diff)
	}
}
