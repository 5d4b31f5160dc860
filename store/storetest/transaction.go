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

// transactions are the tests of transactions that need no faults.
func transactions() map[string]func(*testing.T, Harness) {
	return map[string]func(*testing.T, Harness){
		"references": testReferences, "references in JSON": testJSONReferences, "references that lead nowhere": testUnresolved, "referenced values": testReferencedValues,
		"null by reference": testNullReference, "all or nothing": testAllOrNothing, "expected rows": testExpectRows,
		"transaction replayed": testTransactionReplay, "transaction sealed": testTransactionSealed, "transaction undone": testTransactionUndone,
		"read-only transaction": testReadTransaction, "isolation": testIsolation, "explained transaction": testExplainTransaction,
		"observed transaction": testObservedTransaction,
		"write skew":           testWriteSkew, "serializable neighbours": testNeighbours, "transfers": testTransfers, "opposite order": testOppositeOrder,
		"hot rows": testHotRows, "lost commit of a transaction": testLostTransaction, "frozen transaction": testFrozenTransaction,
	}
}

// only is a configuration of one database.
type only struct{ registry *store.Registry }

func (o only) Database(string) (tasks.Database, bool) {
	return tasks.Database{Name: "target", Registry: o.registry}, true
}

func (only) Client(string) (tasks.Client, bool) { return tasks.Client{}, false }

// transaction reads the args of db.transaction.
func (f fixture) transaction(args string) dbop.Transaction {
	f.t.Helper()
	task, err := tasks.Parse(string(tasks.DBTransaction), json.RawMessage(args), only{f.Registry()})
	if err != nil {
		f.t.Fatalf("Parse(%s) = %v", args, err)
	}
	return task.(*tasks.Transaction).Transaction
}

// operations makes args of operations.
func operations(operations ...string) string {
	return `{"operations":[` + strings.Join(operations, ",") + `]}`
}

func (f fixture) runTransaction(args string, e *store.Effect) (*store.Result, error) {
	f.t.Helper()
	return f.RunTransaction(f.t.Context(), f.transaction(args), e)
}

// wantTransaction checks a transaction's results.
func (f fixture) wantTransaction(args, want string) {
	f.t.Helper()
	res, err := f.runTransaction(args, effect())
	if err != nil {
		f.t.Fatalf("%s: %v", args, err)
	}
	if got := string(res.JSON); got != `{"results":[`+want+`]}` {
		f.t.Errorf("%s:\ngot  %s\nwant {\"results\":[%s]}", args, got, want)
	}
}

// wantNoTransaction checks that a transaction fails with a code, and in which
// words, and that it has left nothing behind.
func (f fixture) wantNoTransaction(args string, code job.Code, words string) {
	f.t.Helper()
	users, log, e := f.count("users", "1 = 1"), f.count("log", "1 = 1"), effect()
	_, err := f.runTransaction(args, e)
	failure := wantCode(f.t, err, code)
	if !strings.Contains(failure.Message, words) || failure.Class != job.ClassPermanent {
		f.t.Errorf("%s: %s failure %q, want a permanent one with %q", args, failure.Class, failure.Message, words)
	}
	f.wantCount("users", "1 = 1", users)
	f.wantCount("log", "1 = 1", log)
	f.wantCount("asyncops_effects", "job_id = '"+string(e.Job)+"'", 0)
}

const (
	insertAda = `{"op":"insert_one","as":"ada","table":"users","values":{"email":"ada@x","name":"Ada","age":36,"balance":"12.50"},"returning":["*"]}`
	logSome   = `{"op":"insert_one","table":"log","values":{"nonce":"some"}}`
)

