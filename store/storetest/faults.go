package storetest

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/internal/testkit"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
)

func opOf(name string) dbop.Op { return dbop.Op(name) }

// slow reads the view that takes 30 seconds.
var slow = dbop.Operation{Op: dbop.SelectOne, Table: "slow"}

func testInterrupted(t *testing.T, h Harness) {
	f := start(t, h, nil)
	for cause, want := range map[error]job.Code{
		job.ErrCanceled: job.CodeCanceled, job.ErrTimeout: job.CodeTimeout, job.ErrDeadline: job.CodeDeadlineExceeded, job.ErrDraining: job.CodeHandedBack,
	} {
		t.Run(string(want), func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancelCause(t.Context())
			timer := time.AfterFunc(200*time.Millisecond, func() { cancel(cause) })
			defer timer.Stop()
			began := time.Now()
			_, err := f.Run(ctx, slow, nil)
			wantCode(t, err, want)
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("it came back after %s: the statement was not interrupted", took)
			}
			f.wantNothingRuns(t)
		})
	}
	t.Run("before it began", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(job.ErrCanceled)
		_, err := f.Run(ctx, logOp("x"), effect())
		wantCode(t, err, job.CodeCanceled)
	})
}

func (f fixture) wantNothingRuns(t *testing.T) {
	t.Helper()
	if f.db.Running != nil {
		testkit.Eventually(t, 2*time.Second, 20*time.Millisecond, f.db.Running)
	}
}

func testStatementTimeout(t *testing.T, h Harness) {
	f := start(t, h, func(cfg *store.Config) { cfg.StatementTimeout = 200 * time.Millisecond })
	failure := f.wantFailure(slow, job.CodeTimeout)
	if failure.Class != job.ClassRetryable {
		t.Errorf("class = %s, want %s", failure.Class, job.ClassRetryable)
	}
	f.wantNothingRuns(t)
	f.must(logOp("x")) // the target goes on
}

func testPoolTimeout(t *testing.T, h Harness) {
	f := start(t, h, func(cfg *store.Config) { cfg.PoolSize, cfg.MaxOverflow, cfg.PoolTimeout = 1, 1, 50*time.Millisecond })
	ctx, cancel := context.WithCancelCause(t.Context())
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { _, _ = f.Run(ctx, slow, nil) })
	}
	testkit.Eventually(t, 10*time.Second, 5*time.Millisecond, func() error {
		if f.Stats().InUse < 2 {
			return context.DeadlineExceeded
		}
		return nil
	})
	failure := f.wantFailure(dbop.Operation{Op: dbop.SelectOne, Table: "log"}, job.CodePoolTimeout)
	if failure.Class != job.ClassRetryable {
		t.Errorf("class = %s, want %s", failure.Class, job.ClassRetryable)
	}
	if s := f.Stats(); s.InUse != 2 || s.Max != 2 || s.Waits != 1 || s.Waiting != 0 {
		t.Errorf("Stats() = %+v, want 2 in use of 2 and 1 wait", s)
	}
	cancel(job.ErrCanceled)
	wg.Wait()
	f.must(dbop.Operation{Op: dbop.SelectOne, Table: "log"})
	if s := f.Stats(); s.InUse != 0 {
		t.Errorf("in use at the end = %d, want 0", s.InUse)
	}
}

func testHealth(t *testing.T, h Harness) {
	f := start(t, h, nil)
	if got := f.Health(t.Context()); got.Status != store.StatusOK || got.Effects != store.EffectsPresent || got.Latency <= 0 {
		t.Errorf("Health() = %+v, want ok", got)
	}
	required := start(t, h, func(cfg *store.Config) { cfg.Effects = store.EffectsRequired })
	if got := required.Health(t.Context()); got.Status != store.StatusDegraded || got.Effects != store.EffectsMissing {
		t.Errorf("Health() without effects table = %+v, want degraded", got)
	}
	off := start(t, h, func(cfg *store.Config) { cfg.Effects = store.EffectsOff })
	if got := off.Health(t.Context()); got.Status != store.StatusOK || got.Effects != store.EffectsUnused {
		t.Errorf("Health() with effects off = %+v, want ok", got)
	}
}

