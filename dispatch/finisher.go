package dispatch

import (
	"context"
	"log/slog"
	"time"

	"github.com/asyncops/asyncops/job"
)

// FinishLedger writes how runs ended.
type FinishLedger interface {
	Finish(ctx context.Context, outcomes []job.Outcome) (superseded []job.ID, err error)
}

// finisher writes outcomes in batches: whatever has come while the last batch
// was written. One batch at a time is enough: a second writer made the batches
// smaller and nothing faster. While the ledger is away it keeps what it has and
// tries again. It holds as many outcomes as the worker has slots, and the batch
// being written; further runs keep their slots until there is room.
type finisher struct {
	ledger FinishLedger
	bus    *Bus
	meter  Meter
	recent *recentRuns
	log    *slog.Logger
	queue  chan finished // runs send, run receives
	closed chan struct{} // closed by close: nothing more is taken

	away trouble
}

const (
	maxFinish     = 2000    // outcomes of one statement: larger ones wait less often for the disk
	finishBytes   = 8 << 20 // of results and summaries, after which a statement gets no more outcomes
	finishTimeout = 8 * time.Second
	finishAgain   = 200 * time.Millisecond
	maxRefusals   = 3 // of a lone outcome as it is
)

func newFinisher(size int, ledger FinishLedger, bus *Bus, meter Meter, log *slog.Logger) *finisher {
	return &finisher{ledger: ledger, bus: bus, meter: meter, recent: newRecentRuns(), log: log, queue: make(chan finished, size), closed: make(chan struct{})}
}

// add hands an outcome on. After close it is dropped: the run ignored its end,
// and its job is reaped.
func (f *finisher) add(done finished) {
	select {
	case f.queue <- done:
	case <-f.closed:
		done.settle()
	}
}

// close makes run return when it has written what is queued.
func (f *finisher) close() { close(f.closed) }

// run writes until the finisher is closed. When ctx ends it gives up on what
// is left: the jobs' lease ends, and they are reaped.
func (f *finisher) run(ctx context.Context) {
	for {
		select {
		case first := <-f.queue:
			f.write(ctx, f.batch(first), 1)
		case <-f.closed:
			for batch := f.batch(); len(batch) > 0; batch = f.batch() {
				f.write(ctx, batch, 1)
			}
			return
		}
	}
}

// batch adds to first what is queued, until the batch is large.
func (f *finisher) batch(first ...finished) []finished {
	size := 0
	for i := range first {
		size += first[i].size()
	}
	for len(first) < maxFinish && size < finishBytes {
		select {
		case next := <-f.queue:
			first = append(first, next)
			size += next.size()
		default:
			return first
		}
	}
	return first
}

// write writes the batch, however long that takes. Where the database objects
// to something in it, the outcomes are written one by one; one that it does not
// take even so is written without what the run has made. A batch that is not
// written in time is halved: it may be too large for the database as it is.
// try is 1 unless outcomes of the batch were tried before.
func (f *finisher) write(ctx context.Context, batch []finished, try int) {
	outcomes := make([]job.Outcome, len(batch))
	for i := range batch {
		outcomes[i] = batch[i].outcome
	}
	refusals := 0
	for ; ; try++ {
		timed, cancel := context.WithTimeout(ctx, finishTimeout)
		superseded, err := f.ledger.Finish(timed, outcomes)
		late := timed.Err() != nil && ctx.Err() == nil
		cancel()
		if err == nil {
			if f.away.over() {
				f.log.Info("outcomes are written again")
			}
			if try == 1 { // later, what an earlier try wrote is among them
				f.fence(superseded)
			}
			f.tell(batch, superseded)
			settle(batch)
			return
		}
		if objects(err) {
			if len(batch) > 1 {
				f.writeEach(ctx, batch, try)
				return
			}
			if refusals++; refusals == maxRefusals {
				f.log.Error("the ledger does not take an outcome; its result is dropped", "job", batch[0].job.ID, "kind", batch[0].job.Kind, "error", err)
				batch[0].outcome = withoutResult(outcomes[0])
				outcomes[0] = batch[0].outcome
			}
		}
		if f.away.tell() {
			f.log.Warn("outcomes not written, will try again", "jobs", len(batch), "try", try, "error", err)
		}
		if late && len(batch) > 1 {
			f.write(ctx, batch[:len(batch)/2], try+1)
			f.write(ctx, batch[len(batch)/2:], try+1)
			return
		}
		if !sleep(ctx, finishAgain, nil) {
			f.log.Warn("outcomes given up; the jobs are reaped", "jobs", len(batch))
			settle(batch)
			return
		}
	}
}

func settle(batch []finished) {
	for _, done := range batch {
		done.settle()
	}
}

func (f *finisher) writeEach(ctx context.Context, batch []finished, try int) {
	for i := range batch {
		f.write(ctx, batch[i:i+1], try)
	}
}

// withoutResult is the outcome less all that the run has made. What was done
// stays done.
func withoutResult(o job.Outcome) job.Outcome {
	o.Result, o.Summary = nil, nil
	o.Error = &job.Error{Code: job.CodeInternal, Message: "the outcome could not be stored whole; the worker's log has it"}
	return o
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
	var ended, moved []job.ID
	again := false
	for _, b := range batch {
		if fenced[b.outcome.Job] {
			continue
		}
		f.count(b)
		if b.outcome.State.Terminal() {
			ended = append(ended, b.outcome.Job)
		} else {
			moved = append(moved, b.outcome.Job)
		}
		again = again || b.outcome.State == job.Pending
	}
	f.bus.Ended(ended)
	f.bus.Moved(moved)
	if again {
		f.bus.Due()
	}
}

// count counts a run. A claim that was only to seal is none, nor is one that
// found no room.
func (f *finisher) count(b finished) {
	switch {
	case b.outcome.Unrun:
	case b.job.Verdict == nil:
		f.meter.Finished(b.job, b.outcome, b.ran)
		f.recent.add(time.Now(), b.outcome.State, b.ran)
	case b.outcome.State.Terminal():
		f.meter.Ended(b.job.Kind, b.job.Queue, b.outcome.State, 1)
	}
}
