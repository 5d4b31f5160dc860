package ledger

import (
	"context"
	"slices"

	"github.com/asyncops/asyncops/job"
)

// Attempts lists the runs of a job that ended in a retryable failure, loss or
// death, and its current or last one, oldest first.
func (l *Ledger) Attempts(ctx context.Context, id job.ID) ([]job.Attempt, error) {
	jobs, err := l.rowsByIDs(ctx, []job.ID{id})
	if err != nil {
		return nil, l.wrap(err, "attempts of %s", id)
	}
	if len(jobs) == 0 {
		return nil, l.wrap(job.ErrNotFound, "attempts of %s", id)
	}
	last := &jobs[0]
	var rows []attemptRow
	const query = `SELECT epoch, started_at, finished_at, number, generation, worker, outcome, error_message, summary,
		error_code, error_private FROM asyncops_attempts WHERE job_id = ? ORDER BY epoch`
	if err := l.read.NewRaw(query, id).Scan(ctx, &rows); err != nil {
		return nil, l.wrap(err, "attempts of %s", id)
	}
	attempts := make([]job.Attempt, 0, len(rows)+1)
	for _, r := range rows {
		finished := r.FinishedAt.time()
		a := job.Attempt{
			Number: r.Number, Generation: r.Generation, Worker: r.Worker, StartedAt: r.StartedAt.time(),
			FinishedAt: &finished, Outcome: r.Outcome, Summary: raw(r.Summary),
		}
		if r.ErrorCode != "" {
			a.Error = &job.Error{Code: r.ErrorCode, Message: r.ErrorMessage, Private: r.ErrorPrivate}
		}
		attempts = append(attempts, a)
	}
	kept := slices.ContainsFunc(rows, func(r attemptRow) bool { return r.Epoch == last.RunEpoch })
	runs := last.State == job.Active && last.RunEpoch == last.Epoch
	if !kept && last.RunEpoch > 0 && (runs || last.State.Terminal()) {
		a, err := last.attempt()
		if err != nil {
			return nil, l.wrap(err, "attempts of %s", id)
		}
		attempts = append(attempts, a)
	}
	return attempts, nil
}

// attemptRow is one line of asyncops_attempts.
type attemptRow struct {
	Epoch        int64
	Number       int
	Generation   int
	Worker       string
	StartedAt    micros
	FinishedAt   micros
	Outcome      string
	ErrorCode    job.Code
	ErrorMessage string
	ErrorPrivate bool
	Summary      string
}

// attempt is the run that the job's own row tells of.
func (r *row) attempt() (job.Attempt, error) {
	j, err := r.job()
	a := job.Attempt{
		Number: j.Attempt, Generation: j.Generation, Worker: j.Worker, StartedAt: j.StartedAt,
		Outcome: string(j.State), Error: j.Error, Summary: j.Summary,
	}
	if !j.FinishedAt.IsZero() {
		a.FinishedAt = &j.FinishedAt
	}
	return a, err
}
