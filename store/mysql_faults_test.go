package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/internal/testkit"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
)

var countersDDL = []string{"CREATE TABLE counters (id INT PRIMARY KEY, n INT NOT NULL DEFAULT 0)", "CREATE TABLE weight (n INT)"}

// bothCounters raises counters 1 and 2 by one, in this order.
var bothCounters = dbop.Operation{Op: dbop.UpdateMany, Table: "counters", Where: dbop.In{Column: "id", Values: []dbop.Value{num("1"), num("2")}},
	Set: []dbop.Assignment{{Column: "n", Op: dbop.Inc, Value: num("1")}}}

// waitForLock returns when a transaction of the server waits for a lock.
func (f mysqlFixture) waitForLock() {
	f.t.Helper()
	const interval = 200 * time.Millisecond // the server shows the same transactions again to who asks more often than every 100 ms
	testkit.Eventually(f.t, 10*time.Second, interval, func() error { return f.db.Waiting(1) })
}

func (f mysqlFixture) wantCounters(want string) {
	f.t.Helper()
	f.want(dbop.Operation{Op: dbop.SelectMany, Table: "counters", Columns: []string{"n"}}, want)
}

// The deadlock's victim has been rolled back, and its next statement would be
// committed by itself (error 1213): the run begins again.
func TestMySQLDeadlock(t *testing.T) {
	t.Parallel()
	f := mysqlOn(t, testkit.MariaDB(t), countersDDL, nil)
	f.exec("INSERT INTO counters (id) VALUES (1), (2)")
	if err := f.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	other, err := f.db.SQL.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Rollback() }()
	must := func(statement string) {
		t.Helper()
		if _, err := other.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	must("INSERT INTO weight SELECT seq FROM seq_1_to_100") // the victim is the one that has changed less
	must("UPDATE counters SET n = n + 10 WHERE id = 2")
	e := &store.Effect{Job: job.NewID(), Required: true}
	done := make(chan error, 1)
	go func() {
		_, err := f.Run(t.Context(), bothCounters, e)
		done <- err
	}()
	f.waitForLock()
	must("UPDATE counters SET n = n + 10 WHERE id = 1")
	if err := other.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("Run = %v, want nil", err)
	}
	f.wantCounters(`{"rows":[{"n":11},{"n":11}],"count":2,"cached":false}`)
	f.wantCount("asyncops_effects WHERE outcome = 'done' AND result IS NOT NULL", 1)
}

// A lock timeout (error 1205) undoes one statement: a commit would keep the
// record of an effect that did not happen.
func TestMySQLLockTimeout(t *testing.T) {
	t.Parallel()
	f := mysqlOn(t, testkit.MariaDB(t), countersDDL, func(cfg *store.Config) {
		cfg.StatementTimeout, cfg.Retry.Attempts = 2*time.Second, 1 // a lock is waited for for one second
	})
	f.exec("INSERT INTO counters (id) VALUES (1), (2)")
	if err := f.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	holder, err := f.db.SQL.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = holder.Rollback() }()
	if _, err := holder.ExecContext(t.Context(), "UPDATE counters SET n = 5 WHERE id = 2"); err != nil {
		t.Fatal(err)
	}
	e := &store.Effect{Job: job.NewID(), Required: true}
	_, err = f.Run(t.Context(), bothCounters, e)
	wantFailure(t, err, job.ClassRetryable, job.CodeConflict)
	f.wantCount("asyncops_effects", 0)
	f.wantCounters(`{"rows":[{"n":0},{"n":0}],"count":2,"cached":false}`)
	if err := holder.Rollback(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if res, err := f.Run(t.Context(), bothCounters, e); err != nil || string(res.JSON) != `{"rows_affected":2}` {
			t.Errorf("the next try = %v, %v, want 2 rows", res, err)
		}
	}
	f.wantCounters(`{"rows":[{"n":1},{"n":1}],"count":2,"cached":false}`)
}

