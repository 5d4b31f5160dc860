package dispatch

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/asyncops/asyncops/job"
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

	empty map[string]time.Time // when a queue had less than was asked for; only run uses it
	away  trouble
}

const (
	directPoll = 200 * time.Millisecond
	maxClaim   = 250 // jobs of one claim
)

// run takes work until ctx ends.
func (d *direct) run(ctx context.Context) error {
	wake, forget := d.bus.listen(due)
	defer forget()
	for d.exec.slots.awaitRoom(ctx) {
		select {
		case <-wake:
			d.empty = nil
		default:
		}
		took, err := d.round(ctx)
		switch {
		case errors.Is(err, job.ErrLeaseLost):
			d.lease.renewSoon()
		case err != nil:
			if d.away.tell() {
				d.log.Warn("jobs not claimed, will try again", "error", err)
			}
		case took == 0 && d.exec.slots.room() > 0:
			d.away.over()
			if !sleep(ctx, directPoll, wake) {
				return nil
			}
			d.empty = nil
		}
		if err != nil && !sleep(ctx, claimAgain, nil) { // a wake-up must not make this a hot loop
			return nil
		}
	}
	return nil
}

// round claims once from each queue, and returns how many jobs it started. No
// queue takes more than its weight's share of the free slots while others have
// work; what they leave, the first with work take.
func (d *direct) round(ctx context.Context) (took int, err error) {
	worker, ok := d.lease.current()
	if !ok {
		return 0, nil
	}
	free := d.exec.slots.room()
	queues := d.order()
	total := 0
	for _, queue := range queues {
		total += d.queues[queue]
	}
	var hungry []string // those that used their whole share
	for _, queue := range queues {
		share := max(1, (free*d.queues[queue]+total-1)/total)
		if d.strict {
			share = free
		}
		n, err := d.claim(ctx, worker, queue, share)
		took += n
		if err != nil {
			return took, err
		}
		if n >= min(share, maxClaim) {
			hungry = append(hungry, queue)
		}
	}
	for _, queue := range hungry {
		n, err := d.claim(ctx, worker, queue, d.exec.slots.room())
		took += n
		if err != nil {
			return took, err
		}
	}
	return took, nil
}

// order is the queues to ask. One that was empty a moment ago is left out: under
// load, most of the claims would be of nothing.
func (d *direct) order() []string {
	return slices.DeleteFunc(drawOrder(d.queues, d.strict), func(queue string) bool {
		at, ok := d.empty[queue]
		return ok && time.Since(at) < directPoll
	})
}

// drawOrder is the queues by weight if priority is strict, else at random, the
// heavier ones more often first.
func drawOrder(queues map[string]int, strict bool) []string {
	rank := make(map[string]float64, len(queues))
	order := make([]string, 0, len(queues))
	for queue, weight := range queues {
		order = append(order, queue)
		rank[queue] = float64(weight)
		if !strict {
			rank[queue] = -rand.ExpFloat64() / float64(weight)
		}
	}
	slices.SortFunc(order, func(a, b string) int {
		return cmp.Or(cmp.Compare(rank[b], rank[a]), cmp.Compare(a, b))
	})
	return order
}

// claim starts up to n jobs of the queue, as many as there are free slots.
func (d *direct) claim(ctx context.Context, worker, queue string, n int) (int, error) {
	n = d.exec.slots.take(min(n, maxClaim))
	if n == 0 {
		return 0, nil
	}
	jobs, err := d.claimDue(ctx, worker, queue, n)
	if err == nil && len(jobs) < n {
		d.rest(queue)
	}
	d.exec.slots.give(n - len(jobs))
	d.exec.start(jobs)
	return len(jobs), err
}

// rest notes that a queue has no more.
func (d *direct) rest(queue string) {
	if d.empty == nil {
		d.empty = map[string]time.Time{}
	}
	d.empty[queue] = time.Now()
}

// claimDue is one claim. One that is cut short may have been made, so it is
// seen through when ctx ends.
func (d *direct) claimDue(ctx context.Context, worker, queue string, n int) ([]job.Job, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), claimTimeout)
	defer cancel()
	return d.ledger.ClaimDue(ctx, worker, queue, n)
}
