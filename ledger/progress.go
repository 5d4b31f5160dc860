package ledger

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"github.com/uptrace/bun"

	"github.com/asyncops/asyncops/job"
)

// ReportProgress keeps how far runs have come. Reports of runs that have ended
// or were superseded are dropped.
func (l *Ledger) ReportProgress(ctx context.Context, reports []job.ProgressReport) error {
	if len(reports) == 0 {
		return nil
	}
	reports = slices.Clone(reports) // sorted, so that two writers cannot block each other
	slices.SortFunc(reports, func(a, b job.ProgressReport) int { return cmp.Compare(a.Job, b.Job) })
	err := l.transact(ctx, func(tx bun.Tx) error {
		for _, r := range reports {
			r.Message = storable(r.Message)
			text, err := json.Marshal(r.Progress)
			if err != nil {
				return err
			}
			const query = `UPDATE asyncops_jobs SET progress = ? WHERE id = ? AND epoch = ? AND ` + knownActive
			if _, err := tx.ExecContext(ctx, query, string(text), r.Job, r.Epoch); err != nil {
				return err
			}
		}
		return nil
	})
	return l.wrap(err, "report the progress of %d jobs", len(reports))
}
