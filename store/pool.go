package store

import (
	"context"
	"database/sql"
	"time"
)

// Never, as Config's MaxLifetime, MaxIdleTime or SlowQuery, is no limit: a zero
// there means the default.
const Never time.Duration = -1

// overflowInterval is how often connections over pool_size are looked at that
// nothing uses. One that load has opened stays until a whole interval has
// needed no more than pool_size: closed as soon as it is idle, the next job of
// a busy worker would open it again.
const overflowInterval = 5 * time.Second

// keepPoolSize closes connections over pool_size whenever load has ended, until
// ctx is done.
func (t *Target) keepPoolSize(ctx context.Context) {
	ticker := time.NewTicker(overflowInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if t.slots.takePeak() <= t.cfg.PoolSize {
				closeOverflow(t.pools.read, t.cfg.PoolSize)
			}
		}
	}
}

// closeOverflow closes idle connections of the pool until it has no more than
// keep.
func closeOverflow(pool *sql.DB, keep int) {
	stats := pool.Stats()
	if stats.OpenConnections <= keep {
		return
	}
	pool.SetMaxIdleConns(max(keep-stats.InUse, 0))
	pool.SetMaxIdleConns(stats.MaxOpenConnections)
}

// limitAge applies the settings about the age of connections to a pool.
func limitAge(pool *sql.DB, cfg Config) {
	pool.SetConnMaxLifetime(cfg.MaxLifetime)
	pool.SetConnMaxIdleTime(cfg.MaxIdleTime)
}
