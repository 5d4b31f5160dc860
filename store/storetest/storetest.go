// Package storetest owns the conformance suite of store: what every dialect
// must do, against a real database. It refuses to know any dialect: what
// differs comes in a Harness.
package storetest

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"strings"
	"testing"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
)

// Harness is what the suite needs to know about a dialect.
type Harness struct {
	// Database returns an empty database of the test's own.
	Database func(t *testing.T) Database
	// Server returns an empty database on a server of the test's own, which may
	// be killed. Nil for a dialect without servers.
	Server func(t *testing.T) Server
	// Crowded returns an empty database on a server with few connections. Nil for
	// a dialect without servers.
	Crowded func(t *testing.T) Crowded
	DDL     DDL
	Values  []ValueCase
	// Returning says that INSERT … RETURNING can be written.
	Returning bool
	Quote     string // around a name in SQL, doubled inside
	// Transfer is the args of the db.transaction that docs/transactions.md shows:
	// 25 from account 17 to account 42.
	Transfer string
}

// Database is one database for one test.
type Database struct {
	Config store.Config // Driver, and where it is
	SQL    *sql.DB      // past the store, for the fixture and for looking
	// KillOne makes the server end one of the store's connections that does
	// something, and returns how many that were. Nil where there are none.
	KillOne func(t *testing.T) int
	// Running returns an error while a statement of the store's still runs. Nil
	// where nothing can be left running.
	Running func() error
	// Waiting returns an error unless n statements of the store's wait for locks.
	// The answer may be 100 ms old. Nil where nobody can tell.
	Waiting func(n int) error
}

// Server is a database on a server that the test may hurt.
type Server struct {
	Database
	Kill, Restart, Freeze, Thaw func()
	// Abort ends the server at once, but tells its clients. Nil where there is no
	// such thing.
	Abort func()
	// LoseReply returns the configuration of a way to the server that loses the
	// reply to the next statement that begins so, once.
	LoseReply func(statement string) store.Config
	// Addr is where the server is, and Through the configuration of a way to it
	// by another address.
	Addr    func() string
	Through func(addr string) store.Config
}

// Crowded is a database on a server with few connections.
type Crowded struct {
	Database
	// Fill takes every connection that the server has left, until release.
	Fill func(t *testing.T) (release func())
}

// DDL is the fixture in a dialect's words.
type DDL struct {
	// Users makes the table users: id, an integer primary key of the database's
	// own counting; email, text, unique; name, text; age, an integer; balance, an
	// exact number; active, a boolean, not null, true by default; seen_at, a point
	// in time.
	Users string
	// Log makes the table log: nonce, text; no unique key over it, so that an
	// effect that happens twice shows. Jobs see no other column of it.
	Log string
	// Slow makes the view slow, whose reading takes 30 seconds.
	Slow string
	// Transfers makes the table transfers: id, of the database's own counting;
	// source, target, integers; amount, an exact number.
	Transfers string
	// Undo makes a write to log delete every row of asyncops_effects, as a
	// database does that rolls back behind one's back.
	Undo string
	// Things makes the table things: id, an integer primary key of the database's
	// own counting; big, an integer of 64 bits; ratio, a double; price, an exact
	// number with two digits behind the point; ok, a boolean; at, a point in time
	// with microseconds; day, a date; raw, bytes; doc, JSON; label, text; rank, an
	// integer that may be NULL; made, a point in time, the database's clock by
	// default.
	Things string
	// Sneak makes the function sneak, which inserts into log and returns 1. Empty
	// where functions cannot.
	Sneak string
}

// ValueCase is a column's type and a value that is written to it.
type ValueCase struct {
	Type string     // of the column, in the dialect's words
	In   dbop.Value // written
	Want string     // JSON that is read; "" if the value must be refused with invalid_value
	// Unequal says that a row cannot be found by comparing with the value.
	Unequal bool
	// NamedText says that a named statement returns JSON as a string, for want of
	// knowledge.
	NamedText bool
}

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	tests := map[string]func(*testing.T, Harness){
		"select": testSelect, "where": testWhere, "insert one": testInsertOne, "insert many": testInsertMany,
		"on conflict": testOnConflict, "concurrent upserts": testConcurrentUpserts, "update": testUpdate, "delete": testDelete, "values": testValues, "names": testNames,
		"registry": testRegistry, "bad input": testAbuse, "bad input of types": testAbuseOfTypes, "schema change": testSchemaChange, "errors": testErrors,
		"exactly once": testExactlyOnce, "same result": testSameResult, "rollback": testRollback, "undone": testUndone, "seal": testSeal,
		"seal race": testSealRace, "effects modes": testEffectsModes, "prune": testPrune, "prune all": testPruneAll, "concurrent migrate": testConcurrentMigrate,
		"interrupted": testInterrupted, "statement timeout": testStatementTimeout, "pool timeout": testPoolTimeout, "pool size": testPoolSize, "connection age": testConnectionAge,
		"health": testHealth, "plan": testPlan, "slow query": testSlowQuery, "lost commit": testLostCommit, "killed server": testKilledServer,
		"killed connections": testKilledConnections, "no connections left": testNoConnectionsLeft, "frozen server": testFrozenServer,
		"transfers through faults": testTransfersThroughFaults,
	}
	maps.Copy(tests, transactions())
	maps.Copy(tests, library())
	maps.Copy(tests, cached())
	maps.Copy(tests, queries())
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, h)
		})
	}
}