// Whatever a step fails with, nothing of the others stays.
func testAllOrNothing(t *testing.T, h Harness) {
	f := start(t, h, func(cfg *store.Config) { cfg.MaxAffected = 2 })
	f.people()
	if err := f.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	change := `{"op":"update_one","table":"users","where":{"name":"Ada"},"values":{"name":"Changed"},"require":true}`
	remove := `{"op":"delete_many","table":"users","where":{"name":"Eve"}}`
	for _, c := range []struct {
		name, step string
		code       job.Code
	}{
		{"constraint", `{"op":"insert_one","as":"twin","table":"users","values":{"email":"ada@x"}}`, job.CodeConstraint},
		{"constraint in a chunk", `{"op":"insert_many","as":"twin","table":"users","rows":[{"email":"new@x"},{"email":"bob@x"}],"chunk_size":1}`, job.CodeConstraint},
		{"value", `{"op":"update_one","as":"twin","table":"users","where":{"name":"Bob"},"values":{"age":"old"}}`, job.CodeInvalidValue},
		{"too many rows", `{"op":"update_one","as":"twin","table":"users","where":{"id":{"$gt":0}},"values":{"age":1}}`, job.CodeTooManyRows},
		{"no rows", `{"op":"delete_one","as":"twin","table":"users","where":{"name":"Zoe"},"require":true}`, job.CodeNoRows},
		{"max affected", `{"op":"update_many","as":"twin","table":"users","where":{"id":{"$gt":0}},"values":{"age":1},"max_affected":1}`, job.CodeMaxAffected},
		{"unknown column", `{"op":"insert_one","as":"twin","table":"users","values":{"nothing":1}}`, job.CodeUnknownColumn},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := fixture{f.Target, t, f.db}
			f.wantNoTransaction(operations(logSome, change, remove, c.step, logSome), c.code, "operation 3 (")
			f.wantCount("users", "name = 'Changed' OR age = 1", 0)
		})
	}
	f.wantTransaction(operations(logSome, change, remove), `{"id":null,"rows_affected":1},{"rows_affected":1},{"rows_affected":1}`)
	mustExec(t, f.db.SQL, "DROP TABLE users") // known to the configuration only
	_, err := f.runTransaction(operations(logSome, change), effect())
	if failure := wantCode(t, err, job.CodeUnknownTable); !strings.HasPrefix(failure.Message, "operation 1 (update_one): ") {
		t.Errorf("message = %q, want it to name the operation", failure.Message)
	}
	f.wantCount("log", "1 = 1", 1)
}

func testExpectRows(t *testing.T, h Harness) {
	f := start(t, h, nil)
	f.people()
	if err := f.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	expect := func(step string, n int) string {
		return operations(logSome, strings.TrimSuffix(step, "}")+fmt.Sprintf(`,"expect_rows":%d}`, n))
	}
	for step, rows := range map[string]int{
		`{"op":"select_one","as":"s","table":"users"}`:                                                                                          1,
		`{"op":"select_one","as":"s","table":"users","where":{"name":"Zoe"}}`:                                                                   0,
		`{"op":"select_many","as":"s","table":"users"}`:                                                                                         3,
		`{"op":"update_one","as":"s","table":"users","where":{"name":"Ada"},"values":{"name":"Ada"}}`:                                           1,
		`{"op":"update_many","as":"s","table":"users","where":{"id":{"$gt":0}},"values":{"age":1}}`:                                             3,
		`{"op":"delete_one","as":"s","table":"users","where":{"name":"Zoe"}}`:                                                                   0,
		`{"op":"insert_one","as":"s","table":"users","values":{"email":"ada@x"},"on_conflict":{"action":"ignore"}}`:                             0,
		`{"op":"insert_many","as":"s","table":"users","rows":[{"email":"ada@x"},{"email":"n@x"}],"on_conflict":{"action":"ignore"}}`:            1,
		`{"op":"insert_one","as":"s","table":"users","values":{"email":"ada@x","age":9},"on_conflict":{"columns":["email"],"action":"update"}}`: 1,
	} {
		f.wantNoTransaction(expect(step, rows+1), job.CodeUnexpectedRows, fmt.Sprintf(" s): %d rows, expected %d", rows, rows+1))
		if _, err := f.runTransaction(expect(step, rows), nil); err != nil {
			t.Errorf("%s with expect_rows %d: %v", step, rows, err)
		}
		mustExec(t, f.db.SQL, "DELETE FROM users WHERE email = 'n@x'")
	}
}

