package storetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
	"github.com/asyncops/asyncops/tasks"
)

// queries are the tests of named statements.
func queries() map[string]func(*testing.T, Harness) {
	return map[string]func(*testing.T, Harness){
		"query": testQuery, "query parameters": testQueryParameters, "query values": testQueryValues, "query limit": testQueryLimit, "query refused": testQueryRefused,
		"query that must not write": testQueryReadOnly, "query once": testQueryOnce, "query bounded": testQueryBounded, "query returning": testQueryReturning,
		"query as a step": testQueryStep, "query that does not prepare": testQueryBroken, "query after a reconnect": testQueryReconnect,
		"query interrupted": testQueryInterrupted, "query observed": testQueryObserved, "query planned": testQueryPlan,
	}
}

func params(pairs ...string) []dbop.Param {
	var list []dbop.Param
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, dbop.Param{Name: pairs[i], Type: dbop.ParamType(pairs[i+1])})
	}
	return list
}

// namedStatements are about the fixture's tables, in SQL that all databases read
// the same way.
func namedStatements() map[string]store.Query {
	return map[string]store.Query{
		"add": {SQL: "INSERT INTO users (email, name, age, balance, active, seen_at) VALUES (?, ?, ?, ?, ?, ?)", Write: true, Writes: []string{"users"},
			Params: params("email", "string", "name", "string", "age", "integer", "balance", "decimal", "active", "boolean", "seen_at", "time")},
		"by_name": {SQL: "SELECT id, email, name, age, balance, active, seen_at FROM users WHERE name = ?", Params: params("name", "string")},
		"names":   {SQL: "SELECT name FROM users ORDER BY id; -- that is all"},
		"either":  {SQL: "SELECT name FROM users WHERE age > $2 OR name = $1 OR email = $1 ORDER BY id", Params: params("text", "string", "age", "integer")},
		"like":    {SQL: "SELECT name FROM users WHERE name LIKE '%?%' AND name <> ? -- ? $1", Params: params("not", "string")},
		"count":   {SQL: "SELECT COUNT(*) AS n FROM users WHERE age = ? OR balance = ? OR active = ? OR seen_at = ?", Params: params("age", "integer", "balance", "decimal", "active", "boolean", "seen_at", "time")},
		"touch":   {SQL: "UPDATE users SET name = ? WHERE id > ?", Params: params("name", "string", "id", "integer"), Write: true, Writes: []string{"users"}},
		"note":    {SQL: "INSERT INTO log (nonce) VALUES (?)", Params: params("nonce", "string"), Write: true, Writes: []string{"log"}},
		"slow":    {SQL: "SELECT * FROM slow"},
		"twice":   {SQL: "SELECT id, id FROM users"},
		"digits":  {SQL: "WITH d AS (SELECT 0 AS d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9) SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d AS n FROM d AS a, d AS b, d AS c, d AS e, d AS f WHERE f.d < ? ORDER BY n", Params: params("tens", "integer")},
	}
}

func startQueries(t *testing.T, h Harness, change func(*store.Config)) fixture {
	t.Helper()
	return start(t, h, func(cfg *store.Config) { withQueries(cfg, change) })
}

func withQueries(cfg *store.Config, change func(*store.Config)) {
	cfg.Queries = namedStatements()
	if change != nil {
		change(cfg)
	}
}

// query reads the args of db.query.
func (f fixture) query(args string) dbop.Operation {
	f.t.Helper()
	task, err := tasks.Parse(string(tasks.DBQuery), json.RawMessage(args), only{f.Registry()})
	if err != nil {
		f.t.Fatalf("Parse(%s) = %v", args, err)
	}
	return task.(*tasks.DB).Operation
}

// wantQuery checks the result of args.
func (f fixture) wantQuery(args, want string) {
	f.t.Helper()
	res, err := f.Run(f.t.Context(), f.query(args), nil)
	if err != nil {
		f.t.Fatalf("%s: %v", args, err)
	}
	if got := string(res.JSON); got != want {
		f.t.Errorf("%s:\ngot  %s\nwant %s", args, got, want)
	}
}

func (f fixture) wantQueryFailure(args string, want job.Code) *job.Failure {
	f.t.Helper()
	return f.wantFailure(f.query(args), want)
}

