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
// straight from the ledger, woken by the bus, and by a poll as the net. While
// there is nothing to do it is told which queue got a job, and asks for no more
// than that.
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
	maxClaim   = 1000 // jobs of one claim: larger ones wait less often for the disk
)

// run takes work until ctx ends.
func (d *direct) run(ctx context.Context) error {
	wake, forget := d.bus.listen(due)
	defer forget()
	fresh, forgetFresh := d.bus.listenFresh()
	defer forgetFresh()
	for d.exec.slots.awaitRoom(ctx) {
		d.look(wake, fresh)
		took, err := d.round(ctx)
		if err == nil && took == 0 && d.exec.slots.room() > 0 {
			d.away.over()
			d.idle(ctx, wake, fresh)
		}
		switch {
		case errors.Is(err, job.ErrLeaseLost):
			d.lease.renewSoon()
		case err != nil:
			if d.away.tell() {
				d.log.Warn("jobs not claimed, will try again", "error", err)
			}
		}
		if err != nil && !sleep(ctx, claimAgain, nil) { // a wake-up must not make this a hot loop
			return nil
		}
	}
	return nil
}

// look takes the hints that have come while there was work.
func (d *direct) look(wake <-chan struct{}, fresh <-chan string) {
	for {
		select {
		case <-wake:
			d.empty = nil
		case queue := <-fresh:
			delete(d.empty, queue)
		default:
			return
		}
	}
}

// idle waits until it is worth asking again.
func (d *direct) idle(ctx context.Context, wake <-chan struct{}, fresh <-chan string) {
	timer := time.NewTimer(directPoll)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case queue := <-fresh:
		delete(d.empty, queue)
	case <-wake:
		d.empty = nil
	case <-timer.C:
		d.empty = nil
	}
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
		n, err := d.claimDue(ctx, worker, queue, share)
		took += n
		if err != nil {
			return took, err
		}
		if n >= min(share, maxClaim) {
			hungry = append(hungry, queue)
		}
	}
	for _, queue := range hungry {
		n, err := d.claimDue(ctx, worker, queue, d.exec.slots.room())
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

// claimDue starts up to n jobs of the queue, as many as there are free slots, and
// notes when it has no more. A claim that is cut short may have been made, so it
// is seen through when ctx ends.
func (d *direct) claimDue(ctx context.Context, worker, queue string, n int) (int, error) {
	asked := d.exec.slots.take(min(n, maxClaim))
	if asked == 0 {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), claimTimeout)
	defer cancel()
	jobs, err := d.ledger.ClaimDue(ctx, worker, queue, asked)
	d.exec.slots.give(asked - len(jobs))
	d.exec.start(jobs)
	if err == nil && len(jobs) < asked {
		if d.empty == nil {
			d.empty = map[string]time.Time{}
		}
		d.empty[queue] = time.Now()
	}
	return len(jobs), err
}
