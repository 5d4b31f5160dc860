package store_test

import (
	"log/slog"
	"testing"

	"github.com/asyncops/asyncops/internal/testkit"
	"github.com/asyncops/asyncops/store"
)

// While somebody alters a table, nothing can be said about the queries that name
// it: that is no reason to call them useless, or the database down.
func TestHealthBesideALockedTable(t *testing.T) {
	t.Parallel()
	db := openPostgres(t, testkit.PostgresDatabase(t))
	if _, err := db.SQL.ExecContext(t.Context(), "CREATE TABLE users (id int); CREATE TABLE others (id int)"); err != nil {
		t.Fatal(err)
	}
	cfg := db.Config
	cfg.Queries = map[string]store.Query{"all": {SQL: "SELECT id FROM users"}, "broken": {SQL: "SELECT nothing FROM others"}}
	target, err := store.Open(cfg, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = target.Close() })
	tx, err := db.SQL.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(t.Context(), "LOCK TABLE users"); err != nil {
		t.Fatal(err)
	}
	target.Health(t.Context()) // looks at the locked table for its time, perhaps no further
	const want = "query broken does not prepare (unknown_column): jobs that run it fail; make what it names, or correct its sql"
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if got := target.Health(t.Context()); got.Status != store.StatusDegraded || got.Detail() != want {
		t.Errorf("Health = %+v, want that one query is broken", got)
	}
	if _, err := db.SQL.ExecContext(t.Context(), "ALTER TABLE others ADD COLUMN nothing int"); err != nil {
		t.Fatal(err)
	}
	if tx, err = db.SQL.BeginTx(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), "LOCK TABLE users, others"); err != nil {
		t.Fatal(err)
	}
	if got := target.Health(t.Context()); got.Status != store.StatusDegraded || got.Detail() != want {
		t.Errorf("Health beside the lock = %+v, want what was known before", got)
	}
}
