package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/asyncops/asyncops/api"
	"github.com/asyncops/asyncops/cache"
	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/config"
	"github.com/asyncops/asyncops/dispatch"
	"github.com/asyncops/asyncops/fleet"
	"github.com/asyncops/asyncops/handlers"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/ledger"
	"github.com/asyncops/asyncops/lifecycle"
	"github.com/asyncops/asyncops/observe"
	"github.com/asyncops/asyncops/store"
)

// system is what one process is made of. Its add methods are called in the
// order in which the parts start; they stop in reverse.
type system struct {
	cfg     *config.Config
	log     *slog.Logger
	life    life
	metrics *observe.Metrics
	sources observe.Sources
	tallies *observe.Tallies
	signers map[string]clients.Signer
	health  *observe.Health

	ledger *ledger.Ledger
	broker *dispatch.Broker // nil without Redis
	bus    *dispatch.Bus
	bell   *dispatch.Bell
	waiter *dispatch.Waiter // nil where there is no API
	relay  *dispatch.Relay  // nil outside of a scheduler
	server *api.Server      // nil where there is no API

	cache     *cache.Cache // nil where nothing is kept
	databases map[string]*store.Target
	upstreams map[string]*clients.Client
	fleet     *fleet.Fleet
	targets   targets
	sights    *sights
	schedules []job.Schedule // of the configuration

	checks  []observe.Check
	parts   []lifecycle.Part
	closers []func() error // called in reverse order
}

