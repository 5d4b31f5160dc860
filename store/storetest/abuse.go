package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
	"github.com/asyncops/asyncops/tasks"
)

// abuse is a job that somebody submits who knows no better, or means harm.
type abuse struct {
	name, kind, args string
	refused          string   // with the submission: where and with which code
	fails            job.Code // when it runs, and nothing is changed
	result           string   // when it runs and there is nothing wrong with it; any if all three are empty
	check            string   // a condition of SQL that then holds for one row of users
}

// abuses are about the fixture's table users, of which balance is not listed,
// with the people in it.
func abuses() []abuse {
	ids := func(n int) string { return strings.TrimSuffix(strings.Repeat("7,", n), ",") }
	const found = `{"rows":[],"count":0,"cached":false}`
	return []abuse{
		{name: "unknown table", kind: "db.select_one", args: `{"table":"secrets"}`, refused: "/args/table unknown_table"},
		{name: "our table", kind: "db.select_one", args: `{"table":"asyncops_effects"}`, refused: "/args/table unknown_table"},
		{name: "table of SQL", kind: "db.select_one", args: `{"table":"users; DROP TABLE users"}`, refused: "/args/table invalid_name"},
		{name: "column of SQL", kind: "db.select_one", args: `{"table":"users","columns":["\"id\" OR 1=1"]}`, refused: "/args/columns/0 invalid_name"},
		{name: "unlisted column", kind: "db.select_one", args: `{"table":"users","columns":["id","balance"]}`, refused: "/args/columns/1 unknown_column"},
		{name: "unlisted column to write", kind: "db.insert_one", args: `{"table":"users","values":{"balance":1}}`, refused: "/args/values/balance unknown_column"},
		{name: "unlisted column to return", kind: "db.insert_one", args: `{"table":"users","values":{"name":"x"},"returning":["balance"]}`, refused: "/args/returning/0 unknown_column"},
		{name: "every column", kind: "db.select_one", args: `{"table":"users","where":{"name":"Ada"}}`, result: `{"row":{"id":1,"email":"ada@x","name":"Ada","age":36,"active":true},"cached":false}`},
		{name: "regexp", kind: "db.select_one", args: `{"table":"users","where":{"name":{"$regexp":"a"}}}`, refused: "/args/where/name/$regexp unknown_operator"},
		{name: "raw", kind: "db.select_one", args: `{"table":"users","where":{"$raw":"1=1"}}`, refused: "/args/where/$raw unknown_operator"},
		{name: "update without where", kind: "db.update_many", args: `{"table":"users","values":{"age":1}}`, refused: "/args/where empty_where"},
		{name: "delete with {}", kind: "db.delete_many", args: `{"table":"users","where":{}}`, refused: "/args/where empty_where"},
		{name: "delete one with a tautology by form", kind: "db.delete_one", args: `{"table":"users","where":{"$or":[{}]}}`, refused: "/args/where empty_where"},
		{name: "where on an unlisted column", kind: "db.select_many", args: `{"table":"users","where":{"balance":{"$gt":0}}}`, refused: "/args/where/balance unknown_column"},
		{name: "tautology by values", kind: "db.update_many", args: `{"table":"users","where":{"id":{"$ne":null}},"values":{"age":1}}`, fails: job.CodeMaxAffected},
		{name: "delete by a tautology", kind: "db.delete_many", args: `{"table":"users","where":{"id":{"$ne":null}}}`, fails: job.CodeMaxAffected},
		{name: "update one by a tautology", kind: "db.update_one", args: `{"table":"users","where":{"id":{"$ne":null}},"values":{"age":1}}`, fails: job.CodeTooManyRows},
		{name: "10,001 values", kind: "db.select_many", args: `{"table":"users","where":{"age":{"$in":[` + ids(10_001) + `]}}}`, refused: "/args/where/age/$in too_many"},
		{name: "10,000 values", kind: "db.select_many", args: `{"table":"users","where":{"age":{"$in":[` + ids(10_000) + `]}}}`, result: found},
		{name: "quote and comment", kind: "db.insert_one", args: `{"table":"users","values":{"name":"'; --"}}`, check: "name = '''; --'"},
		{name: "quote and comment in a where", kind: "db.select_many", args: `{"table":"users","where":{"name":"' OR 1=1 --"}}`, result: found},
		{name: "minus beside a minus", kind: "db.update_one", args: `{"table":"users","where":{"name":"Ada","age":{"$gt":-1}},"values":{"age":{"$inc":-1}}}`, check: "name = 'Ada' AND age = 35"},
		{name: "minus by itself", kind: "db.insert_one", args: `{"table":"users","values":{"name":"-1","age":-1}}`, check: "name = '-1' AND age = -1"},
		{name: "backslash and quote", kind: "db.insert_one", args: `{"table":"users","values":{"name":"\\'; DROP TABLE users; -- \\"}}`, check: "name LIKE '%DROP TABLE users; -- %' AND LENGTH(name) = 26"},
		{name: "backslash and quote in a where", kind: "db.select_many", args: `{"table":"users","where":{"name":"\\' OR 1=1 -- "}}`, result: found},
		{name: "placeholders", kind: "db.insert_one", args: `{"table":"users","values":{"name":"? $1 :a @b"}}`, check: "name = '? $1 :a @b'"},
		{name: "10,001 rows", kind: "db.insert_many", args: `{"table":"users","rows":[` + strings.TrimSuffix(strings.Repeat(`{"name":"x"},`, 10_001), ",") + `]}`, refused: "/args/rows too_many"},
		{name: "a bad row among good ones", kind: "db.insert_many", args: `{"table":"users","rows":[{"name":"good"},{"name":"good","balance":1}]}`, refused: "/args/rows/1/balance unknown_column"},
		{name: "a row that the database refuses", kind: "db.insert_many", args: `{"table":"users","rows":[{"name":"good"},{"name":"bad","age":"old"}]}`, fails: job.CodeInvalidValue},
		{name: "0 operations", kind: "db.transaction", args: `{"operations":[]}`, refused: "/args/operations required"},
		{name: "51 operations", kind: "db.transaction", args: operations(strings.Split(strings.TrimSuffix(strings.Repeat(`{"op":"select_one","table":"users"}|`, 51), "|"), "|")...), refused: "/args/operations too_many"},
		{name: "two databases", kind: "db.transaction", args: operations(`{"op":"select_one","table":"users"}`, `{"op":"select_one","database":"other","table":"users"}`), refused: "/args/operations/1/database not_allowed"},
		{name: "DDL", kind: "db.transaction", args: operations(`{"op":"drop","table":"users"}`), refused: "/args/operations/0/op unknown_operation"},
		{name: "DDL by name", kind: "db.query", args: `{"name":"DROP TABLE users"}`, refused: "/args/name unknown_query"},
		{name: "SQL beside a name", kind: "db.query", args: `{"name":"by_name","sql":"DROP TABLE users"}`, refused: "/args/sql unknown_field"},
		{name: "30 February for a query", kind: "db.query", args: `{"name":"count","params":{"age":1,"balance":1,"active":true,"seen_at":"2026-02-30"}}`, refused: "/args/params/seen_at invalid_value"},
		{name: "text for a number", kind: "db.update_one", args: `{"table":"users","where":{"name":"Ada"},"values":{"age":"old"}}`, fails: job.CodeInvalidValue},
		{name: "object for a number", kind: "db.update_one", args: `{"table":"users","where":{"name":"Ada"},"values":{"age":{"a":1}}}`, fails: job.CodeInvalidValue},
		{name: "text for a number in a where", kind: "db.delete_many", args: `{"table":"users","where":{"age":"old"}}`, fails: job.CodeInvalidValue},
		{name: "text for a boolean", kind: "db.update_one", args: `{"table":"users","where":{"name":"Ada"},"values":{"active":"maybe"}}`, fails: job.CodeInvalidValue},
		{name: "text for an integer of a query", kind: "db.query", args: `{"name":"either","params":{"text":"x","age":"old"}}`, refused: "/args/params/age invalid_value"},
		{name: "pattern that matches all", kind: "db.select_many", args: `{"table":"users","columns":["name"],"where":{"name":{"$like":"%_%"}},"order_by":["name"],"limit":1}`, result: `{"rows":[{"name":"Ada"}],"count":1,"cached":false}`},
		{name: "pattern that is escaped", kind: "db.select_many", args: `{"table":"users","where":{"name":{"$like":"\\%\\_\\%"}}}`, result: found},
		{name: "pattern of SQL", kind: "db.select_many", args: `{"table":"users","where":{"name":{"$like":"' ESCAPE '!' OR 1=1 --"}}}`, result: found},
		{name: "order by an unlisted column", kind: "db.select_many", args: `{"table":"users","order_by":["-balance"]}`, refused: "/args/order_by/0 unknown_column"},
		{name: "order by SQL", kind: "db.select_many", args: `{"table":"users","order_by":["id; DROP TABLE users"]}`, refused: "/args/order_by/0 invalid_name"},
		{name: "limit of 10^9", kind: "db.select_many", args: `{"table":"users","limit":1000000000}`, refused: "/args/limit out_of_range"},
		{name: "limit of 10^9 for a query", kind: "db.query", args: `{"name":"names","limit":1000000000}`, refused: "/args/limit out_of_range"},
		{name: "NUL", kind: "db.insert_one", args: `{"table":"users","values":{"name":"a\u0000b"}}`, refused: "/args/values/name nul"},
		{name: "number over 64 bits", kind: "db.update_one", args: `{"table":"users","where":{"name":"Ada"},"values":{"age":99999999999999999999}}`, fails: job.CodeInvalidValue},
	}
}

