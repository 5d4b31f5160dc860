package ledger

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

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

type keyName struct{ Owner, Key string }

func (r *keyRow) name() keyName { return keyName{r.Owner, r.Key} }

// claimant is one job that came with a key.
type claimant struct {
	keyRow
	write *write
	index int // of the job in write
}

// errKeyVanished says that a key was pruned while it was being asked for.
var errKeyVanished = errors.New("an idempotency key was deleted meanwhile")

// reserveKeys takes the group's idempotency keys and marks the answers of jobs
// whose key somebody else has, earlier in the group or in the ledger.
//
// Keys are taken in their order, so that two writers cannot wait for each
// other; a key that another transaction is taking is waited for.
func (g *groupWriter) reserveKeys(ctx context.Context, tx bun.Tx, group []*write) error {
	var claimants []claimant
	for _, w := range group {
		claimants = append(claimants, w.keys...)
	}
	slices.SortStableFunc(claimants, func(a, b claimant) int {
		return cmp.Or(cmp.Compare(a.Owner, b.Owner), cmp.Compare(a.Key, b.Key))
	})
	wanted := make([]keyRow, 0, len(claimants))
	for _, c := range claimants {
		if n := len(wanted); n == 0 || wanted[n-1].name() != c.name() {
			wanted = append(wanted, c.keyRow)
		}
	}
	holders := make(map[keyName]keyRow, len(wanted))
	for part := range slices.Chunk(wanted, maxInsertRows) {
		if err := takeKeys(ctx, tx, part, holders); err != nil {
			return err
		}
	}
	for _, c := range claimants {
		holder, ok := holders[c.name()]
		if !ok {
			return errKeyVanished
		}
		answer := &c.write.answers[c.index]
		answer.Replayed, answer.Err = holder.JobID != c.JobID, nil
		if answer.Replayed {
			answer.Job.ID = holder.JobID
			if holder.Fingerprint != c.Fingerprint {
				answer.Err = job.ErrIdempotencyMismatch
			}
		}
	}
	return nil
}

// takeKeys takes those keys that are free, and finds out who holds the others.
func takeKeys(ctx context.Context, tx bun.Tx, wanted []keyRow, holders map[keyName]keyRow) error {
	var taken []keyName
	if err := tx.NewInsert().Model(&wanted).On("CONFLICT DO NOTHING").Returning("owner, key").Scan(ctx, &taken); err != nil {
		return err
	}
	mine := make(map[keyName]bool, len(taken))
	for _, name := range taken {
		mine[name] = true
	}
	var others keyNames
	for _, r := range wanted {
		if mine[r.name()] {
			holders[r.name()] = r
		} else {
			others = append(others, r.name())
		}
	}
	if len(others) == 0 {
		return nil
	}
	var found []keyRow
	if err := tx.NewSelect().Model(&found).Where("(owner, key) IN (VALUES ?)", others).Scan(ctx); err != nil {
		return err
	}
	for _, r := range found {
		holders[r.name()] = r
	}
	return nil
}

// keyNames are written as the lines of a VALUES list.
type keyNames []keyName

// AppendQuery implements schema.QueryAppender.
func (names keyNames) AppendQuery(gen schema.QueryGen, b []byte) ([]byte, error) {
	for i, name := range names {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = gen.AppendQuery(b, "(?, ?)", name.Owner, name.Key)
	}
	return b, nil
}
