package storetest

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
)

// A statement that names what is not there yet keeps nothing else from working,
// is told of, and works as soon as it can.
func testQueryBroken(t *testing.T, h Harness) {
	f := start(t, h, nil)
	cfg := f.db.Config
	cfg.Tables, cfg.Queries = allTables(), namedStatements()
	cfg.Queries["later"] = store.Query{SQL: "SELECT id FROM later WHERE id = ?", Params: params("id", "integer")}
	var log bytes.Buffer
	var lock sync.Mutex
	target, err := store.Open(cfg, slog.New(slog.NewTextHandler(writer(func(p []byte) (int, error) {
		lock.Lock()
		defer lock.Unlock()
		return log.Write(p)
	}), nil)), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = target.Close() }()
	f.Target = target
	logged := func(words string) int {
		lock.Lock()
		defer lock.Unlock()
		return strings.Count(log.String(), words)
	}
	degraded := func() {
		t.Helper()
		got := f.Health(t.Context())
		if got.Status != store.StatusDegraded || !strings.Contains(got.Detail(), "query later does not prepare (") || strings.Count(got.Detail(), "does not prepare") != 1 || strings.Contains(got.Detail(), "SELECT") {
			t.Errorf("Health = %+v, want one problem, of the query later", got)
		}
	}
	degraded()
	degraded()
	if n := logged("query does not prepare"); n != 1 {
		t.Errorf("it was logged %d times, want once:\n%s", n, log.String())
	}
	_, err = f.Run(t.Context(), f.query(`{"name":"later","params":{"id":1}}`), nil)
	var failure *job.Failure
	if !errors.As(err, &failure) || failure.Class != job.ClassPermanent {
		t.Errorf("Run = %v, want a permanent failure", err)
	}
	f.wantQuery(`{"name":"names"}`, `{"rows":[],"count":0,"cached":false}`)

	mustExec(t, f.db.SQL, "CREATE TABLE later (id INTEGER PRIMARY KEY)")
	if got := f.Health(t.Context()); got.Status != store.StatusOK {
		t.Errorf("Health = %+v, want ok", got)
	}
	if logged("query prepares again") != 1 {
		t.Errorf("the log does not tell of it:\n%s", log.String())
	}
	later := f.query(`{"name":"later","params":{"id":1}}`)
	f.want(later, `{"rows":[],"count":0,"cached":false}`)

	mustExec(t, f.db.SQL, "DROP TABLE later")
	if _, err := f.Run(t.Context(), later, nil); err == nil {
		t.Error("the query runs without its table")
	}
	degraded() // at once: the run has raised doubts
}

// writer is an io.Writer.
type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// What was prepared before the server went away is not taken for granted after.
func testQueryReconnect(t *testing.T, h Harness) {
	if h.Server == nil {
		t.Skip("this database has no server to lose")
	}
	server := h.Server(t)
	f := startOn(t, h, server.Database, func(cfg *store.Config) {
		withQueries(cfg, nil)
		cfg.Retry = store.Retry{Attempts: 1}
	})
	names := `{"name":"names"}`
	f.wantQuery(names, `{"rows":[],"count":0,"cached":false}`)
	if got := f.Health(t.Context()); got.Status != store.StatusOK {
		t.Fatalf("Health = %+v, want ok", got)
	}
	server.Kill()
	if got := f.Health(t.Context()); got.Status != store.StatusDown {
		t.Errorf("Health of a dead server = %+v, want down", got)
	}
	if _, err := f.Run(t.Context(), f.query(names), nil); err == nil {
		t.Error("a query ran without a server")
	}
	server.Restart()
	mustExec(t, f.db.SQL, "ALTER TABLE users RENAME TO people")
	if got := f.Health(t.Context()); got.Status != store.StatusDegraded || !strings.Contains(got.Detail(), "query names does not prepare") {
		t.Errorf("Health = %+v, want the queries about users", got)
	}
	mustExec(t, f.db.SQL, "ALTER TABLE people RENAME TO users")
	if got := f.Health(t.Context()); got.Status != store.StatusOK {
		t.Errorf("Health = %+v, want ok", got)
	}
	f.wantQuery(names, `{"rows":[],"count":0,"cached":false}`)
}
