package store_test

import (
	"testing"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
)

func TestMySQLThatIsTooOld(t *testing.T) {
	t.Parallel()
	for version, detail := range map[string]string{
		"5.7.44": "MySQL 5.7.44 is older than MySQL 8.0.1; upgrade the server", "10.5.12-MariaDB": "MariaDB 10.5.12 is older than MariaDB 10.6.0; upgrade the server",
		"8.0.1": "", "10.6.0-MariaDB": "",
	} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			f := mysqlOn(t, startMariaDB(t, asMySQL(version)), nil, nil)
			want := map[bool]store.Status{true: store.StatusOK, false: store.StatusDegraded}[detail == ""]
			if h := f.Health(t.Context()); h.Status != want || h.Detail() != detail || h.Effects != store.EffectsPresent {
				t.Errorf("Health() = %+v, want %s %q", h, want, detail)
			}
		})
	}
}

// Which server it is shows once it is up, not when the target is opened.
func TestMySQLLearnsItsServerLate(t *testing.T) {
	t.Parallel()
	server := startMariaDB(t)
	f := mysqlOn(t, server, []string{"CREATE TABLE loose (v TEXT)"}, func(cfg *store.Config) {
		server.Kill()
		cfg.Retry = store.Retry{Attempts: 1, Delay: time.Millisecond}
	})
	op := insertInto("loose", set("v", str("x")))
	_, err := f.Run(t.Context(), op, &store.Effect{Job: job.NewID()})
	wantFailure(t, err, job.ClassRetryable, job.CodeDatabaseUnreachable)
	server.Restart()
	f.want(op, `{"id":null,"row":{"v":"x"},"rows_affected":1}`) // without a key: by RETURNING
}