// What is wrong with a database job is told when it is submitted, by a field and a
// code, or when it runs, by a code; and nothing has changed then. What only looks
// wrong is taken at its word.
func testAbuse(t *testing.T, h Harness) {
	for _, c := range abuses() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := startQueries(t, h, func(cfg *store.Config) {
				cfg.MaxAffected = 2
				cfg.Tables["users"] = store.Table{Columns: []string{"id", "email", "name", "age", "active"}, Write: true}
			})
			f.people()
			unchanged := func() {
				t.Helper()
				f.wantCount("users", "1 = 1", 3)
				f.wantCount("users", "name = 'Ada' AND age = 36 OR name = 'Bob' AND age IS NULL OR name = 'Eve' AND age = 20", 3)
			}
			task, err := tasks.Parse(c.kind, json.RawMessage(c.args), only{f.Registry()})
			if c.refused != "" {
				wantRefused(t, err, c.refused)
				unchanged()
				return
			}
			if err != nil {
				t.Fatalf("Parse = %v", err)
			}
			res, err := f.Run(t.Context(), task.(*tasks.DB).Operation, effect())
			switch {
			case c.fails != "":
				if failure := wantCode(t, err, c.fails); failure.Class != job.ClassPermanent {
					t.Errorf("class = %s, want %s", failure.Class, job.ClassPermanent)
				}
				unchanged()
			case err != nil:
				t.Errorf("Run = %v", err)
			case c.result != "" && string(res.JSON) != c.result:
				t.Errorf("result = %s, want %s", res.JSON, c.result)
			case c.check != "":
				f.wantCount("users", c.check, 1)
			}
		})
	}
}