const (
	addAda = `{"name":"add","params":{"email":"ada@x","name":"Ada","age":36,"balance":"12.25","active":true,"seen_at":"2026-01-31T13:00:00.5+01:00"}}`
	addBob = `{"name":"add","params":{"email":"bob@x","name":"Bob ?","age":null,"balance":null,"active":false,"seen_at":null}}`
	ada    = `{"id":1,"email":"ada@x","name":"Ada","age":36,"balance":"12.25","active":true,"seen_at":"2026-01-31T12:00:00.5Z"}`
	bob    = `{"id":2,"email":"bob@x","name":"Bob ?","age":null,"balance":null,"active":false,"seen_at":null}`
)

// What a named statement returns looks as what a select returns.
func testQuery(t *testing.T, h Harness) {
	f := startQueries(t, h, nil)
	f.wantQuery(addAda, `{"rows_affected":1}`)
	f.wantQuery(addBob, `{"rows_affected":1}`)
	f.want(dbop.Operation{Op: dbop.SelectMany, Table: "users"}, `{"rows":[`+ada+`,`+bob+`],"count":2,"cached":false}`)
	f.wantQuery(`{"name":"by_name","params":{"name":"Ada"}}`, `{"rows":[`+ada+`],"count":1,"cached":false}`)
	f.wantQuery(`{"name":"by_name","params":{"name":"Bob ?"}}`, `{"rows":[`+bob+`],"count":1,"cached":false}`)
	f.wantQuery(`{"name":"by_name","params":{"name":null}}`, `{"rows":[],"count":0,"cached":false}`)
	f.wantQuery(`{"name":"names"}`, `{"rows":[{"name":"Ada"},{"name":"Bob ?"}],"count":2,"cached":false}`)
	f.wantQuery(`{"name":"either","params":{"text":"ada@x","age":40}}`, `{"rows":[{"name":"Ada"}],"count":1,"cached":false}`)
	f.wantQuery(`{"name":"either","params":{"text":"Bob ?","age":35}}`, `{"rows":[{"name":"Ada"},{"name":"Bob ?"}],"count":2,"cached":false}`)
	f.wantQuery(`{"name":"touch","params":{"name":"Zoe","id":1}}`, `{"rows_affected":1}`)
	f.wantQuery(`{"name":"touch","params":{"name":"Zoe","id":7}}`, `{"rows_affected":0}`)
	f.wantQuery(`{"name":"touch","params":{"name":"Zoe","id":0}}`, `{"rows_affected":2}`) // one of them is Zoe already
	f.wantCount("users", "name = 'Zoe'", 2)
	for op, want := range map[string]string{`{"name":"names"}`: "*", addAda: "users", `{"name":"note","params":{"nonce":"x"}}`: "log"} {
		operation := f.query(op)
		if got := strings.Join(append(f.Registry().Writes(operation), f.Registry().Reads(operation)...), ","); got != want {
			t.Errorf("%s touches %s, want %s", op, got, want)
		}
	}
}

// Whatever a value holds, it is a value; and it compares as one of its type.
func testQueryParameters(t *testing.T, h Harness) {
	f := startQueries(t, h, nil)
	f.wantQuery(addAda, `{"rows_affected":1}`)
	f.wantQuery(addBob, `{"rows_affected":1}`)
	for _, text := range []string{`' OR 1=1 --`, `'; DROP TABLE users; --`, `\' OR 1=1 -- `, `?`, `$1`, `%`, `-1`, "é😀\n\t\"", `{"$ref":"a"}`, strings.Repeat("'", 5000)} {
		quoted, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		f.wantQuery(`{"name":"by_name","params":{"name":`+string(quoted)+`}}`, `{"rows":[],"count":0,"cached":false}`)
		f.wantQuery(`{"name":"like","params":{"not":`+string(quoted)+`}}`, `{"rows":[{"name":"Bob ?"}],"count":1,"cached":false}`)
		f.wantQuery(`{"name":"note","params":{"nonce":`+string(quoted)+`}}`, `{"rows_affected":1}`)
		read := dbop.Operation{Op: dbop.SelectOne, Table: "log", Where: eq("nonce", str(text))}
		var got struct{ Row struct{ Nonce string } }
		if err := json.Unmarshal([]byte(f.must(read)), &got); err != nil || got.Row.Nonce != text {
			t.Errorf("%q came back as %q", text, got.Row.Nonce)
		}
	}
	none := map[string]string{"age": "0", "balance": "0", "active": "null", "seen_at": "null"}
	for name, values := range map[string]map[string]int{
		"age":     {"36": 1, "37": 0},
		"balance": {`"12.25"`: 1, `12.250`: 1, `"12.26"`: 0, `"-12.25"`: 0},
		"active":  {"true": 1, "false": 1},
		"seen_at": {`"2026-01-31T12:00:00.5Z"`: 1, `"2026-01-31T12:00:00.500000+00:00"`: 1, `"2026-01-31 13:00:00.5+01"`: 1, `"2026-01-31T12:00:00Z"`: 0},
	} {
		for value, want := range values {
			args := map[string]json.RawMessage{}
			for param, other := range none {
				args[param] = json.RawMessage(other)
			}
			args[name] = json.RawMessage(value)
			text, err := json.Marshal(map[string]any{"name": "count", "params": args})
			if err != nil {
				t.Fatal(err)
			}
			f.wantQuery(string(text), fmt.Sprintf(`{"rows":[{"n":%d}],"count":1,"cached":false}`, want))
		}
	}
}

