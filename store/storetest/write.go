package storetest

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
)

func testInsertOne(t *testing.T, h Harness) {
	f := start(t, h, nil)
	f.want(insertUser(set("name", str("Ada"))), `{"id":1,"rows_affected":1}`)
	op := insertUser(set("name", str("Bob")), set("age", num("7")))
	op.Returning = []string{"name", "age", "active"}
	f.want(op, `{"id":2,"row":{"name":"Bob","age":7,"active":true},"rows_affected":1}`)
	op = insertUser()
	op.Returning = []string{"*"}
	f.want(op, `{"id":3,"row":{"id":3,"email":null,"name":null,"age":null,"balance":null,"active":true,"seen_at":null},"rows_affected":1}`)
	f.want(logOp("n"), `{"id":null,"row":{"nonce":"n"},"rows_affected":1}`)
	op = insertUser(dbop.Assignment{Column: "seen_at", Op: dbop.Now})
	f.must(op)
	f.wantCount("users", "seen_at IS NOT NULL", 1)
	f.wantFailure(insertUser(dbop.Assignment{Column: "age", Op: dbop.Inc, Value: num("1")}), job.CodeInvalid)
}

func testInsertMany(t *testing.T, h Harness) {
	f := start(t, h, nil)
	f.want(dbop.Operation{Op: dbop.InsertMany, Table: "users", Rows: [][]dbop.Assignment{
		{set("name", str("a"))},
		{set("age", num("1")), set("name", str("b"))},
		{set("name", str("c")), set("age", num("2"))},
		{},
		{set("active", boolean(false))},
	}}, `{"rows_affected":5}`)
	f.want(dbop.Operation{Op: dbop.SelectMany, Table: "users", Columns: []string{"id", "name", "age", "active"}},
		`{"rows":[{"id":1,"name":"a","age":null,"active":true},{"id":2,"name":"b","age":1,"active":true},{"id":3,"name":"c","age":2,"active":true},`+
			`{"id":4,"name":null,"age":null,"active":true},{"id":5,"name":null,"age":null,"active":false}],"count":5,"cached":false}`)

	many := dbop.Operation{Op: dbop.InsertMany, Table: "log"}
	for i := range 2500 {
		many.Rows = append(many.Rows, []dbop.Assignment{set("nonce", str(fmt.Sprint(i, strings.Repeat("x", 1000))))})
	}
	f.want(many, `{"rows_affected":2500}`)
	f.wantCount("log", "1 = 1", 2500)
	many.Rows, many.ChunkSize = many.Rows[:10], 3
	f.want(many, `{"rows_affected":10}`)

	twice := dbop.Operation{Op: dbop.InsertMany, Table: "users", ChunkSize: 1,
		Rows: [][]dbop.Assignment{{set("email", str("same"))}, {set("email", str("same"))}}}
	f.wantFailure(twice, job.CodeConstraint)
	f.wantCount("users", "email = 'same'", 0) // one transaction
}

