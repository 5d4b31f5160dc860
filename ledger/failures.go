package ledger

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/asyncops/asyncops/job"
)

// maxExamined is how many of the latest jobs are looked at for groups: it
// bounds what a question costs.
const maxExamined = 10_000

// FailureGroups groups the latest jobs that ended in the states, of the named
// queues and kinds or of all, by error, kind and state, the largest groups
// first, at most limit of them. examined is how many jobs were looked at;
// complete says that those were all.
func (l *Ledger) FailureGroups(
	ctx context.Context, states []job.State, queues, kinds []string, limit int,
) (groups []job.FailureGroup, examined int, complete bool, err error) {
	latest := l.read.NewSelect().ColumnExpr("id, kind, state, error_code, finished_at").TableExpr("asyncops_jobs").
		Where("state IN (?)", bun.List(states)).Where("state <> 'completed'"). // the words of the index
		OrderExpr("id DESC").Limit(maxExamined + 1)
	if len(queues) > 0 {
		latest.Where("queue IN (?)", bun.List(queues))
	}
	if len(kinds) > 0 {
		latest.Where("kind IN (?)", bun.List(kinds))
	}
	var rows []struct {
		Code    job.Code
		Kind    string
		State   job.State
		Jobs    int
		FirstAt micros
		LastAt  micros
		Sample  job.ID
	}
	err = l.read.NewSelect().ColumnExpr(`coalesce(error_code, '') AS code, kind, state, count(*) AS jobs, min(finished_at) AS first_at,
		max(finished_at) AS last_at, max(CAST(id AS text)) AS sample`).TableExpr("(?) AS latest", latest).
		GroupExpr("error_code, kind, state").OrderExpr("count(*) DESC, max(CAST(id AS text)) DESC").Scan(ctx, &rows)
	if err != nil {
		return nil, 0, false, l.wrap(err, "group failures")
	}
	for i, r := range rows {
		examined += r.Jobs
		if i < limit {
			groups = append(groups, job.FailureGroup{
				Code: r.Code, Kind: r.Kind, State: r.State, Jobs: r.Jobs, FirstAt: r.FirstAt.time(), LastAt: r.LastAt.time(), Sample: r.Sample,
			})
		}
	}
	return groups, examined, examined <= maxExamined, nil
}