// Every type that a column may have is read as a select reads it; bytes and JSON
// arrive as they left.
func testQueryValues(t *testing.T, h Harness) {
	db := h.Database(t)
	cfg := db.Config
	cfg.Queries = map[string]store.Query{}
	for i, c := range h.Values {
		mustExec(t, db.SQL, fmt.Sprintf("CREATE TABLE v%d (id INTEGER PRIMARY KEY, v %s)", i, c.Type))
		cfg.Queries[fmt.Sprint("v", i)] = store.Query{SQL: fmt.Sprintf("SELECT v FROM v%d", i)}
		if kind, ok := map[dbop.ValueKind]dbop.ParamType{dbop.Bytes: dbop.ParamBytes, dbop.Bool: dbop.ParamBoolean}[c.In.Kind]; ok && !c.NamedText {
			cfg.Queries[fmt.Sprint("w", i)] = store.Query{SQL: fmt.Sprintf("INSERT INTO v%d (id, v) VALUES (1, ?)", i), Params: []dbop.Param{{Name: "v", Type: kind}}, Write: true}
		}
	}
	cfg.Tables = valueTables(len(h.Values))
	f := fixture{open(t, cfg, nil), t, db}
	for i, c := range h.Values {
		if c.Want == "" {
			continue
		}
		table := fmt.Sprint("v", i)
		if q, ok := f.Registry().Query(fmt.Sprint("w", i)); ok {
			f.want(dbop.Operation{Op: dbop.Query, Query: q.Name, Write: true, Args: []dbop.Argument{{Param: q.Params[0], Value: c.In}}}, `{"rows_affected":1}`)
			f.want(dbop.Operation{Op: dbop.SelectOne, Table: table, Columns: []string{"v"}}, `{"row":{"v":`+c.Want+`},"cached":false}`)
		} else {
			f.must(dbop.Operation{Op: dbop.InsertOne, Table: table, Rows: [][]dbop.Assignment{{set("id", num("1")), set("v", c.In)}}})
		}
		res := f.must(dbop.Operation{Op: dbop.Query, Query: table})
		if c.NamedText {
			res = textAsJSON(t, res)
		}
		if want := `{"rows":[{"v":` + c.Want + `}],"count":1,"cached":false}`; res != want {
			t.Errorf("%s %.60s = %.300s, want %.300s", c.Type, c.In.Text, res, want)
		}
	}
}

// textAsJSON puts JSON in the place of a string that holds it.
func textAsJSON(t *testing.T, result string) string {
	t.Helper()
	var read struct{ Rows []struct{ V string } }
	if err := json.Unmarshal([]byte(result), &read); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := json.Compact(&out, []byte(read.Rows[0].V)); err != nil {
		t.Fatal(err)
	}
	return `{"rows":[{"v":` + out.String() + `}],"count":1,"cached":false}`
}

func testQueryLimit(t *testing.T, h Harness) {
	f := startQueries(t, h, nil)
	for limit, args := range map[int]string{3: `{"name":"digits","params":{"tens":1},"limit":3}`, 1: `{"name":"digits","params":{"tens":9},"limit":1}`, 10_000: `{"name":"digits","params":{"tens":1}}`} {
		res, err := f.Run(t.Context(), f.query(args), nil)
		if err != nil || res.Rows != int64(limit) {
			t.Errorf("%s: %v, %v, want %d rows", args, res, err, limit)
		}
	}
	f.wantQueryFailure(`{"name":"digits","params":{"tens":2}}`, job.CodeTooManyRows)
	f.wantQuery(`{"name":"digits","params":{"tens":9},"limit":2}`, `{"rows":[{"n":0},{"n":1}],"count":2,"cached":false}`)
	f.wantNothingRuns(t)
}