// recorder remembers what it was told.
type recorder struct {
	mu     sync.Mutex
	events []string // guarded by mu
}

func (r *recorder) note(event string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, event)
}

func (r *recorder) Query(_ string, op dbop.Op, _ time.Duration, failed bool) {
	r.note("query " + string(op) + map[bool]string{true: " failed", false: ""}[failed])
}
func (r *recorder) PoolWait(string, time.Duration) { r.note("wait") }
func (r *recorder) SlowQuery(_ string, op dbop.Op) { r.note("slow " + string(op)) }

func testSlowQuery(t *testing.T, h Harness) {
	f := start(t, h, nil)
	cfg := f.db.Config
	cfg.Tables, cfg.SlowQuery = allTables(), time.Nanosecond
	var log bytes.Buffer
	var seen recorder
	target, err := store.Open(cfg, slog.New(slog.NewTextHandler(&log, nil)), &seen)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = target.Close() }()
	if _, err := target.Run(t.Context(), insertUser(set("name", str("top secret"))), nil); err != nil {
		t.Fatal(err)
	}
	if got := log.String(); !strings.Contains(got, "slow query") || !strings.Contains(got, "INSERT INTO") || strings.Contains(got, "top secret") {
		t.Errorf("the log is %q, want the statement without its values", got)
	}
	if got, want := strings.Join(seen.events, ", "), "wait, query insert_one, slow insert_one"; got != want {
		t.Errorf("observed %q, want %q", got, want)
	}
}

// The transaction is committed, and its reply is lost: the next try inside the
// run meets the effect's row.
func testLostCommit(t *testing.T, h Harness) {
	if h.Server == nil {
		t.Skip("this database has no connection to lose")
	}
	server := h.Server(t)
	f := startOn(t, h, server.Database, nil)
	for range 3 {
		cfg := server.LoseReply("COMMIT")
		cfg.Tables = allTables()
		through := open(t, cfg, nil)
		if err := through.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		mustExec(t, f.db.SQL, "DELETE FROM log")
		res, err := through.Run(t.Context(), logOp("x"), effect())
		if err != nil || !res.Replayed {
			t.Errorf("Run = %+v, %v, want a replay", res, err)
		}
		f.wantCount("log", "1 = 1", 1)
	}
}

// The server dies while jobs write, and comes back: every effect that was
// reported happened once, and so did those that are tried again.
func testKilledServer(t *testing.T, h Harness) {
	if h.Server == nil {
		t.Skip("this database has no server to kill")
	}
	server := h.Server(t)
	f := startOn(t, h, server.Database, func(cfg *store.Config) { cfg.Retry = store.Retry{Attempts: 2, Delay: time.Millisecond} })
	if err := f.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var done, failed atomic.Int64
	for range 4 {
		wg.Go(func() {
			for e := effect(); ; e = effect() {
				for { // attempts of one job, until it is done
					_, err := f.Run(t.Context(), logOp(string(e.Job)), e)
					if err == nil {
						break
					}
					failed.Add(1)
					var failure *job.Failure
					if !errors.As(err, &failure) || failure.Class != job.ClassRetryable {
						t.Errorf("Run = %v, want a retryable failure", err)
						return
					}
					<-time.After(20 * time.Millisecond) // the job's own backoff
				}
				done.Add(1)
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	working := func(counter *atomic.Int64) {
		before := counter.Load()
		testkit.Eventually(t, 30*time.Second, time.Millisecond, func() error {
			if counter.Load() < before+20 {
				return errors.New("the jobs do not get on")
			}
			return nil
		})
	}
	for range 2 {
		working(&done)
		server.Kill()
		working(&failed)
		server.Restart()
	}
	working(&done)
	close(stop)
	wg.Wait()
	f.wantCount("log", "1 = 1", int(done.Load()))
	f.wantCount("asyncops_effects", "outcome = 'done'", int(done.Load()))
	if n := distinct(f); n != int(done.Load()) {
		t.Errorf("different effects = %d, want %d", n, done.Load())
	}
}

func distinct(f fixture) (n int) {
	f.t.Helper()
	if err := f.db.SQL.QueryRowContext(f.t.Context(), "SELECT count(DISTINCT nonce) FROM log").Scan(&n); err != nil {
		f.t.Fatal(err)
	}
	return n
}
