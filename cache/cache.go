package cache

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// Config says how much is kept, and where.
type Config struct {
	// MaxBytes bounds what this process keeps; default 256 MiB. A value of more
	// than a sixteenth of it is not kept.
	MaxBytes int64
	// Redis joins the caches of all processes that use it; nil is one process by
	// itself. Whoever opened it closes it, after the cache.
	Redis redis.UniversalClient
	// Shared has values kept in Redis too. Without it Redis is only told what has
	// become stale.
	Shared bool
	// Teller says that the process reads nothing through the cache: it only
	// invalidates.
	Teller bool
	// RandFunc returns a number in [0, 1), for the jitter of lives; nil is math/rand.
	RandFunc func() float64
}

const defaultMaxBytes = 256 << 20

// Validate reports what is wrong with the settings.
func (c Config) Validate() error {
	if c.MaxBytes < 0 {
		return errors.New("cache: max_bytes must not be negative")
	}
	if c.Shared && c.Redis == nil {
		return errors.New("cache: shared needs a Redis")
	}
	return nil
}

// Result is how a Get was answered.
type Result string

const (
	Hit       Result = "hit"        // from this process, or from what another Get of it was just loading
	HitShared Result = "hit_shared" // from Redis
	Miss      Result = "miss"       // loaded
	Bypass    Result = "bypass"     // loaded, because the cache cannot be trusted now: Redis is away

	Revalidated Result = "revalidated" // the load found that what was kept holds still
	Stale       Result = "stale"       // the load failed, and what was kept had to do
)

// Results lists every Result.
func Results() []Result { return []Result{Hit, HitShared, Miss, Bypass, Revalidated, Stale} }

// kept reports whether the answer is what was there before.
func (r Result) kept() bool { return r != Miss && r != Bypass }

// Observer is told what the cache does. Its methods are called from many
// goroutines and must not block.
type Observer interface {
	// CacheRequest is told how a Get of the space was answered.
	CacheRequest(space string, result Result)
	// CacheEviction is told of an entry that had to make room for others.
	CacheEviction(space string)
}

// silent observes nothing.
type silent struct{}

func (silent) CacheRequest(string, Result) {}
func (silent) CacheEviction(string)        {}

// Cache holds the entries of all spaces of a process. It is safe for concurrent
// use. Close it after those that use it have stopped.
type Cache struct {
	cfg      Config
	log      *slog.Logger
	observer Observer
	memory   *memory
	gens     *generations
	fleet    *fleet // nil without Redis

	mu      sync.Mutex
	flights map[id]*flight    // guarded by mu
	spaces  map[string]*Space // guarded by mu
}

// Open returns a cache. It does not wait for Redis. log gets the loss of Redis
// and its return; observer may be nil.
func Open(cfg Config, log *slog.Logger, observer Observer) (*Cache, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = defaultMaxBytes
	}
	if cfg.RandFunc == nil {
		cfg.RandFunc = rand.Float64
	}
	if observer == nil {
		observer = silent{}
	}
	c := &Cache{
		cfg: cfg, log: log.With("component", "cache"), observer: observer, gens: &generations{},
		flights: map[id]*flight{}, spaces: map[string]*Space{},
	}
	var err error
	if c.memory, err = newMemory(cfg.MaxBytes, observer); err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	if cfg.Redis != nil {
		c.fleet = newFleet(cfg, c.gens, c.memory, c.log)
	}
	return c, nil
}

// Close stops what looks after the memory. Run must have returned.
func (c *Cache) Close() error {
	if c.fleet != nil {
		c.fleet.close()
	}
	c.memory.close()
	return nil
}

// Bytes returns how much of the process's memory the entries take.
func (c *Cache) Bytes() int64 { return c.memory.bytes() }

// Space returns the entries of one database or upstream, apart from those of
// all others. The same name is the same space.
func (c *Cache) Space(name string) *Space {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.spaces[name]
	if s == nil {
		s = &Space{cache: c, name: name}
		c.spaces[name] = s
	}
	return s
}

// Space is the part of a cache that belongs to one database or upstream. It is
// safe for concurrent use.
type Space struct {
	cache *Cache
	name  string

	hits, misses atomic.Int64
}

// Stats counts the Gets of a space, ever.
type Stats struct {
	Hits   int64 // answered with what was kept
	Misses int64 // loaded anew
}

// Stats returns the counts at this moment.
func (s *Space) Stats() Stats { return Stats{Hits: s.hits.Load(), Misses: s.misses.Load()} }

// count counts a Get.
func (s *Space) count(r Result) {
	if r.kept() {
		s.hits.Add(1)
	} else {
		s.misses.Add(1)
	}
	s.cache.observer.CacheRequest(s.name, r)
}

// Ahead is how much of a life of the length must be left to what is to be found
// by everybody until it is looked after again, half a life later: three fifths.
func Ahead(life time.Duration) time.Duration { return life * 3 / 5 }

// briefly is how long it may be remembered that there is nothing.
const briefly = 5 * time.Second

// Briefly is the life of a value that says that there is nothing: no longer
// than ttl, and short.
func Briefly(ttl time.Duration) time.Duration { return min(ttl, briefly) }
