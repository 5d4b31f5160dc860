package storetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
)

// Every way into a result, and every place where a reference may stand.
func testReferences(t *testing.T, h Harness) {
	f := start(t, h, nil)
	f.wantTransaction(operations(
		`{"op":"insert_one","as":"ada","table":"users","values":{"email":"ada@x","name":"Ada","age":36,"balance":"12.25"}}`,
		`{"op":"insert_one","as":"bob","table":"users","values":{"email":"bob@x","name":"Bob","age":{"$ref":"ada.id"}},"returning":["id","name","age"]}`,
		`{"op":"select_one","as":"one","table":"users","columns":["name","balance"],"where":{"id":{"$ref":"ada.id"}}}`,
		`{"op":"select_many","as":"all","table":"users","columns":["id"],"where":{"$or":[{"$and":[{"name":{"$eq":{"$ref":"bob.row.name"}}},{"age":{"$lte":{"$ref":"bob.age"}}}]},{"name":{"$in":["Zoe",{"$ref":"one.name"}]}}]}}`,
		`{"op":"update_many","as":"some","table":"users","where":{"id":{"$in":[{"$ref":"all.rows.0.id"},{"$ref":"all.rows.1.id"}]}},"values":{"balance":{"$ref":"one.balance"},"age":{"$inc":{"$ref":"all.count"}}}}`,
		`{"op":"insert_many","table":"users","rows":[{"name":{"$ref":"one.row.name"},"age":{"$ref":"some.rows_affected"}},{"name":"x"}]}`,
		`{"op":"select_many","table":"users","columns":["name","age","balance"],"where":{"name":{"$like":{"$ref":"one.name"}},"age":{"$not":{"$gt":{"$ref":"bob.id"}}}}}`,
		`{"op":"delete_one","table":"users","where":{"$not":{"name":{"$ne":{"$ref":"one.name"}}},"age":{"$ref":"some.rows_affected"}},"require":true}`,
	), `{"id":1,"rows_affected":1},{"id":2,"row":{"id":2,"name":"Bob","age":1},"rows_affected":1},{"row":{"name":"Ada","balance":"12.25"},"cached":false},`+
		`{"rows":[{"id":1},{"id":2}],"count":2,"cached":false},{"rows_affected":2},{"rows_affected":2},{"rows":[{"name":"Ada","age":2,"balance":null}],"count":1,"cached":false},{"rows_affected":1}`)
	f.wantCount("users", "name = 'Ada' AND age = 38 AND balance = 12.25", 1)
	f.wantCount("users", "name = 'Bob' AND age = 3 AND balance = 12.25", 1)
	f.wantCount("users", "1 = 1", 3)
}

