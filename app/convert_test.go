package app //nolint:testpackage // what it tests is nobody else's

import (
	"strings"
	"testing"
	"time"

	"github.com/asyncops/asyncops/config"
	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/internal/mysqlconn"
	"github.com/asyncops/asyncops/store"
	"github.com/google/go-cmp/cmp"
)

func TestNamedQueries(t *testing.T) {
	t.Parallel()
	db := config.NewDatabase()
	db.DSN = config.DSN{Driver: config.DriverSQLite, Path: "x.db"}
	db.Queries = map[string]config.Query{"touch": {
		SQL: "UPDATE users SET name = ? WHERE id = ?", Write: true, Writes: []string{"users"},
		Params: []config.QueryParam{{Name: "name", Type: "string"}, {Name: "id", Type: "integer"}},
	}}
	cfg, err := databaseOf("main", db, "worker")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]store.Query{"touch": {
		SQL: "UPDATE users SET name = ? WHERE id = ?", Write: true, Writes: []string{"users"},
		Params: []dbop.Param{{Name: "name", Type: dbop.ParamString}, {Name: "id", Type: dbop.ParamInteger}},
	}}
	if diff := cmp.Diff(want, cfg.Queries); diff != "" {
		t.Errorf("queries: -want +got\n%s", diff)
	}
	if err := cfg.Validate(); err != nil {
		t.Errorf("Validate() = %v, want nil", err)
	}
}

func TestDatabaseOnMySQL(t *testing.T) {
	t.Parallel()
	convert := func(address string) (store.Config, error) {
		t.Helper()
		dsn, err := config.ParseDSN(address)
		if err != nil {
			t.Fatal(err)
		}
		db := config.NewDatabase()
		db.DSN = dsn
		return databaseOf("main", db, "worker")
	}
	cfg, err := convert("mysql://u:p@h/d?tls=verify-ca&ca_file=/ca.pem&connect_timeout=5s&charset=utf8mb4&collation=utf8mb4_bin")
	if err != nil {
		t.Fatalf("databaseOf = %v", err)
	}
	my := cfg.MySQL
	if cfg.Driver != store.MySQL || my.Network != "tcp" || my.Address != "h:3306" || my.User != "u" || my.Password() != "p" || my.Database != "d" ||
		my.TLSMode != mysqlconn.TLSVerifyCA || my.RootCA != "/ca.pem" || my.ConnectTimeout != 5*time.Second || my.Collation != "utf8mb4_bin" ||
		my.ApplicationName != "asyncops-worker" {
		t.Errorf("databaseOf = %+v, want what the address says", cfg)
	}
	if err := cfg.Validate(); err != nil {
		t.Errorf("Validate() = %v, want nil", err)
	}
	if _, err := convert("mysql://u@h/d?charset=latin1"); err == nil || !strings.Contains(err.Error(), "databases.main.dsn: has the charset latin1") {
		t.Errorf("databaseOf with another charset = %v, want an error that names it", err)
	}
}
