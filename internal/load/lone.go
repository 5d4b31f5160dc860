package load

import (
	"context"
	"fmt"
	"time"

	"github.com/asyncops/asyncops/sdk"
)

// maxLone bounds the lone jobs: more say nothing new.
const maxLone = 1000

// lone submits a job, waits until it has ended, and submits the next.
func (r *run) lone(ctx context.Context) error {
	conn, err := NewConn(r.target, r.job)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // nothing hangs on it
	if err := conn.Connect(ctx); err != nil {
		return err
	}
	var waits loneWaits
	defer func() { r.report.Lone = waits.figures() }()
	began := time.Now()
	for waits.jobs() == 0 || waits.jobs() < maxLone && time.Since(began) < r.plan.Duration {
		r.show(Progress{"lone submissions", time.Since(began).Milliseconds(), r.plan.Duration.Milliseconds(), fmt.Sprintf("%d jobs", waits.jobs())})
		sent := time.Now()
		id, err := conn.Submit(ctx)
		took := time.Since(sent)
		switch {
		case err == nil:
		case ctx.Err() != nil || waits.jobs() == 0 || hopeless(err):
			return fmt.Errorf("submit a job: %w", err)
		default:
			if err := r.failed(ctx, MeasureLone, err, began.Add(r.plan.Duration)); err != nil {
				return err
			}
			continue
		}
		r.open[id] = true
		j, err := r.reader.Wait(ctx, id, r.plan.Patience)
		if err != nil {
			return err
		}
		if !j.State.Terminal() {
			return &UnfinishedError{Open: 1, Job: j, After: r.plan.Patience}
		}
		r.ended(j)
		waits.add(took, j)
		waits.took = time.Since(began)
	}
	if note := waits.skewed(); note != "" {
		r.report.Notes = append(r.report.Notes, note)
	}
	return nil
}

// loneWaits are the waits of lone jobs.
type loneWaits struct {
	submits, pickUps []time.Duration
	earliest         time.Duration // of the pick-ups; below zero if a job was started before it was created
	took             time.Duration
}

func (w *loneWaits) jobs() int { return len(w.submits) }

func (w *loneWaits) add(submit time.Duration, j *sdk.Job) {
	w.submits = append(w.submits, submit)
	if j.StartedAt.IsZero() {
		return // it ended without having been run
	}
	pickUp := j.StartedAt.Sub(j.CreatedAt)
	w.earliest = min(w.earliest, pickUp)
	w.pickUps = append(w.pickUps, max(0, pickUp)) // started_at is in whole milliseconds
}

func (w *loneWaits) figures() *Lone {
	if w.jobs() == 0 {
		return nil
	}
	return &Lone{Jobs: w.jobs(), Seconds: rounded(w.took.Seconds()), Submit: latency(w.submits), PickUp: latency(w.pickUps)}
}

// skewed says so if the clocks by which jobs are created and started differ.
func (w *loneWaits) skewed() string {
	if w.earliest >= -time.Millisecond {
		return ""
	}
	return fmt.Sprintf("jobs were started up to %v before they were created: the clocks of the API and the ledger differ, so the pick-up is wrong",
		-w.earliest.Round(time.Millisecond))
}