// References inside of JSON, and what only looks like one.
func testJSONReferences(t *testing.T, h Harness) {
	db := h.Database(t)
	mustExec(t, db.SQL, "CREATE TABLE docs (id INTEGER PRIMARY KEY, v JSON)")
	f := startOn(t, h, db, func(cfg *store.Config) { cfg.Tables["docs"] = store.Table{Write: true} })
	f.people()
	f.wantTransaction(operations(
		`{"op":"select_one","as":"ada","table":"users","columns":["id","name","age","active","seen_at"],"where":{"name":"Ada"}}`,
		`{"op":"insert_one","as":"doc","table":"docs","values":{"id":1,"v":{"who":{"$ref":"ada.name"},"all":[{"$ref":"ada.row"},{"n":{"$ref":"ada.id"}}],"verbatim":{"$ref":1,"x":2}}}}`,
		`{"op":"select_one","as":"doc2","table":"docs","where":{"id":{"$ref":"doc.id"}}}`,
		`{"op":"insert_one","table":"docs","values":{"id":2,"v":{"$ref":"doc2.v.all.0"}}}`,
		`{"op":"insert_one","table":"docs","values":{"id":3,"v":{"$literal":{"a":{"$ref":"nobody.id"},"$b":1}}}}`,
		`{"op":"insert_one","table":"docs","values":{"id":4,"v":{"$literal":{"$base64":"aGk="}}}}`,
		`{"op":"select_one","as":"four","table":"docs","where":{"id":4}}`,
		`{"op":"insert_one","table":"docs","values":{"id":5,"v":{"$ref":"four.row.v"}}}`,
		`{"op":"insert_one","table":"users","values":{"name":{"$ref":"doc2.v.who"},"age":{"$ref":"doc2.v.all.1.n"}}}`,
		`{"op":"select_many","table":"docs","where":{"id":{"$gt":1}}}`,
	), `{"row":{"id":1,"name":"Ada","age":36,"active":true,"seen_at":null},"cached":false},{"id":1,"rows_affected":1},`+
		`{"row":{"id":1,"v":{"who":"Ada","all":[{"id":1,"name":"Ada","age":36,"active":true,"seen_at":null},{"n":1}],"verbatim":{"$ref":1,"x":2}}},"cached":false},`+
		`{"id":2,"rows_affected":1},{"id":3,"rows_affected":1},{"id":4,"rows_affected":1},{"row":{"id":4,"v":{"$base64":"aGk="}},"cached":false},{"id":5,"rows_affected":1},`+
		`{"id":4,"rows_affected":1},{"rows":[{"id":2,"v":{"id":1,"name":"Ada","age":36,"active":true,"seen_at":null}},{"id":3,"v":{"a":{"$ref":"nobody.id"},"$b":1}},`+
		`{"id":4,"v":{"$base64":"aGk="}},{"id":5,"v":{"$base64":"aGk="}}],"count":4,"cached":false}`)
}

func testUnresolved(t *testing.T, h Harness) {
	f := start(t, h, nil)
	f.people()
	if err := f.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	zoe := `{"op":"select_one","as":"zoe","table":"users","where":{"name":"Zoe"}}`
	many := `{"op":"select_many","as":"many","table":"users","columns":["id","name"]}`
	into := func(path string) string {
		return `{"op":"insert_one","as":"copy","table":"users","values":{"name":{"$ref":"` + path + `"}}}`
	}
	for _, c := range []struct{ name, args, words string }{
		{"no row", operations(logSome, zoe, into("zoe.row.name")), "operation 2 (insert_one copy): $ref zoe.row.name: zoe.row is null"},
		{"no row, in short", operations(zoe, into("zoe.name")), `$ref zoe.name: zoe has no "name"; it has row, cached; row is null`},
		{"no such column", operations(insertUnnamed, into("un.nothing")), `$ref un.nothing: un has no "nothing"; it has id, row, rows_affected; row has name`},
		{"no such column of the row", operations(insertUnnamed, into("un.row.nothing")), `un.row has no "nothing"; it has name`},
		{"no such row", operations(many, into("many.rows.3.name")), "many.rows has 3 elements"},
		{"row by name", operations(many, into("many.rows.first")), "many.rows has 3 elements"},
		{"index with a sign", operations(many, into("many.rows.+1.name")), "many.rows has 3 elements"},
		{"inside of a string", operations(many, into("many.rows.0.name.first")), "many.rows.0.name is a string"},
		{"inside of a number", operations(many, into("many.count.x")), "many.count is a number"},
		{"row of many", operations(many, into("many.row.name")), `many has no "row"`},
		{"a row that was not asked for", operations(`{"op":"update_one","as":"up","table":"users","where":{"name":"Ada"},"values":{"age":1}}`, into("up.row.id")), `up has no "row"; it has rows_affected`},
		{"nothing compares with null", operations(zoe, `{"op":"select_many","table":"users","where":{"age":{"$gt":{"$ref":"zoe.row"}}}}`), "$ref zoe.row: nothing compares with null"},
		{"pattern of a number", operations(many, `{"op":"select_many","table":"users","where":{"name":{"$like":{"$ref":"many.count"}}}}`), "want a string, got a number"},
		{"sum of text", operations(many, `{"op":"update_one","table":"users","where":{"name":"Ada"},"values":{"age":{"$inc":{"$ref":"many.rows.0.name"}}}}`), "not a number"},
		{"sum of null", operations(zoe, `{"op":"update_one","table":"users","where":{"name":"Ada"},"values":{"age":{"$inc":{"$ref":"zoe.row"}}}}`), "not a number"},
		{"where that excludes nothing", operations(zoe, `{"op":"delete_many","table":"users","where":{"$or":[{"age":{"$ref":"zoe.row"}},{"age":{"$null":false}}]}}`), "cannot exclude any row"},
	} {
		t.Run(c.name, func(t *testing.T) {
			fixture{f.Target, t, f.db}.wantNoTransaction(c.args, job.CodeInvalidReference, c.words)
		})
	}
}