func wantRefused(t *testing.T, err error, want string) {
	t.Helper()
	var invalid *job.InvalidError
	if !errors.As(err, &invalid) {
		t.Fatalf("Parse = %v, want a refusal", err)
	}
	var got []string
	for _, fault := range invalid.Fields {
		got = append(got, fault.Pointer+" "+fault.Code)
		if fault.Message == "" {
			t.Errorf("%s: no message", fault.Pointer)
		}
	}
	if strings.Join(got, ", ") != want {
		t.Errorf("refused: %s, want %s", strings.Join(got, ", "), want)
	}
}

// JSON of more than the API takes at once is kept as it is; and a date that there
// is not is refused by every type of column that keeps dates.
func testAbuseOfTypes(t *testing.T, h Harness) {
	db := h.Database(t)
	mustExec(t, db.SQL, "CREATE TABLE kept (id INTEGER PRIMARY KEY, doc JSON, day DATE, moment TIMESTAMP NULL)")
	cfg := db.Config
	cfg.Tables = map[string]store.Table{"kept": {Write: true}}
	f := fixture{open(t, cfg, nil), t, db}
	for i, column := range []string{"day", "moment"} {
		for _, value := range []string{"2026-02-30", "2026-13-01", "2026-02-28T25:00:00Z", "'; --"} {
			f.wantFailure(dbop.Operation{Op: dbop.InsertOne, Table: "kept", Rows: [][]dbop.Assignment{{set("id", num(fmt.Sprint(i))), set(column, str(value))}}}, job.CodeInvalidValue)
		}
	}
	f.wantCount("kept", "1 = 1", 0)
	doc := `{"text":"` + strings.Repeat(`it's \"`, 1<<20/7) + `"}`
	f.must(dbop.Operation{Op: dbop.InsertOne, Table: "kept", Rows: [][]dbop.Assignment{{set("id", num("1")), set("doc", dbop.Value{Kind: dbop.JSON, Text: doc})}}})
	if got, want := f.must(dbop.Operation{Op: dbop.SelectOne, Table: "kept", Columns: []string{"doc"}}), `{"row":{"doc":`+doc+`},"cached":false}`; got != want {
		t.Errorf("%d bytes of JSON came back as %d, or other ones", len(want), len(got))
	}
}
