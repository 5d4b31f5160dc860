package tasks_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/internal/strictjson"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/tasks"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// describe writes an error of Parse: "422 /args/table unknown_table" of each
// fault, and the same with its messages.
func describe(t *testing.T, err error) (brief, full string) {
	t.Helper()
	var invalid *job.InvalidError
	if !errors.As(err, &invalid) || len(invalid.Fields) == 0 || len(invalid.Fields) > dbop.MaxErrors {
		t.Fatalf("%#v is not an InvalidError with faults", err)
	}
	status := "422"
	if invalid.Malformed {
		status = "400"
	}
	var briefs []string
	for _, fault := range invalid.Fields {
		if fault.Message == "" || strictjson.Malformed(fault.Code) != invalid.Malformed || !strings.HasPrefix(fault.Pointer, "/") {
			t.Errorf("%s beside a fault %+v", status, fault)
		}
		briefs = append(briefs, status+" "+fault.Pointer+" "+fault.Code)
		full += "\n\t" + status + " " + fault.Pointer + " " + fault.Code + ": " + fault.Message
	}
	return strings.Join(briefs, ", "), full
}

type refusal struct{ name, kind, args, want string }

func items(n int, format string) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(format, i)
	}
	return strings.Join(all, ",")
}

func refusals() []refusal {
	refused := []refusal{
		// Kinds.
		{"missing kind", "", `{}`, "422 /kind required"},
		{"unknown kind", "mail.send", `{}`, "422 /kind unknown_kind"},
		{"mistyped kind", "db.slect_one", `{}`, "422 /kind unknown_kind"},
		{"kind of ours", "system.action", `{}`, "422 /kind unknown_kind"},
		{"kind of ours, notify", "system.notify", `{}`, "422 /kind unknown_kind"},

		// JSON of args.
		{"not JSON", "db.select_one", `{`, "400 /args not_json"},
		{"trailing data", "db.select_one", `{}x`, "400 /args trailing_data"},
		{"array", "db.select_one", `[]`, "400 /args wrong_type"},
		{"string", "system.noop", `"x"`, "400 /args wrong_type"},
		{"duplicate field", "db.select_one", `{"table":"a","table":"b"}`, "400 /args/table duplicate_field"},
		{"duplicate field inside", "db.insert_one", `{"table":"users","values":{"id":1,"id":2}}`, "400 /args/values/id duplicate_field"},
		{"unknown field", "db.select_one", `{"tabel":"users"}`, "400 /args/tabel unknown_field"},
		{"case of field", "db.select_one", `{"Table":"users"}`, "400 /args/Table unknown_field"},
		{"field of another kind", "db.select_one", `{"table":"users","limit":1}`, "400 /args/limit unknown_field"},
		{"__proto__", "db.select_one", `{"__proto__":{}}`, "400 /args/__proto__ unknown_field"},
		{"number for string", "db.select_one", `{"table":7}`, "400 /args/table wrong_type"},
		{"string for array", "db.select_one", `{"table":"users","columns":"id"}`, "400 /args/columns wrong_type"},
		{"string for object", "db.select_one", `{"table":"users","where":"id=1"}`, "400 /args/where wrong_type"},
		{"string for integer", "db.select_many", `{"table":"users","limit":"3"}`, "400 /args/limit wrong_type"},
		{"1.0", "db.select_many", `{"table":"users","limit":1.0}`, "400 /args/limit not_an_integer"},
		{"-0", "db.select_many", `{"table":"users","offset":-0}`, "400 /args/offset not_an_integer"},
		{"1e400", "db.insert_one", `{"table":"users","values":{"age":1e400}}`, "400 /args/values/age number_too_large"},
		{"depth", "db.insert_one", `{"table":"users","values":{"meta":` + strings.Repeat("[", 100_000), "400 /args/values/meta" + strings.Repeat("/0", 30) + " too_deep"},
		{"1001 keys", "db.insert_one", `{"table":"users","values":{` + items(1001, `"k%d":1`) + `}}`, "400 /args/values too_many_keys"},
		{"invalid UTF-8", "db.select_one", "{\"table\":\"\xff\"}", "400 /args/table invalid_utf8"},
		{"lone surrogate", "db.select_one", `{"table":"\ud800"}`, "400 /args/table lone_surrogate"},
		{"2^63", "db.select_many", `{"table":"users","limit":9223372036854775808}`, "422 /args/limit out_of_range"},
		{"NUL", "db.insert_one", `{"table":"users","values":{"name":"\u0000"}}`, "422 /args/values/name nul"},
		{"null for required", "db.select_one", `{"table":null}`, "422 /args/table required"},
		{"malformed first", "db.update_one", `{"table":"no such","where":{"id":{"$in":1},"x y":1},"values":[]}`, "400 /args/where/id/$in wrong_type, 400 /args/values wrong_type"},

		// Reads.
		{"no table", "db.select_one", `{}`, "422 /args/table required"},
		{"unknown database", "db.select_one", `{"database":"mian","table":"users"}`, "422 /args/database unknown_database"},
		{"unknown table", "db.select_one", `{"table":"secrets"}`, "422 /args/table unknown_table"},
		{"table of SQL", "db.select_one", `{"table":"users; DROP TABLE x"}`, "422 /args/table invalid_name"},
		{"column of SQL", "db.select_one", `{"table":"users","columns":["\"id\" OR 1=1"]}`, "422 /args/columns/0 invalid_name"},
		{"unlisted column", "db.select_one", `{"table":"users","columns":["id","password_hash"]}`, "422 /args/columns/1 unknown_column"},
		{"column twice", "db.select_one", `{"table":"users","columns":["id","id"]}`, "422 /args/columns/1 duplicate_column"},
		{"where on unlisted column", "db.select_one", `{"table":"users","where":{"$or":[{"id":1},{"password_hash":{"$like":"a%"}}]}}`, "422 /args/where/$or/1/password_hash unknown_column"},
		{"operator", "db.select_one", `{"table":"users","where":{"name":{"$regexp":"a"}}}`, "422 /args/where/name/$regexp unknown_operator"},
		{"raw", "db.select_one", `{"table":"users","where":{"$raw":"1=1"}}`, "422 /args/where/$raw unknown_operator"},
		{"10,001 values", "db.select_one", `{"table":"users","where":{"id":{"$in":[` + items(10_001, "%d") + `]}}}`, "422 /args/where/id/$in too_many"},
		{"string of 64 KiB and one", "db.select_one", `{"table":"users","where":{"name":"` + strings.Repeat("x", 65_537) + `"}}`, "422 /args/where/name too_long"},
		{"order by unlisted", "db.select_many", `{"table":"users","order_by":["-password_hash"]}`, "422 /args/order_by/0 unknown_column"},
		{"limit 0", "db.select_many", `{"table":"users","limit":0}`, "422 /args/limit out_of_range"},
		{"limit 10^9", "db.select_many", `{"table":"users","limit":1000000000}`, "422 /args/limit out_of_range"},
		{"offset -1", "db.select_many", `{"table":"users","offset":-1}`, "422 /args/offset out_of_range"},
		{"cache without key", "db.select_many", `{"table":"users","cache":{"ttl":"1h"}}`, "422 /args/cache/key required"},
		{"cache key too long", "db.select_one", `{"table":"users","cache":{"key":"` + strings.Repeat("k", 256) + `"}}`, "422 /args/cache/key too_long"},
		{"cache key with a line", "db.select_one", `{"table":"users","cache":{"key":"a\nb"}}`, "422 /args/cache/key invalid_value"},
		{"cache ttl", "db.select_one", `{"table":"users","cache":{"key":"k","ttl":"tomorrow"}}`, "422 /args/cache/ttl invalid_value"},
		{"cache ttl 0", "db.select_one", `{"table":"users","cache":{"key":"k","ttl":"0s"}}`, "422 /args/cache/ttl out_of_range"},
		{"cache ttl of a number", "db.select_one", `{"table":"users","cache":{"key":"k","ttl":60}}`, "400 /args/cache/ttl wrong_type"},

		// Writes.
		{"no values", "db.insert_one", `{"table":"users"}`, "422 /args/values required"},
		{"empty values", "db.insert_one", `{"table":"users","values":{}}`, "422 /args/values required"},
		{"values of array", "db.insert_one", `{"table":"users","values":[{"id":1}]}`, "400 /args/values wrong_type"},
		{"unlisted value", "db.insert_one", `{"table":"users","values":{"password_hash":"x"}}`, "422 /args/values/password_hash unknown_column"},
		{"read-only table", "db.insert_one", `{"table":"audit","values":{"note":"x"}}`, "422 /args/table read_only"},
		{"$inc in insert", "db.insert_one", `{"table":"users","values":{"age":{"$inc":1}}}`, "422 /args/values/age/$inc unknown_operator"},
		{"$ref outside a transaction", "db.insert_one", `{"table":"users","values":{"age":{"$ref":"user.id"}}}`, "422 /args/values/age/$ref unknown_operator"},
		{"returning unlisted", "db.insert_one", `{"table":"users","values":{"id":1},"returning":["password_hash"]}`, "422 /args/returning/0 unknown_column"},
		{"returning all and one", "db.insert_one", `{"table":"users","values":{"id":1},"returning":["id","*"]}`, "422 /args/returning/1 invalid_name"},
		{"conflict action", "db.insert_one", `{"table":"users","values":{"id":1},"on_conflict":{"columns":["id"],"action":"replace"}}`, "422 /args/on_conflict/action not_allowed"},
		{"conflict field", "db.insert_one", `{"table":"users","values":{"id":1},"on_conflict":{"column":"id"}}`, "400 /args/on_conflict/column unknown_field"},
		{"no rows", "db.insert_many", `{"table":"users","rows":[]}`, "422 /args/rows required"},
		{"rows missing", "db.insert_many", `{"table":"users"}`, "422 /args/rows required"},
		{"rows of object", "db.insert_many", `{"table":"users","rows":{"id":1}}`, "400 /args/rows wrong_type"},
		{"unlisted value in a row", "db.insert_many", `{"table":"users","rows":[{"id":1},{"id":2,"password_hash":"x"}]}`, "422 /args/rows/1/password_hash unknown_column"},
		{"10,001 rows", "db.insert_many", `{"table":"users","rows":[` + items(10_001, `{"id":%d}`) + `]}`, "422 /args/rows too_many"},
		{"chunk_size 0", "db.insert_many", `{"table":"users","rows":[{"id":1}],"chunk_size":0}`, "422 /args/chunk_size out_of_range"},
		{"update without values", "db.update_one", `{"table":"users","where":{"id":1}}`, "422 /args/values required"},
		{"update of nothing", "db.update_many", `{"table":"users","where":{"id":1},"values":{}}`, "422 /args/values required"},
		{"max_affected 0", "db.update_many", `{"table":"users","where":{"id":1},"values":{"age":1},"max_affected":0}`, "422 /args/max_affected out_of_range"},
		{"max_affected of update_one", "db.update_one", `{"table":"users","where":{"id":1},"values":{"age":1},"max_affected":1}`, "400 /args/max_affected unknown_field"},
		{"require of delete_many", "db.delete_many", `{"table":"users","where":{"id":1},"require":true}`, "400 /args/require unknown_field"},
		{"require of a number", "db.delete_one", `{"table":"users","where":{"id":1},"require":1}`, "400 /args/require wrong_type"},
		{"delete from read-only", "db.delete_one", `{"table":"audit","where":{"id":1}}`, "422 /args/table read_only"},

		// Transactions.
		// Named statements.
		{"no name", "db.query", `{}`, "422 /args/name required"},
		{"unknown query", "db.query", `{"name":"activ"}`, "422 /args/name unknown_query"},
		{"name of a number", "db.query", `{"name":7}`, "400 /args/name wrong_type"},
		{"unknown field", "db.query", `{"name":"all","table":"users"}`, "400 /args/table unknown_field"},
		{"SQL", "db.query", `{"name":"all","sql":"DROP TABLE users"}`, "400 /args/sql unknown_field"},
		{"unknown database", "db.query", `{"name":"all","database":"mian"}`, "422 /args/database unknown_database"},
		{"missing params", "db.query", `{"name":"active","params":{"status":"a"}}`, "422 /args/params/since required"},
		{"no params", "db.query", `{"name":"active"}`, "422 /args/params/status required, 422 /args/params/since required"},
		{"unknown param", "db.query", `{"name":"active","params":{"status":"a","since":null,"statsu":"b"}}`, "422 /args/params/statsu unknown_param"},
		{"param of a query without", "db.query", `{"name":"all","params":{"a":1}}`, "422 /args/params/a unknown_param"},
		{"params of an array", "db.query", `{"name":"active","params":["a"]}`, "400 /args/params wrong_type"},
		{"duplicate param", "db.query", `{"name":"active","params":{"status":"a","since":null,"status":"b"}}`, "400 /args/params/status duplicate_field"},
		{"number for a string", "db.query", `{"name":"active","params":{"status":1,"since":null}}`, "422 /args/params/status invalid_value"},
		{"30 February", "db.query", `{"name":"active","params":{"status":"a","since":"2026-02-30"}}`, "422 /args/params/since invalid_value"},
		{"NUL in a param", "db.query", `{"name":"active","params":{"status":"a\u0000","since":null}}`, "422 /args/params/status nul"},
		{"operator for a param", "db.query", `{"name":"active","params":{"status":{"$gt":1},"since":null}}`, "422 /args/params/status/$gt unknown_operator"},
		{"$ref outside a transaction", "db.query", `{"name":"active","params":{"status":{"$ref":"a.b"},"since":null}}`, "422 /args/params/status/$ref unknown_operator"},
		{"string for an integer", "db.query", `{"name":"types","params":{"i":"1","n":1,"d":"1","b":true,"y":"x","j":1}}`, "422 /args/params/i invalid_value"},
		{"fraction for an integer", "db.query", `{"name":"types","params":{"i":1.0,"n":1,"d":"1","b":true,"y":"x","j":1}}`, "422 /args/params/i invalid_value"},
		{"integer over 64 bits", "db.query", `{"name":"types","params":{"i":18446744073709551616,"n":1,"d":"1","b":true,"y":"x","j":1}}`, "422 /args/params/i invalid_value"},
		{"string for a number", "db.query", `{"name":"types","params":{"i":1,"n":"1","d":"1","b":true,"y":"x","j":1}}`, "422 /args/params/n invalid_value"},
		{"word for a decimal", "db.query", `{"name":"types","params":{"i":1,"n":1,"d":"ten","b":true,"y":"x","j":1}}`, "422 /args/params/d invalid_value"},
		{"number for a boolean", "db.query", `{"name":"types","params":{"i":1,"n":1,"d":"1","b":1,"y":"x","j":1}}`, "422 /args/params/b invalid_value"},
		{"number for bytes", "db.query", `{"name":"types","params":{"i":1,"n":1,"d":"1","b":true,"y":1,"j":1}}`, "422 /args/params/y invalid_value"},
		{"bad base64", "db.query", `{"name":"types","params":{"i":1,"n":1,"d":"1","b":true,"y":{"$base64":"?"},"j":1}}`, "422 /args/params/y/$base64 invalid_value"},
		{"bytes for JSON", "db.query", `{"name":"types","params":{"i":1,"n":1,"d":"1","b":true,"y":"x","j":{"$base64":"AA=="}}}`, "422 /args/params/j invalid_value"},
		{"array for a string", "db.query", `{"name":"active","params":{"status":["a"],"since":null}}`, "422 /args/params/status invalid_value"},
		{"limit 0", "db.query", `{"name":"all","limit":0}`, "422 /args/limit out_of_range"},
		{"limit 10001", "db.query", `{"name":"all","limit":10001}`, "422 /args/limit out_of_range"},
		{"limit of a write", "db.query", `{"name":"types","params":{"i":1,"n":1,"d":"1","b":true,"y":"x","j":1},"limit":1}`, "422 /args/limit not_allowed"},
		{"cache of a write", "db.query", `{"name":"types","params":{"i":1,"n":1,"d":"1","b":true,"y":"x","j":1},"cache":{"key":"k"}}`, "422 /args/cache not_allowed"},
		{"max_affected of a read", "db.query", `{"name":"all","max_affected":1}`, "422 /args/max_affected not_allowed"},
		{"max_affected 0", "db.query", `{"name":"types","params":{"i":1,"n":1,"d":"1","b":true,"y":"x","j":1},"max_affected":0}`, "422 /args/max_affected out_of_range"},
		{"cache without key", "db.query", `{"name":"all","cache":{}}`, "422 /args/cache/key required"},
		{"query in a transaction", "db.transaction", `{"operations":[{"op":"query","name":"active","params":{"status":{"a":{"$ref":"x.y"}}}},{"op":"query","name":"all","cache":{"key":"k"}}]}`,
			"422 /args/operations/0/params/status/a/$ref unknown_reference, 422 /args/operations/0/params/since required, 422 /args/operations/1/cache not_allowed"},
		{"template for a string", "db.transaction", `{"operations":[{"op":"query","as":"a","name":"all"},{"op":"query","name":"active","params":{"status":[{"$ref":"a.count"}],"since":{"$ref":"a.rows.0"}}}]}`,
			"422 /args/operations/1/params/status invalid_value"},
		{"query of an unknown database", "db.transaction", `{"database":"mian","operations":[{"op":"query","name":"active"}]}`, "422 /args/database unknown_database"},

		{"no operations", "db.transaction", `{}`, "422 /args/operations required"},
		{"0 operations", "db.transaction", `{"operations":[]}`, "422 /args/operations required"},
		{"51 operations", "db.transaction", `{"operations":[` + items(51, `{"op":"select_one","table":"users","where":{"id":%d}}`) + `]}`, "422 /args/operations too_many"},
		{"operations of object", "db.transaction", `{"operations":{"op":"select_one"}}`, "400 /args/operations wrong_type"},
		{"isolation", "db.transaction", `{"operations":[{"op":"select_one","table":"users"}],"isolation":"snapshot"}`, "422 /args/isolation not_allowed"},
		{"unknown field", "db.transaction", `{"operations":[{"op":"select_one","table":"users"}],"table":"users"}`, "400 /args/table unknown_field"},
		{"unknown database", "db.transaction", `{"database":"mian","operations":[{"op":"select_one","table":"no table"}]}`, "422 /args/database unknown_database, 422 /args/operations/0/table invalid_name"},
		{"two databases", "db.transaction", `{"operations":[{"op":"select_one","table":"users"},{"op":"select_one","database":"other","table":"users"}]}`, "422 /args/operations/1/database not_allowed"},
		{"operation of a string", "db.transaction", `{"operations":["select_one"]}`, "400 /args/operations/0 wrong_type"},
		{"operation of null", "db.transaction", `{"operations":[null]}`, "422 /args/operations/0/op required"},
		{"no op", "db.transaction", `{"operations":[{"table":"users"}]}`, "422 /args/operations/0/op required"},
		{"unknown op", "db.transaction", `{"operations":[{"op":"drop","table":"users"},{"op":"db.select_one","table":"users"}]}`,
			"422 /args/operations/0/op unknown_operation, 422 /args/operations/1/op unknown_operation"},
		{"transaction in a transaction", "db.transaction", `{"operations":[{"op":"transaction","operations":[]}]}`, "422 /args/operations/0/op unknown_operation"},
		{"op of a number", "db.transaction", `{"operations":[{"op":7}]}`, "400 /args/operations/0/op wrong_type"},
		{"unknown field of an operation", "db.transaction", `{"operations":[{"op":"select_one","table":"users","limit":1}]}`, "400 /args/operations/0/limit unknown_field"},
		{"duplicate field of an operation", "db.transaction", `{"operations":[{"op":"select_one","table":"users","op":"delete_one"}]}`, "400 /args/operations/0/op duplicate_field"},
		{"expect_rows -1", "db.transaction", `{"operations":[{"op":"select_one","table":"users","expect_rows":-1}]}`, "422 /args/operations/0/expect_rows out_of_range"},
		{"expect_rows of a string", "db.transaction", `{"operations":[{"op":"select_one","table":"users","expect_rows":"1"}]}`, "400 /args/operations/0/expect_rows wrong_type"},
		{"as", "db.transaction", `{"operations":[{"op":"select_one","table":"users","as":"a.b"},{"op":"select_one","table":"users","as":"` + strings.Repeat("x", 65) + `"}]}`,
			"422 /args/operations/0/as invalid_name, 422 /args/operations/1/as invalid_name"},
		{"as twice", "db.transaction", `{"operations":[{"op":"select_one","table":"users","as":"a"},{"op":"select_one","table":"users","as":"a"}]}`, "422 /args/operations/1/as duplicate_name"},
		{"cache in a transaction", "db.transaction", `{"operations":[{"op":"select_one","table":"users","cache":{"key":"k"}}]}`, "422 /args/operations/0/cache not_allowed"},
		{"every operation is checked", "db.transaction", `{"operations":[{"op":"update_one","table":"users","where":{},"values":{"age":1}},{"op":"insert_one","table":"audit","values":{"note":"x"}},` +
			`{"op":"insert_one","table":"users","values":{"password_hash":"x"}},{"op":"select_one","table":"users","where":{"$or":[{"password_hash":1}]},"order_by":["x"]},{"op":"select_many","table":"secrets"}]}`,
			"422 /args/operations/0/where empty_where, 422 /args/operations/1/table read_only, 422 /args/operations/2/values/password_hash unknown_column, " +
				"422 /args/operations/3/order_by/0 unknown_column, 422 /args/operations/3/where/$or/0/password_hash unknown_column, 422 /args/operations/4/table unknown_table"},
		{"unknown, later and own reference", "db.transaction", `{"operations":[{"op":"insert_one","as":"a","table":"users","values":{"id":{"$ref":"nobody.id"},"age":{"$ref":"b.id"},"name":{"$ref":"a.id"}}},` +
			`{"op":"update_many","as":"b","table":"users","where":{"id":{"$in":[1,{"$ref":"c.id"}]}},"values":{"meta":{"x":[{"$ref":"x.id"}]},"age":{"$inc":{"$ref":"a"}}}}]}`,
			"422 /args/operations/0/values/id/$ref unknown_reference, 422 /args/operations/0/values/age/$ref unknown_reference, 422 /args/operations/0/values/name/$ref unknown_reference, " +
				"422 /args/operations/1/where/id/$in/1/$ref unknown_reference, 422 /args/operations/1/values/meta/x/0/$ref unknown_reference, 422 /args/operations/1/values/age/$inc/$ref invalid_value"},
		{"reference of a number", "db.transaction", `{"operations":[{"op":"insert_one","table":"users","values":{"id":{"$ref":7}}}]}`, "400 /args/operations/0/values/id/$ref wrong_type"},
		{"reference for a limit", "db.transaction", `{"operations":[{"op":"select_one","as":"a","table":"users"},{"op":"select_many","table":"users","limit":{"$ref":"a.id"}}]}`, "400 /args/operations/1/limit wrong_type"},
		{"malformed first", "db.transaction", `{"operations":[{"op":"select_one","table":"no such"},{"op":"select_one","table":"users","where":7}]}`, "400 /args/operations/1/where wrong_type"},

		// Calls.
		{"no steps", "ws.exchange", `{"path":"/ws","steps":[]}`, "422 /args/steps required"},
		{"too many steps", "ws.exchange", `{"path":"/ws","steps":[` + strings.Repeat(`{"send":1},`, 100) + `{"send":1}]}`, "422 /args/steps too_long"},
		{"neither send nor receive", "ws.exchange", `{"path":"/ws","steps":[{}]}`, "422 /args/steps/0 invalid_value"},
		{"send and receive", "ws.exchange", `{"path":"/ws","steps":[{"send":1,"receive":{}}]}`, "422 /args/steps/0 invalid_value"},
		{"unknown field of a step", "ws.exchange", `{"path":"/ws","steps":[{"ping":1}]}`, "400 /args/steps/0/ping unknown_field"},
		{"count", "ws.exchange", `{"path":"/ws","steps":[{"receive":{"count":0}}]}`, "422 /args/steps/0/receive/count out_of_range"},
		{"match", "ws.exchange", `{"path":"/ws","steps":[{"receive":{"match":7}}]}`, "422 /args/steps/0/receive/match not_allowed"},
		{"receive timeout", "ws.exchange", `{"path":"/ws","steps":[{"receive":{"timeout":"0s"}}]}`, "422 /args/steps/0/receive/timeout out_of_range"},
		{"base64 of a message", "ws.exchange", `{"path":"/ws","steps":[{"send":{"$base64":"?"}}]}`, "422 /args/steps/0/send/$base64 invalid_value"},
		{"path out", "ws.exchange", `{"path":"//evil","steps":[{"send":1}]}`, "422 /args/path invalid_value"},
		{"header of the handshake", "ws.exchange", `{"path":"/ws","headers":{"Sec-WebSocket-Key":"a"},"steps":[{"send":1}]}`, "422 /args/headers/Sec-WebSocket-Key not_allowed"},
		{"subprotocol", "ws.exchange", `{"path":"/ws","subprotocols":["a b"],"steps":[{"send":1}]}`, "422 /args/subprotocols/0 invalid_value"},
		{"unknown client", "ws.exchange", `{"client":"cmr","path":"/ws","steps":[{"send":1}]}`, "422 /args/client unknown_client"},
		{"no requests", "http.batch", `{"requests":[]}`, "422 /args/requests required"},
		{"too many requests", "http.batch", `{"requests":[` + strings.Repeat(`{"method":"GET","path":"/"},`, 1000) + `{"method":"GET","path":"/"}]}`, "422 /args/requests too_many"},
		{"max_concurrent", "http.batch", `{"requests":[{"method":"GET","path":"/"}],"max_concurrent":0}`, "422 /args/max_concurrent out_of_range"},
		{"on_error", "http.batch", `{"requests":[{"method":"GET","path":"/"}],"on_error":"ignore"}`, "422 /args/on_error not_allowed"},
		{"unknown client", "http.batch", `{"client":"cmr","requests":[{"method":"GET","path":"/"}]}`, "422 /args/client unknown_client"},
		{"unknown client of a request", "http.batch", `{"requests":[{"method":"GET","path":"/"},{"client":"cmr","method":"GET","path":"/"}]}`, "422 /args/requests/1/client unknown_client"},
		{"unknown field of a request", "http.batch", `{"requests":[{"method":"GET","path":"/","url":"http://evil/"}]}`, "400 /args/requests/0/url unknown_field"},
		{"request that is none", "http.batch", `{"requests":["GET /"]}`, "400 /args/requests/0 wrong_type"},
		{"several bad requests", "http.batch", `{"requests":[{"method":"TRACE","path":"/"},{"method":"GET","path":"/../a"}]}`, "422 /args/requests/0/method not_allowed, 422 /args/requests/1/path dot_segments"},
		{"url", "http.request", `{"url":"http://evil/","method":"GET","path":"/"}`, "400 /args/url unknown_field"},
		{"unknown client", "http.request", `{"client":"cmr","method":"GET","path":"/"}`, "422 /args/client unknown_client"},
		{"nothing", "http.request", `{}`, "422 /args/method required, 422 /args/path required"},
		{"CONNECT", "http.request", `{"method":"CONNECT","path":"/"}`, "422 /args/method not_allowed"},
		{"TRACE", "http.request", `{"method":"TRACE","path":"/"}`, "422 /args/method not_allowed"},
		{"relative path", "http.request", `{"method":"GET","path":"x"}`, "422 /args/path invalid_value"},
		{"dot segments", "http.request", `{"method":"GET","path":"/a/../admin"}`, "422 /args/path dot_segments"},
		{"escaped dot segments", "http.request", `{"method":"GET","path":"/a/%2e%2e%2fadmin"}`, "422 /args/path dot_segments"},
		{"two slashes", "http.request", `{"method":"GET","path":"//evil"}`, "422 /args/path invalid_value"},
		{"host of userinfo", "http.request", `{"method":"GET","path":"@evil.com"}`, "422 /args/path invalid_value"},
		{"CRLF in header", "http.request", `{"method":"GET","path":"/","headers":{"X-A":"a\r\nHost: b"}}`, "422 /args/headers/X-A invalid_value"},
		{"Host", "http.request", `{"method":"GET","path":"/","headers":{"Host":"a"}}`, "422 /args/headers/Host not_allowed"},
		{"Authorization", "http.request", `{"method":"GET","path":"/","headers":{"authorization":"a"}}`, "422 /args/headers/authorization not_allowed"},
		{"Transfer-Encoding", "http.request", `{"method":"GET","path":"/","headers":{"Transfer-Encoding":"chunked"}}`, "422 /args/headers/Transfer-Encoding not_allowed"},
		{"header not allowed", "http.request", `{"method":"GET","path":"/","headers":{"Link":"a"}}`, "422 /args/headers/Link not_allowed"},
		{"header of a number", "http.request", `{"method":"GET","path":"/","headers":{"X-A":1}}`, "400 /args/headers/X-A wrong_type"},
		{"body with GET", "http.request", `{"method":"GET","path":"/","body":{}}`, "422 /args/body not_allowed"},
		{"text with GET", "http.request", `{"method":"GET","path":"/","text":"x"}`, "422 /args/text not_allowed"},
		{"two bodies", "http.request", `{"method":"POST","path":"/","body":{},"text":"x"}`, "422 /args/text not_allowed"},
		{"three bodies", "http.request", `{"method":"POST","path":"/","body":{},"text":"x","base64":""}`, "422 /args/base64 not_allowed"},
		{"base64", "http.request", `{"method":"POST","path":"/","base64":"*"}`, "422 /args/base64 invalid_value"},
		{"query of null", "http.request", `{"method":"GET","path":"/","query":{"a":null}}`, "400 /args/query/a wrong_type"},
		{"query of object", "http.request", `{"method":"GET","path":"/","query":{"a/b":["x",{}]}}`, "400 /args/query/a~1b/1 wrong_type"},
		{"timeout 0", "http.request", `{"method":"GET","path":"/","timeout":"0s"}`, "422 /args/timeout out_of_range"},
		{"timeout -1", "http.request", `{"method":"GET","path":"/","timeout":"-1s"}`, "422 /args/timeout out_of_range"},
		{"timeout 10^9", "http.request", `{"method":"GET","path":"/","timeout":"1000000000s"}`, "422 /args/timeout out_of_range"},
		{"timeout of text", "http.request", `{"method":"GET","path":"/","timeout":"soon"}`, "422 /args/timeout invalid_value"},
		{"timeout of a number", "http.request", `{"method":"GET","path":"/","timeout":30}`, "400 /args/timeout wrong_type"},
		{"expect", "http.request", `{"method":"GET","path":"/","expect":[200,99]}`, "422 /args/expect/1 out_of_range"},
		{"expect of text", "http.request", `{"method":"GET","path":"/","expect":["2xx"]}`, "400 /args/expect/0 wrong_type"},
		{"expect too much", "http.request", `{"method":"GET","path":"/","expect":[` + items(101, "%d") + `]}`, "422 /args/expect too_many"},
		{"cache with POST", "http.request", `{"method":"POST","path":"/","cache":{"key":"k"}}`, "422 /args/cache not_allowed"},

		// Looks at targets.
		{"a target that is none", "system.health", `{"targets":["main","nope"]}`, "422 /args/targets/1 unknown_target"},
		{"a target without a name", "system.health", `{"targets":[""]}`, "422 /args/targets/0 unknown_target"},
		{"a target of a number", "system.health", `{"targets":[1]}`, "400 /args/targets/0 wrong_type"},
		{"targets of text", "system.health", `{"targets":"main"}`, "400 /args/targets wrong_type"},
		{"too many targets", "system.health", `{"targets":[` + items(101, `"t%d"`) + `]}`, "422 /args/targets too_many"},

		// Warming.
		{"nothing to warm", "cache.warm", `{}`, "422 /args/items required"},
		{"no items", "cache.warm", `{"items":[]}`, "422 /args/items required"},
		{"items of a number", "cache.warm", `{"items":7}`, "400 /args/items wrong_type"},
		{"an unknown field", "cache.warm", `{"items":[],"ttl":"1m"}`, "400 /args/ttl unknown_field"},
		{"too many items", "cache.warm", `{"items":[` + items(1001, `{"kind":"k%d"}`) + `]}`, "422 /args/items too_many"},
		{"an item that writes", "cache.warm", `{"items":[{"kind":"db.delete_one","args":{"table":"users","where":{"id":1}}}]}`, "422 /args/items/0/kind not_allowed"},
		{"an item of a query", "cache.warm", `{"items":[{"kind":"db.query","args":{"name":"q"}}]}`, "422 /args/items/0/kind not_allowed"},
		{"a POST", "cache.warm", `{"items":[{"kind":"http.request","args":{"method":"POST","path":"/x"}}]}`, "422 /args/items/0/args/method not_allowed"},
		{"an item that is not to be kept", "cache.warm", `{"items":[{"kind":"db.select_one","args":{"table":"users"}}]}`, "422 /args/items/0/args/cache required"},
		{"an item of another table", "cache.warm", `{"items":[{"kind":"db.select_one","args":{"table":"users","cache":{"key":"k"}}},{"kind":"db.select_many","args":{"table":"nope","cache":{"key":"k"}}}]}`, "422 /args/items/1/args/table unknown_table"},
		{"an item with an unknown field", "cache.warm", `{"items":[{"kind":"db.select_one","args":{"tabel":"users"}}]}`, "400 /args/items/0/args/tabel unknown_field"},

		// Noops.
		{"sleep over an hour", "system.noop", `{"sleep":"1h1s"}`, "422 /args/sleep out_of_range"},
		{"sleep backwards", "system.noop", `{"sleep":"-1s"}`, "422 /args/sleep out_of_range"},
		{"sleep of a number", "system.noop", `{"sleep":5}`, "400 /args/sleep wrong_type"},
		{"fail of a number", "system.noop", `{"fail":1}`, "400 /args/fail wrong_type"},
		{"fail of nothing", "system.noop", `{"fail":""}`, "422 /args/fail invalid_value"},
		{"fail at length", "system.noop", `{"fail":"` + strings.Repeat("x", 1025) + `"}`, "422 /args/fail too_long"},
	}
	for _, kind := range []string{"db.update_one", "db.update_many", "db.delete_one", "db.delete_many"} {
		values := ""
		if strings.HasPrefix(kind, "db.update") {
			values = `,"values":{"age":1}`
		}
		refused = append(refused, refusal{"where missing", kind, `{"table":"users"` + values + `}`, "422 /args/where empty_where"})
		for _, where := range []string{
			`null`, `{}`, `{"$or":[{}]}`, `{"$and":[]}`, `{"$not":{"id":1}}`, `{"id":{"$nin":[]}}`, `{"$or":[{"id":1},{"$and":[{}]}]}`,
		} {
			refused = append(refused, refusal{"where " + where, kind, `{"table":"users","where":` + where + values + `}`, "422 /args/where empty_where"})
		}
		refused = append(refused, refusal{"where of no comparison", kind, `{"table":"users","where":{"id":{}}` + values + `}`, "422 /args/where/id empty_where"})
	}
	return refused
}

