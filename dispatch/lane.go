package dispatch

import (
	"context"
	"log/slog"
	"time"

	"github.com/asyncops/asyncops/job"
)

// lane runs jobs that were running at more than one of their workers' deaths,
// one at a time: the one that kills its worker dies alone.
type lane struct {
	ledger ClaimLedger
	lease  *lease
	queues []string
	exec   *executor
	log    *slog.Logger
}

const lanePoll = time.Second

// run takes such jobs until ctx ends.
func (l *lane) run(ctx context.Context) {
	for sleep(ctx, lanePoll, nil) {
		for ctx.Err() == nil && l.next(ctx) {
		}
	}
}

// next runs one isolated job to its end, and reports whether there was one.
func (l *lane) next(ctx context.Context) bool {
	if !l.exec.slots.awaitOne(ctx) {
		return false
	}
	defer l.exec.slots.give(1)
	worker, ok := l.lease.current()
	if !ok {
		return false
	}
	jobs, err := l.claim(ctx, worker)
	if err != nil || len(jobs) == 0 {
		return false // the ledger's absence is told by the lease
	}
	l.log.Warn("running a job alone: its workers died", "job", jobs[0].ID, "kind", jobs[0].Kind, "crashes", jobs[0].Crashes)
	// Until its outcome is written it is still at its worker's mercy: the next
	// one could kill it too.
	written := make(chan struct{})
	l.exec.run(&jobs[0], nil, nil, func() { close(written) })
	select {
	case <-written:
	case <-ctx.Done():
	}
	return true
}

// claim is seen through when ctx ends: one that is cut short may have been made.
func (l *lane) claim(ctx context.Context, worker string) ([]job.Job, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), claimTimeout)
	defer cancel()
	return l.ledger.ClaimIsolated(ctx, worker, l.queues)
}
