package storetest

import (
	"strings"
	"testing"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
)

func testRegistry(t *testing.T, h Harness) {
	f := start(t, h, func(cfg *store.Config) {
		cfg.Tables = map[string]store.Table{"users": {Columns: []string{"name", "age"}, Write: true}, "log": {}}
	})
	f.want(dbop.Operation{Op: dbop.SelectMany, Table: "users"}, `{"rows":[],"count":0,"cached":false}`)
	f.want(insertUser(set("name", str("Ada"))), `{"id":null,"rows_affected":1}`) // the key is not listed
	f.want(dbop.Operation{Op: dbop.SelectOne, Table: "users"}, `{"row":{"name":"Ada","age":null},"cached":false}`)
	op := insertUser(set("name", str("Bob")))
	op.Returning = []string{"*"}
	f.want(op, `{"id":null,"row":{"name":"Bob","age":null},"rows_affected":1}`)
	f.wantFailure(insertUser(set("email", str("x"))), job.CodeUnknownColumn)
	f.wantFailure(dbop.Operation{Op: dbop.SelectOne, Table: "users", Where: eq("email", str("x"))}, job.CodeUnknownColumn)
	f.wantFailure(dbop.Operation{Op: dbop.SelectOne, Table: "users; DROP TABLE users"}, job.CodeUnknownTable)
	f.wantFailure(dbop.Operation{Op: dbop.SelectOne, Table: "asyncops_effects"}, job.CodeUnknownTable)
	f.wantFailure(logOp("x"), job.CodeReadOnly)

	cfg := f.db.Config
	cfg.Tables = map[string]store.Table{store.AllTables: {}, "users": {Columns: []string{"name"}}}
	all := fixture{open(t, cfg, nil), t, f.db}
	all.want(dbop.Operation{Op: dbop.SelectMany, Table: "log"}, `{"rows":[],"count":0,"cached":false}`)
	all.wantFailure(dbop.Operation{Op: dbop.SelectMany, Table: "asyncops_effects"}, job.CodeUnknownTable)
	all.wantFailure(dbop.Operation{Op: dbop.SelectMany, Table: "nothing"}, job.CodeUnknownTable)
	all.wantFailure(dbop.Operation{Op: dbop.SelectMany, Table: `log" AS x --`}, job.CodeUnknownTable)
	all.wantFailure(dbop.Operation{Op: dbop.SelectMany, Table: "users", Columns: []string{"age"}}, job.CodeUnknownColumn)
	all.wantFailure(logOp("x"), job.CodeReadOnly)
}

func testSchemaChange(t *testing.T, h Harness) {
	f := start(t, h, func(cfg *store.Config) { cfg.Tables = map[string]store.Table{"log": {Write: true}} })
	f.want(dbop.Operation{Op: dbop.SelectMany, Table: "log"}, `{"rows":[],"count":0,"cached":false}`)
	failure := f.wantFailure(dbop.Operation{Op: dbop.SelectOne, Table: "log", Columns: []string{"extra"}}, job.CodeUnknownColumn)
	if failure.Class != job.ClassPermanent {
		t.Errorf("class = %s, want %s", failure.Class, job.ClassPermanent)
	}
	mustExec(t, f.db.SQL, "ALTER TABLE log ADD COLUMN extra INTEGER") // seen without waiting
	f.want(dbop.Operation{Op: dbop.SelectMany, Table: "log", Columns: []string{"extra"}}, `{"rows":[],"count":0,"cached":false}`)
	mustExec(t, f.db.SQL, "ALTER TABLE log DROP COLUMN extra")
	f.wantFailure(dbop.Operation{Op: dbop.SelectOne, Table: "log", Columns: []string{"extra"}}, job.CodeUnknownColumn)
	mustExec(t, f.db.SQL, "DROP TABLE log")
	f.wantFailure(logOp("x"), job.CodeUnknownTable)
}

// testNames uses names that need quoting.
func testNames(t *testing.T, h Harness) {
	db := h.Database(t)
	table, column := `odd "table"?`, `a.b"c? $1 'd`
	quote := func(name string) string {
		return h.Quote + strings.ReplaceAll(name, h.Quote, h.Quote+h.Quote) + h.Quote
	}
	mustExec(t, db.SQL, "CREATE TABLE "+quote(table)+" (id INTEGER PRIMARY KEY, "+quote(column)+" INTEGER, "+quote("Select")+" TEXT)")
	cfg := db.Config
	cfg.Tables = map[string]store.Table{table: {Write: true}}
	f := fixture{open(t, cfg, nil), t, db}
	f.want(dbop.Operation{Op: dbop.InsertOne, Table: table, Returning: []string{column}, OnConflict: &dbop.OnConflict{Columns: []string{"id"}, Action: dbop.ConflictUpdate},
		Rows: [][]dbop.Assignment{{set("id", num("5")), set(column, num("7")), set("Select", str("?"))}}},
		`{"id":5,"row":{"a.b\"c? $1 'd":7},"rows_affected":1}`)
	f.want(dbop.Operation{Op: dbop.UpdateOne, Table: table, Where: eq(column, num("7")), Set: []dbop.Assignment{{Column: column, Op: dbop.Inc, Value: num("1")}}}, `{"rows_affected":1}`)
	f.want(dbop.Operation{Op: dbop.SelectMany, Table: table, Columns: []string{"Select", column}, OrderBy: []dbop.Order{{Column: column}}},
		`{"rows":[{"Select":"?","a.b\"c? $1 'd":8}],"count":1,"cached":false}`)
	f.want(dbop.Operation{Op: dbop.DeleteOne, Table: table, Where: eq(column, num("8"))}, `{"rows_affected":1}`)
}

func testErrors(t *testing.T, h Harness) {
	f := start(t, h, nil)
	f.people()
	failure := f.wantFailure(insertUser(set("email", str("ada@x"))), job.CodeConstraint)
	if failure.Class != job.ClassPermanent || !failure.Private {
		t.Errorf("class = %s, private = %t, want %s, true", failure.Class, failure.Private, job.ClassPermanent)
	}
	f.wantFailure(insertUser(set("active", null())), job.CodeConstraint)
	f.wantFailure(insertUser(set("age", str("old"))), job.CodeInvalidValue)
	f.wantFailure(insertUser(set("nothing", str("x"))), job.CodeUnknownColumn)
	f.wantFailure(dbop.Operation{Op: "drop", Table: "users"}, job.CodeInvalid)
	f.wantCount("users", "1 = 1", 3)
}
