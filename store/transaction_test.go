package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/internal/testkit"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
	"github.com/asyncops/asyncops/store/storetest"
)

// In repeatable_read a row that has changed since the transaction's first read
// ends it: SQLSTATE 40001 on PostgreSQL, error 1020 on MariaDB with
// innodb_snapshot_isolation. It begins again, and nothing is lost.
func TestRepeatableReadBeginsAgain(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(*testing.T) storetest.Database{
		"PostgreSQL": func(t *testing.T) storetest.Database { return openPostgres(t, testkit.PostgresDatabase(t)) },
		"MariaDB": func(t *testing.T) storetest.Database {
			return openMySQL(t, startMariaDB(t, testkit.MariaDBSetting("innodb_snapshot_isolation", "ON")).Database(t))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := open(t)
			testBeginsAgain(t, db)
		})
	}
}

func testBeginsAgain(t *testing.T, db storetest.Database) {
	exec := func(statement string) {
		t.Helper()
		if _, err := db.SQL.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	exec("CREATE TABLE counters (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)")
	exec("INSERT INTO counters (id, n) VALUES (1, 0), (2, 0)")
	cfg := db.Config
	cfg.Tables = map[string]store.Table{"counters": {Write: true}}
	target := openTarget(t, cfg)
	if err := target.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	held, err := db.SQL.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = held.Rollback() }()
	if _, err := held.ExecContext(t.Context(), "UPDATE counters SET n = n + 10 WHERE id = 2"); err != nil {
		t.Fatal(err)
	}

	isOne := dbop.Compare{Column: "id", Op: dbop.Eq, Value: num("1")}
	isTwo := dbop.Compare{Column: "id", Op: dbop.Eq, Value: num("2")}
	read := dbop.Value{Kind: dbop.Reference, Text: "one.n"}
	txn := dbop.Transaction{Isolation: dbop.RepeatableRead, Steps: []dbop.Step{
		{As: "one", Operation: dbop.Operation{Op: dbop.SelectOne, Table: "counters", Where: isOne}},
		{Operation: dbop.Operation{Op: dbop.SelectMany, Table: "counters"}},
		{Operation: dbop.Operation{Op: dbop.UpdateOne, Table: "counters", Where: isTwo, Set: []dbop.Assignment{{Column: "n", Op: dbop.Inc, Value: num("1")}}}},
		{Operation: dbop.Operation{Op: dbop.UpdateOne, Table: "counters", Where: isOne, Set: []dbop.Assignment{{Column: "n", Op: dbop.Inc, Value: read}}}},
	}}
	done := make(chan error, 1)
	go func() {
		res, err := target.RunTransaction(t.Context(), txn, &store.Effect{Job: job.NewID(), Required: true})
		if err == nil && !strings.HasPrefix(string(res.JSON), `{"results":[{"row":{"id":1,"n":5},`) {
			t.Errorf("results = %s, want those of a transaction that has seen the change", res.JSON)
		}
		done <- err
	}()
	testkit.Eventually(t, 10*time.Second, 200*time.Millisecond, func() error { return db.Waiting(1) }) // it has read 0
	exec("UPDATE counters SET n = 5 WHERE id = 1")
	if err := held.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatalf("RunTransaction = %v, want nil", err)
	}
	var one, two int
	if err := db.SQL.QueryRowContext(t.Context(), "SELECT a.n, b.n FROM counters a, counters b WHERE a.id = 1 AND b.id = 2").Scan(&one, &two); err != nil || one != 10 || two != 11 {
		t.Errorf("counters = %d and %d, %v, want 10 and 11", one, two, err)
	}
}

// All or nothing holds nowhere where one table cannot roll back, with or
// without a record of the effect.
func TestMySQLTransactionNeedsInnoDB(t *testing.T) {
	t.Parallel()
	f := mysqlOn(t, testkit.MariaDB(t), []string{"CREATE TABLE a (id INT PRIMARY KEY)", "CREATE TABLE b (id INT PRIMARY KEY) ENGINE = MyISAM"},
		func(cfg *store.Config) { cfg.Effects = store.EffectsOff })
	txn := dbop.Transaction{Steps: []dbop.Step{{Operation: insertInto("a", set("id", num("1")))}, {As: "loose", Operation: insertInto("b", set("id", num("1")))}}}
	_, err := f.RunTransaction(t.Context(), txn, nil)
	wantFailure(t, err, job.ClassPermanent, job.CodeInvalid)
	if want := `operation 1 (insert_one loose): table "b" is kept by MyISAM`; !strings.Contains(err.Error(), want) {
		t.Errorf("err = %v, want %s", err, want)
	}
	f.wantCount("a", 0)
	f.wantCount("b", 0)
}
