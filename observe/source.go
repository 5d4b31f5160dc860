package observe

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/asyncops/asyncops/job"
)

const (
	// sourceAge is how old a figure that had to be looked up may be.
	sourceAge = 5 * time.Second
	// sourceTimeout is how long a scrape waits for one that is looked up.
	sourceTimeout = 2 * time.Second
)

// Sources are functions from which figures are read when the metrics are
// scraped. They are called from one goroutine at a time each. A nil one means
// that this process does not expose the metric.
//
// Those that take a context read from the ledger or Redis: they are called at
// most every 5 s, with a context that ends after 2 s, and what they return is
// kept meanwhile. When one fails, its metrics are left out of the scrape.
// Those without a context are called at every scrape and must be quick.
type Sources struct {
	Backlogs func(ctx context.Context) ([]Backlog, error)              // queue_pending, queue_oldest_seconds
	Parked   func(ctx context.Context) (map[job.WaitReason]int, error) // jobs_parked
	Workers  func(ctx context.Context) (map[string]int, error)         // workers, by state
	RelayLag func(ctx context.Context) (time.Duration, error)          // relay_lag_seconds
	Drift    func(ctx context.Context) (int, error)                    // ledger_redis_drift

	ScheduleLag func(ctx context.Context) (time.Duration, error) // schedule_lag_seconds

	AlertsFiring func(ctx context.Context) (map[job.AlertRule]int, error) // alerts_firing

	DatabasePools func() map[string]Pool    // db_pool_connections, by database
	ClientPools   func() map[string]Pool    // client_pool_connections, by client
	CacheBytes    func() int64              // cache_bytes
	Targets       func() []Target           // target_up
	Breakers      func() map[string]Breaker // breaker_state, breaker_failures, by client
	RedisUp       func() bool               // redis_up
	LedgerUp      func() bool               // ledger_up
}

// Backlog is what waits to start in one queue.
type Backlog struct {
	Queue  string
	Jobs   int           // that are due
	Oldest time.Duration // how long the first of them has waited
}

// Pool is the state of a target's connections.
type Pool struct{ InUse, Idle, Max int }

// Target is a target of jobs and whether it can be reached.
type Target struct {
	Type string // database or client
	Name string
	Up   bool
}

// Breaker is where a client's circuit breaker stands.
type Breaker struct {
	State    string // closed, half_open or open
	Failures int    // in a row
}

// Feed adds what is read when the metrics are scraped. It is called once,
// before the first scrape. Failures of sources go to log.
func (m *Metrics) Feed(s Sources, log *slog.Logger) {
	c := &collector{log: log, descs: map[string]*prometheus.Desc{}}
	if s.Backlogs != nil {
		backlogs := lookedUp(s.Backlogs)
		c.add(m, "queue_pending", func(g gauge) error { return eachBacklog(backlogs, g, Backlog.pending) })
		c.add(m, "queue_oldest_seconds", func(g gauge) error { return eachBacklog(backlogs, g, Backlog.oldest) })
	}
	if s.Parked != nil {
		reasons := []job.WaitReason{job.WaitBreaker, job.WaitRateLimit, job.WaitMaxInFlight, job.WaitPool}
		c.add(m, "jobs_parked", counts(lookedUp(s.Parked), reasons))
	}
	if s.Workers != nil {
		c.add(m, "workers", counts(lookedUp(s.Workers), []string{"running", "draining", "gone"}))
	}
	if s.RelayLag != nil {
		c.add(m, "relay_lag_seconds", one(lookedUp(s.RelayLag), time.Duration.Seconds))
	}
	if s.Drift != nil {
		c.add(m, "ledger_redis_drift", one(lookedUp(s.Drift), func(n int) float64 { return float64(n) }))
	}
	if s.ScheduleLag != nil {
		c.add(m, "schedule_lag_seconds", one(lookedUp(s.ScheduleLag), time.Duration.Seconds))
	}
	if s.AlertsFiring != nil {
		c.add(m, "alerts_firing", counts(lookedUp(s.AlertsFiring), job.AlertRules()))
	}
	if s.DatabasePools != nil {
		c.add(m, "db_pool_connections", pools(s.DatabasePools))
	}
	if s.ClientPools != nil {
		c.add(m, "client_pool_connections", pools(s.ClientPools))
	}
	if s.CacheBytes != nil {
		c.add(m, "cache_bytes", one(always(s.CacheBytes), func(n int64) float64 { return float64(n) }))
	}
	if s.Targets != nil {
		c.add(m, "target_up", func(g gauge) error {
			for _, t := range s.Targets() {
				g(truth(t.Up), t.Type, t.Name)
			}
			return nil
		})
	}
	if s.Breakers != nil {
		c.add(m, "breaker_state", func(g gauge) error {
			for client, b := range s.Breakers() {
				g(map[string]float64{"half_open": 1, "open": 2}[b.State], client)
			}
			return nil
		})
		c.add(m, "breaker_failures", func(g gauge) error {
			for client, b := range s.Breakers() {
				g(float64(b.Failures), client)
			}
			return nil
		})
	}
	if s.RedisUp != nil {
		c.add(m, "redis_up", one(always(s.RedisUp), truth))
	}
	if s.LedgerUp != nil {
		c.add(m, "ledger_up", one(always(s.LedgerUp), truth))
	}
	m.registry.MustRegister(c)
}

