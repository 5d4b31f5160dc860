package ledger

import (
	"cmp"
	"context"
	"errors"
	"maps"
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

// claimantsOf are the group's jobs that have keys, and each of those keys once,
// for the first of its jobs. Keys are in their order, so that two writers cannot
// wait for each other.
func claimantsOf(group []*write) (claimants []claimant, wanted []keyRow) {
	for _, w := range group {
		claimants = append(claimants, w.keys...)
	}
	slices.SortStableFunc(claimants, func(a, b claimant) int {
		return cmp.Or(cmp.Compare(a.Owner, b.Owner), cmp.Compare(a.Key, b.Key))
	})
	wanted = make([]keyRow, 0, len(claimants))
	for _, c := range claimants {
		if n := len(wanted); n == 0 || wanted[n-1].name() != c.name() {
			wanted = append(wanted, c.keyRow)
		}
	}
	return claimants, wanted
}

// reserveKeys takes the group's idempotency keys, and marks the answers of jobs
// whose key somebody else has, earlier in the group or in the ledger. A key that
// another transaction is taking is waited for.
func (g *groupWriter) reserveKeys(ctx context.Context, tx bun.Tx, group []*write) error {
	claimants, wanted := claimantsOf(group)
	holders := make(map[keyName]keyRow, len(wanted))
	for part := range slices.Chunk(wanted, maxInsertRows) {
		var taken []job.ID
		if err := tx.NewInsert().Model(&part).On("CONFLICT DO NOTHING").Returning("job_id").Scan(ctx, &taken); err != nil {
			return err
		}
		if err := findHolders(ctx, tx, part, taken, holders); err != nil {
			return err
		}
	}
	return answerClaimants(claimants, holders)
}

// findHolders finds out who holds the wanted keys, of which those of the jobs
// taken were free.
func findHolders(ctx context.Context, db bun.IDB, wanted []keyRow, taken []job.ID, holders map[keyName]keyRow) error {
	ours := make(map[job.ID]bool, len(taken))
	for _, id := range taken {
		ours[id] = true
	}
	var others keyNames
	for _, r := range wanted {
		if ours[r.JobID] {
			holders[r.name()] = r
		} else {
			others = append(others, r.name())
		}
	}
	if len(others) == 0 {
		return nil
	}
	var found []keyRow
	if err := db.NewSelect().Model(&found).Where("(owner, key) IN (VALUES ?)", others).Scan(ctx); err != nil {
		return err
	}
	for _, r := range found {
		holders[r.name()] = r
	}
	return nil
}

// answerClaimants marks the answers of jobs whose key another job has.
func answerClaimants(claimants []claimant, holders map[keyName]keyRow) error {
	for _, c := range claimants {
		holder, ok := holders[c.name()]
		if !ok {
			return errKeyVanished
		}
		c.answer(holder)
	}
	return nil
}

// answer says whose the claimant's key is.
func (c *claimant) answer(holder keyRow) {
	answer := &c.write.answers[c.index]
	answer.Job.ID, answer.Replayed, answer.Err = holder.JobID, holder.JobID != c.JobID, nil
	if answer.Replayed && holder.Fingerprint != c.Fingerprint {
		answer.Err = job.ErrIdempotencyMismatch
	}
}

// insertKeyed takes the group's keys and writes the jobs that got theirs, or have
// none, in one statement.
func (g *groupWriter) insertKeyed(ctx context.Context, group []*write, ringer *ringer) error {
	l := g.ledger
	claimants, wanted := claimantsOf(group)
	for _, c := range claimants {
		c.answer(c.keyRow) // whatever an earlier try has found
	}
	args := l.dialect.insertArgs(g.newRows(group, ringer))
	maps.Copy(args, l.dialect.keyArgs(wanted))
	var taken []job.ID
	if err := l.queries.insertKeyed.scan(ctx, l.write, args, &taken); err != nil {
		return err
	}
	if len(taken) == len(claimants) {
		return nil
	}
	// The jobs are durable by now: only this is tried again.
	holders := make(map[keyName]keyRow, len(wanted))
	var err error
	for try := 1; ; try++ {
		if err = findHolders(ctx, l.write, wanted, taken, holders); err == nil || try == maxTries || !pause(ctx, try) {
			break
		}
	}
	if err == nil {
		err = answerClaimants(claimants, holders)
	}
	ringer.leaveOut(claimants)
	return err
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
