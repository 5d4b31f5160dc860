package dbop_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
	"github.com/google/go-cmp/cmp"
)

func str(s string) dbop.Value { return dbop.Value{Kind: dbop.String, Text: s} }
func num(s string) dbop.Value { return dbop.Value{Kind: dbop.Number, Text: s} }
func eq(column string, v dbop.Value) dbop.Cond {
	return dbop.Compare{Column: column, Op: dbop.Eq, Value: v}
}

func cmpOp(column string, op dbop.CompareOp, v dbop.Value) dbop.Cond {
	return dbop.Compare{Column: column, Op: op, Value: v}
}

func TestParseWhere(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, where string
		want        dbop.Cond
	}{
		{"absent", ``, nil},
		{"null", `null`, nil},
		{"empty", `{}`, dbop.And(nil)},
		{"equals", `{"status":"active"}`, eq("status", str("active"))},
		{"is null", `{"deleted_at":null}`, dbop.IsNull{Column: "deleted_at"}},
		{"several columns keep their order", ` { "z" : 1 , "a" : true } `, dbop.And{eq("z", num("1")), eq("a", dbop.Value{Kind: dbop.Bool, Text: "true"})}},
		{"several operators", `{"age":{"$gte":18,"$lt":65}}`, dbop.And{cmpOp("age", dbop.Gte, num("18")), cmpOp("age", dbop.Lt, num("65"))}},
		{"operators beside columns", `{"a":1,"age":{"$gt":1,"$ne":3}}`, dbop.And{eq("a", num("1")), cmpOp("age", dbop.Gt, num("1")), cmpOp("age", dbop.Ne, num("3"))}},
		{"$eq null", `{"a":{"$eq":null}}`, dbop.IsNull{Column: "a"}},
		{"$ne null", `{"a":{"$ne":null}}`, dbop.IsNull{Column: "a", Negated: true}},
		{"$null true", `{"a":{"$null":true}}`, dbop.IsNull{Column: "a"}},
		{"$null false", `{"a":{"$null":false}}`, dbop.IsNull{Column: "a", Negated: true}},
		{"$lte", `{"a":{"$lte":1.50}}`, cmpOp("a", dbop.Lte, num("1.50"))},
		{"64 bits", `{"a":18446744073709551615}`, eq("a", num("18446744073709551615"))},
		{"$like", `{"a":{"$like":"%\\_%\\\\"}}`, cmpOp("a", dbop.Like, str(`%\_%\\`))},
		{"$in", `{"a":{"$in":[1,"x",true]}}`, dbop.In{Column: "a", Values: []dbop.Value{num("1"), str("x"), {Kind: dbop.Bool, Text: "true"}}}},
		{"$in nothing", `{"a":{"$in":[]}}`, dbop.In{Column: "a"}},
		{"$nin", `{"a":{"$nin":[1]}}`, dbop.In{Column: "a", Negated: true, Values: []dbop.Value{num("1")}}},
		{"$in with null", `{"a":{"$in":[1,null]}}`, dbop.Or{dbop.In{Column: "a", Values: []dbop.Value{num("1")}}, dbop.IsNull{Column: "a"}}},
		{"$nin with null", `{"a":{"$nin":[null,1]}}`, dbop.And{dbop.In{Column: "a", Negated: true, Values: []dbop.Value{num("1")}}, dbop.IsNull{Column: "a", Negated: true}}},
		{"$in null alone", `{"a":{"$in":[null]}}`, dbop.IsNull{Column: "a"}},
		{"$or", `{"$or":[{"a":1},{"b":2,"c":3}]}`, dbop.Or{eq("a", num("1")), dbop.And{eq("b", num("2")), eq("c", num("3"))}}},
		{"$or of none", `{"$or":[]}`, dbop.Or(nil)},
		{"$and", `{"$and":[{"a":1},{"a":2}],"b":3}`, dbop.And{dbop.And{eq("a", num("1")), eq("a", num("2"))}, eq("b", num("3"))}},
		{"$not", `{"$not":{"a":1}}`, dbop.Not{Cond: eq("a", num("1"))}},
		{"$not of a column", `{"a":{"$not":{"$gt":1,"$lt":9}}}`, dbop.Not{Cond: dbop.And{cmpOp("a", dbop.Gt, num("1")), cmpOp("a", dbop.Lt, num("9"))}}},
		{"array is JSON", `{"a":[1, 2]}`, eq("a", dbop.Value{Kind: dbop.JSON, Text: `[1, 2]`})},
		{"object is JSON", `{"a":{"b":{"$gt":1}}}`, eq("a", dbop.Value{Kind: dbop.JSON, Text: `{"b":{"$gt":1}}`})},
		{"$literal", `{"a":{"$literal":{"$gt":1}}}`, eq("a", dbop.Value{Kind: dbop.JSON, Text: `{"$gt":1}`})},
		{"$literal null", `{"a":{"$literal":null}}`, dbop.IsNull{Column: "a"}},
		{"$eq $literal", `{"a":{"$eq":{"$literal":{}}}}`, eq("a", dbop.Value{Kind: dbop.JSON, Text: `{}`})},
		{"$base64", `{"a":{"$base64":"AAH/"}}`, eq("a", dbop.Value{Kind: dbop.Bytes, Text: "\x00\x01\xff"})},
		{"$in $base64", `{"a":{"$in":[{"$base64":""}]}}`, dbop.In{Column: "a", Values: []dbop.Value{{Kind: dbop.Bytes}}}},
		{"quote and dash", `{"a":"'; --"}`, eq("a", str("'; --"))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, errs := dbop.ParseWhere(json.RawMessage(tt.where), "/args/where")
			if len(errs) > 0 {
				t.Fatalf("ParseWhere(%s) = %v, want no error", tt.where, errs)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("ParseWhere(%s): -want +got\n%s", tt.where, diff)
			}
		})
	}
}

