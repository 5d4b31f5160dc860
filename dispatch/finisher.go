package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/asyncops/asyncops/job"
)

// FinishLedger writes how runs ended.
type FinishLedger interface {
	Finish(ctx context.Context, outcomes []job.Outcome) (superseded []job.ID, err error)
}

// finisher writes outcomes in batches: whatever has come while the last batch
// was written. While the ledger is away it keeps what it has and tries again;
// the executor's slots fill up meanwhile, so it holds no more than fits.
type finisher struct {
	ledger FinishLedger
	bus    *Bus
	meter  Meter
	log    *slog.Logger
	queue  chan finished // runs send, run receives
	closed chan struct{} // closed by close: nothing more is taken
}

const (
	maxFinish     = 256
	finishTimeout = 8 * time.Second
	finishAgain   = 200 * time.Millisecond
)

func newFinisher(size int, ledger FinishLedger, bus *Bus, meter Meter, log *slog.Logger) *finisher {
	return &finisher{ledger: ledger, bus: bus, meter: meter, log: log, queue: make(chan finished, size), closed: make(chan struct{})}
}

// add hands an outcome on. After close it is dropped: the run ignored its end,
// and its job is reaped.
func (f *finisher) add(done finished) {
	select {
	case f.queue <- done:
	case <-f.closed:
	}
}

// close makes run return when it has written what is queued.
func (f *finisher) close() { close(f.closed) }

// run writes until the finisher is closed. When ctx ends it gives up on what
// the ledger does not take: the jobs' lease ends, and they are reaped.
func (f *finisher) run(ctx context.Context) {
	for {
		select {
		case first := <-f.queue:
			f.write(ctx, f.batch(first))
		case <-f.closed:
			for batch := f.batch(); len(batch) > 0; batch = f.batch() {
				f.write(ctx, batch)
			}
			return
		}
	}
}

// batch adds to first what is queued.
func (f *finisher) batch(first ...finished) []finished {
	for len(first) < maxFinish {
		select {
		case next := <-f.queue:
			first = append(first, next)
		default:
			return first
		}
	}
	return first
}

func (f *finisher) write(ctx context.Context, batch []finished) {
	outcomes := make([]job.Outcome, len(batch))
	for i := range batch {
		outcomes[i] = batch[i].outcome
	}
	var superseded []job.ID
	for try := 1; ; try++ {
		tryCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
		var err error
		superseded, err = f.ledger.Finish(tryCtx, outcomes)
		cancel()
		if err == nil {
			if try == 1 {
				f.fence(superseded)
			}
			break
		}
		if !errors.Is(err, job.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded) && len(outcomes) > 1 {
			f.writeEach(ctx, batch) // one of them is not to the database's liking
			return
		}
		f.log.Warn("outcomes not written, will try again", "jobs", len(batch), "try", try, "error", err)
		if !sleep(ctx, finishAgain, nil) {
			f.log.Warn("outcomes given up; the jobs will run again", "jobs", len(batch))
			return
		}
	}
	f.tell(batch, superseded)
}

func (f *finisher) writeEach(ctx context.Context, batch []finished) {
	for i := range batch {
		f.write(ctx, batch[i:i+1])
	}
}

func (f *finisher) fence(superseded []job.ID) {
	if len(superseded) == 0 {
		return
	}
	f.meter.Fenced(len(superseded))
	f.log.Info("outcomes refused: the runs had been superseded", "jobs", superseded)
}

// tell counts the outcomes that were written and wakes who waits for them.
func (f *finisher) tell(batch []finished, superseded []job.ID) {
	fenced := make(map[job.ID]bool, len(superseded))
	for _, id := range superseded {
		fenced[id] = true
	}
	var ended []job.ID
	again := false
	for _, b := range batch {
		if fenced[b.outcome.Job] {
			continue
		}
		f.meter.Finished(b.job, b.outcome, b.ran)
		if b.outcome.State.Terminal() {
			ended = append(ended, b.outcome.Job)
		}
		again = again || b.outcome.State == job.Pending
	}
	f.bus.Ended(ended)
	if again {
		f.bus.Due()
	}
}