func testQueryRefused(t *testing.T, h Harness) {
	f := startQueries(t, h, nil)
	f.wantFailure(dbop.Operation{Op: dbop.Query, Query: "nothing"}, job.CodeInvalid)
	changed := f.query(`{"name":"by_name","params":{"name":"Ada"}}`)
	changed.Args[0].Type = dbop.ParamInteger
	f.wantFailure(changed, job.CodeInvalid)
	changed = f.query(`{"name":"note","params":{"nonce":"x"}}`)
	changed.Write = false // a write is one, whatever the caller takes it for
	f.wantFailure(changed, job.CodeInvalid)
	f.wantFailure(dbop.Operation{Op: dbop.Query, Query: "by_name"}, job.CodeInvalid)
	f.wantQueryFailure(`{"name":"twice"}`, job.CodeInvalid)
	f.wantQueryFailure(strings.Replace(addAda, `true`, `null`, 1), job.CodeConstraint)
	for _, text := range []string{"nul\x00byte", "\xff"} {
		op := f.query(`{"name":"by_name","params":{"name":"Ada"}}`)
		op.Args[0].Value = str(text)
		f.wantFailure(op, job.CodeInvalidValue)
	}
	f.wantCount("users", "1 = 1", 0)
	for sql, q := range map[string]store.Query{
		"two": {SQL: "SELECT 1; SELECT 2"}, "ddl": {SQL: "DROP TABLE users", Write: true}, "write": {SQL: "DELETE FROM users"}, "params": {SQL: "SELECT ?"},
		"type": {SQL: "SELECT ?", Params: params("a", "int")}, "names": {SQL: "SELECT ?, ?", Params: params("a", "string", "a", "string")},
		"hidden": {SQL: "WITH d AS (DELETE FROM users RETURNING id) SELECT id FROM d"}, "writes": {SQL: "SELECT 1", Writes: []string{"users"}},
	} {
		cfg := f.db.Config
		cfg.Queries = map[string]store.Query{"q": q}
		if _, err := store.Open(cfg, slog.New(slog.DiscardHandler), nil); err == nil || !strings.Contains(err.Error(), "queries: q ") {
			t.Errorf("Open with the query %s = %v, want an error that names it", sql, err)
		}
	}
}

// What is configured to read cannot write, whatever it calls.
func testQueryReadOnly(t *testing.T, h Harness) {
	if h.DDL.Sneak == "" {
		t.Skip("this database has no functions that write")
	}
	f := startQueries(t, h, func(cfg *store.Config) {
		cfg.Queries["sneak"] = store.Query{SQL: "SELECT sneak() AS n"}
		cfg.Queries["openly"] = store.Query{SQL: "SELECT sneak() AS n", Write: true}
	})
	mustExec(t, f.db.SQL, h.DDL.Sneak)
	if err := f.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if failure := f.wantQueryFailure(`{"name":"sneak"}`, job.CodeReadOnly); failure.Class != job.ClassPermanent || !strings.Contains(failure.Message, "write is false") {
		t.Errorf("failure = %+v, want a permanent one that names the setting", failure)
	}
	f.wantNoTransaction(operations(`{"op":"query","name":"sneak"}`), job.CodeReadOnly, "operation 0 (query)")
	f.wantCount("log", "1 = 1", 0)
	f.wantQuery(`{"name":"openly"}`, `{"rows":[{"n":1}],"rows_affected":1}`)
	f.wantCount("log", "1 = 1", 1)
	if got := f.Registry().Writes(f.query(`{"name":"openly"}`)); len(got) != 1 || got[0] != store.AllTables {
		t.Errorf("Writes of a query that does not say = %v, want any table", got)
	}
}

// Twenty runs of one effect, then more: one effect, one result; sealed: none.
func testQueryOnce(t *testing.T, h Harness) {
	f := startQueries(t, h, nil)
	op, e := f.query(`{"name":"note","params":{"nonce":"once"}}`), effect()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if res, err := f.Run(t.Context(), op, e); err != nil || string(res.JSON) != `{"rows_affected":1}` {
				t.Errorf("Run = %v, %v", res, err)
			}
		})
	}
	wg.Wait()
	f.wantCount("log", "1 = 1", 1)
	if res, err := f.Run(t.Context(), op, e); err != nil || !res.Replayed {
		t.Errorf("Run = %+v, %v, want a replay", res, err)
	}
	if stored, applied, err := f.Seal(t.Context(), *e); string(stored) != `{"rows_affected":1}` || !applied || err != nil {
		t.Errorf("Seal = %s, %t, %v, want the result", stored, applied, err)
	}
	sealed := effect()
	if _, applied, err := f.Seal(t.Context(), *sealed); applied || err != nil {
		t.Fatal(applied, err)
	}
	if _, err := f.Run(t.Context(), op, sealed); !errors.Is(err, store.ErrSealed) {
		t.Errorf("Run = %v, want %v", err, store.ErrSealed)
	}
	f.wantCount("log", "1 = 1", 1)
}

