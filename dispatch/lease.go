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
	maxRenewWait = time.Second // after a failed try
	cancelPoll   = time.Second // the net for hints that were lost
)

// LeaseLedger keeps workers' leases.
type LeaseLedger interface {
	Join(ctx context.Context, w job.Worker, lease time.Duration) error
	Renew(ctx context.Context, worker string, lease time.Duration, beat job.Beat) error
	Leave(ctx context.Context, worker string) error
	CancelRequests(ctx context.Context, worker string) ([]job.ID, error)
	DrainRequested(ctx context.Context, worker string) (bool, error)
}

// lease keeps a worker alive in the ledger. One lease covers all of its jobs
// and ends by the ledger's clock. The worker renews it every quarter; if it
// cannot, it stops its runs a fifth of the length before the lease can end,
// because others may begin the same jobs then. When it has ended all the same,
// the worker begins a new life under another id.
type lease struct {
	length time.Duration
	ledger LeaseLedger
	log    *slog.Logger
	worker job.Worker // without the ID, which each life has of its own
	bus    *Bus
	exec   *executor
	pools  func() map[string]job.PoolUse // nil for none
	recent func() job.RunWindow          // nil for none
	nudged chan struct{}                 // one slot: renew now
	asked  chan struct{}                 // closed when an operator wants no more jobs to be taken

	mu       sync.Mutex
	id       string      // of this life; "" when there is none; guarded by mu
	safe     time.Time   // until when runs may go on, by our monotonic clock; guarded by mu
	guard    *time.Timer // stops the runs then; guarded by mu
	draining bool        // guarded by mu

	away trouble
}

func newLease(length time.Duration, w job.Worker, ledger LeaseLedger, bus *Bus, exec *executor, log *slog.Logger) *lease {
	return &lease{length: length, ledger: ledger, log: log, worker: w, bus: bus, exec: exec, nudged: make(chan struct{}, 1), asked: make(chan struct{})}
}

// current is the id to claim under; false while there is no lease to claim by.
func (l *lease) current() (id string, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.id, l.id != "" && time.Now().Before(l.safe)
}

// holds reports whether the life that has the id may run jobs.
func (l *lease) holds(id string) bool {
	now, ok := l.current()
	return ok && now == id
}

// drain tells the ledger that this worker takes no more work.
func (l *lease) drain() {
	l.mu.Lock()
	l.draining = true
	l.mu.Unlock()
	l.renewSoon()
}

// renewSoon does not wait for the next quarter of the lease.
func (l *lease) renewSoon() {
	select {
	case l.nudged <- struct{}{}:
	default:
	}
}

// run joins, renews and passes on callers' wishes to stop jobs, until ctx ends.
// joined is closed after the first Join.
func (l *lease) run(ctx context.Context, joined chan<- struct{}) {
	var watching sync.WaitGroup
	watching.Go(func() { l.watchCanceled(ctx) })
	defer watching.Wait()
	defer l.unguard()
	for !l.join(ctx) {
		if !sleep(ctx, maxRenewWait, nil) {
			return
		}
	}
	close(joined)
	wait := l.length / 4
	for sleep(ctx, wait, l.nudged) {
		wait = l.length / 4
		if !l.keep(ctx) {
			wait = min(wait, maxRenewWait)
		}
	}
}

// keep renews the lease or begins a new life, and reports whether there is a
// lease now.
func (l *lease) keep(ctx context.Context) bool {
	l.mu.Lock()
	id, draining := l.id, l.draining
	l.mu.Unlock()
	if id == "" {
		return draining || l.join(ctx) // one that drains claims nothing
	}
	asked := time.Now()
	err := l.renew(ctx, id, draining)
	switch {
	case err == nil:
		l.hold(id, asked)
		if l.away.over() {
			l.log.Info("lease renewed again", "worker", id)
		}
		if !draining {
			l.lookForDrain(ctx, id)
		}
		return true
	case errors.Is(err, job.ErrLeaseLost):
		runs := l.lose()
		l.log.Warn("the lease had ended; its runs count for nothing", "worker", id, "running", runs)
		return draining || l.join(ctx)
	case ctx.Err() == nil && l.away.tell():
		l.log.Warn("lease not renewed, will try again", "worker", id, "error", err)
	}
	return false
}

