package ledger

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/uptrace/bun"

	"github.com/asyncops/asyncops/job"
)

// doubtAge is how long a doubtful claim is looked for, from when the ledger
// first answers again: a server that hung may yet carry it out.
const doubtAge = time.Minute

// doubts are claims whose answer was lost. Their jobs would stay with a worker
// that knows nothing of them, for as long as it lives. A process that dies
// forgets its doubts, and its jobs are reaped.
type doubts struct {
	mu       sync.Mutex
	byWorker map[string][]doubt // guarded by mu
}

type doubt struct {
	claim   int64
	settled time.Time // when it was first looked for; zero before
}

func (d *doubts) add(worker string, claim int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.byWorker == nil {
		d.byWorker = map[string][]doubt{}
	}
	d.byWorker[worker] = append(d.byWorker[worker], doubt{claim: claim})
}

func (d *doubts) of(worker string) []int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	var claims []int64
	for _, doubt := range d.byWorker[worker] {
		claims = append(claims, doubt.claim)
	}
	return claims
}

// settled notes that the claims were looked for, and forgets the old ones.
func (d *doubts) settled(worker string, claims []int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	left := d.byWorker[worker][:0]
	for _, doubt := range d.byWorker[worker] {
		if slices.Contains(claims, doubt.claim) && doubt.settled.IsZero() {
			doubt.settled = time.Now()
		}
		if doubt.settled.IsZero() || time.Since(doubt.settled) < doubtAge {
			left = append(left, doubt)
		}
	}
	d.byWorker[worker] = left
	if len(left) == 0 {
		delete(d.byWorker, worker)
	}
}

// forget is for a worker that is gone: the reaper has its jobs.
func (d *doubts) forget(worker string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.byWorker, worker)
}

// settle hands back the jobs of the worker's doubtful claims, which it cannot
// be running.
func (l *Ledger) settle(ctx context.Context, worker string) error {
	claims := l.doubts.of(worker)
	if len(claims) == 0 {
		return nil
	}
	var found []struct {
		ID    job.ID
		Epoch int64
	}
	const query = `SELECT id, epoch FROM asyncops_jobs WHERE worker = ? AND state = 'active' AND claim IN (?)`
	if err := l.write.NewRaw(query, worker, bun.List(claims)).Scan(ctx, &found); err != nil {
		return err
	}
	outcomes := make([]job.Outcome, len(found))
	for i, f := range found {
		outcomes[i] = job.Outcome{Job: f.ID, Epoch: f.Epoch, State: job.Pending}
	}
	if _, err := l.Finish(ctx, outcomes); err != nil {
		return err
	}
	l.doubts.settled(worker, claims)
	return nil
}
