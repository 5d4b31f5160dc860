package store

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asyncops/asyncops/dbop"
	"github.com/uptrace/bun"
)

// Observer is told what a target does. Its methods are called from many
// goroutines and must not block.
type Observer interface {
	// Query is told of every operation that had a connection: how long it took,
	// retries inside the run included, and whether it failed.
	Query(database string, op dbop.Op, took time.Duration, failed bool)
	// PoolWait is told how long every operation waited for a connection.
	PoolWait(database string, waited time.Duration)
	// SlowQuery is told of operations over Config.SlowQuery.
	SlowQuery(database string, op dbop.Op)
}

// silent observes nothing.
type silent struct{}

func (silent) Query(string, dbop.Op, time.Duration, bool) {}
func (silent) PoolWait(string, time.Duration)             {}
func (silent) SlowQuery(string, dbop.Op)                  {}

// Target is one configured database. It is safe for concurrent use.
type Target struct {
	cfg      Config
	registry *Registry
	dialect  dialect
	log      *slog.Logger
	observer Observer
	pools    *pools
	reader   *bun.DB
	writer   *bun.DB
	slots    *slots   // of all operations
	writers  *slots   // of writes, where the database takes few; else nil
	shared   *sharing // nil where inserts cannot share statements
	catalog  *catalog
	effects  *effects
	slow     *slowLog
	queries  *queryStates
	closed   atomic.Bool
}

// Open returns the target that cfg describes. It does not need the server to
// be up: connections are made at first use. log gets slow operations and
// changes in the effects table; observer may be nil. The caller closes it.
func Open(cfg Config, log *slog.Logger, observer Observer) (*Target, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	registry, err := NewRegistry(cfg)
	if err != nil {
		return nil, err
	}
	if observer == nil {
		observer = silent{}
	}
	p, err := registry.dialect.open(cfg)
	if err != nil {
		return nil, fmt.Errorf("store: open database %q: %w", cfg.Name, err)
	}
	g := registry.dialect.grammar()
	t := &Target{
		cfg: cfg, registry: registry, dialect: registry.dialect, log: log.With("database", cfg.Name), observer: observer, pools: p,
		reader: bun.NewDB(p.read, g.bun), writer: bun.NewDB(p.write, g.bun),
		slots: newSlots(cfg.PoolSize + cfg.MaxOverflow),
	}
	if p.writers > 0 {
		t.writers = newSlots(p.writers)
	}
	t.catalog = newCatalog(t.dialect, t.reader)
	t.effects = &effects{mode: cfg.Effects}
	t.shared = newSharing(t)
	t.slow = newSlowLog(t.log)
	t.queries = newQueryStates()
	return t, nil
}

// Name returns the name under which the target is configured.
func (t *Target) Name() string { return t.cfg.Name }

// grammar returns the dialect's words, which may depend on the server.
func (t *Target) grammar() grammar { return t.dialect.grammar() }

// Registry returns what jobs may touch in the target.
func (t *Target) Registry() *Registry { return t.registry }

// Close closes the target's connections. Operations that still run end with
// an error. Further calls do nothing.
func (t *Target) Close() error {
	if t.closed.Swap(true) {
		return nil
	}
	t.shared.close()
	if err := t.pools.close(); err != nil {
		return fmt.Errorf("store: close database %q: %w", t.cfg.Name, err)
	}
	return nil
}

// Stats is how the target's connections are used.
type Stats struct {
	InUse    int           // operations that run
	Idle     int           // connections that are open and unused
	Max      int           // operations that may run at the same time
	Waiting  int           // operations that wait for a connection
	Waits    int64         // operations that have had to wait, ever
	WaitTime time.Duration // that they have waited, ever

	CacheHits   int64 // reads that were answered from the cache, ever
	CacheMisses int64 // reads that asked for it and were not, ever
}

// Stats returns the use of connections at this moment.
func (t *Target) Stats() Stats {
	s := t.slots.stats()
	if t.writers != nil { // its own bound is no operation's: only those that wait for it count
		w := t.writers.stats()
		s.Waiting, s.Waits, s.WaitTime = s.Waiting+w.Waiting, s.Waits+w.Waits, s.WaitTime+w.WaitTime
	}
	s.Idle = t.pools.read.Stats().Idle
	if t.pools.write != t.pools.read {
		s.Idle += t.pools.write.Stats().Idle
	}
	return s
}

// watchInterval is the time between two looks at the effects table.
const (
	watchInterval      = 30 * time.Second
	watchRetryInterval = time.Second
)

// Watch looks after the target until ctx is done: it closes connections that
// load has opened and that are needed no more, and makes or finds the effects
// table as soon as the server is up, and again from time to time. Without Watch
// the first write does so. Whether named statements can be prepared is looked at
// then, too.
func (t *Target) Watch(ctx context.Context) error {
	var keeping sync.WaitGroup
	keeping.Go(func() { t.keepPoolSize(ctx) })
	defer keeping.Wait()
	for {
		wait := watchInterval
		if _, err := t.checkEffects(ctx); err != nil {
			wait = watchRetryInterval
		} else if _, err := t.checkQueries(ctx); err != nil {
			wait = watchRetryInterval
		}
		t.slow.flush()
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}
