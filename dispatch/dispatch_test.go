package dispatch_test

import (
	"net/url"
	"testing"

	"github.com/asyncops/asyncops/dispatch"
	"github.com/asyncops/asyncops/dispatch/dispatchtest"
	"github.com/asyncops/asyncops/internal/pgconn"
	"github.com/asyncops/asyncops/internal/testkit"
	"github.com/asyncops/asyncops/ledger"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func onPostgres(t testing.TB) ledger.Config {
	t.Helper()
	dsn, err := url.Parse(testkit.PostgresDatabase(t))
	if err != nil {
		t.Fatal(err)
	}
	return ledger.Config{Postgres: &pgconn.Config{
		Address: dsn.Host, User: dsn.User.Username(), Database: dsn.Path[1:], SSLMode: pgconn.SSLDisable,
	}, PoolSize: 8}
}

func onSQLite(t testing.TB) ledger.Config {
	return ledger.Config{SQLitePath: t.TempDir() + "/ledger.db"}
}

func standalone(t testing.TB) dispatch.Redis {
	return dispatch.Redis{Mode: dispatch.Standalone, Addrs: []string{testkit.Redis(t).Addr()}}
}

func TestDoorbells(t *testing.T) {
	t.Parallel()
	dispatchtest.Run(t, dispatchtest.Harness{Ledger: onPostgres, Redis: standalone})
}

func TestStraightFromPostgres(t *testing.T) {
	t.Parallel()
	dispatchtest.Run(t, dispatchtest.Harness{Ledger: onPostgres})
}

func TestStraightFromSQLite(t *testing.T) {
	t.Parallel()
	dispatchtest.Run(t, dispatchtest.Harness{Ledger: onSQLite})
}

func TestRedisFaults(t *testing.T) {
	t.Parallel()
	dispatchtest.RunRedisFaults(t, onPostgres)
}
