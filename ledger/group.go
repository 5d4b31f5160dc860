package ledger

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/uptrace/bun"

	"github.com/asyncops/asyncops/job"
)

// Bounds of group commit. The figures are measured by the benchmark
// BenchmarkAccept: larger groups gain nothing, more writers only split them.
const (
	maxGroupRows   = 1000            // jobs of one commit, unless a single batch is larger
	maxInsertRows  = 1000            // jobs of one INSERT
	maxWaitingRows = 50_000          // jobs that may wait for a commit before Accept refuses
	groupTimeout   = 8 * time.Second // for one group, its retries included
)

// groupWriter turns concurrent writes into commits. A writer takes whatever
// waits; while it commits, the next group forms.
type groupWriter struct {
	ledger *Ledger
	wake   chan struct{} // one slot: there may be something waiting
	done   sync.WaitGroup

	mu      sync.Mutex
	waiting []*write // guarded by mu
	rows    int      // of waiting; guarded by mu
	closed  bool     // guarded by mu
}

func newGroupWriter(l *Ledger) *groupWriter {
	g := &groupWriter{ledger: l, wake: make(chan struct{}, 1)}
	writers := 2 // one builds its statement while the other waits for the disk
	if l.dialect.name == sqlite.name {
		writers = 1
	}
	for range writers {
		g.done.Go(g.run)
	}
	return g
}

// submit queues w; its done channel is closed when it has been written.
func (g *groupWriter) submit(w *write) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed:
		return job.ErrUnavailable
	case g.rows > 0 && g.rows+len(w.rows) > maxWaitingRows:
		return job.ErrSaturated
	}
	g.waiting = append(g.waiting, w)
	g.rows += len(w.rows)
	g.signal()
	return nil
}

func (g *groupWriter) signal() {
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// take removes the next group; nil when nothing waits. It reports whether the
// writer is closed.
func (g *groupWriter) take() (group []*write, closed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n, rows := 0, 0
	for n < len(g.waiting) && (n == 0 || rows+len(g.waiting[n].rows) <= maxGroupRows) {
		rows += len(g.waiting[n].rows)
		n++
	}
	group = g.waiting[:n:n]
	g.waiting = g.waiting[n:]
	g.rows -= rows
	if len(g.waiting) > 0 || g.closed {
		g.signal() // for the other writer
	}
	return group, g.closed
}

func (g *groupWriter) run() {
	for range g.wake {
		group, closed := g.take()
		if len(group) > 0 {
			g.write(group)
		} else if closed {
			return
		}
	}
}

// close waits until everything that was submitted has been written.
func (g *groupWriter) close() {
	g.mu.Lock()
	g.closed = true
	g.signal()
	g.mu.Unlock()
	g.done.Wait()
}

// write commits the group. If the database objects to it, the group is halved
// until the one it objects to stands alone: a bad row fails no neighbour.
func (g *groupWriter) write(group []*write) {
	ctx, cancel := context.WithTimeout(context.Background(), groupTimeout)
	defer cancel()
	bells, err := g.commit(ctx, group)
	l := g.ledger
	if err != nil && len(group) > 1 && !l.dialect.unreachable(err) && ctx.Err() == nil {
		g.write(group[:len(group)/2])
		g.write(group[len(group)/2:])
		return
	}
	rows := 0
	for _, w := range group {
		rows += len(w.rows)
	}
	if err == nil {
		if l.cfg.Observer != nil {
			l.cfg.Observer.LedgerGroup(rows)
		}
		if l.cfg.Bell != nil && len(bells) > 0 {
			l.cfg.Bell.Ring(bells)
		}
	} else if ctx.Err() != nil {
		err = errors.Join(job.ErrUnavailable, err)
	}
	for _, w := range group {
		w.finish(err)
	}
}

// commit writes the group until the outcome is certain or time is up. After a
// lost reply the same rows are written again: those that are there already, by
// their ids and keys, are left as they are.
func (g *groupWriter) commit(ctx context.Context, group []*write) ([]job.Doorbell, error) {
	l := g.ledger
	for try := 0; ; try++ {
		bells, err := g.attempt(ctx, group)
		switch {
		case err == nil:
			return bells, nil
		case l.dialect.deadlock(err):
		case l.dialect.refused(err):
			return nil, err // no connection: answer at once, nothing can have been done
		case !l.dialect.unreachable(err):
			return nil, err
		}
		if try == 4 {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(time.Duration(1+rand.IntN(20<<try)) * time.Millisecond):
		}
	}
}

func (g *groupWriter) attempt(ctx context.Context, group []*write) ([]job.Doorbell, error) {
	keyed, rows := false, 0
	for _, w := range group {
		keyed = keyed || w.keyed
		rows += len(w.rows)
	}
	if !keyed && rows <= maxInsertRows { // one statement is its own transaction
		return g.insert(ctx, g.ledger.write, group)
	}
	var bells []job.Doorbell
	err := g.ledger.write.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		if keyed {
			if err := g.reserveKeys(ctx, tx, group); err != nil {
				return err
			}
		}
		var err error
		bells, err = g.insert(ctx, tx, group)
		return err
	})
	return bells, err
}

// insert writes the rows that are new and returns the doorbells that they name.
func (g *groupWriter) insert(ctx context.Context, db bun.IDB, group []*write) ([]job.Doorbell, error) {
	rows := make([]insertRow, 0, maxInsertRows)
	for _, w := range group {
		if w.atomic && w.refused() {
			continue
		}
		for i := range w.rows {
			if !w.answers[i].Replayed && w.answers[i].Err == nil {
				rows = append(rows, w.rows[i])
			}
		}
	}
	bells := g.assignBells(rows)
	for len(rows) > 0 {
		n := min(len(rows), maxInsertRows)
		part := rows[:n]
		_, err := db.NewInsert().Model(&part).On("CONFLICT (id) DO NOTHING").Returning("NULL").Exec(ctx)
		if err != nil {
			return nil, err
		}
		rows = rows[n:]
	}
	return bells, nil
}

// assignBells groups the rows that may start at once by queue and, if bells
// are rung now, writes the doorbell's id into each.
func (g *groupWriter) assignBells(rows []insertRow) []job.Doorbell {
	if g.ledger.cfg.Bell == nil {
		return nil
	}
	ready := g.ledger.cfg.Bell.Ready()
	var bells []job.Doorbell
	open := map[string]int{} // queue to the index of its bell that has room
	for i := range rows {
		r := &rows[i]
		if r.State != job.Pending {
			continue
		}
		at, ok := open[r.Queue]
		if !ok || len(bells[at].Jobs) == job.MaxDoorbellJobs {
			at = len(bells)
			open[r.Queue] = at
			bell := job.Doorbell{Queue: r.Queue}
			if ready {
				bell.ID = string(job.NewID())
			}
			bells = append(bells, bell)
		}
		bells[at].Jobs = append(bells[at].Jobs, r.ID)
		if ready {
			r.Doorbell, r.RungAt = &bells[at].ID, r.CreatedAt
		}
	}
	return bells
}
