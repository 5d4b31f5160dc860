package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/asyncops/asyncops/api"
	"github.com/asyncops/asyncops/config"
	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/dispatch"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/ledger"
	"github.com/asyncops/asyncops/lifecycle"
	"github.com/asyncops/asyncops/observe"
)

// addAPI adds the REST server, and prints its address to out when it listens.
func (s *system) addAPI(out io.Writer) error {
	s.addHealth()
	s.waiter = dispatch.NewWaiter(s.bus, s.ledger)
	s.add("waiter", s.waiter.Run)
	cfg := s.cfg.API
	deps := api.Deps{
		Ledger: restLedger{s.ledger, s.metrics}, Schedules: s.ledger, Keys: restKeys{s.ledger}, Sessions: s.ledger, Stats: stats{s}, Audit: s.ledger, ConfiguredKeys: func() []api.Key { return configuredKeys(cfg.Keys) },
		Signals: signals{bus: s.bus, waiter: s.waiter, deaf: s.deaf}, Watcher: s.ledger, Targets: s.targets, Deliveries: s.targets, Planner: s.targets,
		Statuses: statuses{s}, Alerts: s.ledger, Caches: caches{s}, Breakers: s.fleet, Observer: s.metrics, Log: s.log,
		Healthz: s.health.Healthz(), Readyz: s.health.Readyz(), Metrics: s.metricsHandler(),
	}
	if s.broker != nil {
		deps.RedisQueues = newRedisQueues(s.broker, func() bool { return s.health.Up(redisCheck) })
	}
	pages, base, err := s.dashboard()
	if err != nil {
		return err
	}
	deps.Dashboard = pages
	weights := map[string]int{}
	for name, queue := range s.cfg.Queues {
		weights[name] = queue.Weight
	}
	server, err := api.New(api.Config{
		Listen: cfg.Listen, DashboardPath: base, Open: cfg.Auth == config.AuthNone, LoopbackOnly: cfg.Auth == config.AuthNone,
		Certificate: cfg.TLS.Cert, CertificateKey: cfg.TLS.Key, TrustedProxies: cfg.TrustedProxies,
		CORSOrigins: cfg.CORSOrigins, Gzip: cfg.Gzip, BodyLimit: cfg.BodyLimit.Bytes(),
		BulkBodyLimit: cfg.BulkBodyLimit.Bytes(), BulkMaxItems: cfg.BulkMaxItems, RequestTimeout: cfg.RequestTimeout.Std(), MaxStreams: cfg.MaxStreamsPerKey,
		RateLimit: api.RateLimit{Requests: cfg.RateLimit.Requests, Per: cfg.RateLimit.Per.Std(), Burst: cfg.RateLimit.Burst},
		Queues:    slices.Sorted(maps.Keys(s.cfg.Queues)), Weights: weights,
	}, deps)
	if err != nil {
		return err
	}
	s.server = server
	start := func(ctx context.Context) error {
		if err := server.Start(ctx); err != nil {
			return err
		}
		scheme := "http"
		if cfg.TLS.Cert != "" {
			scheme = "https"
		}
		_, err := fmt.Fprintf(out, "API on %s://%s\n", scheme, server.Addr())
		return err
	}
	s.parts = append(s.parts, lifecycle.Part{Name: "api", Start: start, Run: server.Run})
	s.addDrain()
	return nil
}

func configuredKeys(keys []config.APIKey) []api.Key {
	out := make([]api.Key, 0, len(keys))
	for _, k := range keys {
		whole := k.Key.Reveal()
		id, _, ok := config.SplitKey(whole)
		if !ok {
			continue // a rotated secret that is no key any more lets nobody in
		}
		out = append(out, api.Key{
			ID: id, Name: k.Name, Hash: api.HashKey(whole), Role: k.Role, Scopes: k.Scopes, Queues: k.Queues, Kinds: k.Kinds,
			Databases: k.Databases, Clients: k.Clients, ExpiresAt: k.ExpiresAt,
		})
	}
	return out
}

// restLedger is the ledger in the API's words.
type restLedger struct {
	*ledger.Ledger

	metrics *observe.Metrics
}

// Cancel counts a job that it ended; one that ran is counted by its worker.
func (l restLedger) Cancel(ctx context.Context, id job.ID) (*job.Job, error) {
	j, err := l.Ledger.Cancel(ctx, id)
	if err == nil && j.State == job.Canceled {
		l.metrics.Ended(j.Kind, j.Queue, j.State, 1)
	}
	return j, err
}

// PurgeQueue counts the jobs that it ended.
func (l restLedger) PurgeQueue(ctx context.Context, name string, limit int) ([]job.Event, error) {
	events, err := l.Ledger.PurgeQueue(ctx, name, limit)
	for _, e := range events {
		if e.State.Terminal() {
			l.metrics.Ended(e.Kind, e.Queue, e.State, 1)
		}
	}
	return events, err
}

func (l restLedger) Accept(ctx context.Context, jobs []job.Job, atomic bool) ([]job.Accepted, error) {
	answers, err := l.Ledger.Accept(ctx, ledger.Batch{Jobs: jobs, Atomic: atomic})
	if errors.Is(err, ledger.ErrBatchRefused) {
		return answers, nil // the answers say why
	}
	return answers, err
}

func (l restLedger) Search(ctx context.Context, f api.Filter) ([]job.Job, string, error) {
	page, err := l.Ledger.Search(ctx, ledger.Filter(f))
	return page.Jobs, page.Next, err
}

func (l restLedger) Queues(ctx context.Context, names ...string) ([]api.Queue, error) {
	found, err := l.Ledger.Queues(ctx, names...)
	queues := make([]api.Queue, len(found))
	for i, q := range found {
		queues[i] = api.Queue(q)
	}
	return queues, err
}

