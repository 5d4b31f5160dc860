package app //nolint:testpackage // what it tests is nobody else's

import (
	"log/slog"
	"testing"
	"time"

	"github.com/asyncops/asyncops/api"
	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/config"
	"github.com/asyncops/asyncops/handlers"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/ledger"
	"github.com/asyncops/asyncops/store"
	"github.com/google/go-cmp/cmp"
)

// A target gets as many jobs as it has connections, and never all slots of a
// worker that has other targets.
func TestBulkheadLimits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		concurrency, connections, others, want int
	}{
		{100, 50, 1, 50}, {100, 200, 1, 75}, {100, 200, 0, 100}, {4, 50, 3, 3}, {1, 50, 1, 1},
	} {
		cfg := config.Default()
		cfg.Worker.Concurrency = c.concurrency
		cfg.Databases = map[string]config.Database{"main": {PoolSize: c.connections - 1, MaxOverflow: 1}}
		cfg.Clients = map[string]config.Client{}
		s := &system{cfg: cfg, databases: map[string]*store.Target{"main": nil}, upstreams: map[string]*clients.Client{}, log: slog.New(slog.DiscardHandler)}
		want := map[string]int{"database main": c.want}
		for i := range c.others {
			name := string(rune('a' + i))
			client := config.NewClient()
			client.Pool.MaxConnections = c.connections
			s.upstreams[name], cfg.Clients[name] = nil, client
			want["client "+name] = c.want
		}
		if err := s.openFleet(); err != nil {
			t.Fatal(err)
		}
		got := s.bulkheads(&handlers.Handlers{})
		if diff := cmp.Diff(want, got.Limits); diff != "" {
			t.Errorf("%d slots, %d connections, %d other targets (-want +got):\n%s", c.concurrency, c.connections, c.others, diff)
		}
		if len(got.Gates) != c.others {
			t.Errorf("%d gates, want one for each of %d clients", len(got.Gates), c.others)
		}
	}
}

// Only what live workers told lately counts.
func TestFleetPool(t *testing.T) {
	t.Parallel()
	worker := func(id string, state ledger.WorkerState, age time.Duration, use job.PoolUse) ledger.Worker {
		return ledger.Worker{Worker: job.Worker{ID: id}, State: state, Age: age, Pools: map[string]job.PoolUse{"main": use}}
	}
	use := job.PoolUse{InUse: 1, Idle: 2, Max: 3, Waiting: 4, Waits: 5, WaitSeconds: 0.5, CacheHits: 6, CacheMisses: 7}
	pool, cache := fleetPool([]ledger.Worker{
		worker("a", ledger.WorkerRunning, time.Second, use), worker("b", ledger.WorkerDraining, 9*time.Second, use),
		worker("gone", ledger.WorkerGone, time.Second, use), worker("silent", ledger.WorkerRunning, 11*time.Second, use),
		{Worker: job.Worker{ID: "an older release"}, State: ledger.WorkerRunning},
	}, "main")
	each := api.PoolUse{InUse: 1, Idle: 2, Max: 3, Waiting: 4, Waits: 5, WaitSeconds: 0.5}
	want := api.DatabasePool{
		PoolUse: api.PoolUse{InUse: 2, Idle: 4, Max: 6, Waiting: 8, Waits: 10, WaitSeconds: 1},
		Workers: []api.WorkerPool{{Worker: "a", PoolUse: each}, {Worker: "b", PoolUse: each}},
	}
	if diff := cmp.Diff(want, pool); diff != "" {
		t.Errorf("fleetPool (-want +got):\n%s", diff)
	}
	if want := (api.CacheUse{Hits: 12, Misses: 14}); cache != want {
		t.Errorf("cache = %+v, want %+v", cache, want)
	}
}

// A limit of 0 is none, not the default.
func TestZeroIsNoLimit(t *testing.T) {
	t.Parallel()
	db := config.NewDatabase()
	db.DSN = config.DSN{Driver: config.DriverSQLite, Path: "x.db"}
	db.MaxLifetime, db.MaxIdleTime, db.SlowQuery = 0, 0, 0
	cfg, err := databaseOf("main", db, "worker")
	if err != nil {
		t.Fatal(err)
	}
	if cfg.MaxLifetime != store.Never || cfg.MaxIdleTime != store.Never || cfg.SlowQuery != store.Never {
		t.Errorf("lifetime %s, idle %s, slow %s, want never", cfg.MaxLifetime, cfg.MaxIdleTime, cfg.SlowQuery)
	}
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
}