// fixture is an open target with the tables users and log.
type fixture struct {
	*store.Target
	t  *testing.T
	db Database
}

// allTables lets jobs do everything with the fixture's tables.
func allTables() map[string]store.Table {
	return map[string]store.Table{"users": {Write: true}, "log": {Columns: []string{"nonce"}, Write: true}, "slow": {}}
}

// start makes the fixture; change, which may be nil, changes the settings.
func start(t *testing.T, h Harness, change func(*store.Config)) fixture {
	t.Helper()
	return startOn(t, h, h.Database(t), change)
}

func startOn(t *testing.T, h Harness, db Database, change func(*store.Config)) fixture {
	t.Helper()
	for _, ddl := range []string{h.DDL.Users, h.DDL.Log, h.DDL.Slow} {
		mustExec(t, db.SQL, ddl)
	}
	cfg := db.Config
	cfg.Tables = allTables()
	if change != nil {
		change(&cfg)
	}
	return fixture{Target: open(t, cfg, nil), t: t, db: db}
}

func open(t *testing.T, cfg store.Config, observer store.Observer) *store.Target {
	t.Helper()
	target, err := store.Open(cfg, slog.New(slog.DiscardHandler), observer)
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	t.Cleanup(func() {
		if err := target.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
	})
	return target
}

func mustExec(t *testing.T, db *sql.DB, statements string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statements); err != nil {
		t.Fatalf("%s: %v", statements, err)
	}
}

// must runs an operation without a record and returns its result.
func (f fixture) must(op dbop.Operation) string {
	f.t.Helper()
	return f.mustOnce(op, nil)
}

func (f fixture) mustOnce(op dbop.Operation, e *store.Effect) string {
	f.t.Helper()
	res, err := f.Run(f.t.Context(), op, e)
	if err != nil {
		f.t.Fatalf("Run(%s) = %v", op.Op, err)
	}
	if _, err := json.Marshal(res); err != nil {
		f.t.Errorf("the result is not JSON: %v", err)
	}
	return string(res.JSON)
}

// want checks an operation's result.
func (f fixture) want(op dbop.Operation, want string) {
	f.t.Helper()
	if got := f.must(op); got != want {
		f.t.Errorf("%s = %s, want %s", op.Op, got, want)
	}
}

// wantFailure checks that an operation fails with a code.
func (f fixture) wantFailure(op dbop.Operation, want job.Code) *job.Failure {
	f.t.Helper()
	_, err := f.Run(f.t.Context(), op, nil)
	return wantCode(f.t, err, want)
}

func wantCode(t *testing.T, err error, want job.Code) *job.Failure {
	t.Helper()
	var failure *job.Failure
	if !errors.As(err, &failure) {
		t.Fatalf("err = %v, want a failure with code %s", err, want)
	}
	if failure.Code != want {
		t.Fatalf("code = %s (%v), want %s", failure.Code, failure, want)
	}
	if strings.Contains(failure.Message, "SELECT ") || strings.Contains(failure.Message, "INSERT INTO") {
		t.Errorf("the message %q holds SQL", failure.Message)
	}
	return failure
}

// count returns the number of rows that match a condition of SQL.
func (f fixture) count(table, where string) (n int) {
	f.t.Helper()
	if err := f.db.SQL.QueryRowContext(context.Background(), "SELECT count(*) FROM "+table+" WHERE "+where).Scan(&n); err != nil {
		f.t.Fatalf("count %s: %v", table, err)
	}
	return n
}

func (f fixture) wantCount(table, where string, want int) {
	f.t.Helper()
	if got := f.count(table, where); got != want {
		f.t.Errorf("rows of %s where %s = %d, want %d", table, where, got, want)
	}
}
