package store_test

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/asyncops/asyncops/internal/testkit"
	"github.com/asyncops/asyncops/store"
)

// A server that may lose what it has committed is told as such, one sentence
// for each setting, and the tables that do so.
func TestHealthOfCarelessServers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		open func(t *testing.T) *store.Target
		want []string // beginnings of the problems
	}{
		"PostgreSQL": {
			open: func(t *testing.T) *store.Target {
				server := testkit.StartPostgres(t, testkit.PostgresSetting("fsync", "off"), testkit.PostgresSetting("full_page_writes", "off"),
					testkit.PostgresSetting("synchronous_commit", "off"))
				db := openPostgres(t, server.Database(t))
				mustDo(t, db.SQL, `CREATE UNLOGGED TABLE "Odd name" (n int)`, `CREATE SCHEMA app`, `CREATE UNLOGGED TABLE app.cache (n int)`, `CREATE TABLE fine (n int)`)
				cfg := db.Config
				cfg.Tables = map[string]store.Table{"Odd name": {Write: true}, "app.cache": {Write: true}, "fine": {Write: true}, "absent": {Write: true}}
				return openTarget(t, cfg)
			},
			want: []string{"fsync is off", "full_page_writes is off", "synchronous_commit is off", "table Odd name is UNLOGGED", "table app.cache is UNLOGGED"},
		},
		"MariaDB": {
			open: func(t *testing.T) *store.Target {
				server := startMariaDB(t, testkit.MariaDBSetting("innodb_flush_log_at_trx_commit", "2"), testkit.MariaDBSetting("innodb_doublewrite", "0"),
					testkit.MariaDBSetting("log-bin", "log"), testkit.MariaDBSetting("sync_binlog", "0"))
				f := mysqlOn(t, server, []string{"CREATE TABLE `loose one` (v TEXT) ENGINE = MyISAM", "CREATE TABLE `read` (v TEXT) ENGINE = MyISAM"}, func(cfg *store.Config) {
					cfg.Tables = map[string]store.Table{"loose one": {Write: true}, "read": {}}
				})
				return f.Target
			},
			want: []string{"innodb_flush_log_at_trx_commit is 2", "innodb_doublewrite is off", "sync_binlog is not 1", "table loose one is kept by MyISAM"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := c.open(t).Health(t.Context())
			if h.Status != store.StatusDegraded || h.Effects != store.EffectsPresent {
				t.Errorf("Health() = %s, effects %s, want degraded and present", h.Status, h.Effects)
			}
			if len(h.Problems) != len(c.want) {
				t.Fatalf("Problems = %q, want %d", h.Problems, len(c.want))
			}
			for i, want := range c.want {
				if got := h.Problems[i]; !strings.HasPrefix(got, want) {
					t.Errorf("problem %d = %q, want it to begin with %q", i, got, want)
				}
			}
		})
	}
}

func mustDo(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}
