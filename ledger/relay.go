package ledger

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/asyncops/asyncops/job"
)

// TakeUnrung chooses jobs of the queue that may start and that no doorbell
// rings for, writes the doorbell's id into them and moves them to pending. It
// returns the doorbell for the caller to ring, or nil when nothing is due.
// Two relays never take the same job.
func (l *Ledger) TakeUnrung(ctx context.Context, queue string) (*job.Doorbell, error) {
	query := l.timed(`WITH picked AS ` + l.dialect.materialized + ` (SELECT id AS picked_id FROM asyncops_jobs
			WHERE queue = ?queue AND rung_at = 0 AND ` + eligible + `
			ORDER BY run_at LIMIT ?limit ` + l.dialect.skipLocked + `)
		UPDATE asyncops_jobs SET state = 'pending', doorbell = ?bell, rung_at = ?now
		FROM picked WHERE id = picked_id RETURNING id`)
	bell := job.Doorbell{ID: string(job.NewID()), Queue: queue}
	err := l.again(func() error {
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

// Overlooked returns doorbells, at most limit, that were rung longer ago than
// the age and whose jobs have still not been claimed, each with those jobs.
func (l *Ledger) Overlooked(ctx context.Context, age time.Duration, limit int) ([]job.Doorbell, error) {
	const query = `SELECT id, queue, doorbell FROM asyncops_jobs
		WHERE state IN ('scheduled', 'pending', 'retry', 'parked') AND queue IN (SELECT name FROM asyncops_queues)
			AND rung_at > 0 AND rung_at < ?now - ? AND doorbell IS NOT NULL
		ORDER BY rung_at, doorbell LIMIT ?`
	var rows []struct {
		ID       job.ID
		Queue    string
		Doorbell string
	}
	err := l.read.NewRaw(l.timed(query), age.Microseconds(), limit*job.MaxDoorbellJobs).Scan(ctx, &rows)
	if err != nil {
		return nil, l.wrap(err, "find overlooked jobs")
	}
	var bells []job.Doorbell
	at := map[string]int{}
	for _, r := range rows {
		i, ok := at[r.Doorbell]
		if !ok {
			i = len(bells)
			at[r.Doorbell] = i
			bells = append(bells, job.Doorbell{ID: r.Doorbell, Queue: r.Queue})
		}
		bells[i].Jobs = append(bells[i].Jobs, r.ID)
	}
	return bells, nil
}

// Touch says that a doorbell still waits its turn, so that its jobs are not
// overlooked for another while.
func (l *Ledger) Touch(ctx context.Context, bells []job.Doorbell) error {
	const query = `UPDATE asyncops_jobs SET rung_at = ?now WHERE id IN (?) AND doorbell = ?
		AND state IN ('scheduled', 'pending', 'retry', 'parked')`
	for _, bell := range bells {
		err := l.again(func() error {
			_, err := l.write.ExecContext(ctx, l.timed(query), bun.In(bell.Jobs), bell.ID)
			return err
		})
		if err != nil {
			return l.wrap(err, "touch doorbell %s", bell.ID)
		}
	}
	return nil
}