func (l restLedger) Workers(ctx context.Context) ([]api.Worker, error) {
	found, err := l.Ledger.Workers(ctx)
	workers := make([]api.Worker, len(found))
	for i, w := range found {
		workers[i] = api.Worker{
			ID: w.ID, Host: w.Host, PID: w.PID, Version: w.Version, State: string(w.State), Queues: w.Queues,
			Concurrency: w.Concurrency, Running: w.Running, StartedAt: w.StartedAt, BeatAt: w.BeatAt,
			Databases: make(map[string]api.PoolUse, len(w.Pools)),
		}
		for name, use := range w.Pools {
			if !strings.HasPrefix(name, string(job.TypeClient)+" ") {
				workers[i].Databases[name] = poolUse(use)
			}
		}
	}
	return workers, err
}

// restKeys is the ledger's keys in the API's words.
type restKeys struct{ ledger *ledger.Ledger }

func (k restKeys) Key(ctx context.Context, id string) (*api.Key, error) {
	found, err := k.ledger.Key(ctx, id)
	if err != nil {
		return nil, err
	}
	g := found.Grants
	return &api.Key{
		ID: found.ID, Name: found.Name, Hash: found.Hash, Role: g.Role, Scopes: g.Scopes, Queues: g.Queues, Kinds: g.Kinds,
		Databases: g.Databases, Clients: g.Clients, ExpiresAt: found.ExpiresAt, RevokedAt: found.RevokedAt,
	}, nil
}

// signals passes the API's hints on.
type signals struct {
	bus    *dispatch.Bus
	waiter *dispatch.Waiter
	deaf   func() bool // what others say does not come in
}

func (s signals) Wake(string) { s.bus.Due() }

func (s signals) Stop(id job.ID) { s.bus.Stop(id) }

func (s signals) Wait(ctx context.Context, id job.ID) error { return s.waiter.Wait(ctx, id) }

func (s signals) Moved(j *job.Job) {
	if j.State.Terminal() {
		s.bus.Ended([]job.ID{j.ID})
		return
	}
	s.bus.Moved([]job.ID{j.ID})
}

func (s signals) Moves() api.Moves { return moves{s.bus.Watch(), s.deaf} }

// moves also tells when nothing comes in from other processes.
type moves struct {
	*dispatch.Watch

	deaf func() bool
}

func (m moves) Take() (ids []job.ID, lost bool) {
	ids, lost = m.Watch.Take()
	return ids, lost || m.deaf()
}

// deaf reports whether other processes' hints do not reach this one.
func (s *system) deaf() bool { return s.broker != nil && !s.health.Up(redisCheck) }

// stats is what has happened, in the API's words.
type stats struct{ *system }

func (s stats) Tallies(ctx context.Context, from time.Time, queues, kinds []string) ([]job.Tally, error) {
	return s.ledger.Tallies(ctx, from, queues, kinds)
}

func (s stats) Ages(ctx context.Context, from time.Time, queues []string) ([]api.Age, error) {
	found, err := s.ledger.Ages(ctx, from, queues)
	ages := make([]api.Age, len(found))
	for i, a := range found {
		ages[i] = api.Age(a)
	}
	return ages, err
}

func (stats) Step(window time.Duration) time.Duration { return ledger.StatsStep(window) }

func (s stats) Backlogs(ctx context.Context) ([]api.Backlog, error) {
	found, err := s.ledger.Backlogs(ctx)
	backlogs := make([]api.Backlog, len(found))
	for i, b := range found {
		backlogs[i] = api.Backlog(b)
	}
	return backlogs, err
}

func (s stats) Drift(ctx context.Context) (jobs int, ok bool) {
	if s.broker == nil || s.deaf() {
		return 0, false
	}
	jobs, err := s.drift(ctx)
	return jobs, err == nil
}

// statuses is how the targets are, in the API's words.
type statuses struct{ *system }

func (s statuses) Databases(ctx context.Context) ([]api.Database, error) {
	workers, err := s.ledger.Workers(ctx)
	if err != nil {
		return nil, err
	}
	parked, err := s.ledger.CountParkedOn(ctx)
	if err != nil {
		return nil, err
	}
	found := make([]api.Database, 0, len(s.databases))
	for _, name := range slices.Sorted(maps.Keys(s.databases)) {
		h := s.sights.of(job.DatabaseTarget(name))
		pool, cache := fleetPool(workers, name)
		found = append(found, api.Database{
			Name: name, Driver: s.cfg.Databases[name].DSN.Driver, Delivery: s.databases[name].Delivery(dbop.InsertOne),
			Health: api.DatabaseHealth{
				Status: h.Status, LatencyMS: h.LatencyMS, Effects: string(s.databases[name].EffectsState()), Detail: h.Detail, CheckedAt: h.CheckedAt,
			},
			Pool: pool, Cache: cache, Parked: parked[job.DatabaseTarget(name).String()],
		})
	}
	return found, nil
}

func (s statuses) Clients(ctx context.Context) ([]api.Client, error) {
	workers, err := s.ledger.Workers(ctx)
	if err != nil {
		return nil, err
	}
	parked, err := s.ledger.CountParkedOn(ctx)
	if err != nil {
		return nil, err
	}
	pools := s.clientPools()
	found := make([]api.Client, 0, len(s.upstreams))
	for _, name := range slices.Sorted(maps.Keys(s.upstreams)) {
		pool := api.Pool(pools[name])
		c := api.Client{Name: name, Health: s.sights.of(job.ClientTarget(name)), Pool: &pool, Parked: parked[job.ClientTarget(name).String()]}
		_, c.Cache = fleetPool(workers, job.ClientTarget(name).String())
		s.showGate(ctx, &c)
		found = append(found, c)
	}
	return found, nil
}