// open opens the ledger, Redis and the targets. It waits for none of them. Its
// error is about settings. signers are the custom types of authentication.
func open(cfg *config.Config, log *slog.Logger, name string, signers map[string]clients.Signer) (*system, error) {
	s := &system{cfg: cfg, log: log, life: newLife(name), signers: signers, sights: newSights()}
	s.metrics = observe.New(observe.Build{Version: Version()}, s.labels())
	err := settings(errors.Join(s.openRedis(), s.openLedger(name), s.openCache(name), s.openFleet(), s.openTargets(name)))
	if err == nil {
		err = s.openSchedules()
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *system) openRedis() error {
	err := s.openBroker()
	s.bus = dispatch.NewBus(s.broker, s.log)
	s.bell = dispatch.NewBell(s.broker, s.bus, s.log)
	return err
}

func (s *system) openBroker() error {
	if s.cfg.Redis.URL.Mode == config.RedisNone {
		return nil
	}
	redis, err := redisOf("redis.url", s.cfg.Redis.URL)
	if err != nil {
		return err
	}
	dispatch.LogRedis(s.log)
	if s.broker, err = dispatch.OpenBroker(redis); err != nil {
		return err
	}
	s.closers = append(s.closers, s.broker.Close)
	return nil
}

func (s *system) openLedger(name string) error {
	cfg := ledgerOf(s.cfg.Ledger, name)
	cfg.Bell, cfg.Observer = s.bell, s.metrics
	l, err := ledger.Open(cfg)
	if err != nil {
		return fmt.Errorf("ledger.dsn: %w", err)
	}
	s.ledger = l
	s.closers = append(s.closers, l.Close)
	s.bell.Attach(l)
	s.tallies = observe.NewTallies(l, s.log)
	s.metrics.Keep(s.tallies)
	return nil
}

func (s *system) openTargets(name string) error {
	s.databases = map[string]*store.Target{}
	s.upstreams = map[string]*clients.Client{}
	var errs []error
	for _, db := range slices.Sorted(maps.Keys(s.cfg.Databases)) {
		cfg, err := databaseOf(db, s.cfg.Databases[db], name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if !runsJobs(name) {
			cfg.PoolSize, cfg.MaxOverflow = min(cfg.PoolSize, lookOnly), 0
		}
		cfg.Cache.In = s.cache
		target, err := store.Open(cfg, s.log, s.metrics)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		s.databases[db] = target
		s.closers = append(s.closers, target.Close)
	}
	for _, client := range slices.Sorted(maps.Keys(s.cfg.Clients)) {
		cfg := clientOf(client, s.cfg.Clients[client], s.signers)
		if cfg.Auth.Sign == nil && !runsJobs(name) {
			cfg.Auth.Sign = unsignable
		}
		if cfg.Cache.MaxBody > 0 {
			cfg.Cache.In = s.cache
		}
		if gate := s.fleet.Upstream(client); gate != nil {
			cfg.Gate = gate
		}
		upstream, err := clients.Open(cfg, s.log, s.metrics)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		s.upstreams[client] = upstream
		s.closers = append(s.closers, func() error { upstream.Close(); return nil })
	}
	s.targets = targets{databases: s.databases, upstreams: s.upstreams}
	return errors.Join(errs...)
}

// close closes what open opened, the last first.
func (s *system) close() error {
	var errs []error
	for _, f := range slices.Backward(s.closers) {
		errs = append(errs, f())
	}
	s.closers = nil
	return errors.Join(errs...)
}

func (s *system) add(name string, run func(context.Context) error) {
	s.parts = append(s.parts, lifecycle.Part{Name: name, Run: run})
}

// addBase adds what every process needs: hints between processes, the ringing
// of doorbells, and the queues' names in the ledger.
func (s *system) addBase() {
	s.add("bus", s.bus.Run)
	s.add("bell", s.bell.Run)
	s.add("tallies", s.tallies.Run)
	s.add("queues", s.ensureQueues)
	s.addMemory()
	s.checks = append(s.checks, s.ledgerCheck())
	s.sources.LedgerUp = func() bool { return s.health.Up(ledgerCheck) }
	s.sources.RedisUp = func() bool { return s.health.Up(redisCheck) } // false without Redis
	if s.broker != nil {
		s.checks = append(s.checks, s.redisCheck())
	}
}

// ensureQueues makes the configured queues known to the ledger, as soon as it
// answers.
func (s *system) ensureQueues(ctx context.Context) error {
	names := slices.Sorted(maps.Keys(s.cfg.Queues))
	return until(ctx, func(ctx context.Context) error { return s.ledger.EnsureQueues(ctx, names) })
}

// addTargets adds the look at the targets: their effects tables and their health.
func (s *system) addTargets() {
	if s.cache != nil {
		s.add("cache", s.cache.Run)
		s.sources.CacheBytes = s.cache.Bytes
	}
	s.start("targets", s.lookAtTargets)
	s.add("fleet", s.fleet.Run)
	for name, target := range s.databases {
		s.add("database "+name, target.Watch)
	}
	if checks := s.targetChecks(); s.cfg.Health.Enabled {
		s.checks = append(s.checks, checks...)
	}
	s.sources.DatabasePools, s.sources.ClientPools = s.databasePools, s.clientPools
	s.sources.Targets, s.sources.Breakers = s.sights.up, s.breakers
}

// firstLook is how long a process waits at its start for targets that are away.
const firstLook = 5 * time.Second

// lookAtTargets looks for every target's effects table, so that already the
// first answers say what a write's effect is worth. What it does not find in
// time the targets' own parts look for.
func (s *system) lookAtTargets(ctx context.Context) error {
	timed, cancel := context.WithTimeout(ctx, firstLook)
	defer cancel()
	var looks sync.WaitGroup
	for _, target := range s.databases {
		looks.Go(func() { _ = target.Health(timed) }) // the health check tells
	}
	looks.Wait()
	return nil
}

// addScheduler adds the relay, the keeper and what fires schedules, and the figures that only a
// scheduler exposes.
func (s *system) addScheduler() {
	s.relay = dispatch.NewRelay(dispatch.RelayConfig{}, s.ledger, s.broker, s.bus, s.log)
	s.add("relay", s.relay.Run)
	s.add("keeper", dispatch.NewKeeper(s.ledger, s.bus, s.metrics, s.log).Run)
	s.add("schedules", s.fireSchedules)
	s.addAlerts()
	for name, target := range s.databases {
		s.add("effects of "+name, func(ctx context.Context) error { return target.Prune(ctx, s.effectsKept) })
	}
	s.sources.ScheduleLag = s.scheduleLag
	s.sources.Backlogs, s.sources.Parked, s.sources.Workers = s.backlogs, s.ledger.Parked, s.workers
	s.sources.RelayLag = func(context.Context) (time.Duration, error) { return s.relay.Lag(), nil }
	s.sources.Drift = s.drift
}

func (s *system) addWorker() error {
	h := handlers.New(s.targets, interfaces[handlers.Database](s.databases), interfaces[handlers.Upstream](s.upstreams)).WithLooker(looker{s})
	w, err := dispatch.NewWorker(dispatch.WorkerConfig{
		Queues: s.workerQueues(), Strict: s.cfg.Worker.Strict, Concurrency: s.cfg.Worker.Concurrency,
		ShutdownTimeout: s.cfg.Worker.ShutdownTimeout.Std(), Version: Version(), Bulkheads: s.bulkheads(h), PoolsFunc: s.poolUses,
	}, s.ledger, s.broker, s.bus, h, s.metrics, s.log)
	if err != nil {
		return err
	}
	s.parts = append(s.parts, lifecycle.Part{Name: "worker", Run: w.Run, Grace: w.Grace()})
	return nil
}

// workerQueues is the weights of the queues that the worker serves.
func (s *system) workerQueues() map[string]int {
	queues := map[string]int{}
	for name, queue := range s.cfg.Queues {
		if only := s.cfg.Worker.Queues; len(only) == 0 || slices.Contains(only, name) {
			queues[name] = queue.Weight
		}
	}
	return queues
}

// interfaces is the map under the interface that its consumer asks for.
func interfaces[I any, T any](m map[string]T) map[string]I {
	out := make(map[string]I, len(m))
	for name, v := range m {
		out[name] = any(v).(I) // T is written to be an I; the consumer's package asserts it
	}
	return out
}

// addHealth adds the checks and the readiness that follows from them. No check
// is added after it.
func (s *system) addHealth() {
	s.health = observe.NewHealth(observe.HealthConfig{}, s.log, s.checks...)
	s.add("health", s.health.Run)
}

// addDrain makes the process not ready as the first thing when it stops: it is
// added last.
func (s *system) addDrain() {
	s.add("readiness", func(ctx context.Context) error {
		<-ctx.Done()
		s.health.Drain()
		return nil
	})
}

// metricsHandler is nil when metrics are turned off.
func (s *system) metricsHandler() http.Handler {
	if !s.cfg.Observability.Metrics {
		return nil
	}
	s.metrics.Feed(s.sources, s.log)
	return s.metrics.Handler()
}

// addProbe adds the health and metrics port of a process without an API.
func (s *system) addProbe(addr string, out io.Writer) {
	s.addHealth()
	server := observe.NewServer(addr, observe.Handler(s.health, s.metricsHandler()), out, s.log)
	s.parts = append(s.parts, lifecycle.Part{Name: "probe", Start: server.Start, Run: server.Run})
}