// TestParseRefuses holds what is refused against the table above, and the
// messages against the golden file.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	var golden strings.Builder
	for _, tt := range refusals() {
		task, err := tasks.Parse(tt.kind, json.RawMessage(tt.args), configured())
		if err == nil {
			t.Errorf("%s/%s: Parse = %+v, want %s", tt.kind, tt.name, task, tt.want)
			continue
		}
		got, full := describe(t, err)
		if got != tt.want {
			t.Errorf("%s/%s: Parse = %s, want %s", tt.kind, tt.name, got, tt.want)
		}
		fmt.Fprintf(&golden, "%s: %s%s\n", tt.kind, tt.name, full)
	}
	path := filepath.Join("testdata", "refused.golden")
	if *update {
		if err := os.WriteFile(path, []byte(golden.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), golden.String()); diff != "" {
		t.Errorf("messages differ from %s; run the test with -update if that is meant: -want +got\n%s", path, diff)
	}
}

func TestParseNeedsANameAmongSeveral(t *testing.T) {
	t.Parallel()
	for _, tt := range []refusal{
		{"database", "db.select_one", `{"table":"users"}`, "422 /args/database required"},
		{"client", "http.request", `{"method":"GET","path":"/"}`, "422 /args/client required"},
	} {
		_, err := tasks.Parse(tt.kind, json.RawMessage(tt.args), several())
		if got, _ := describe(t, err); got != tt.want {
			t.Errorf("%s: Parse = %s, want %s", tt.name, got, tt.want)
		}
	}
}
