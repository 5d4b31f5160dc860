package ledger

import (
	"context"
	"errors"
	"slices"

	"github.com/uptrace/bun"

	"github.com/asyncops/asyncops/job"
)

// errRefused undoes the transaction of an atomic batch.
var errRefused = errors.New("a job of an atomic batch was refused")

// attempt is one try to commit a group, with its doorbells in ringer.
func (g *groupWriter) attempt(ctx context.Context, group []*write, ringer *ringer) error {
	queries := &g.ledger.queries
	ringer.bells = nil
	keyed, rows := false, 0
	for _, w := range group {
		keyed = keyed || len(w.keys) > 0
		rows += len(w.rows)
	}
	if rows <= maxInsertRows && !group[0].alone() { // one statement is its own transaction
		if !keyed {
			return g.insert(ctx, g.ledger.write, group, ringer)
		}
		if queries.insertKeyed != nil {
			return g.insertKeyed(ctx, group, ringer)
		}
	}
	if err := queries.ready(ctx); err != nil {
		return err
	}
	err := g.ledger.write.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		if keyed {
			if err := g.reserveKeys(ctx, tx, group); err != nil {
				return err
			}
		}
		if w := group[0]; w.alone() && w.refused() {
			return errRefused
		}
		return g.insert(ctx, tx, group, ringer)
	})
	if errors.Is(err, errRefused) {
		return nil // as was asked for; the answers say why
	}
	return err
}

// insert writes the rows that are new.
func (g *groupWriter) insert(ctx context.Context, db bun.IDB, group []*write, ringer *ringer) error {
	for part := range slices.Chunk(g.newRows(group, ringer), maxInsertRows) {
		if err := g.ledger.insertRows(ctx, db, part); err != nil {
			return err
		}
	}
	return nil
}

// newRows are those that are new, as far as is known, with their doorbells.
func (g *groupWriter) newRows(group []*write, ringer *ringer) []insertRow {
	rows := make([]insertRow, 0, len(group))
	for _, w := range group {
		for i := range w.rows {
			if !w.answers[i].Replayed && w.answers[i].Err == nil {
				rows = append(rows, w.rows[i])
			}
		}
	}
	if g.ledger.cfg.Bell != nil {
		ringer.assign(rows)
	}
	return rows
}

// ringer makes the doorbells of a group. They are the same at every try to
// commit it: after a lost reply, the rows name those that will be rung.
type ringer struct {
	bell  Bell
	ready bool     // doorbells are rung now, and so named in the rows
	ids   []string // of the doorbells, over all tries
	bells []job.Doorbell
}

func (l *Ledger) newRinger() *ringer {
	bell := l.cfg.Bell
	return &ringer{bell: bell, ready: bell != nil && bell.Ready()}
}

// assign groups the rows that may start at once by queue and, if doorbells are
// rung now, writes the doorbell's id into each.
func (r *ringer) assign(rows []insertRow) {
	open := map[string]int{} // queue to the index of its bell that has room
	for i := range rows {
		row := &rows[i]
		if row.State != job.Pending {
			continue
		}
		at, ok := open[row.Queue]
		if !ok || len(r.bells[at].Jobs) == job.MaxDoorbellJobs {
			at = len(r.bells)
			open[row.Queue] = at
			r.bells = append(r.bells, job.Doorbell{ID: r.id(at, len(rows) == 1, row.Queue), Queue: row.Queue})
		}
		r.bells[at].Jobs = append(r.bells[at].Jobs, row.ID)
		if r.ready {
			row.Doorbell, row.RungAt.clock = orNull(r.bells[at].ID), true
		}
	}
}

// leaveOut takes jobs off their doorbells that turned out not to be new. A
// doorbell without jobs remains, for whoever has shared it.
func (r *ringer) leaveOut(claimants []claimant) {
	replayed := map[job.ID]bool{}
	for _, c := range claimants {
		if c.write.answers[c.index].Replayed {
			replayed[c.JobID] = true
		}
	}
	for i := range r.bells {
		r.bells[i].Jobs = slices.DeleteFunc(r.bells[i].Jobs, func(id job.ID) bool { return replayed[id] })
	}
}

// id is the name of the doorbell at the index, for a queue and possibly a lone
// row; none if it is not rung now.
func (r *ringer) id(at int, lone bool, queue string) string {
	if !r.ready {
		return ""
	}
	if at == len(r.ids) {
		id := string(job.NewID())
		if lone {
			id = r.bell.Share(queue)
		}
		r.ids = append(r.ids, id)
	}
	return r.ids[at]
}
