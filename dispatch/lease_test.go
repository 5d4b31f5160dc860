package dispatch //nolint:testpackage // what it tests is nobody else's

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asyncops/asyncops/job"
)

// book is a LeaseLedger that hangs or fails on demand.
type book struct {
	mu    sync.Mutex
	hangs bool     // guarded by mu
	lost  bool     // the next renewal is answered so; guarded by mu
	lives []string // guarded by mu
}

func (b *book) set(edit func(*book)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	edit(b)
}

func (b *book) answer(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.hangs {
		b.mu.Unlock()
		<-ctx.Done()
		b.mu.Lock()
		return job.ErrUnavailable
	}
	if b.lost {
		b.lost = false
		return job.ErrLeaseLost
	}
	return nil
}

func (b *book) Join(_ context.Context, w job.Worker, _ time.Duration) error {
	b.set(func(b *book) { b.lives = append(b.lives, w.ID) })
	return nil
}

func (b *book) Renew(ctx context.Context, _ string, _ time.Duration, _ job.Beat) error {
	return b.answer(ctx)
}

func (b *book) Leave(ctx context.Context, _ string) error { return b.answer(ctx) }

func (b *book) CancelRequests(ctx context.Context, _ string) ([]job.ID, error) {
	return nil, b.answer(ctx)
}

func (b *book) DrainRequested(ctx context.Context, _ string) (bool, error) {
	return false, b.answer(ctx)
}

// leased runs test beside a lease of 15 s and a run under it that ends with
// its context; test gets where that run's end is told.
func leased(t *testing.T, test func(b *book, l *lease, e *executor, ended <-chan time.Time)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		log := slog.New(slog.DiscardHandler)
		b, ended := &book{}, make(chan time.Time, 1)
		e, _ := newRunner(runner{run: func(ctx context.Context, _ *job.Job) (job.Result, error) {
			<-ctx.Done()
			ended <- time.Now()
			return job.Result{}, context.Cause(ctx)
		}})
		l := newLease(DefaultLease, job.Worker{Host: "test"}, b, NewBus(nil, log), e, log)
		e.holds = l.holds
		ctx, cancel := context.WithCancel(t.Context())
		joined, over := make(chan struct{}), make(chan struct{})
		go func() { l.run(ctx, joined); close(over) }()
		<-joined
		id, _ := l.current()
		e.slots.take(1)
		e.start([]job.Job{{ID: job.NewID(), Epoch: 1, Worker: id, Options: job.Options{Timeout: job.MaxTimeout}}})
		synctest.Wait()
		test(b, l, e, ended)
		e.drain()
		cancel()
		<-over
	})
}

// A run goes on as long as the lease is renewed, and not until the lease may
// have ended, however long the ledger takes to answer.
func TestRunsEndBeforeTheLease(t *testing.T) {
	t.Parallel()
	leased(t, func(b *book, l *lease, _ *executor, ended <-chan time.Time) {
		time.Sleep(10 * time.Minute) // virtual
		synctest.Wait()
		if len(ended) > 0 {
			t.Error("the run was stopped although the lease was renewed")
		}
		b.set(func(b *book) { b.hangs = true })
		began := time.Now()
		stopped := <-ended
		if took := stopped.Sub(began); took < DefaultLease/2 || took > DefaultLease-DefaultLease/5 {
			t.Errorf("the run was stopped %v after the last possible renewal, want %v at most", took, DefaultLease-DefaultLease/5)
		}
		if _, ok := l.current(); ok {
			t.Error("jobs can be claimed under a lease that may have ended")
		}
		b.set(func(b *book) { b.hangs = false })
		time.Sleep(renewTimeout + maxRenewWait)
		synctest.Wait()
		if _, ok := l.current(); !ok || len(b.lives) != 1 {
			t.Errorf("lives = %v, claims allowed: %v; want the same life to go on", b.lives, ok)
		}
	})
}

// When the lease has ended, the runs count for nothing: they stop, and what is
// claimed next is claimed by another life.
func TestLostLeaseBeginsAnotherLife(t *testing.T) {
	t.Parallel()
	leased(t, func(b *book, l *lease, e *executor, ended <-chan time.Time) {
		first, _ := l.current()
		b.set(func(b *book) { b.lost = true })
		l.renewSoon()
		<-ended
		synctest.Wait()
		second, ok := l.current()
		if !ok || second == first || !slices.Equal(b.lives, []string{first, second}) {
			t.Errorf("life %q after %q, claims allowed: %v; want another one", second, first, ok)
		}
		if e.holds(first) {
			t.Error("jobs claimed by the life that is over may still run")
		}
	})
}

// A worker that drains claims nothing more, so it begins no life.
func TestLostLeaseInADrain(t *testing.T) {
	t.Parallel()
	leased(t, func(b *book, l *lease, _ *executor, ended <-chan time.Time) {
		b.set(func(b *book) { b.lost = true })
		l.drain()
		<-ended
		time.Sleep(time.Minute)
		synctest.Wait()
		if _, ok := l.current(); ok || len(b.lives) != 1 {
			t.Errorf("lives = %v, want no second", b.lives)
		}
	})
}
