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
	Claim(ctx context.Context, worker string, ids []job.ID) ([]job.Job, error)
	ClaimDue(ctx context.Context, worker, queue string, limit int) ([]job.Job, error)
	ClaimIsolated(ctx context.Context, worker string, queues []string) ([]job.Job, error)
}

// claims merges the claims of concurrent doorbells into one statement: those
// that come while one is under way go together with the next.
type claims struct {
	ledger ClaimLedger
	lease  *lease
	log    *slog.Logger
	asks   chan ask // doorbells send; run receives

	away trouble
}

// ask is the claim of one doorbell.
type ask struct {
	ids    []job.ID
	answer chan answer // one slot
}

// answer is what an ask got.
type answer struct {
	jobs []job.Job // now this worker's to run
	ok   bool      // the ledger has answered: the other jobs are not to be had
}

const (
	maxMerged    = 1000 // jobs of one claim: larger ones wait less often for the disk
	claimTimeout = 5 * time.Second
	claimAgain   = 250 * time.Millisecond
)

func newClaims(ledger ClaimLedger, lease *lease, log *slog.Logger) *claims {
	return &claims{ledger: ledger, lease: lease, log: log, asks: make(chan ask)}
}

// claim claims the jobs, and tries while the ledger is away. The answer is not
// ok, and no job claimed, when ctx or run's ended first, or when the ledger
// objects to the claim.
func (c *claims) claim(ctx context.Context, ids []job.ID) answer {
	a := ask{ids: ids, answer: make(chan answer, 1)}
	select {
	case c.asks <- a:
	case <-ctx.Done():
		return answer{}
	}
	return <-a.answer // run answers every ask that it takes, also when ctx ends
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
		dealOut(asks, c.ask(ctx, ids))
	}
}

// ask claims until the ledger answers or ctx ends.
func (c *claims) ask(ctx context.Context, ids []job.ID) answer {
	for {
		var err error
		if worker, ok := c.lease.current(); ok {
			var jobs []job.Job
			if jobs, err = c.try(ctx, worker, ids); err == nil {
				c.away.over()
				return answer{jobs: jobs, ok: true}
			}
			if errors.Is(err, job.ErrLeaseLost) {
				err = nil
				c.lease.renewSoon()
			} else if c.away.tell() {
				c.log.Warn("jobs not claimed, will try again", "jobs", len(ids), "error", err)
			}
		}
		if !sleep(ctx, claimAgain, nil) || objects(err) {
			return answer{}
		}
	}
}

// try claims once. A claim that is cut short may have been made, so it is seen
// through when ctx ends.
func (c *claims) try(ctx context.Context, worker string, ids []job.ID) ([]job.Job, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), claimTimeout)
	defer cancel()
	return c.ledger.Claim(ctx, worker, ids)
}

// dealOut gives each ask those of the jobs that it asked for.
func dealOut(asks []ask, got answer) {
	if len(asks) == 1 || !got.ok {
		for _, a := range asks {
			a.answer <- got
		}
		return
	}
	byID := make(map[job.ID]int, len(got.jobs))
	for i := range got.jobs {
		byID[got.jobs[i].ID] = i
	}
	for _, a := range asks {
		mine := answer{ok: true}
		for _, id := range a.ids {
			if i, ok := byID[id]; ok {
				mine.jobs = append(mine.jobs, got.jobs[i])
				delete(byID, id) // rung twice: one of them runs it
			}
		}
		a.answer <- mine
	}
}
