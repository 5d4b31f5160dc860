package tasks_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/tasks"
	"github.com/google/go-cmp/cmp"
)

func str(s string) dbop.Value { return dbop.Value{Kind: dbop.String, Text: s} }
func num(s string) dbop.Value { return dbop.Value{Kind: dbop.Number, Text: s} }

// example is args that are right, and what they are read as.
type example struct {
	name, kind, args string
	want             tasks.Task
}

func idIs(n string) dbop.Cond { return dbop.Compare{Column: "id", Op: dbop.Eq, Value: num(n)} }

func db(op dbop.Operation) *tasks.DB { return &tasks.DB{Database: "main", Operation: op} }

func call(r httpop.Request) *tasks.HTTP { return &tasks.HTTP{Client: "crm", Request: r} }

func transaction(isolation dbop.Isolation, steps ...dbop.Step) *tasks.Transaction {
	return &tasks.Transaction{Database: "main", Transaction: dbop.Transaction{Steps: steps, Isolation: isolation}}
}

// arguments are values for the query types.
func arguments(values ...dbop.Value) []dbop.Argument {
	args := make([]dbop.Argument, len(values))
	for i, value := range values {
		args[i] = dbop.Argument{Param: queries["types"].Params[i], Value: value}
	}
	return args
}

func examples() []example {
	one := 1
	ada := []dbop.Assignment{{Column: "name", Value: str("Ada")}}
	return []example{
		{"least", "db.select_one", `{"table":"users"}`, db(dbop.Operation{Op: dbop.SelectOne, Table: "users"})},
		{"all", "db.select_one", `{"database":"main","table":"users","columns":["id","name"],"where":{"id":7},"order_by":["-created_at","id"],"cache":{"key":"user-7","ttl":"5m"}}`,
			&tasks.DB{Database: "main", Cache: &tasks.Cache{Key: "user-7", TTL: 5 * time.Minute}, Operation: dbop.Operation{
				Op: dbop.SelectOne, Table: "users", Columns: []string{"id", "name"}, Where: idIs("7"),
				OrderBy: []dbop.Order{{Column: "created_at", Descending: true}, {Column: "id"}}}}},
		{"read-only table", "db.select_one", `{"table":"audit","where":null}`, db(dbop.Operation{Op: dbop.SelectOne, Table: "audit"})},

		{"least", "db.select_many", `{"table":"users"}`, db(dbop.Operation{Op: dbop.SelectMany, Table: "users", Limit: 100})},
		{"all", "db.select_many", `{"table":"users","columns":["id"],"where":{},"order_by":["id"],"limit":10000,"offset":20,"cache":{"key":"k"}}`,
			&tasks.DB{Database: "main", Cache: &tasks.Cache{Key: "k"}, Operation: dbop.Operation{
				Op: dbop.SelectMany, Table: "users", Columns: []string{"id"}, Where: dbop.And(nil), OrderBy: []dbop.Order{{Column: "id"}}, Limit: 10000, Offset: 20}}},

		{"least", "db.insert_one", `{"table":"users","values":{"name":"Ada"}}`, db(dbop.Operation{Op: dbop.InsertOne, Table: "users", Rows: [][]dbop.Assignment{ada}})},
		{"verbatim", "db.insert_one", `{"table":"users","values":{"name":"'; DROP TABLE users; --","balance":"-1","age":9007199254740993,"meta":{"a":[1, 2]},"created_at":{"$now":true}},"returning":["*"]}`,
			db(dbop.Operation{Op: dbop.InsertOne, Table: "users", Returning: []string{"*"}, Rows: [][]dbop.Assignment{{
				{Column: "name", Value: str("'; DROP TABLE users; --")}, {Column: "balance", Value: str("-1")}, {Column: "age", Value: num("9007199254740993")},
				{Column: "meta", Value: dbop.Value{Kind: dbop.JSON, Text: `{"a":[1, 2]}`}}, {Column: "created_at", Op: dbop.Now}}}})},
		{"upsert", "db.insert_one", `{"table":"users","values":{"id":1,"name":"Ada"},"returning":["id"],"on_conflict":{"columns":["id"],"action":"update","update":["name"]}}`,
			db(dbop.Operation{Op: dbop.InsertOne, Table: "users", Returning: []string{"id"},
				Rows:       [][]dbop.Assignment{{{Column: "id", Value: num("1")}, ada[0]}},
				OnConflict: &dbop.OnConflict{Columns: []string{"id"}, Action: dbop.ConflictUpdate, Update: []string{"name"}}})},
		{"value over 64 KiB", "db.insert_one", `{"table":"users","values":{"name":"` + strings.Repeat("x", 65_537) + `"}}`,
			db(dbop.Operation{Op: dbop.InsertOne, Table: "users", Rows: [][]dbop.Assignment{{{Column: "name", Value: str(strings.Repeat("x", 65_537))}}}})},

		{"least", "db.insert_many", `{"table":"users","rows":[{"name":"Ada"}]}`, db(dbop.Operation{Op: dbop.InsertMany, Table: "users", Rows: [][]dbop.Assignment{ada}})},
		{"all", "db.insert_many", `{"table":"users","rows":[{"name":"Ada"},{"id":2}],"on_conflict":{"action":"ignore"},"chunk_size":500}`,
			db(dbop.Operation{Op: dbop.InsertMany, Table: "users", Rows: [][]dbop.Assignment{ada, {{Column: "id", Value: num("2")}}},
				OnConflict: &dbop.OnConflict{Action: dbop.ConflictIgnore}, ChunkSize: 500})},

		{"all", "db.update_one", `{"table":"users","where":{"id":1},"values":{"balance":{"$inc":-10},"deleted_at":null},"require":true}`,
			db(dbop.Operation{Op: dbop.UpdateOne, Table: "users", Where: idIs("1"), Require: true,
				Set: []dbop.Assignment{{Column: "balance", Op: dbop.Inc, Value: num("-10")}, {Column: "deleted_at", Value: dbop.Value{Kind: dbop.Null}}}})},
		{"tautology by values", "db.update_one", `{"table":"users","where":{"id":{"$ne":null}},"values":{"name":"Ada"}}`,
			db(dbop.Operation{Op: dbop.UpdateOne, Table: "users", Where: dbop.IsNull{Column: "id", Negated: true}, Set: ada})},
		{"all", "db.update_many", `{"table":"users","where":{"id":1},"values":{"name":"Ada"},"max_affected":50}`,
			db(dbop.Operation{Op: dbop.UpdateMany, Table: "users", Where: idIs("1"), Set: ada, MaxAffected: 50})},
		{"all", "db.delete_one", `{"table":"users","where":{"id":1},"require":true}`, db(dbop.Operation{Op: dbop.DeleteOne, Table: "users", Where: idIs("1"), Require: true})},
		{"all", "db.delete_many", `{"table":"users","where":{"id":1},"max_affected":1}`, db(dbop.Operation{Op: dbop.DeleteMany, Table: "users", Where: idIs("1"), MaxAffected: 1})},

		{"least", "db.query", `{"name":"all"}`, db(dbop.Operation{Op: dbop.Query, Query: "all", Args: []dbop.Argument{}})},
		{"no params", "db.query", `{"name":"all","params":null}`, db(dbop.Operation{Op: dbop.Query, Query: "all", Args: []dbop.Argument{}})},
		{"all", "db.query", `{"database":"main","name":"active","params":{"since":"2026-01-31T12:00:00Z","status":"'; --"},"limit":7,"cache":{"key":"k"}}`,
			&tasks.DB{Database: "main", Cache: &tasks.Cache{Key: "k"}, Operation: dbop.Operation{Op: dbop.Query, Query: "active", Limit: 7, Args: []dbop.Argument{
				{Param: dbop.Param{Name: "status", Type: dbop.ParamString}, Value: str("'; --")}, {Param: dbop.Param{Name: "since", Type: dbop.ParamTime}, Value: str("2026-01-31T12:00:00Z")}}}}},
		{"types", "db.query", `{"name":"types","params":{"i":18446744073709551615,"n":1.5,"d":"12.50","b":true,"y":{"$base64":"AP8="},"j":{"a":[1]}},"max_affected":1}`,
			db(dbop.Operation{Op: dbop.Query, Query: "types", Write: true, MaxAffected: 1, Args: arguments(num("18446744073709551615"), num("1.5"), str("12.50"),
				dbop.Value{Kind: dbop.Bool, Text: "true"}, dbop.Value{Kind: dbop.Bytes, Text: "\x00\xff"}, dbop.Value{Kind: dbop.JSON, Text: `{"a":[1]}`})})},
		{"nulls", "db.query", `{"name":"types","params":{"i":null,"n":null,"d":null,"b":null,"y":null,"j":null}}`,
			db(dbop.Operation{Op: dbop.Query, Query: "types", Write: true, Args: arguments(make([]dbop.Value, 6)...)})},
		{"query in a transaction", "db.transaction", `{"operations":[{"op":"query","as":"act","name":"active","params":{"status":"a","since":null}},` +
			`{"op":"query","name":"types","params":{"i":{"$ref":"act.count"},"n":null,"d":7,"b":null,"y":"x","j":[{"$ref":"act.rows"}]},"expect_rows":1}]}`,
			transaction("",
				dbop.Step{As: "act", Operation: dbop.Operation{Op: dbop.Query, Query: "active", Args: []dbop.Argument{
					{Param: dbop.Param{Name: "status", Type: dbop.ParamString}, Value: str("a")}, {Param: dbop.Param{Name: "since", Type: dbop.ParamTime}}}}},
				dbop.Step{ExpectRows: &one, Operation: dbop.Operation{Op: dbop.Query, Query: "types", Write: true, Args: arguments(
					dbop.Value{Kind: dbop.Reference, Text: "act.count"}, dbop.Value{}, num("7"), dbop.Value{}, str("x"), dbop.Value{Kind: dbop.Template, Text: `[{"$ref":"act.rows"}]`})}})},

		{"least", "db.transaction", `{"operations":[{"op":"select_one","table":"users"}]}`,
			transaction("", dbop.Step{Operation: dbop.Operation{Op: dbop.SelectOne, Table: "users"}})},
		{"all", "db.transaction", `{"database":"main","isolation":"serializable","operations":[{"as":"user","op":"insert_one","table":"users","values":{"name":"Ada"},"returning":["id"]},` +
			`{"table":"users","database":"main","where":{"id":{"$ref":"user.id"}},"op":"update_one","values":{"age":{"$ref":"user.row.age"},"balance":{"$inc":{"$ref":"user.n"}},` +
			`"meta":{"id":{"$ref":"user.id"}}},"require":true,"expect_rows":1},{"op":"delete_many","table":"users","where":{"id":{"$in":[{"$ref":"user.id"},7]}},"max_affected":2}]}`,
			transaction(dbop.Serializable,
				dbop.Step{As: "user", Operation: dbop.Operation{Op: dbop.InsertOne, Table: "users", Rows: [][]dbop.Assignment{ada}, Returning: []string{"id"}}},
				dbop.Step{ExpectRows: &one, Operation: dbop.Operation{Op: dbop.UpdateOne, Table: "users", Require: true,
					Where: dbop.Compare{Column: "id", Op: dbop.Eq, Value: dbop.Value{Kind: dbop.Reference, Text: "user.id"}},
					Set: []dbop.Assignment{{Column: "age", Value: dbop.Value{Kind: dbop.Reference, Text: "user.row.age"}}, {Column: "balance", Op: dbop.Inc, Value: dbop.Value{Kind: dbop.Reference, Text: "user.n"}},
						{Column: "meta", Value: dbop.Value{Kind: dbop.Template, Text: `{"id":{"$ref":"user.id"}}`}}}}},
				dbop.Step{Operation: dbop.Operation{Op: dbop.DeleteMany, Table: "users", MaxAffected: 2,
					Where: dbop.In{Column: "id", Values: []dbop.Value{{Kind: dbop.Reference, Text: "user.id"}, num("7")}}}})},

		{"least", "http.request", `{"method":"GET","path":"/"}`, call(httpop.Request{Method: "GET", Path: "/"})},
		{"all", "http.request", `{"client":"crm","method":"POST","path":"/contacts/7","query":{"q":"a&b","n":1.50,"on":true,"tag":["x",2]},"headers":{"Prefer":"wait"},"body":{"a" : 1},"timeout":"PT5S","expect":[201,409]}`,
			call(httpop.Request{Method: "POST", Path: "/contacts/7", Query: map[string][]string{"q": {"a&b"}, "n": {"1.50"}, "on": {"true"}, "tag": {"x", "2"}},
				Headers: map[string]string{"Prefer": "wait"}, Body: []byte(`{"a" : 1}`), ContentType: "application/json", Timeout: 5 * time.Second, Expect: []int{201, 409}})},
		{"JSON null", "http.request", `{"method":"PUT","path":"/x","body":null}`, call(httpop.Request{Method: "PUT", Path: "/x", Body: []byte("null"), ContentType: "application/json"})},
		{"text", "http.request", `{"method":"PUT","path":"/x","text":"é"}`, call(httpop.Request{Method: "PUT", Path: "/x", Body: []byte("é"), ContentType: "text/plain; charset=utf-8"})},
		{"base64", "http.request", `{"method":"PATCH","path":"/x","base64":"AP8="}`, call(httpop.Request{Method: "PATCH", Path: "/x", Body: []byte{0, 0xff}, ContentType: "application/octet-stream"})},
		{"least", "http.batch", `{"requests":[{"method":"GET","path":"/"}]}`,
			&tasks.Batch{Requests: []tasks.HTTP{*call(httpop.Request{Method: "GET", Path: "/"})}, MaxConcurrent: 10}},
		{"all", "http.batch", `{"client":"crm","max_concurrent":100,"on_error":"abort","requests":[{"method":"GET","path":"/a"},{"client":"crm","method":"POST","path":"/b","body":1}]}`,
			&tasks.Batch{Abort: true, MaxConcurrent: 100, Requests: []tasks.HTTP{
				*call(httpop.Request{Method: "GET", Path: "/a"}),
				*call(httpop.Request{Method: "POST", Path: "/b", Body: []byte("1"), ContentType: "application/json"}),
			}}},
		{"cache", "http.request", `{"method":"HEAD","path":"/x","cache":{"key":"x","ttl":"1h"}}`,
			&tasks.HTTP{Client: "crm", Request: httpop.Request{Method: "HEAD", Path: "/x", Cache: &httpop.Cache{Key: "x", TTL: time.Hour}}}},

		{"each kind", "cache.warm", `{"items":[{"kind":"db.select_one","args":{"table":"users","where":{"id":7},"cache":{"key":"user-7","ttl":"1m"}}},` +
			`{"kind":"db.select_many","args":{"table":"users","cache":{"key":"users"}}},{"kind":"http.request","args":{"method":"GET","path":"/x","cache":{"key":"x"}}}]}`,
			&tasks.Warm{Items: []tasks.Task{
				parsed("db.select_one", `{"table":"users","where":{"id":7},"cache":{"key":"user-7","ttl":"1m"}}`),
				parsed("db.select_many", `{"table":"users","cache":{"key":"users"}}`),
				&tasks.HTTP{Client: "crm", Request: httpop.Request{Method: "GET", Path: "/x", Cache: &httpop.Cache{Key: "x"}}},
			}}},

		{"all", "system.health", `{}`, &tasks.Health{}},
		{"some", "system.health", `{"targets":["main","crm","ledger","redis"]}`, &tasks.Health{Targets: []job.Target{job.DatabaseTarget("main"), job.ClientTarget("crm"), {Type: job.TypeLedger, Name: "ledger"}, {Type: job.TypeRedis, Name: "redis"}}}},
		{"with their types", "system.health", `{"targets":["database main","client crm"]}`, &tasks.Health{Targets: []job.Target{job.DatabaseTarget("main"), job.ClientTarget("crm")}}},

		{"nothing", "system.noop", `{}`, &tasks.Noop{}},
		{"sleep", "system.noop", `{"sleep":"1h","fail":false}`, &tasks.Noop{Sleep: time.Hour}},
		{"fail", "system.noop", `{"sleep":"0s","fail":true}`, &tasks.Noop{Fail: true, Message: "the job was asked to fail"}},
		{"fail with message", "system.noop", `{"fail":"on purpose"}`, &tasks.Noop{Fail: true, Message: "on purpose"}},
	}
}