func testTransactionReplay(t *testing.T, h Harness) {
	f := start(t, h, nil)
	e := effect()
	args := operations(insertAda, `{"op":"select_many","table":"users","columns":["name"]}`, logSome)
	first, err := f.runTransaction(args, e)
	if err != nil || first.Replayed || fmt.Sprint(first.Steps) != "[1 1 1]" || first.Rows != 3 {
		t.Fatalf("RunTransaction = %+v, %v, want three steps of a row each", first, err)
	}
	f.wantCount("asyncops_effects", "outcome = 'done'", 1)
	mustExec(t, f.db.SQL, "UPDATE users SET name = 'Eve'")
	again, err := f.runTransaction(args, e)
	if err != nil || !again.Replayed || string(again.JSON) != string(first.JSON) {
		t.Errorf("the second run = %+v, %v, want a replay of %s", again, err, first.JSON)
	}
	f.wantCount("log", "1 = 1", 1)
	if stored, applied, err := f.Seal(t.Context(), *e); string(stored) != string(first.JSON) || !applied || err != nil {
		t.Errorf("Seal = %s, %t, %v, want the result", stored, applied, err)
	}
}

func testTransactionSealed(t *testing.T, h Harness) {
	f := start(t, h, nil)
	e := effect()
	if _, _, err := f.Seal(t.Context(), *e); err != nil {
		t.Fatal(err)
	}
	_, err := f.runTransaction(operations(logSome, logSome), e)
	wantCode(t, err, job.CodeCanceled)
	if !errors.Is(err, store.ErrSealed) {
		t.Errorf("err = %v, want %v", err, store.ErrSealed)
	}
	f.wantCount("log", "1 = 1", 0)
}

// The server rolls back behind our back, after the first step.
func testTransactionUndone(t *testing.T, h Harness) {
	f := start(t, h, nil)
	if err := f.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustExec(t, f.db.SQL, h.DDL.Undo)
	for _, args := range []string{operations(insertAda, logSome), isolated("serializable", insertAda, logSome)} {
		_, err := f.runTransaction(args, effect())
		wantCode(t, err, job.CodeConflict)
		f.wantCount("log", "1 = 1", 0)
		f.wantCount("users", "1 = 1", 0)
	}
}

// Reads alone leave no record, need none, and see one state if they ask for it.
func testReadTransaction(t *testing.T, h Harness) {
	f := start(t, h, func(cfg *store.Config) { cfg.Effects = store.EffectsRequired })
	f.want(dbop.Operation{Op: dbop.SelectMany, Table: "log"}, `{"rows":[],"count":0,"cached":false}`)
	e := effect()
	e.Required = true
	res, err := f.runTransaction(operations(`{"op":"select_many","as":"all","table":"users"}`, `{"op":"select_one","table":"log","where":{"nonce":{"$ref":"all.count"}}}`), e)
	switch failure := new(job.Failure); {
	case err == nil && string(res.JSON) == `{"results":[{"rows":[],"count":0,"cached":false},{"row":null,"cached":false}]}`:
	case errors.As(err, &failure) && failure.Code == job.CodeInvalidValue: // text is not compared with a number there
	default:
		t.Errorf("RunTransaction = %v, %v", res, err)
	}
	_, err = f.runTransaction(operations(`{"op":"select_many","table":"users"}`, logSome), e)
	wantCode(t, err, job.CodeEffectsMissing)
	f.wantCount("log", "1 = 1", 0)
}

func testExplainTransaction(t *testing.T, h Harness) {
	f := start(t, h, nil)
	all, err := f.Registry().ExplainTransaction(f.transaction(operations(insertAda,
		`{"op":"update_many","table":"users","where":{"name":{"$like":{"$ref":"ada.name"}},"age":{"$in":[{"$ref":"ada.age"},1]}},"values":{"balance":{"$inc":{"$ref":"ada.balance"}}}}`)))
	if err != nil || len(all) != 2 {
		t.Fatalf("ExplainTransaction = %v, %v, want two statements", all, err)
	}
	for i, begin := range []string{"INSERT INTO ", "UPDATE "} {
		if !strings.HasPrefix(all[i], begin) || strings.Contains(all[i], "ada") || strings.Contains(all[i], "36") {
			t.Errorf("statement %d = %s, want %s… without values", i, all[i], begin)
		}
	}
}

func testObservedTransaction(t *testing.T, h Harness) {
	f := start(t, h, nil)
	cfg := f.db.Config
	cfg.Tables, cfg.SlowQuery = allTables(), 1
	var seen recorder
	target := open(t, cfg, &seen)
	if _, err := target.RunTransaction(t.Context(), f.transaction(operations(logSome, logSome)), nil); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(seen.events, ", "), "wait, query transaction, slow transaction"; got != want {
		t.Errorf("observed %q, want %q", got, want)
	}
}
