package dispatch

import (
	"context"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/asyncops/asyncops/job"
)

// ParkLedger gives out jobs that wait for a target: for room in it, or for its
// gate to let them in.
type ParkLedger interface {
	ClaimParked(ctx context.Context, worker, queue, target string, limit int) ([]job.Job, error)
	ParkedOn(ctx context.Context, targets []string) ([]string, error)
}

const (
	unparkPoll = 5 * time.Second        // the net for jobs that other workers have parked
	gatePoll   = 500 * time.Millisecond // of a gate that is closed for longer: it may open sooner
	gateRest   = 25 * time.Millisecond  // of one that lets few in: those of a while are claimed together
)

// unparker starts parked jobs as soon as their targets have room, and their
// gates let them in.
type unparker struct {
	ledger ParkLedger
	lease  *lease
	queues map[string]int
	strict bool
	exec   *executor
	log    *slog.Logger

	away trouble
}

// run starts parked jobs until ctx ends.
func (u *unparker) run(ctx context.Context) {
	var refills sync.WaitGroup
	defer refills.Wait()
	for _, b := range u.exec.bulkheads.all {
		refills.Go(func() { u.refill(ctx, b) })
	}
	targets := slices.Sorted(maps.Keys(u.exec.bulkheads.all))
	for len(targets) > 0 && sleep(ctx, unparkPoll+rand.N(unparkPoll/4), nil) {
		u.look(ctx, targets)
	}
}

// look finds the targets for which jobs wait.
func (u *unparker) look(ctx context.Context, targets []string) {
	timed, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	found, err := u.ledger.ParkedOn(timed, targets)
	if err != nil {
		return // the ledger's absence is told by the lease
	}
	for _, target := range found {
		u.exec.bulkheads.all[target].look()
	}
}

// refill fills a target's room with the jobs that wait for it. While jobs wait,
// they come before those that are claimed meanwhile, so that these do not
// overtake them for ever, but take no more than half of the room at a time, so
// that those which are claimed need not all be parked.
func (u *unparker) refill(ctx context.Context, b *bulkhead) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.parked:
		}
		most := max(1, b.size/2)
		atOnce := most
		if b.gate != nil {
			atOnce = 1 // what is taken from a limit for jobs that are not there is lost
		}
		for more := true; more; {
			n, ok := b.room.await(ctx, parkedRank, 1, atOnce, 0)
			if !ok {
				return
			}
			atOnce = min(2*atOnce, most)
			if more, ok = u.start(ctx, b, n); !ok {
				return
			}
		}
	}
}

// start claims and starts up to n jobs, for which the room is taken. more says
// that there may be others; ok is false when ctx ended.
func (u *unparker) start(ctx context.Context, b *bulkhead, n int) (more, ok bool) {
	free, ok := u.exec.slots.await(ctx, parkedRank, 1, n, 0)
	b.room.give(n - free)
	if !ok {
		return false, false
	}
	let, passes, again := free, []Pass(nil), time.Duration(0)
	if b.gate != nil {
		passes, again = b.gate.Admit(ctx, free)
		let = len(passes)
	}
	started, err := u.claim(ctx, b, let, passes)
	u.exec.slots.give(free - started)
	b.room.give(free - started)
	if started < len(passes) {
		b.gate.Return(passes[started:])
	}
	if err != nil {
		if u.away.tell() {
			u.log.Warn("parked jobs not claimed, will try again", "target", b.target, "error", err)
		}
		return true, sleep(ctx, claimAgain, nil)
	}
	u.away.over()
	if started < let {
		b.unparked(started, true)
		return false, true
	}
	b.unparked(started, false)
	if let < free {
		return true, sleep(ctx, min(max(again, gateRest), gatePoll), nil)
	}
	return true, true
}

// claim starts up to n parked jobs of all queues, and returns how many. passes
// are those of the gate, if there is one.
func (u *unparker) claim(ctx context.Context, b *bulkhead, n int, passes []Pass) (started int, err error) {
	if n == 0 {
		return 0, nil
	}
	worker, ok := u.lease.current()
	if !ok {
		return 0, nil // the next look finds them
	}
	for _, queue := range drawOrder(u.queues, u.strict) {
		jobs, err := u.claimOf(ctx, worker, queue, b.target, n-started)
		if err != nil {
			return started, err
		}
		u.exec.startInside(jobs, b, passes)
		if passes != nil {
			passes = passes[len(jobs):]
		}
		if started += len(jobs); started == n {
			break
		}
	}
	return started, nil
}

// claimOf is one claim. It is seen through when ctx ends: one that is cut short
// may have been made.
func (u *unparker) claimOf(ctx context.Context, worker, queue, target string, n int) ([]job.Job, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), claimTimeout)
	defer cancel()
	return u.ledger.ClaimParked(ctx, worker, queue, target, n)
}