// Nothing that a job or the configuration names becomes a statement of its
// own: DDL would commit what came before it.
func TestMySQLTakesNoStatements(t *testing.T) {
	t.Parallel()
	names := []string{"counters; DROP TABLE counters", "counters` (id) VALUES (1); DROP TABLE counters; -- ", `counters\`, "counters /*! ; DROP TABLE counters */"}
	f := mysqlOn(t, testkit.MariaDB(t), countersDDL, func(cfg *store.Config) {
		for _, name := range names {
			cfg.Tables[name] = store.Table{Write: true}
		}
	})
	for _, name := range names {
		_, err := f.Run(t.Context(), insertInto(name, set("id", num("1"))), nil)
		wantFailure(t, err, job.ClassPermanent, job.CodeUnknownTable)
		_, err = f.Run(t.Context(), insertInto("counters", set(name, num("1"))), nil)
		wantFailure(t, err, job.ClassPermanent, job.CodeUnknownColumn)
	}
	f.wantCount("counters", 0)
}

func TestMySQLPermissions(t *testing.T) {
	t.Parallel()
	server := startMariaDB(t)
	f := mysqlOn(t, server, countersDDL, nil)
	database := f.db.Config.MySQL.Database
	f.exec("CREATE USER limited@'127.0.0.1' IDENTIFIED BY 'secret'")
	f.exec(fmt.Sprintf("GRANT SELECT, INSERT, UPDATE ON %s.counters TO limited@'127.0.0.1'", database))
	f.exec(fmt.Sprintf("GRANT SELECT ON %s.weight TO limited@'127.0.0.1'", database))
	cfg := f.db.Config
	cfg.Tables = map[string]store.Table{"counters": {Write: true}, "weight": {Write: true}}
	cfg.MySQL.User, cfg.MySQL.Password = "limited", func() string { return "secret" }
	cfg.Retry = store.Retry{Attempts: 1, Delay: time.Millisecond}
	limited := openTarget(t, cfg)
	insert := insertInto("counters", set("id", num("1")))

	if _, err := limited.Run(t.Context(), insert, &store.Effect{Job: job.NewID()}); err != nil { // it may not make the effects table
		t.Errorf("Run = %v, want nil, at least once", err)
	}
	if h := limited.Health(t.Context()); h.Status != store.StatusDegraded || !strings.HasPrefix(h.Detail(), "no usable effects table (permission): ") {
		t.Errorf("Health() = %+v, want degraded for want of permission", h)
	}
	_, err := limited.Run(t.Context(), insertInto("weight", set("n", num("1"))), nil)
	wantFailure(t, err, job.ClassPermanent, job.CodePermission)

	if err := f.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.exec(fmt.Sprintf("GRANT SELECT, INSERT ON %s.asyncops_effects TO limited@'127.0.0.1'", database)) // not enough
	if h := limited.Health(t.Context()); h.Effects != store.EffectsMissing || !strings.HasPrefix(h.Detail(), "no usable effects table (permission): ") {
		t.Errorf("Health() without UPDATE = %+v, want degraded for want of permission", h)
	}
	f.exec(fmt.Sprintf("GRANT UPDATE ON %s.asyncops_effects TO limited@'127.0.0.1'", database))
	if h := limited.Health(t.Context()); h.Status != store.StatusOK {
		t.Errorf("Health() = %+v, want ok", h)
	}

	f.exec("SET GLOBAL read_only = 1") // a replica
	_, err = limited.Run(t.Context(), insertInto("counters", set("id", num("2"))), &store.Effect{Job: job.NewID()})
	wantFailure(t, err, job.ClassRetryable, job.CodeReadOnly)
	f.exec("SET GLOBAL read_only = 0")

	cfg.MySQL.Password = func() string { return "wrong" }
	_, err = openTarget(t, cfg).Run(t.Context(), insert, nil)
	wantFailure(t, err, job.ClassRetryable, job.CodePermission)
}
