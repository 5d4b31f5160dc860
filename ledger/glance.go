package ledger

import (
	"context"

	"github.com/asyncops/asyncops/job"
)

// Glance looks at jobs for somebody who watches. It costs the same however many
// jobs there are.
func (l *Ledger) Glance(ctx context.Context, g job.Glance) (job.Glimpse, error) {
	columns := metaColumns
	if g.Args {
		columns += ", args"
	}
	var seen job.Glimpse
	look := func(into *[]job.Job, where string, args ...any) error {
		var rows []row
		if err := l.read.NewRaw(`SELECT `+columns+` FROM asyncops_jobs WHERE `+where, args...).Scan(ctx, &rows); err != nil {
			return err
		}
		var err error
		*into, err = l.explained(ctx, rows)
		return err
	}
	if len(g.IDs) > 0 {
		if err := look(&seen.Named, `id ?`, l.among(g.IDs)); err != nil {
			return job.Glimpse{}, l.wrap(err, "look at %d jobs", len(g.IDs))
		}
	}
	if !g.Since.IsZero() {
		if err := look(&seen.New, `id >= ? ORDER BY id DESC LIMIT ?`, job.IDBound(g.Since), g.Limit); err != nil {
			return job.Glimpse{}, l.wrap(err, "look at new jobs")
		}
	}
	if g.Active {
		if err := look(&seen.Active, `state = 'active' ORDER BY started_at DESC, id DESC LIMIT ?`, g.Limit); err != nil {
			return job.Glimpse{}, l.wrap(err, "look at running jobs")
		}
	}
	return seen, nil
}