// lookForDrain finds out whether an operator wants no more jobs to be taken. The
// lease's only goroutine calls it.
func (l *lease) lookForDrain(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(ctx, renewTimeout)
	defer cancel()
	drain, err := l.ledger.DrainRequested(ctx, id)
	if err != nil || !drain { // the next renewal asks again
		return
	}
	select {
	case <-l.asked:
	default:
		close(l.asked)
	}
}

func (l *lease) renew(ctx context.Context, id string, draining bool) error {
	ctx, cancel := context.WithTimeout(ctx, renewTimeout)
	defer cancel()
	beat := job.Beat{Draining: draining, Running: l.exec.slots.used()}
	if l.pools != nil {
		beat.Pools = l.pools()
	}
	if l.recent != nil {
		beat.Runs = l.recent()
	}
	return l.ledger.Renew(ctx, id, l.length, beat)
}

// join begins a life.
func (l *lease) join(ctx context.Context) bool {
	life := l.worker
	life.ID = fmt.Sprintf("%s-%d-%s", life.Host, life.PID, rand.Text()[:8])
	timed, cancel := context.WithTimeout(ctx, renewTimeout)
	defer cancel()
	asked := time.Now()
	if err := l.ledger.Join(timed, life, l.length); err != nil {
		if ctx.Err() == nil && l.away.tell() {
			l.log.Warn("worker could not join, will try again", "error", err)
		}
		return false
	}
	l.away.over()
	l.hold(life.ID, asked)
	l.log.Info("worker joined", "worker", life.ID, "queues", life.Queues, "concurrency", life.Concurrency)
	return true
}

// hold notes a lease that was asked for at the time given.
func (l *lease) hold(id string, asked time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.id, l.safe = id, asked.Add(l.length-l.length/5)
	if l.guard != nil {
		l.guard.Stop()
	}
	l.guard = time.AfterFunc(time.Until(l.safe), func() { l.giveUp(id) })
}

// giveUp stops the runs of a life whose lease could end before it is renewed.
func (l *lease) giveUp(id string) {
	if l.holds(id) {
		return // it was renewed at the last moment
	}
	if runs := l.exec.stopAll(job.ErrLeaseLost); runs > 0 {
		l.log.Warn("the lease may end; its runs are stopped", "worker", id, "running", runs)
	}
}

func (l *lease) unguard() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.guard != nil {
		l.guard.Stop()
	}
}

// lose ends the life whose jobs are others' now, and returns how many runs it
// stopped.
func (l *lease) lose() (runs int) {
	l.unguard()
	l.mu.Lock()
	l.id, l.safe = "", time.Time{}
	l.mu.Unlock()
	return l.exec.stopAll(job.ErrLeaseLost)
}

// watchCanceled stops the runs that callers want to stop.
func (l *lease) watchCanceled(ctx context.Context) {
	stops, forget := l.bus.stopRequests()
	defer forget()
	look := time.NewTicker(cancelPoll)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case id := <-stops:
			l.exec.stop(id, job.ErrCanceled)
		case <-look.C:
			l.findCanceled(ctx)
		}
	}
}

func (l *lease) findCanceled(ctx context.Context) {
	id, ok := l.current()
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

// leave ends the life in order. The last renewal hands back what a claim may
// have taken without an answer.
func (l *lease) leave(ctx context.Context) {
	l.mu.Lock()
	id := l.id
	l.mu.Unlock()
	if id == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewTimeout)
	defer cancel()
	err := l.renew(ctx, id, true)
	if err == nil {
		err = l.ledger.Leave(ctx, id)
	}
	if err != nil && !errors.Is(err, job.ErrLeaseLost) {
		l.log.Warn("worker could not leave; its lease will end", "worker", id, "error", err)
	}
}
