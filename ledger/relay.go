package ledger

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/asyncops/asyncops/job"
)

// TakeUnrung chooses jobs of the queue that may start and that no doorbell
// rings for, writes the doorbell's id into them and moves them to pending. It
// returns the doorbell for the caller to ring, or nil when nothing is due.
// Two relays never take the same job.
func (l *Ledger) TakeUnrung(ctx context.Context, queue string) (*job.Doorbell, error) {
	query := l.timed(`WITH ` + l.pick("sealing", `queue = ?queue AND rung_at = 0 AND `+sealable, "run_at") +
		`, ` + l.pick("unrung", ofUnpaused+` AND rung_at = 0 AND `+runnable, "run_at") +
		`, picked AS (SELECT picked_id FROM sealing UNION ALL SELECT picked_id FROM unrung LIMIT ?limit)
		UPDATE asyncops_jobs SET state = 'pending', parked = NULL, parked_on = NULL, doorbell = ?bell, rung_at = ?now
		FROM picked WHERE id = picked_id RETURNING id`)
	bell := job.Doorbell{ID: string(job.NewID()), Queue: queue}
	err := l.again(ctx, func() error {
		bell.Jobs = bell.Jobs[:0]
		return l.write.NewRaw(query, struct {
			Queue     string `bun:"queue"`
			Bell      string `bun:"bell"`
			Limit     int    `bun:"limit"`
			Isolation int    `bun:"isolation"`
		}{queue, bell.ID, job.MaxDoorbellJobs, job.IsolationCrashes}).Scan(ctx, &bell.Jobs)
	})
	if err != nil {
		return nil, l.wrap(err, "take unrung jobs of %s", queue)
	}
	if len(bell.Jobs) == 0 {
		return nil, nil
	}
	return &bell, nil
}

// Refuse is what a worker says of a doorbell's jobs that it asked for and did
// not get: their doorbell is taken off, so that the relay rings again as soon
// as they may start. Jobs that have moved on, or have another doorbell, stay.
func (l *Ledger) Refuse(ctx context.Context, doorbell string, ids []job.ID) error {
	const query = `UPDATE asyncops_jobs SET doorbell = NULL, rung_at = 0 WHERE id ? AND doorbell = ? AND ` + knownStartable
	_, err := l.exec(ctx, query, l.among(ids), doorbell)
	return l.wrap(err, "refuse jobs of doorbell %s", doorbell)
}

// Reassign moves jobs from one doorbell to another that is about to be rung:
// the worker had no slot for them.
func (l *Ledger) Reassign(ctx context.Context, from string, to job.Doorbell) error {
	const query = `UPDATE asyncops_jobs SET doorbell = ?, rung_at = ?now WHERE id ? AND doorbell = ? AND ` + knownStartable
	_, err := l.exec(ctx, query, to.ID, l.among(to.Jobs), from)
	return l.wrap(err, "reassign jobs of doorbell %s", from)
}

// Unring takes doorbells off their jobs that have not started, so that the
// relay rings again: they could not be rung, or are lost.
func (l *Ledger) Unring(ctx context.Context, bells []job.Doorbell) error {
	for _, bell := range bells {
		if err := l.Refuse(ctx, bell.ID, bell.Jobs); err != nil {
			return err
		}
	}
	return nil
}

// Touch says that a doorbell still waits its turn, so that its jobs are not
// overlooked for another while.
func (l *Ledger) Touch(ctx context.Context, bells []job.Doorbell) error {
	const query = `UPDATE asyncops_jobs SET rung_at = ?now WHERE id ? AND doorbell = ? AND ` + knownStartable
	for _, bell := range bells {
		if _, err := l.exec(ctx, query, l.among(bell.Jobs), bell.ID); err != nil {
			return l.wrap(err, "touch doorbell %s", bell.ID)
		}
	}
	return nil
}

// overlookedRow is a job whose doorbell was rung and not answered.
type overlookedRow struct {
	ID       job.ID
	Doorbell string
	RungAt   micros
	queue    string
}

// Overlooked returns doorbells, at most limit, that were rung longer ago than
// the age and whose jobs have still not been claimed, each with those jobs. The
// first are those that were rung longest ago.
func (l *Ledger) Overlooked(ctx context.Context, age time.Duration, limit int) ([]job.Doorbell, error) {
	queues, err := l.QueueNames(ctx)
	if err != nil {
		return nil, err
	}
	var rows []overlookedRow
	for _, queue := range queues { // one by one, so that each is read in the order of its index and no further
		var found []overlookedRow
		const query = `SELECT id, doorbell, rung_at FROM asyncops_jobs
			WHERE queue = ? AND ` + startable + ` AND rung_at > 0 AND rung_at < ?now - ? ORDER BY rung_at LIMIT ?`
		err := l.read.NewRaw(l.timed(query), queue, age.Microseconds(), limit*job.MaxDoorbellJobs).Scan(ctx, &found)
		if err != nil {
			return nil, l.wrap(err, "find overlooked jobs of %s", queue)
		}
		for i := range found {
			found[i].queue = queue
		}
		rows = append(rows, found...)
	}
	slices.SortStableFunc(rows, func(a, b overlookedRow) int { return cmp.Compare(a.RungAt, b.RungAt) })
	return bellsOf(rows, limit), nil
}

// bellsOf gathers the jobs of the first doorbells.
func bellsOf(rows []overlookedRow, limit int) []job.Doorbell {
	var bells []job.Doorbell
	at := map[string]int{}
	for _, r := range rows {
		i, ok := at[r.Doorbell]
		if !ok && len(bells) == limit {
			continue
		}
		if !ok {
			i = len(bells)
			at[r.Doorbell] = i
			bells = append(bells, job.Doorbell{ID: r.Doorbell, Queue: r.queue})
		}
		bells[i].Jobs = append(bells[i].Jobs, r.ID)
	}
	return bells
}