func testQueryBounded(t *testing.T, h Harness) {
	f := startQueries(t, h, nil)
	f.people()
	op := f.query(`{"name":"touch","params":{"name":"X","id":0},"max_affected":2}`)
	_, err := f.Run(t.Context(), op, effect())
	wantCode(t, err, job.CodeMaxAffected)
	f.wantCount("users", "name = 'X'", 0)
	f.wantCount("asyncops_effects", "1 = 1", 0)
	op.MaxAffected = 3
	f.want(op, `{"rows_affected":3}`)
}

// A write that returns rows stores them as its result.
func testQueryReturning(t *testing.T, h Harness) {
	if !h.Returning {
		t.Skip("this database has no RETURNING")
	}
	f := startQueries(t, h, func(cfg *store.Config) {
		cfg.Queries["made"] = store.Query{SQL: "INSERT INTO users (name, active) VALUES (?, true), ('two', false) RETURNING id, name, active, balance", Params: params("name", "string"), Write: true, Writes: []string{"users"}}
	})
	op, e := f.query(`{"name":"made","params":{"name":"one"}}`), effect()
	want := `{"rows":[{"id":1,"name":"one","active":true,"balance":null},{"id":2,"name":"two","active":false,"balance":null}],"rows_affected":2}`
	for range 2 {
		if got := f.mustOnce(op, e); got != want {
			t.Errorf("made = %s, want %s", got, want)
		}
	}
	f.wantCount("users", "1 = 1", 2)
	op.MaxAffected = 1
	f.wantFailure(op, job.CodeMaxAffected)
	f.wantCount("users", "1 = 1", 2)
}

func testQueryStep(t *testing.T, h Harness) {
	f := startQueries(t, h, nil)
	f.people()
	f.wantTransaction(operations(
		`{"op":"query","as":"found","name":"either","params":{"text":"bob@x","age":30},"expect_rows":2}`,
		`{"op":"query","as":"done","name":"touch","params":{"name":{"$ref":"found.rows.1.name"},"id":{"$ref":"found.count"}}}`,
		`{"op":"query","name":"note","params":{"nonce":{"$ref":"found.rows.0.name"}},"expect_rows":1}`,
		`{"op":"update_one","table":"users","where":{"name":"Ada"},"values":{"age":{"$ref":"done.rows_affected"}}}`,
		`{"op":"query","name":"names","limit":1}`,
	), `{"rows":[{"name":"Ada"},{"name":"Bob"}],"count":2,"cached":false},{"rows_affected":1},{"rows_affected":1},{"rows_affected":1},{"rows":[{"name":"Ada"}],"count":1,"cached":false}`)
	f.wantCount("users", "name = 'Bob'", 2)
	f.wantCount("users", "name = 'Ada' AND age = 1", 1)
	f.wantCount("log", "nonce = 'Ada'", 1)
	mustExec(t, f.db.SQL, "DELETE FROM log")

	for _, c := range []struct {
		args  string
		code  job.Code
		words string
	}{
		{operations(logSome, `{"op":"query","name":"names","as":"all","expect_rows":1}`), job.CodeUnexpectedRows, "operation 1 (query all): 3 rows, expected 1"},
		{operations(logSome, `{"op":"query","name":"names","as":"all"}`, `{"op":"query","name":"touch","params":{"name":"x","id":{"$ref":"all.rows.0.name"}}}`), job.CodeInvalidReference, "parameter id: want an integer"},
		{operations(logSome, `{"op":"query","name":"names","as":"all"}`, `{"op":"query","name":"by_name","params":{"name":{"$ref":"all.rows.7.name"}}}`), job.CodeInvalidReference, "all.rows has 3 elements"},
		{operations(logSome, `{"op":"query","name":"touch","params":{"name":"x","id":0},"max_affected":1}`), job.CodeMaxAffected, "operation 1 (query)"},
	} {
		f.wantNoTransaction(c.args, c.code, c.words)
	}
	f.wantCount("users", "name = 'x'", 0)
}
