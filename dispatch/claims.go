package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/asyncops/asyncops/job"
)

// ClaimLedger gives jobs to workers.
type ClaimLedger interface {
	Claim(ctx context.Context, worker string, ids []job.ID, limit int) ([]job.Job, error)
	ClaimDue(ctx context.Context, worker, queue string, limit int) ([]job.Job, error)
	ClaimIsolated(ctx context.Context, worker string, queues []string) ([]job.Job, error)
}

// claims merges the claims of concurrent doorbells into one statement: those
// that come while one is under way go together with the next.
type claims struct {
	ledger ClaimLedger
	lease  *lease
	log    *slog.Logger
	asks   chan ask // handlers send; run receives
}

// ask is the claim of one doorbell.
type ask struct {
	ids    []job.ID
	answer chan []job.Job // one slot
}

const (
	maxMerged    = 500 // jobs of one claim
	claimTimeout = 5 * time.Second
	claimAgain   = 250 * time.Millisecond
)

func newClaims(ledger ClaimLedger, lease *lease, log *slog.Logger) *claims {
	return &claims{ledger: ledger, lease: lease, log: log, asks: make(chan ask)}
}

// claim returns those of the jobs that are now this worker's to run. It tries
// until the ledger answers; false means that ctx ended first.
func (c *claims) claim(ctx context.Context, ids []job.ID) ([]job.Job, bool) {
	a := ask{ids: ids, answer: make(chan []job.Job, 1)}
	select {
	case c.asks <- a:
	case <-ctx.Done():
		return nil, false
	}
	jobs := <-a.answer // run answers every ask it takes, also when ctx ends
	return jobs, jobs != nil
}

// run answers asks until ctx ends.
func (c *claims) run(ctx context.Context) {
	for {
		var asks []ask
		select {
		case <-ctx.Done():
			return
		case a := <-c.asks:
			asks = append(asks, a)
		}
		ids := asks[0].ids
	more:
		for len(ids) < maxMerged {
			select {
			case a := <-c.asks:
				asks = append(asks, a)
				ids = append(ids[:len(ids):len(ids)], a.ids...)
			default:
				break more
			}
		}
		c.answer(asks, c.ask(ctx, ids))
	}
}

// ask claims until the ledger answers; nil means that ctx ended first.
func (c *claims) ask(ctx context.Context, ids []job.ID) []job.Job {
	for {
		if worker, ok := c.lease.worker(); ok {
			// A claim that is cut short may have been made: it is seen through.
			timed, cancel := context.WithTimeout(context.WithoutCancel(ctx), claimTimeout)
			jobs, err := c.ledger.Claim(timed, worker, ids, len(ids))
			cancel()
			if err == nil {
				return append(make([]job.Job, 0, len(jobs)), jobs...)
			}
			c.log.Warn("jobs not claimed, will try again", "jobs", len(ids), "error", err)
			if !errors.Is(err, job.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded) {
				return []job.Job{} // the relay will ring again
			}
		}
		if !sleep(ctx, claimAgain, nil) {
			return nil
		}
	}
}

// answer deals the jobs out to those who asked for them.
func (c *claims) answer(asks []ask, jobs []job.Job) {
	if len(asks) == 1 || jobs == nil {
		for _, a := range asks {
			a.answer <- jobs
		}
		return
	}
	byID := make(map[job.ID]int, len(jobs))
	for i := range jobs {
		byID[jobs[i].ID] = i
	}
	for _, a := range asks {
		mine := make([]job.Job, 0, len(a.ids))
		for _, id := range a.ids {
			if i, ok := byID[id]; ok {
				mine = append(mine, jobs[i])
				delete(byID, id) // rung twice: one of them runs it
			}
		}
		a.answer <- mine
	}
}
