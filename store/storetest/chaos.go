package storetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
)

// crowd is goroutines that each do job after job, every one until it is done.
type crowd struct {
	f            fixture
	attempt      func(context.Context, *store.Effect) error // of a job
	stop         chan struct{}
	all          sync.WaitGroup
	done, failed atomic.Int64
}

// work starts a crowd of n that writes to log.
func (f fixture) work(n int) *crowd {
	return f.workOn(n, func(ctx context.Context, e *store.Effect) error {
		_, err := f.Run(ctx, logOp(string(e.Job)), e)
		return err
	})
}

// workOn starts a crowd of n. Every failure of an attempt must be one that is
// tried again.
func (f fixture) workOn(n int, attempt func(context.Context, *store.Effect) error) *crowd {
	c := &crowd{f: f, attempt: attempt, stop: make(chan struct{})}
	for range n {
		c.all.Go(func() {
			for {
				select {
				case <-c.stop:
					return
				default:
					c.one()
				}
			}
		})
	}
	return c
}

// one is the attempts of one job, until it is done.
func (c *crowd) one() {
	for e := effect(); ; {
		ctx, cancel := context.WithTimeoutCause(context.Background(), 5*time.Second, job.ErrTimeout)
		began := time.Now()
		err := c.attempt(ctx, e)
		cancel()
		if took := time.Since(began); took > 20*time.Second {
			c.f.t.Errorf("a run came back after %s, want it soon after its timeout of 5s", took)
		}
		if err == nil {
			c.done.Add(1)
			return
		}
		c.failed.Add(1)
		var failure *job.Failure
		if !errors.As(err, &failure) || failure.Class != job.ClassRetryable {
			c.f.t.Errorf("Run = %v, want a retryable failure", err)
			return
		}
		<-time.After(10 * time.Millisecond) // the job's own backoff
	}
}

// more waits until the counter has grown by n.
func (c *crowd) more(counter *atomic.Int64, n int64, within time.Duration) {
	c.f.t.Helper()
	before := counter.Load()
	testkit.Eventually(c.f.t, within, time.Millisecond, func() error {
		if counter.Load() < before+n {
			return errors.New("the jobs do not get on")
		}
		return nil
	})
}

// rest stops the crowd.
func (c *crowd) rest() {
	c.f.t.Helper()
	close(c.stop)
	c.all.Wait()
	if s := c.f.Stats(); s.InUse != 0 || s.Waiting != 0 {
		c.f.t.Errorf("Stats() = %+v, want nothing in use", s)
	}
}

// end stops the crowd and checks that every job that is done had its effect
// once, and none another.
func (c *crowd) end() {
	c.f.t.Helper()
	c.rest()
	done := int(c.done.Load())
	c.f.wantCount("log", "1 = 1", done)
	c.f.wantCount("asyncops_effects", "outcome = 'done'", done)
	if n := distinct(c.f); n != done {
		c.f.t.Errorf("different effects = %d, want %d", n, done)
	}
}

// impatient makes lost connections the business of the next attempt soon.
func impatient(cfg *store.Config) {
	cfg.PoolSize, cfg.MaxOverflow, cfg.Retry = 4, 4, store.Retry{Attempts: 2, Delay: time.Millisecond}
}

// The server ends connections at random, five a second, in the middle of
// whatever they do: the pool makes new ones, and no effect is lost or doubled.
func testKilledConnections(t *testing.T, h Harness) {
	db := h.Database(t)
	if db.KillOne == nil {
		t.Skip("this database has no connections to end")
	}
	f := startOn(t, h, db, impatient)
	if err := f.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := f.work(8)
	c.more(&c.done, 20, patience)
	kill := time.NewTicker(200 * time.Millisecond)
	defer kill.Stop()
	killed := 0
	for range 20 {
		<-kill.C
		killed += db.KillOne(t)
	}
	c.more(&c.done, 50, 5*time.Second) // it heals
	c.end()
	if killed == 0 {
		t.Error("no connection was ended")
	}
	t.Logf("%d connections ended, %d effects, %d failed runs", killed, c.done.Load(), c.failed.Load())
}

// Others take every connection that the server has: jobs fail so that they are
// tried again, and go on as soon as there is room.
func testNoConnectionsLeft(t *testing.T, h Harness) {
	if h.Crowded == nil {
		t.Skip("this database has no bound of connections")
	}
	db := h.Crowded(t)
	f := startOn(t, h, db.Database, impatient)
	if err := f.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	cfg := db.Config // a target that has no connection yet
	cfg.Tables = allTables()
	impatient(&cfg)
	late := fixture{Target: open(t, cfg, nil), t: t, db: db.Database}
	release := db.Fill(t)
	c := late.work(4)
	c.more(&c.failed, 10, patience)
	if h := late.Health(t.Context()); h.Status != store.StatusDown || h.Problems[0] != string(job.CodeDatabaseUnreachable) {
		t.Errorf("Health() without a connection = %+v, want down", h)
	}
	release()
	c.more(&c.done, 20, 5*time.Second)
	c.end()
	if h := late.Health(t.Context()); h.Status != store.StatusOK {
		t.Errorf("Health() = %+v, want ok", h)
	}
}

// A server that stands still is no verdict about any job: runs end at their own
// time, to be tried again, and go on when the server does.
func testFrozenServer(t *testing.T, h Harness) {
	if h.Server == nil {
		t.Skip("this database has no server to freeze")
	}
	server := h.Server(t)
	f := startOn(t, h, server.Database, impatient)
	if err := f.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := f.work(8)
	c.more(&c.done, 20, patience)
	server.Freeze()
	c.more(&c.failed, 8, patience) // every run has come to its end
	looking, cancel := context.WithTimeout(t.Context(), time.Second)
	if h := f.Health(looking); h.Status != store.StatusDown {
		t.Errorf("Health() of a frozen server = %+v, want down", h)
	}
	cancel()
	server.Thaw()
	c.more(&c.done, 50, 25*time.Second)
	c.end()
}