// gauge takes one value and those of its labels.
type gauge func(value float64, labels ...string)

// collector is what Feed registers.
type collector struct {
	log   *slog.Logger
	names []string // of the metrics, in the order of their reads
	reads []func(gauge) error
	descs map[string]*prometheus.Desc // by name
}

func (c *collector) add(m *Metrics, name string, read func(gauge) error) {
	f := m.families[name]
	c.names, c.reads = append(c.names, name), append(c.reads, read)
	c.descs[name] = prometheus.NewDesc(f.Name, f.Help, f.Labels, nil)
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, name := range c.names {
		ch <- c.descs[name]
	}
}

// Collect implements prometheus.Collector. The reads wait for the same few
// servers, so they do it at the same time.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	var reads sync.WaitGroup
	for i, read := range c.reads {
		reads.Go(func() {
			name := c.names[i]
			err := read(func(value float64, labels ...string) {
				ch <- prometheus.MustNewConstMetric(c.descs[name], prometheus.GaugeValue, value, labels...)
			})
			if err != nil {
				c.log.Warn("metric left out of the scrape", "metric", prefix+name, "error", err)
			}
		})
	}
	reads.Wait()
}

// lookedUp makes f cheap: its result, or its error, is kept for sourceAge.
func lookedUp[T any](f func(context.Context) (T, error)) func() (T, error) {
	var (
		mu    sync.Mutex
		value T         // guarded by mu
		err   error     // guarded by mu
		taken time.Time // guarded by mu
	)
	return func() (T, error) {
		mu.Lock()
		defer mu.Unlock()
		if taken.IsZero() || time.Since(taken) >= sourceAge {
			ctx, cancel := context.WithTimeout(context.Background(), sourceTimeout)
			defer cancel()
			value, err = f(ctx)
			taken = time.Now()
		}
		return value, err
	}
}

func always[T any](f func() T) func() (T, error) {
	return func() (T, error) { return f(), nil }
}

// one reads a metric without labels.
func one[T any](read func() (T, error), value func(T) float64) func(gauge) error {
	return func(g gauge) error {
		v, err := read()
		if err == nil {
			g(value(v))
		}
		return err
	}
}

// counts reads a metric with one label; the known values of that are always
// there.
func counts[K ~string](read func() (map[K]int, error), known []K) func(gauge) error {
	return func(g gauge) error {
		found, err := read()
		if err != nil {
			return err
		}
		all := maps.Clone(found)
		if all == nil {
			all = map[K]int{}
		}
		for _, k := range known {
			all[k] += 0
		}
		for k, n := range all {
			g(float64(n), string(k))
		}
		return nil
	}
}

func (b Backlog) pending() float64 { return float64(b.Jobs) }
func (b Backlog) oldest() float64  { return b.Oldest.Seconds() }

func eachBacklog(read func() ([]Backlog, error), g gauge, value func(Backlog) float64) error {
	backlogs, err := read()
	for _, b := range backlogs {
		g(value(b), b.Queue)
	}
	return err
}

func pools(read func() map[string]Pool) func(gauge) error {
	return func(g gauge) error {
		for name, p := range read() {
			g(float64(p.InUse), name, "in_use")
			g(float64(p.Idle), name, "idle")
			g(float64(p.Max), name, "max")
		}
		return nil
	}
}

func truth(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
