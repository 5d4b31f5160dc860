package storetest

import (
	"strconv"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
)

func str(s string) dbop.Value { return dbop.Value{Kind: dbop.String, Text: s} }
func num(s string) dbop.Value { return dbop.Value{Kind: dbop.Number, Text: s} }
func null() dbop.Value        { return dbop.Value{} }

func boolean(b bool) dbop.Value {
	return dbop.Value{Kind: dbop.Bool, Text: strconv.FormatBool(b)}
}

func set(column string, v dbop.Value) dbop.Assignment {
	return dbop.Assignment{Column: column, Value: v}
}

func eq(column string, v dbop.Value) dbop.Cond {
	return dbop.Compare{Column: column, Op: dbop.Eq, Value: v}
}

func insertUser(values ...dbop.Assignment) dbop.Operation {
	return dbop.Operation{Op: dbop.InsertOne, Table: "users", Rows: [][]dbop.Assignment{values}}
}

// logOp is a write whose effects can be counted.
func logOp(nonce string) dbop.Operation {
	return dbop.Operation{Op: dbop.InsertOne, Table: "log", Rows: [][]dbop.Assignment{{set("nonce", str(nonce))}}, Returning: []string{"*"}}
}

func effect() *store.Effect { return &store.Effect{Job: job.NewID()} }

// people inserts Ada (36), Bob (no age) and Eve (20, inactive).
func (f fixture) people() {
	f.t.Helper()
	f.must(dbop.Operation{Op: dbop.InsertMany, Table: "users", Rows: [][]dbop.Assignment{
		{set("email", str("ada@x")), set("name", str("Ada")), set("age", num("36"))},
		{set("email", str("bob@x")), set("name", str("Bob")), set("age", null())},
		{set("email", str("eve@x")), set("name", str("Eve")), set("age", num("20")), set("active", boolean(false))},
	}})
}