const insertUnnamed = `{"op":"insert_one","as":"un","table":"users","values":{"age":1},"returning":["name"]}`

// Values arrive as they left, through a result and a reference.
func testReferencedValues(t *testing.T, h Harness) {
	db := h.Database(t)
	cfg := db.Config
	for i, c := range h.Values {
		mustExec(t, db.SQL, fmt.Sprintf("CREATE TABLE v%d (id INTEGER PRIMARY KEY, v %s)", i, c.Type))
	}
	cfg.Tables = valueTables(len(h.Values))
	f := fixture{open(t, cfg, nil), t, db}
	for i, c := range h.Values {
		if c.Want == "" {
			continue
		}
		table := fmt.Sprintf("v%d", i)
		f.must(dbop.Operation{Op: dbop.InsertOne, Table: table, Rows: [][]dbop.Assignment{{set("id", num("1")), set("v", c.In)}}})
		args := operations(
			`{"op":"select_one","as":"old","table":"`+table+`","columns":["v"]}`,
			`{"op":"insert_one","table":"`+table+`","values":{"id":2,"v":{"$ref":"old.v"}}}`,
			`{"op":"select_one","table":"`+table+`","columns":["v"],"where":{"id":2}}`,
		)
		read := `{"row":{"v":` + c.Want + `},"cached":false}`
		res, err := f.runTransaction(args, effect())
		if err != nil {
			t.Errorf("%s %.60s: %v", c.Type, c.In.Text, err)
			continue
		}
		if want := `{"results":[` + read + `,{"id":2,"rows_affected":1},` + read + `]}`; string(res.JSON) != want {
			t.Errorf("%s %.60s: %s, want %s", c.Type, c.In.Text, res.JSON, want)
		}
	}
}

// A null by reference is what a null that is written out is: IS NULL.
func testNullReference(t *testing.T, h Harness) {
	f := start(t, h, nil)
	f.people()
	bob := `{"op":"select_one","as":"bob","table":"users","columns":["age"],"where":{"name":"Bob"}}`
	read := `{"row":{"age":null},"cached":false}`
	for where, names := range map[string]string{
		`{"age":{"$ref":"bob.age"}}`:                   `{"name":"Bob"}`,
		`{"age":{"$eq":{"$ref":"bob.age"}}}`:           `{"name":"Bob"}`,
		`{"age":{"$ne":{"$ref":"bob.age"}}}`:           `{"name":"Ada"},{"name":"Eve"}`,
		`{"age":{"$in":[20,{"$ref":"bob.age"}]}}`:      `{"name":"Bob"},{"name":"Eve"}`,
		`{"age":{"$in":[{"$ref":"bob.age"}]}}`:         `{"name":"Bob"}`,
		`{"age":{"$nin":[20,{"$ref":"bob.row.age"}]}}`: `{"name":"Ada"}`,
	} {
		count := strings.Count(names, "name")
		f.wantTransaction(operations(bob, `{"op":"select_many","table":"users","columns":["name"],"order_by":["name"],"where":`+where+`}`),
			fmt.Sprintf(`%s,{"rows":[%s],"count":%d,"cached":false}`, read, names, count))
	}
	f.wantTransaction(operations(bob, `{"op":"update_one","table":"users","where":{"name":"Ada","age":36},"values":{"age":{"$ref":"bob.age"}},"expect_rows":1}`), read+`,{"rows_affected":1}`)
	f.wantCount("users", "age IS NULL", 2)
}