// parsed is what a job of the kind would do.
func parsed(kind, args string) tasks.Task {
	task, err := tasks.Parse(kind, json.RawMessage(args), configured())
	if err != nil {
		panic(err)
	}
	return task
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, tt := range examples() {
		t.Run(tt.kind+"/"+tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := tasks.Parse(tt.kind, json.RawMessage(tt.args), configured())
			if err != nil {
				t.Fatalf("Parse = %v, want no error", err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Parse: -want +got\n%s", diff)
			}
			if string(got.Kind()) != tt.kind {
				t.Errorf("Kind() = %s, want %s", got.Kind(), tt.kind)
			}
		})
	}
}

func TestParseWithoutArgs(t *testing.T) {
	t.Parallel()
	for _, args := range []string{``, `null`, ` {} `} {
		got, err := tasks.Parse("system.noop", json.RawMessage(args), configured())
		if diff := cmp.Diff(tasks.Task(&tasks.Noop{}), got); err != nil || diff != "" {
			t.Errorf("Parse(%q): %v, -want +got\n%s", args, err, diff)
		}
	}
}

func TestParseNamesTheTarget(t *testing.T) {
	t.Parallel()
	task, err := tasks.Parse("db.select_one", json.RawMessage(`{"database":"main","table":"users"}`), several())
	if got, ok := task.(*tasks.DB); err != nil || !ok || got.Database != "main" {
		t.Errorf("Parse = %v, %v, want the database main", task, err)
	}
	task, err = tasks.Parse("db.transaction", json.RawMessage(`{"database":"main","operations":[{"op":"select_one","table":"users"}]}`), several())
	if got, ok := task.(*tasks.Transaction); err != nil || !ok || got.Database != "main" {
		t.Errorf("Parse = %v, %v, want the database main", task, err)
	}
	task, err = tasks.Parse("http.request", json.RawMessage(`{"client":"other","method":"GET","path":"/"}`), several())
	if got, ok := task.(*tasks.HTTP); err != nil || !ok || got.Client != "other" {
		t.Errorf("Parse = %v, %v, want the client other", task, err)
	}
}

