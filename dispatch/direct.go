package dispatch

import (
	"cmp"
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"
)

// direct is the source of work that needs no Redis: it claims what is due
// straight from the ledger, woken by the bus, and by a poll as the net.
type direct struct {
	ledger ClaimLedger
	lease  *lease
	queues map[string]int
	strict bool
	exec   *executor
	bus    *Bus
	log    *slog.Logger
}

const (
	directPoll = 200 * time.Millisecond
	maxClaim   = 100 // jobs of one claim
)

// run takes work until ctx ends.
func (d *direct) run(ctx context.Context) error {
	wake, forget := d.bus.listen(due)
	defer forget()
	for d.exec.slots.awaitRoom(ctx) {
		took, err := d.round(ctx)
		if err != nil {
			d.log.Warn("jobs not claimed, will try again", "error", err)
		}
		if took == 0 && !sleep(ctx, directPoll, wake) {
			break
		}
	}
	return nil
}

// round claims once from each queue, and returns how many jobs it started. No
// queue takes more than its weight's share of the free slots while others have
// work; what they leave, the first with work take.
func (d *direct) round(ctx context.Context) (took int, err error) {
	worker, ok := d.lease.worker()
	if !ok {
		return 0, nil
	}
	free, _ := d.exec.slots.look()
	order := d.order()
	total := 0
	for _, weight := range d.queues {
		total += weight
	}
	hungry := order[:0:0] // those that used their whole share
	for _, queue := range order {
		share := max(1, (free*d.queues[queue]+total-1)/total)
		if d.strict {
			share = free
		}
		n, err := d.claim(ctx, worker, queue, share)
		took += n
		if err != nil {
			return took, err
		}
		if n == share {
			hungry = append(hungry, queue)
		}
	}
	for _, queue := range hungry {
		left, _ := d.exec.slots.look()
		n, err := d.claim(ctx, worker, queue, left)
		took += n
		if err != nil {
			return took, err
		}
	}
	return took, nil
}

// order is the queues by weight if priority is strict, else at random, the
// heavier ones more often first.
func (d *direct) order() []string {
	rank := make(map[string]float64, len(d.queues))
	order := make([]string, 0, len(d.queues))
	for queue, weight := range d.queues {
		order = append(order, queue)
		rank[queue] = float64(weight)
		if !d.strict {
			rank[queue] = -rand.ExpFloat64() / float64(weight)
		}
	}
	slices.SortFunc(order, func(a, b string) int {
		return cmp.Or(cmp.Compare(rank[b], rank[a]), cmp.Compare(a, b))
	})
	return order
}

func (d *direct) claim(ctx context.Context, worker, queue string, n int) (int, error) {
	n = d.exec.slots.take(min(n, maxClaim))
	if n == 0 {
		return 0, nil
	}
	timed, cancel := context.WithTimeout(context.WithoutCancel(ctx), claimTimeout)
	defer cancel()
	jobs, err := d.ledger.ClaimDue(timed, worker, queue, n)
	d.exec.slots.give(n - len(jobs))
	d.exec.start(jobs)
	return len(jobs), err
}

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

func (l *lane) run(ctx context.Context) {
	for sleep(ctx, lanePoll, nil) {
		for ctx.Err() == nil && l.next(ctx) {
		}
	}
}

// next runs one isolated job to its end, and reports whether there was one.
func (l *lane) next(ctx context.Context) bool {
	worker, ok := l.lease.worker()
	if !ok || l.exec.slots.take(1) == 0 {
		return false
	}
	timed, cancel := context.WithTimeout(context.WithoutCancel(ctx), claimTimeout)
	jobs, err := l.ledger.ClaimIsolated(timed, worker, l.queues)
	cancel()
	if err != nil || len(jobs) == 0 {
		l.exec.slots.give(1)
		return false // the ledger's absence is told by the lease
	}
	l.log.Warn("running a job alone: its workers died", "job", jobs[0].ID, "kind", jobs[0].Kind, "crashes", jobs[0].Crashes)
	select {
	case <-l.exec.startOne(&jobs[0]):
	case <-ctx.Done():
	}
	return true
}