func testOnConflict(t *testing.T, h Harness) {
	f := start(t, h, nil)
	f.people()
	op := insertUser(set("email", str("ada@x")), set("name", str("New")), set("age", num("1")))
	f.wantFailure(op, job.CodeConstraint)
	op.OnConflict = &dbop.OnConflict{Columns: []string{"email"}, Action: dbop.ConflictIgnore}
	f.want(op, `{"id":null,"rows_affected":0}`)
	op.Returning = []string{"name"}
	f.want(op, `{"id":null,"row":null,"rows_affected":0}`)
	op.OnConflict = &dbop.OnConflict{Columns: []string{"email"}, Action: dbop.ConflictUpdate, Update: []string{"name"}}
	op.Returning = []string{"name", "age"}
	f.want(op, `{"id":1,"row":{"name":"New","age":36},"rows_affected":1}`)
	op.OnConflict.Update = nil // every column of the new row
	f.want(op, `{"id":1,"row":{"name":"New","age":1},"rows_affected":1}`)
	op.OnConflict = &dbop.OnConflict{Columns: []string{"name"}, Action: dbop.ConflictIgnore} // not unique
	f.wantFailure(op, job.CodeInvalid)

	many := dbop.Operation{Op: dbop.InsertMany, Table: "users", OnConflict: &dbop.OnConflict{Action: dbop.ConflictIgnore},
		Rows: [][]dbop.Assignment{{set("email", str("bob@x"))}, {set("email", str("zoe@x"))}}}
	f.want(many, `{"rows_affected":1}`)
	many.OnConflict = &dbop.OnConflict{Columns: []string{"email"}, Action: dbop.ConflictUpdate}
	f.want(many, `{"rows_affected":0}`) // nothing but the key to update
	many.Rows = [][]dbop.Assignment{{set("email", str("bob@x")), set("name", str("Rob"))}, {set("email", str("new@x")), set("name", str("New"))}}
	f.want(many, `{"rows_affected":2}`)
	f.wantCount("users", "email = 'bob@x' AND name = 'Rob'", 1)

	for _, columns := range [][]string{nil, {"email"}} { // the second is in the way of the third
		twice := dbop.Operation{Op: dbop.InsertMany, Table: "users", OnConflict: &dbop.OnConflict{Columns: columns, Action: dbop.ConflictIgnore},
			Rows: [][]dbop.Assignment{{set("email", null())}, {set("email", str(fmt.Sprint("twice", columns)))}, {set("email", str(fmt.Sprint("twice", columns)))}, {set("email", null())}}}
		f.want(twice, `{"rows_affected":3}`)
	}
	for _, action := range []dbop.ConflictAction{dbop.ConflictIgnore, dbop.ConflictUpdate} { // another key than the one named
		f.wantFailure(dbop.Operation{Op: dbop.InsertOne, Table: "users", Rows: [][]dbop.Assignment{{set("id", num("1")), set("email", str("other@x")), set("name", str("Mallory"))}},
			OnConflict: &dbop.OnConflict{Columns: []string{"email"}, Action: action}}, job.CodeConstraint)
	}
	f.wantCount("users", "name = 'Mallory' OR email = 'other@x'", 0)
	op = insertUser(set("name", str("x")))
	op.OnConflict = &dbop.OnConflict{Action: dbop.ConflictUpdate}
	f.wantFailure(op, job.CodeInvalid)
}

// However many insert or update the same row at the same time: one row, and no
// error.
func testConcurrentUpserts(t *testing.T, h Harness) {
	f := start(t, h, nil)
	var wg sync.WaitGroup
	for i := range 20 {
		op := insertUser(set("email", str("same@x")), set("age", num(fmt.Sprint(i))))
		op.OnConflict = &dbop.OnConflict{Columns: []string{"email"}, Action: dbop.ConflictUpdate}
		if i%2 == 0 {
			op.OnConflict = &dbop.OnConflict{Action: dbop.ConflictIgnore}
		}
		wg.Go(func() {
			if _, err := f.Run(t.Context(), op, effect()); err != nil {
				t.Errorf("Run = %v", err)
			}
		})
	}
	wg.Wait()
	f.wantCount("users", "email = 'same@x'", 1)
}

func testUpdate(t *testing.T, h Harness) {
	f := start(t, h, nil)
	f.people()
	one := dbop.Operation{Op: dbop.UpdateOne, Table: "users", Where: eq("name", str("Ada")), Set: []dbop.Assignment{
		set("balance", str("10.50")), {Column: "age", Op: dbop.Inc, Value: num("-10")}, {Column: "seen_at", Op: dbop.Now}}}
	f.want(one, `{"rows_affected":1}`)
	f.want(dbop.Operation{Op: dbop.SelectOne, Table: "users", Columns: []string{"age"}, Where: eq("name", str("Ada"))}, `{"row":{"age":26},"cached":false}`)
	f.wantCount("users", "seen_at IS NOT NULL", 1)

	one.Where = dbop.IsNull{Column: "age", Negated: true}
	f.wantFailure(one, job.CodeTooManyRows)
	f.wantCount("users", "age IN (26, 20)", 2)
	one.Where = eq("name", str("Zoe"))
	f.want(one, `{"rows_affected":0}`)
	one.Require = true
	f.wantFailure(one, job.CodeNoRows)
	one.Where = nil
	f.wantFailure(one, job.CodeInvalid)
	one.Where, one.Set = eq("name", str("Ada")), nil
	f.wantFailure(one, job.CodeInvalid)
	one.Set = []dbop.Assignment{{Column: "name", Op: dbop.Inc, Value: num("1")}}
	f.wantFailure(one, job.CodeInvalidValue)

	many := dbop.Operation{Op: dbop.UpdateMany, Table: "users", Where: dbop.IsNull{Column: "id", Negated: true},
		Set: []dbop.Assignment{set("name", str("X"))}, MaxAffected: 2}
	f.wantFailure(many, job.CodeMaxAffected)
	f.wantCount("users", "name = 'X'", 0)
	many.MaxAffected = 3
	f.want(many, `{"rows_affected":3}`)

	bounded := open(t, withBound(f), nil)
	many.MaxAffected = 0
	_, err := bounded.Run(t.Context(), many, nil)
	wantCode(t, err, job.CodeMaxAffected)
}