func many(n int, format string) string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprintf(format, i)
	}
	return strings.Join(items, ",")
}

func TestParseWhereRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, where string
		want        []job.FieldError
	}{
		{"not JSON", `{"a":1`, []job.FieldError{{Pointer: "/where", Code: "not_json", Message: "not JSON: the text ends at line 1, column 7, in the middle of a value"}}},
		{"array", `[]`, []job.FieldError{{Pointer: "/where", Code: "wrong_type", Message: "want an object, got an array"}}},
		{"regexp", `{"a":{"$regexp":"x"}}`, []job.FieldError{{Pointer: "/where/a/$regexp", Code: "unknown_operator",
			Message: "no such operator here; known are $eq, $ne, $gt, $gte, $lt, $lte, $in, $nin, $like, $null, $not"}}},
		{"near", `{"a":{"$gtee":1}}`, []job.FieldError{{Pointer: "/where/a/$gtee", Code: "unknown_operator", Message: `no such operator here; did you mean "$gte"?`}}},
		{"raw", `{"$raw":"1=1"}`, []job.FieldError{{Pointer: "/where/$raw", Code: "unknown_operator", Message: "no such operator here; known are $and, $or, $not"}}},
		{"operator without column", `{"$gt":1}`, []job.FieldError{{Pointer: "/where/$gt", Code: "unknown_operator", Message: "no such operator here; known are $and, $or, $not"}}},
		{"operators and names", `{"a":{"$gt":1,"b":2}}`, []job.FieldError{{Pointer: "/where/a/b", Code: "unknown_operator",
			Message: "no such operator here; known are $eq, $ne, $gt, $gte, $lt, $lte, $in, $nin, $like, $null, $not"}}},
		{"$inc", `{"a":{"$eq":{"$inc":1}}}`, []job.FieldError{{Pointer: "/where/a/$eq/$inc", Code: "unknown_operator", Message: "no such operator here; known are $literal, $base64"}}},
		{"$literal with company", `{"a":{"$literal":1,"$gt":2}}`, []job.FieldError{{Pointer: "/where/a/$literal", Code: "unknown_operator",
			Message: `an operator stands alone; for an object with such a member write {"$literal":{…}}`}}},
		{"no comparison", `{"a":{}}`, []job.FieldError{{Pointer: "/where/a", Code: "empty_where", Message: `names no comparison; to compare with an empty object write {"$literal":{}}`}}},
		{"injection in column", `{"\"id\" OR 1=1":1}`, []job.FieldError{{Pointer: `/where/"id" OR 1=1`, Code: "invalid_name",
			Message: "not a name; want up to 64 letters, digits, _, $ and -, beginning with a letter or _"}}},
		{"no column", `{"":1}`, []job.FieldError{{Pointer: `/where/`, Code: "required", Message: "the name is missing"}}},
		{"$and of object", `{"$and":{"a":1}}`, []job.FieldError{{Pointer: "/where/$and", Code: "wrong_type", Message: "want an array of objects, got an object"}}},
		{"$or of scalars", `{"$or":[1]}`, []job.FieldError{{Pointer: "/where/$or/0", Code: "wrong_type", Message: "want an object, got a number"}}},
		{"$not of array", `{"$not":[]}`, []job.FieldError{{Pointer: "/where/$not", Code: "wrong_type", Message: "want an object, got an array"}}},
		{"column $not of value", `{"a":{"$not":1}}`, []job.FieldError{{Pointer: "/where/a/$not", Code: "wrong_type", Message: "want an object of operators, got a number"}}},
		{"column $not of nothing", `{"a":{"$not":{}}}`, []job.FieldError{{Pointer: "/where/a/$not", Code: "empty_where", Message: "names no comparison"}}},
		{"$in of value", `{"a":{"$in":1}}`, []job.FieldError{{Pointer: "/where/a/$in", Code: "wrong_type", Message: "want an array, got a number"}}},
		{"$null of number", `{"a":{"$null":1}}`, []job.FieldError{{Pointer: "/where/a/$null", Code: "wrong_type", Message: "want true or false, got a number"}}},
		{"$like of number", `{"a":{"$like":1}}`, []job.FieldError{{Pointer: "/where/a/$like", Code: "wrong_type", Message: "want a string, got a number"}}},
		{"$like ends in escape", `{"a":{"$like":"x\\"}}`, []job.FieldError{{Pointer: "/where/a/$like", Code: "invalid_value", Message: `the pattern ends in a \ that escapes nothing; write \\`}}},
		{"$gt null", `{"a":{"$gt":null}}`, []job.FieldError{{Pointer: "/where/a/$gt", Code: "invalid_value", Message: `nothing compares with null; write {"$null":true} or {"$null":false}`}}},
		{"$gt array", `{"a":{"$gt":[1]}}`, []job.FieldError{{Pointer: "/where/a/$gt", Code: "wrong_type", Message: "want a number, a string or a boolean, got an array"}}},
		{"base64 of number", `{"a":{"$base64":1}}`, []job.FieldError{{Pointer: "/where/a/$base64", Code: "wrong_type", Message: "want a string, got a number"}}},
		{"base64 alphabet", `{"a":{"$base64":"_-8"}}`, []job.FieldError{{Pointer: "/where/a/$base64", Code: "invalid_value", Message: "not base64; want the standard alphabet with padding (RFC 4648 §4)"}}},
		{"NUL", `{"a":"\u0000"}`, []job.FieldError{{Pointer: "/where/a", Code: "nul", Message: `holds the character \u0000, which is not allowed`}}},
		{"10,001 values", `{"a":{"$in":[` + many(10_001, "%d") + `]}}`, []job.FieldError{{Pointer: "/where/a/$in", Code: "too_many", Message: "more than 10000 values"}}},
		{"1001 comparisons", `{"$or":[` + many(1001, `{"a":%d}`) + `]}`, []job.FieldError{{Pointer: "/where/$or/1000/a", Code: "too_many", Message: "the where has more than 1000 comparisons"}}},
		{"30,001 values", `{"$or":[` + many(4, `{"a%[1]d":{"$in":[`+many(8_000, "%d")+`]}}`) + `]}`,
			[]job.FieldError{{Pointer: "/where/$or/3/a3/$in/6000", Code: "too_many", Message: "the where has more than 30000 values"}}},
		{"64 KiB and one", `{"a":"` + strings.Repeat("x", 65_537) + `"}`, []job.FieldError{{Pointer: "/where/a", Code: "too_long", Message: "the value has 65537 bytes; want at most 65536"}}},
		{"all of them", `{"a":{"$x":1},"b c":1,"$like":2}`, []job.FieldError{
			{Pointer: "/where/a/$x", Code: "unknown_operator", Message: "no such operator here; known are $eq, $ne, $gt, $gte, $lt, $lte, $in, $nin, $like, $null, $not"},
			{Pointer: "/where/b c", Code: "invalid_name", Message: "not a name; want up to 64 letters, digits, _, $ and -, beginning with a letter or _"},
			{Pointer: "/where/$like", Code: "unknown_operator", Message: "no such operator here; known are $and, $or, $not"},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cond, errs := dbop.ParseWhere(json.RawMessage(tt.where), "/where")
			if diff := cmp.Diff(tt.want, errs); diff != "" {
				t.Errorf("ParseWhere: -want +got\n%s", diff)
			}
			if cond != nil {
				t.Errorf("ParseWhere = %v beside errors, want nil", cond)
			}
		})
	}
}

