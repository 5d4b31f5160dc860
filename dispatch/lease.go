package dispatch

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/asyncops/asyncops/job"
)

// DefaultLease is how long a worker that is not heard of keeps its jobs.
const DefaultLease = 15 * time.Second

const (
	renewTimeout = 3 * time.Second
	cancelPoll   = time.Second
)

// LeaseLedger keeps workers' leases.
type LeaseLedger interface {
	Join(ctx context.Context, w job.Worker, lease time.Duration) error
	Renew(ctx context.Context, worker string, lease time.Duration, draining bool, running int) error
	Leave(ctx context.Context, worker string) error
	CancelRequests(ctx context.Context, worker string) ([]job.ID, error)
}

// lease keeps a worker alive in the ledger. One lease covers all of its jobs
// and ends by the ledger's clock; the worker stops its runs a fifth of the
// length before it can end, and renews it every quarter.
type lease struct {
	length time.Duration
	ledger LeaseLedger
	log    *slog.Logger
	life   job.Worker // of this process; each life gets an ID of its own
	bus    *Bus
	exec   *executor

	drained chan struct{} // one slot; drain sends, run receives

	mu       sync.Mutex
	id       string    // of this life; "" before the first Join; guarded by mu
	until    time.Time // when it ends at the earliest, by our monotonic clock; guarded by mu
	draining bool      // guarded by mu
}

// worker is the id to claim under; false while there is no lease to claim by.
func (l *lease) worker() (string, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.id, l.id != "" && time.Now().Before(l.until.Add(-l.length/5))
}

// drain tells the ledger that this worker takes no more work.
func (l *lease) drain() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.draining = true
	select {
	case l.drained <- struct{}{}:
	default:
	}
}

// run joins, renews and watches until ctx ends. joined is closed after the
// first Join.
func (l *lease) run(ctx context.Context, joined chan<- struct{}) {
	stops, forget := l.bus.stopRequests()
	defer forget()
	for l.join(ctx) != nil {
		if !sleep(ctx, time.Second, nil) {
			return
		}
	}
	close(joined)
	renew := time.NewTicker(l.length / 4)
	defer renew.Stop()
	look := time.NewTicker(min(cancelPoll, l.length/10))
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case id := <-stops:
			l.exec.stop(id, job.ErrCanceled)
		case <-look.C:
			l.watch()
			l.findCanceled(ctx)
		case <-renew.C:
			l.renew(ctx)
		case <-l.drained:
			l.renew(ctx)
		}
	}
}

func (l *lease) join(ctx context.Context) error {
	life := l.life
	life.ID = fmt.Sprintf("%s-%d-%s", life.Host, life.PID, rand.Text()[:8])
	ctx, cancel := context.WithTimeout(ctx, renewTimeout)
	defer cancel()
	asked := time.Now()
	if err := l.ledger.Join(ctx, life, l.length); err != nil {
		l.log.Warn("worker could not join, will try again", "error", err)
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.id, l.until = life.ID, asked.Add(l.length)
	l.log.Info("worker joined", "worker", life.ID, "queues", life.Queues, "concurrency", life.Concurrency)
	return nil
}

// renew asks for another lease. When the ledger says that it had ended, the
// jobs are others': our runs stop, and the worker begins a new life.
func (l *lease) renew(ctx context.Context) {
	l.mu.Lock()
	id, draining := l.id, l.draining
	l.mu.Unlock()
	timed, cancel := context.WithTimeout(ctx, renewTimeout)
	defer cancel()
	asked := time.Now()
	err := l.ledger.Renew(timed, id, l.length, draining, l.exec.slots.used())
	switch {
	case err == nil:
		l.mu.Lock()
		l.until = asked.Add(l.length)
		l.mu.Unlock()
	case errors.Is(err, job.ErrLeaseLost):
		l.log.Warn("worker's lease had ended; its runs count for nothing", "worker", id)
		l.exec.stopAll(job.ErrLeaseLost)
		l.expire()
		_ = l.join(ctx) // logged there; watch tries again
	case ctx.Err() == nil:
		l.log.Warn("lease not renewed, will try again", "worker", id, "error", err)
	}
}

// watch stops the runs when the lease could end before it is renewed: another
// worker may begin the same jobs.
func (l *lease) watch() {
	l.mu.Lock()
	lost := l.id != "" && !l.until.IsZero() && time.Now().After(l.until.Add(-l.length/5))
	l.mu.Unlock()
	if lost {
		l.exec.stopAll(job.ErrLeaseLost)
	}
}

// expire makes the lease one that nothing can be claimed by.
func (l *lease) expire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.until = time.Time{}
}

func (l *lease) findCanceled(ctx context.Context) {
	id, ok := l.worker()
	if !ok || l.exec.slots.used() == 0 {
		return
	}
	timed, cancel := context.WithTimeout(ctx, renewTimeout)
	defer cancel()
	ids, err := l.ledger.CancelRequests(timed, id)
	if err != nil {
		return // renewals tell of a ledger that is away
	}
	for _, id := range ids {
		l.exec.stop(id, job.ErrCanceled)
	}
}

// leave ends the life in order.
func (l *lease) leave(ctx context.Context) {
	l.mu.Lock()
	id := l.id
	l.mu.Unlock()
	if id == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewTimeout)
	defer cancel()
	if err := l.ledger.Leave(ctx, id); err != nil {
		l.log.Warn("worker could not leave; its lease will end", "worker", id, "error", err)
	}
}