func testDelete(t *testing.T, h Harness) {
	f := start(t, h, nil)
	f.people()
	one := dbop.Operation{Op: dbop.DeleteOne, Table: "users", Where: dbop.IsNull{Column: "age", Negated: true}}
	f.wantFailure(one, job.CodeTooManyRows)
	f.wantCount("users", "1 = 1", 3)
	one.Where = eq("name", str("Bob"))
	f.want(one, `{"rows_affected":1}`)
	f.want(one, `{"rows_affected":0}`)
	one.Require = true
	f.wantFailure(one, job.CodeNoRows)
	many := dbop.Operation{Op: dbop.DeleteMany, Table: "users", Where: dbop.IsNull{Column: "id", Negated: true}, MaxAffected: 1}
	f.wantFailure(many, job.CodeMaxAffected)
	f.wantCount("users", "1 = 1", 2)
	many.MaxAffected = 0
	f.want(many, `{"rows_affected":2}`)
	many.Where = nil
	f.wantFailure(many, job.CodeInvalid)
}

func testValues(t *testing.T, h Harness) {
	db := h.Database(t)
	cfg := db.Config
	for i, c := range h.Values {
		mustExec(t, db.SQL, fmt.Sprintf("CREATE TABLE v%d (id INTEGER PRIMARY KEY, v %s)", i, c.Type))
	}
	cfg.Tables = valueTables(len(h.Values))
	target := open(t, cfg, nil)
	for i, c := range h.Values {
		t.Run(fmt.Sprintf("%s %.60s", c.Type, c.In.Text), func(t *testing.T) {
			t.Parallel()
			f := fixture{target, t, db}
			table := fmt.Sprintf("v%d", i)
			write := dbop.Operation{Op: dbop.InsertOne, Table: table, Returning: []string{"v"},
				Rows: [][]dbop.Assignment{{set("id", num("1")), set("v", c.In)}}}
			if c.Want == "" {
				f.wantFailure(write, job.CodeInvalidValue)
				f.wantCount(table, "1 = 1", 0)
				return
			}
			f.want(write, `{"id":1,"row":{"v":`+c.Want+`},"rows_affected":1}`)
			read := dbop.Operation{Op: dbop.SelectOne, Table: table, Columns: []string{"v"}}
			f.want(read, `{"row":{"v":`+c.Want+`},"cached":false}`)
			if !json.Valid([]byte(c.Want)) {
				t.Errorf("the case wants %s, which is not JSON", c.Want)
			}
			if !c.Unequal {
				read.Where = eq("v", c.In)
				f.want(read, `{"row":{"v":`+c.Want+`},"cached":false}`)
			}
			f.want(dbop.Operation{Op: dbop.UpdateOne, Table: table, Where: eq("id", num("1")), Set: []dbop.Assignment{set("v", null())}}, `{"rows_affected":1}`)
			f.want(dbop.Operation{Op: dbop.UpdateOne, Table: table, Where: eq("id", num("1")), Set: []dbop.Assignment{set("v", c.In)}}, `{"rows_affected":1}`)
			read.Where = nil
			f.want(read, `{"row":{"v":`+c.Want+`},"cached":false}`)
		})
	}
}

// valueTables lets jobs do everything with the tables v0, v1, …
func valueTables(n int) map[string]store.Table {
	tables := map[string]store.Table{}
	for i := range n {
		tables[fmt.Sprintf("v%d", i)] = store.Table{Write: true}
	}
	return tables
}

// withBound returns the fixture's settings with a bound of one affected row.
func withBound(f fixture) store.Config {
	cfg := f.db.Config
	cfg.Tables, cfg.MaxAffected = allTables(), 1
	return cfg
}
