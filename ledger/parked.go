package ledger

import (
	"context"
	"strings"

	"github.com/asyncops/asyncops/job"
)

// Jobs that wait for a target: for room in it, for its circuit breaker to close,
// for its rate limit. Their run_at is only the time at which they start without
// having been asked for.
const (
	// The planner must not take the index of states: it would read what waits
	// for every other target first.
	waitsForTarget = `(state = 'parked') IS TRUE AND parked IN ('pool', 'breaker', 'rate_limit')`
	roomable       = waitsForTarget + ` AND verdict IS NULL AND crashes < ?isolation AND (deadline IS NULL OR deadline > ?now)
		AND (expires_at IS NULL OR started_at IS NOT NULL OR expires_at > ?now)`
)

// ClaimParked is Claim for jobs of a queue that wait for a target, those
// that were accepted first, before the time until which they are parked.
func (l *Ledger) ClaimParked(ctx context.Context, worker, queue, target string, limit int) ([]job.Job, error) {
	if limit <= 0 {
		return nil, nil
	}
	const where = `parked_on = ?target AND ` + ofUnpaused + ` AND ` + workerLives + ` AND ` + roomable
	query := l.timed(`WITH ` + l.pick("picked", where, "id") + ` ` + claimPicked + claimReturns)
	return l.claim(ctx, &statement{text: query}, worker, named{"queue": queue, "target": target, "limit": limit})
}

// ParkedOn returns those of the targets for which jobs wait.
func (l *Ledger) ParkedOn(ctx context.Context, targets []string) ([]string, error) {
	if len(targets) == 0 {
		return nil, nil
	}
	const one = `SELECT * FROM (SELECT parked_on FROM asyncops_jobs WHERE parked_on = ? AND ` + waitsForTarget + ` LIMIT 1) AS t`
	args := make([]any, len(targets))
	for i, target := range targets {
		args[i] = target
	}
	var found []string
	query := strings.TrimSuffix(strings.Repeat(one+` UNION ALL `, len(targets)), ` UNION ALL `)
	err := l.read.NewRaw(query, args...).Scan(ctx, &found)
	return found, l.wrap(err, "look for parked jobs")
}

// CountParkedOn counts the parked jobs by what they wait for; those that wait
// for nothing in particular are left out.
func (l *Ledger) CountParkedOn(ctx context.Context) (map[string]int, error) {
	var rows []struct {
		ParkedOn string
		Jobs     int
	}
	const query = `SELECT parked_on, count(*) AS jobs FROM asyncops_jobs
		WHERE parked_on IS NOT NULL AND (state = 'parked') IS TRUE GROUP BY parked_on`
	if err := l.read.NewRaw(query).Scan(ctx, &rows); err != nil {
		return nil, l.wrap(err, "count parked jobs")
	}
	counts := make(map[string]int, len(rows))
	for _, r := range rows {
		counts[r.ParkedOn] = r.Jobs
	}
	return counts, nil
}
