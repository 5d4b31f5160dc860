package ledger_test

import (
	"database/sql"
	"flag"
	"net/url"
	"path/filepath"
	"testing"

	"github.com/asyncops/asyncops/internal/pgconn"
	"github.com/asyncops/asyncops/internal/sqliteconn"
	"github.com/asyncops/asyncops/internal/testkit"
	"github.com/asyncops/asyncops/ledger"
	"github.com/asyncops/asyncops/ledger/ledgertest"
)

func TestMain(m *testing.M) {
	if !testkit.Long() {
		_ = flag.Set("rapid.checks", "25") // the command line comes later and wins
	}
	testkit.Main(m)
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	ledgertest.Run(t, ledgertest.Harness{
		New: func(t testing.TB) ledgertest.Database { return onPostgres(t, testkit.PostgresDatabase(t)) },
		Proxied: func(t testing.TB, db ledgertest.Database) (ledger.Config, *testkit.ProxyServer) {
			proxy := testkit.Proxy(t, db.Config.Postgres.Address)
			cfg := *db.Config.Postgres
			cfg.Address = proxy.Addr()
			return ledger.Config{Postgres: &cfg}, proxy
		},
		Server: func(t testing.TB) ledgertest.Server {
			s := testkit.StartPostgres(t)
			return ledgertest.Server{
				Database: onPostgres(t, s.DSN("postgres")), Kill: s.Kill, Restart: s.Restart, Freeze: s.Freeze, Thaw: s.Thaw,
			}
		},
	})
}

func TestSQLite(t *testing.T) {
	t.Parallel()
	ledgertest.Run(t, ledgertest.Harness{New: onSQLite})
}

func TestModelOnSQLite(t *testing.T) {
	t.Parallel()
	ledgertest.Model(t, open(t, ledger.Config{SQLitePath: sqliteconn.Memory}))
}

func TestModelOnPostgres(t *testing.T) {
	t.Parallel()
	ledgertest.Model(t, open(t, onPostgres(t, testkit.PostgresDatabase(t)).Config))
}

// open returns a migrated ledger that is closed at the end.
func open(t testing.TB, cfg ledger.Config) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := l.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l
}

func onPostgres(t testing.TB, dsn string) ledgertest.Database {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	cfg := &pgconn.Config{Address: u.Host, User: u.User.Username(), Database: u.Path[1:], SSLMode: pgconn.SSLDisable}
	db, err := pgconn.Open(*cfg)
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, db)
	return ledgertest.Database{
		Config: ledger.Config{Postgres: cfg}, SQL: db,
		Lock:   "LOCK TABLE asyncops_jobs IN ACCESS EXCLUSIVE MODE",
		Refuse: "ALTER TABLE asyncops_jobs ADD CHECK (kind <> 'refused')",
	}
}

func onSQLite(t testing.TB) ledgertest.Database {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger.db")
	db, err := sqliteconn.Open(sqliteconn.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return ledgertest.Database{
		Config: ledger.Config{SQLitePath: path}, SQL: db.Writer(),
		Lock: "DELETE FROM asyncops_jobs WHERE kind = 'nothing'", // a transaction of SQLite locks the file
		Refuse: `CREATE TRIGGER refuse BEFORE INSERT ON asyncops_jobs WHEN NEW.kind = 'refused'
			BEGIN SELECT RAISE(ABORT, 'refused'); END`,
	}
}

func closeAtEnd(t testing.TB, db *sql.DB) {
	t.Helper()
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
}