func BenchmarkParse(b *testing.B) {
	targets := configured()
	for _, bench := range []struct{ name, kind, args string }{
		{"insert_one", "db.insert_one", `{"database":"main","table":"users","values":{"name":"Ada","email":"ada@example.com","age":36}}`},
		{"update_one", "db.update_one", `{"table":"users","where":{"id":7,"age":{"$gte":18,"$lt":65}},"values":{"balance":{"$inc":-10}}}`},
		{"transaction", "db.transaction", `{"operations":[{"op":"update_one","table":"users","where":{"id":7},"values":{"balance":{"$inc":-10}}},{"op":"update_one","table":"users","where":{"id":8},"values":{"balance":{"$inc":10}}}]}`},
		{"http.request", "http.request", `{"client":"crm","method":"POST","path":"/contacts","body":{"name":"Ada"},"timeout":"5s"}`},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := tasks.Parse(bench.kind, json.RawMessage(bench.args), targets); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// FuzzParse holds Parse to this, whatever it reads: it does not panic, and it
// returns a task or a complete error.
func FuzzParse(f *testing.F) {
	for _, e := range examples() {
		f.Add(e.kind, []byte(e.args))
	}
	f.Fuzz(func(t *testing.T, kind string, args []byte) {
		task, err := tasks.Parse(kind, args, configured())
		if err == nil {
			if string(task.Kind()) != kind {
				t.Fatalf("Parse(%q).Kind() = %q", kind, task.Kind())
			}
			return
		}
		if task != nil {
			t.Fatalf("Parse(%q, %q) = %v beside %v", kind, args, task, err)
		}
		describe(t, err)
	})
}