func TestParseWhereBounds(t *testing.T) {
	t.Parallel()
	for name, where := range map[string]string{
		"10,000 values":    `{"a":{"$in":[` + many(10_000, "%d") + `]},"b":1}`,
		"1000 comparisons": `{"$or":[` + many(1000, `{"a":%d}`) + `]}`,
		"64 KiB":           `{"a":"` + strings.Repeat("x", 65_536) + `"}`,
		"64 characters":    `{"` + strings.Repeat("ä", 64) + `":1}`,
		"other characters": `{"_a$-9é":1}`,
	} {
		if _, errs := dbop.ParseWhere(json.RawMessage(where), ""); len(errs) > 0 {
			t.Errorf("%s: ParseWhere = %v, want no error", name, errs)
		}
	}
}

func TestErrorsAreBounded(t *testing.T) {
	t.Parallel()
	_, errs := dbop.ParseWhere(json.RawMessage(`{`+many(500, `"$%d":1`)+`}`), "")
	if len(errs) != dbop.MaxErrors {
		t.Errorf("ParseWhere lists %d faults, want %d", len(errs), dbop.MaxErrors)
	}
}

func TestCannotExclude(t *testing.T) {
	t.Parallel()
	tests := []struct {
		where string
		want  bool
	}{
		{``, true},
		{`null`, true},
		{`{}`, true},
		{`{"$and":[]}`, true},
		{`{"$and":[{},{}]}`, true},
		{`{"$or":[{}]}`, true},
		{`{"$or":[{"a":1},{}]}`, true},
		{`{"$or":[{"a":1},{"$or":[{"b":1},{"$and":[]}]}]}`, true},
		{`{"$not":{"a":1}}`, true},
		{`{"$not":{}}`, true},
		{`{"a":{"$not":{"$gt":1}}}`, true},
		{`{"$or":[{"a":1},{"$not":{"a":1}}]}`, true},
		{`{"id":{"$nin":[]}}`, true},
		{`{"id":{"$nin":[]},"$and":[{}]}`, true},
		{`{"$or":[{"id":null},{"id":{"$ne":null}}]}`, true},
		{`{"$or":[{"id":{"$null":true}},{"$or":[{"b":1},{"$and":[{"id":{"$null":false}}]}]}]}`, true},
		{`{"id":{"$in":[]}}`, false},
		{`{"$or":[]}`, false},
		{`{"id":1}`, false},
		{`{"id":{"$ne":1}}`, false},
		{`{"id":{"$ne":null}}`, false},
		{`{"id":{"$nin":[1]}}`, false},
		{`{"a":1,"$not":{"b":2}}`, false},
		{`{"$or":[{"id":null},{"b":{"$ne":null}}]}`, false},
		{`{"$or":[{"a":1},{"b":1,"$or":[{}]}]}`, false},
	}
	for _, tt := range tests {
		cond, errs := dbop.ParseWhere(json.RawMessage(tt.where), "")
		if len(errs) > 0 {
			t.Fatalf("ParseWhere(%s) = %v", tt.where, errs)
		}
		if got := dbop.CannotExclude(cond); got != tt.want {
			t.Errorf("CannotExclude(%s) = %v, want %v", tt.where, got, tt.want)
		}
	}
}
