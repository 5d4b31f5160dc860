package ledger

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/asyncops/asyncops/internal/pgconn"
	"github.com/asyncops/asyncops/job"
)

// DefaultRetention is how long an ended job is kept when nobody says otherwise.
const DefaultRetention = 7 * 24 * time.Hour

// Config says where the ledger is and how it behaves. Exactly one of Postgres
// and SQLitePath is set.
type Config struct {
	Postgres   *pgconn.Config
	SQLitePath string        // a file, made if missing, or ":memory:"
	PoolSize   int           // connections kept; default 20. SQLite: readers beside the one writer
	Retention  time.Duration // of ended jobs; default DefaultRetention
	Bell       Bell          // rung after each commit of new jobs; nil for none
	Observer   Observer      // told of group sizes; nil for none
}

// Validate returns what is wrong with the configuration, or nil.
func (c Config) Validate() error {
	switch {
	case (c.Postgres == nil) == (c.SQLitePath == ""):
		return errors.New("ledger: set exactly one of Postgres and SQLitePath")
	case c.PoolSize < 0 || c.Retention < 0:
		return errors.New("ledger: PoolSize and Retention must not be negative")
	}
	return nil
}

// Bell tells the fleet of new jobs. Its methods are called from the ledger's
// writers and must neither block nor fail.
type Bell interface {
	// Ready reports whether new jobs should be given a doorbell now. If not,
	// the relay rings for them later.
	Ready() bool
	// Share names the doorbell of one pending job of a queue that is about to be
	// committed by itself, unless its key turns out to be taken. Others may get
	// the same.
	Share(queue string) (id string)
	// Ring is called after the commit of jobs that may start at once. A
	// doorbell without an ID is not recorded: its jobs wait for the relay, or
	// for a worker in this process. One without jobs was named for a job that
	// was not new.
	Ring([]job.Doorbell)
}

// Observer receives measurements.
type Observer interface {
	// LedgerGroup is called with the number of jobs written by one commit.
	LedgerGroup(jobs int)
}

// Ledger is an open ledger. It is safe for concurrent use. Close it after
// everything that uses it has stopped.
type Ledger struct {
	cfg     Config
	dialect dialect
	write   *bun.DB // PostgreSQL: the pool; SQLite: the one connection that writes
	read    *bun.DB
	close   func() error
	groups  *groupWriter
	scene   scene
	doubts  doubts
	queries statements
}

// Open returns the ledger that cfg describes. It does not wait for the
// database: while that is away, methods answer job.ErrUnavailable.
func Open(cfg Config) (*Ledger, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.PoolSize == 0 {
		cfg.PoolSize = 20
	}
	if cfg.Retention == 0 {
		cfg.Retention = DefaultRetention
	}
	l := &Ledger{cfg: cfg}
	open := l.openPostgres
	if cfg.Postgres == nil {
		open = l.openSQLite
	}
	if err := open(); err != nil {
		return nil, fmt.Errorf("ledger: open: %w", err)
	}
	l.queries = newStatements(l)
	l.groups = newGroupWriter(l)
	return l, nil
}

// Close writes what was accepted by Accept's callers that still wait, ends the
// writers and closes the connections. Later calls answer job.ErrUnavailable.
func (l *Ledger) Close() error {
	l.groups.close()
	return l.close()
}

// Check reports whether the ledger can be used: job.ErrUnavailable while the
// database does not answer, job.ErrSchemaOutdated until Migrate has run.
func (l *Ledger) Check(ctx context.Context) error {
	version, err := l.version(ctx)
	if err != nil {
		return l.wrap(err, "check")
	}
	if latest := l.latestMigration(); version < latest {
		return fmt.Errorf("ledger: schema is at version %d, this release needs %d (run asyncops migrate): %w",
			version, latest, job.ErrSchemaOutdated)
	}
	return nil
}

// wrap says what was being done, and maps the driver's errors to sentinels.
func (l *Ledger) wrap(err error, doing string, args ...any) error {
	if err == nil {
		return nil
	}
	doing = fmt.Sprintf(doing, args...)
	switch {
	case l.dialect.missingTable(err) && l.outdated():
		return fmt.Errorf("ledger: %s: %w: %w", doing, job.ErrSchemaOutdated, err)
	case l.dialect.unreachable(err):
		return fmt.Errorf("ledger: %s: %w: %w", doing, job.ErrUnavailable, err)
	}
	return fmt.Errorf("ledger: %s: %w", doing, err)
}

// outdated reports whether the schema is behind. Nobody waits for it long: it
// only makes an error plainer.
func (l *Ledger) outdated() bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	version, err := l.version(ctx)
	return err == nil && version < l.latestMigration()
}

// timed puts the database's clock, in microseconds since 1970, in the place of
// each ?now.
func (l *Ledger) timed(query string) string {
	return strings.ReplaceAll(query, "?now", l.dialect.now)
}

// maxTries is how often work is tried that the database undoes because of
// somebody else's.
const maxTries = 5

// pause waits a little longer after each try; false means that ctx ended.
func pause(ctx context.Context, try int) bool {
	timer := time.NewTimer(time.Duration(1+rand.IntN(20<<try)) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// again runs a statement that must not be lost to a deadlock with another one.
func (l *Ledger) again(ctx context.Context, f func() error) error {
	for try := 1; ; try++ {
		err := f()
		if err == nil || !l.dialect.deadlock(err) || try == maxTries || !pause(ctx, try) {
			return err
		}
	}
}

// transact runs f in one transaction of the writing side, in which it may run
// the prepared statements. f may run again after a deadlock, so it must not keep
// what it learned from a failed run.
func (l *Ledger) transact(ctx context.Context, f func(tx bun.Tx) error) error {
	if err := l.queries.ready(ctx); err != nil {
		return err
	}
	return l.atomically(ctx, f)
}

// atomically is transact before there is a schema.
func (l *Ledger) atomically(ctx context.Context, f func(tx bun.Tx) error) error {
	return l.again(ctx, func() error {
		return l.write.RunInTx(ctx, nil, func(_ context.Context, tx bun.Tx) error { return f(tx) })
	})
}

// exec runs a statement that writes, and returns how many rows it touched.
func (l *Ledger) exec(ctx context.Context, query string, args ...any) (int, error) {
	var n int64
	err := l.again(ctx, func() error {
		res, err := l.write.ExecContext(ctx, l.timed(query), args...)
		if err != nil {
			return err
		}
		n, err = res.RowsAffected()
		return err
	})
	return int(n), err
}
