package ledger

import (
	"cmp"
	"context"
	"encoding/hex"
	"slices"

	"github.com/uptrace/bun"

	"github.com/asyncops/asyncops/job"
)

// keyRow is one line of asyncops_idempotency.
type keyRow struct {
	bun.BaseModel `bun:"table:asyncops_idempotency"`

	Owner       string `bun:"owner"`
	Key         string `bun:"key"`
	JobID       job.ID `bun:"job_id"`
	Fingerprint string `bun:"fingerprint"`
	CreatedAt   micros `bun:"created_at"`
}

type keyName struct{ owner, key string }

// claimant is one job of the group that came with a key.
type claimant struct {
	keyRow
	write *write
	index int // of the job in write
}

// reserveKeys takes the group's idempotency keys and marks the answers of jobs
// whose key somebody else has, earlier in the group or in the ledger.
//
// Keys are taken in their order, so that two writers cannot wait for each
// other; a key that another transaction is taking is waited for.
func (g *groupWriter) reserveKeys(ctx context.Context, tx bun.Tx, group []*write) error {
	claimants := claimantsOf(group)
	slices.SortStableFunc(claimants, func(a, b claimant) int {
		return cmp.Or(cmp.Compare(a.Owner, b.Owner), cmp.Compare(a.Key, b.Key))
	})
	distinct := slices.CompactFunc(slices.Clone(claimants), func(a, b claimant) bool {
		return a.Owner == b.Owner && a.Key == b.Key
	})
	taken := make(map[keyName]keyRow, len(distinct))
	for part := range slices.Chunk(distinct, maxInsertRows) {
		rows := make([]keyRow, len(part))
		names := make([][]string, len(part))
		for i, c := range part {
			rows[i] = c.keyRow
			names[i] = []string{c.Owner, c.Key}
		}
		if _, err := tx.NewInsert().Model(&rows).On("CONFLICT DO NOTHING").Returning("NULL").Exec(ctx); err != nil {
			return err
		}
		var found []keyRow
		if err := tx.NewSelect().Model(&found).Where("(owner, key) IN (?)", bun.In(names)).Scan(ctx); err != nil {
			return err
		}
		for _, r := range found {
			taken[keyName{r.Owner, r.Key}] = r
		}
	}
	for _, c := range claimants {
		holder := taken[keyName{c.Owner, c.Key}]
		answer := &c.write.answers[c.index]
		answer.Replayed, answer.Err = holder.JobID != c.JobID, nil
		if answer.Replayed {
			answer.Job.ID = holder.JobID
			if holder.Fingerprint != c.Fingerprint {
				answer.Err = job.ErrIdempotencyMismatch
			}
		}
	}
	return g.dropKeysOfRefused(ctx, tx, group)
}

// dropKeysOfRefused gives back the keys that were taken for the other jobs of
// an atomic batch that is refused.
func (g *groupWriter) dropKeysOfRefused(ctx context.Context, tx bun.Tx, group []*write) error {
	var ids []job.ID
	for _, w := range group {
		if w.atomic && w.refused() {
			for i := range w.jobs {
				ids = append(ids, w.jobs[i].ID)
			}
		}
	}
	if len(ids) == 0 {
		return nil
	}
	_, err := tx.NewDelete().Model((*keyRow)(nil)).Where("job_id IN (?)", bun.In(ids)).Exec(ctx)
	return err
}

func (w *write) refused() bool {
	return slices.ContainsFunc(w.answers, func(a job.Accepted) bool { return a.Err != nil })
}

func claimantsOf(group []*write) []claimant {
	var claimants []claimant
	for _, w := range group {
		for i := range w.jobs {
			j := &w.jobs[i]
			if j.IdempotencyKey == "" {
				continue
			}
			claimants = append(claimants, claimant{write: w, index: i, keyRow: keyRow{
				Owner: j.Owner, Key: j.IdempotencyKey, JobID: w.rows[i].ID,
				Fingerprint: hex.EncodeToString(j.Fingerprint[:]), CreatedAt: microsOf(j.CreatedAt),
			}})
		}
	}
	return claimants
}
