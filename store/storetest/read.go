package storetest

import (
	"strings"
	"testing"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
)

func testSelect(t *testing.T, h Harness) {
	f := start(t, h, nil)
	f.people()
	one := dbop.Operation{Op: dbop.SelectOne, Table: "users", Columns: []string{"name", "age", "active"}}
	many := dbop.Operation{Op: dbop.SelectMany, Table: "users", Columns: []string{"name"}}
	for _, c := range []struct {
		name   string
		op     dbop.Operation
		change func(*dbop.Operation)
		want   string
	}{
		{"one", one, func(op *dbop.Operation) { op.Where = eq("name", str("Bob")) }, `{"row":{"name":"Bob","age":null,"active":true},"cached":false}`},
		{"one of several is the first by order_by", one, func(op *dbop.Operation) { op.OrderBy = []dbop.Order{{Column: "name", Descending: true}} },
			`{"row":{"name":"Eve","age":20,"active":false},"cached":false}`},
		{"one of several without order is the first by key", one, func(*dbop.Operation) {}, `{"row":{"name":"Ada","age":36,"active":true},"cached":false}`},
		{"none", one, func(op *dbop.Operation) { op.Where = eq("name", str("Zoe")) }, `{"row":null,"cached":false}`},
		{"many", many, func(*dbop.Operation) {}, `{"rows":[{"name":"Ada"},{"name":"Bob"},{"name":"Eve"}],"count":3,"cached":false}`},
		{"many, limit and offset", many, func(op *dbop.Operation) { op.Limit, op.Offset = 1, 1 }, `{"rows":[{"name":"Bob"}],"count":1,"cached":false}`},
		{"many, none", many, func(op *dbop.Operation) { op.Where = dbop.Or{} }, `{"rows":[],"count":0,"cached":false}`},
		{"numbers sort as numbers", many, func(op *dbop.Operation) {
			op.Where, op.OrderBy = dbop.IsNull{Column: "age", Negated: true}, []dbop.Order{{Column: "age"}}
		},
			`{"rows":[{"name":"Eve"},{"name":"Ada"}],"count":2,"cached":false}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			op := c.op
			c.change(&op)
			fixture{f.Target, t, f.db}.want(op, c.want)
		})
	}
	f.must(insertUser(set("name", str("Old")), set("age", num("100"))))
	f.want(dbop.Operation{Op: dbop.SelectMany, Table: "users", Columns: []string{"age"}, Where: dbop.IsNull{Column: "age", Negated: true},
		OrderBy: []dbop.Order{{Column: "age"}}}, `{"rows":[{"age":20},{"age":36},{"age":100}],"count":3,"cached":false}`)
	all := f.must(dbop.Operation{Op: dbop.SelectOne, Table: "users"})
	for _, column := range []string{"id", "email", "name", "age", "balance", "active", "seen_at"} {
		if !strings.Contains(all, `"`+column+`":`) {
			t.Errorf("a select without columns = %s, want it to have %q", all, column)
		}
	}
}

func testWhere(t *testing.T, h Harness) {
	f := start(t, h, nil)
	f.people()
	f.must(insertUser(set("email", str(`100%_\`)), set("name", str("O'Neil -- ?"))))
	compare := func(column string, op dbop.CompareOp, v dbop.Value) dbop.Cond {
		return dbop.Compare{Column: column, Op: op, Value: v}
	}
	age20 := eq("age", num("20"))
	var chain dbop.Or
	for range 3000 { // deeper than a database lets an expression be
		chain = append(chain, age20)
	}
	for _, c := range []struct {
		name string
		cond dbop.Cond
		want string // names
	}{
		{"nil", nil, "Ada Bob Eve O'Neil -- ?"},
		{"$eq", age20, "Eve"},
		{"$ne leaves out null", compare("age", dbop.Ne, num("20")), "Ada"},
		{"$gt", compare("age", dbop.Gt, num("20")), "Ada"},
		{"$gte", compare("age", dbop.Gte, num("20")), "Ada Eve"},
		{"$lt", compare("age", dbop.Lt, num("36")), "Eve"},
		{"$lte", compare("age", dbop.Lte, num("36")), "Ada Eve"},
		{"negative", compare("age", dbop.Gt, num("-1")), "Ada Eve"},
		{"$in", dbop.In{Column: "name", Values: []dbop.Value{str("Ada"), str("Eve"), str("'")}}, "Ada Eve"},
		{"$in nothing", dbop.In{Column: "name"}, ""},
		{"$nin", dbop.In{Column: "name", Negated: true, Values: []dbop.Value{str("Ada")}}, "Bob Eve O'Neil -- ?"},
		{"$nin leaves out null", dbop.In{Column: "age", Negated: true, Values: []dbop.Value{num("36")}}, "Eve"},
		{"$nin nothing", dbop.In{Column: "age", Negated: true}, "Ada Bob Eve O'Neil -- ?"},
		{"null", dbop.IsNull{Column: "age"}, "Bob O'Neil -- ?"},
		{"not null", dbop.IsNull{Column: "age", Negated: true}, "Ada Eve"},
		{"$like", compare("name", dbop.Like, str("_d%")), "Ada"},
		{"$like, escaped", compare("email", dbop.Like, str(`100\%\_\\`)), "O'Neil -- ?"},
		{"$like of a number", compare("name", dbop.Like, str("%?%")), "O'Neil -- ?"},
		{"quotes", eq("name", str("O'Neil -- ?")), "O'Neil -- ?"},
		{"backslash", eq("email", str(`100%_\`)), "O'Neil -- ?"},
		{"bool", eq("active", boolean(false)), "Eve"},
		{"$and", dbop.And{compare("age", dbop.Gt, num("1")), eq("name", str("Ada"))}, "Ada"},
		{"$and of nothing", dbop.And{}, "Ada Bob Eve O'Neil -- ?"},
		{"$or", dbop.Or{age20, eq("name", str("Bob"))}, "Bob Eve"},
		{"$or of nothing", dbop.Or{}, ""},
		{"$not", dbop.Not{Cond: eq("name", str("Ada"))}, "Bob Eve O'Neil -- ?"},
		{"$not leaves out null", dbop.Not{Cond: age20}, "Ada"},
		{"$or inside $and", dbop.And{dbop.Or{age20, eq("age", num("36"))}, dbop.Not{Cond: eq("name", str("Eve"))}}, "Ada"},
		{"a long chain", chain, "Eve"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := fixture{f.Target, t, f.db}.must(dbop.Operation{Op: dbop.SelectMany, Table: "users", Columns: []string{"name"}, Where: c.cond})
			if names := namesIn(got); names != c.want {
				t.Errorf("names = %q, want %q", names, c.want)
			}
		})
	}
	f.wantFailure(dbop.Operation{Op: dbop.SelectOne, Table: "users", Where: eq("age", null())}, job.CodeInvalid)
	f.wantFailure(dbop.Operation{Op: dbop.SelectOne, Table: "users", Where: eq("age", str("many"))}, job.CodeInvalidValue)
	f.wantFailure(dbop.Operation{Op: dbop.SelectOne, Table: "users", Where: eq("name", str("a\x00b"))}, job.CodeInvalidValue)
}

// namesIn takes the names out of a result of select_many.
func namesIn(result string) string {
	var names []string
	for part := range strings.SplitSeq(result, `{"name":"`) {
		if name, _, ok := strings.Cut(part, `"}`); ok && !strings.HasPrefix(part, `{"rows"`) {
			names = append(names, name)
		}
	}
	return strings.Join(names, " ")
}
