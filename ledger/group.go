package ledger

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"github.com/asyncops/asyncops/job"
)

// Bounds of group commit. The figures are measured by the benchmark
// BenchmarkAccept: larger groups gain nothing, more writers only split them.
const (
	maxGroupRows    = 1000             // jobs of one commit, unless a single batch is larger
	maxGroupBytes   = 8 << 20          // of one commit, unless a single batch is larger
	maxInsertRows   = 1000             // jobs of one INSERT
	maxWaitingRows  = 50_000           // jobs that may wait for a commit before Accept refuses
	maxWaitingBytes = 256 << 20        // of jobs that may wait
	rowBytes        = 512              // of a job besides its args, about
	maxWait         = 8 * time.Second  // before a write's group is begun
	groupTimeout    = 20 * time.Second // for one group, its retries included: 10,000 jobs on a slow disk
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
	bytes   int      // of waiting; guarded by mu
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
	case g.rows > 0 && (g.rows+len(w.rows) > maxWaitingRows || g.bytes+w.bytes > maxWaitingBytes):
		return job.ErrSaturated
	}
	g.waiting = append(g.waiting, w)
	g.rows += len(w.rows)
	g.bytes += w.bytes
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
// writer is closed. Who has left, or has waited too long, is not written.
func (g *groupWriter) take() (group []*write, closed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	rows, bytes := 0, 0
	for len(g.waiting) > 0 {
		w := g.waiting[0]
		rows, bytes = rows+len(w.rows), bytes+w.bytes
		if len(group) > 0 && (w.alone() || group[0].alone() || rows > maxGroupRows || bytes > maxGroupBytes) {
			break
		}
		g.waiting[0] = nil
		g.waiting = g.waiting[1:]
		g.rows -= len(w.rows)
		g.bytes -= w.bytes
		if w.left.Load() || time.Since(w.since) > maxWait {
			w.finish(job.ErrUnavailable)
			rows, bytes = rows-len(w.rows), bytes-w.bytes
			continue
		}
		group = append(group, w)
	}
	if len(g.waiting) > 0 || g.closed {
		g.signal() // for the other writer
	}
	return group, g.closed
}

func (g *groupWriter) run() {
	crowded := false
	for range g.wake {
		if crowded {
			runtime.Gosched() // those who were just answered come back: larger groups
		}
		group, closed := g.take()
		crowded = len(group) > 1
		if len(group) > 0 {
			ctx, cancel := context.WithTimeout(context.Background(), groupTimeout)
			g.write(ctx, group)
			cancel()
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
// until the one it objects to stands alone: a bad row fails no neighbor.
func (g *groupWriter) write(ctx context.Context, group []*write) {
	bells, err := g.commit(ctx, group)
	l := g.ledger
	if err != nil && len(group) > 1 && !l.dialect.unreachable(err) && ctx.Err() == nil {
		g.write(ctx, group[:len(group)/2])
		g.write(ctx, group[len(group)/2:])
		return
	}
	if err != nil && ctx.Err() != nil {
		err = errors.Join(job.ErrUnavailable, err)
	}
	if err == nil && l.cfg.Bell != nil && len(bells) > 0 {
		l.cfg.Bell.Ring(bells)
	}
	rows := 0
	for _, w := range group {
		rows += len(w.rows)
		w.finish(err)
	}
	if err == nil && l.cfg.Observer != nil {
		l.cfg.Observer.LedgerGroup(rows)
	}
}

// commit writes the group until the outcome is certain or time is up. After a
// lost reply the same rows are written again: those that are there already, by
// their ids and keys, are left as they are.
func (g *groupWriter) commit(ctx context.Context, group []*write) ([]job.Doorbell, error) {
	l := g.ledger
	ringer := ringer{bell: l.cfg.Bell, ready: l.cfg.Bell != nil && l.cfg.Bell.Ready()}
	for try := 1; ; try++ {
		ringer.bells = nil
		err := g.attempt(ctx, group, &ringer)
		switch {
		case err == nil:
			return ringer.bells, nil
		case l.dialect.deadlock(err), errors.Is(err, errKeyVanished):
		case l.dialect.refused(err):
			return nil, err // no connection: answer at once, nothing can have been done
		case !l.dialect.unreachable(err):
			return nil, err
		}
		if try == maxTries || !pause(ctx, try) {
			return nil, err
		}
	}
}
