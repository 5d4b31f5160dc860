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
	ledger  *Ledger
	writers int           // groups that are written at a time, at most
	wake    chan struct{} // one slot: there may be something waiting
	done    sync.WaitGroup

	mu      sync.Mutex
	waiting []*write // guarded by mu
	rows    int      // of waiting; guarded by mu
	bytes   int      // of waiting; guarded by mu
	writing int      // groups that are being written; guarded by mu
	closed  bool     // guarded by mu
}

func newGroupWriter(l *Ledger) *groupWriter {
	g := &groupWriter{ledger: l, writers: 2, wake: make(chan struct{}, 1)} // one builds its statement while the other waits for the disk
	if l.dialect.name == sqlite.name {
		g.writers = 1
	}
	for range g.writers {
		g.done.Go(g.run)
	}
	return g
}

// submit has w written; its done channel is closed when it has been. Where
// nothing else is to be written, the caller does so, within ctx: handing a lone
// write over to a writer and back takes an eighth of its time.
func (g *groupWriter) submit(ctx context.Context, w *write) error {
	alone, err := g.enqueue(w)
	if alone {
		g.writeAlone(ctx, w)
	}
	return err
}

// enqueue queues w, unless it is alone: then it is the caller's to write.
func (g *groupWriter) enqueue(w *write) (alone bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed:
		return false, job.ErrUnavailable
	case len(g.waiting) == 0 && g.writing == 0:
		g.writing++
		g.done.Add(1)
		return true, nil
	case g.rows > 0 && (g.rows+len(w.rows) > maxWaitingRows || g.bytes+w.bytes > maxWaitingBytes):
		return false, job.ErrSaturated
	}
	g.waiting = append(g.waiting, w)
	g.rows += len(w.rows)
	g.bytes += w.bytes
	g.signal()
	return false, nil
}

// written says that a group is no longer being written.
func (g *groupWriter) written() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.writing--
	if len(g.waiting) > 0 || g.closed {
		g.signal()
	}
}

func (g *groupWriter) signal() {
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// take removes the next group; nil when nothing waits, or as much is being
// written as may be. last reports that there will be no more groups. Who has
// left, or has waited too long, is not written.
func (g *groupWriter) take() (group []*write, last bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.writing == g.writers {
		return nil, false
	}
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
	if len(group) > 0 {
		g.writing++
	}
	if len(g.waiting) > 0 || g.closed {
		g.signal() // for the other writer
	}
	return group, g.closed && len(group) == 0
}

func (g *groupWriter) run() {
	crowded := false
	for range g.wake {
		if crowded {
			runtime.Gosched() // those who were just answered come back: larger groups
		}
		group, last := g.take()
		crowded = len(group) > 1
		if len(group) > 0 {
			ctx, cancel := context.WithTimeout(context.Background(), groupTimeout)
			g.write(ctx, group)
			cancel()
			g.written()
		} else if last {
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

// writeAlone is the first try to write w, by its caller. Where that fails, it
// is gone on with in the background, as the caller may leave, for what is left
// of the time.
func (g *groupWriter) writeAlone(ctx context.Context, w *write) {
	began, group, ringer := time.Now(), []*write{w}, g.ledger.newRinger()
	ctx, cancel := context.WithTimeout(ctx, groupTimeout)
	defer cancel()
	err := g.attempt(ctx, group, ringer)
	if err == nil || ctx.Err() == nil && g.final(err) {
		g.end(group, ringer.bells, err)
		g.written()
		g.done.Done()
		return
	}
	go func() {
		defer g.done.Done()
		defer g.written()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), groupTimeout-time.Since(began))
		defer cancel()
		g.end(group, ringer.bells, g.commit(ctx, group, ringer))
	}()
}

// write commits the group. If the database objects to it, the group is halved
// until the one it objects to stands alone: a bad row fails no neighbor.
func (g *groupWriter) write(ctx context.Context, group []*write) {
	ringer := g.ledger.newRinger()
	err := g.commit(ctx, group, ringer)
	if err != nil && len(group) > 1 && !g.ledger.dialect.unreachable(err) && ctx.Err() == nil {
		g.write(ctx, group[:len(group)/2])
		g.write(ctx, group[len(group)/2:])
		return
	}
	g.end(group, ringer.bells, err)
}

// end rings for what was committed, and answers.
func (g *groupWriter) end(group []*write, bells []job.Doorbell, err error) {
	l := g.ledger
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

// commit writes the group until the outcome is certain or time is up, which is
// job.ErrUnavailable. After a
// lost reply the same rows are written again: those that are there already, by
// their ids and keys, are left as they are.
func (g *groupWriter) commit(ctx context.Context, group []*write, ringer *ringer) error {
	for try := 1; ; try++ {
		err := g.attempt(ctx, group, ringer)
		if err == nil || g.final(err) || try == maxTries || !pause(ctx, try) {
			if err != nil && ctx.Err() != nil {
				err = errors.Join(job.ErrUnavailable, err)
			}
			return err
		}
	}
}

// final reports whether it is of no use to try again after the error.
func (g *groupWriter) final(err error) bool {
	d := g.ledger.dialect
	switch {
	case d.deadlock(err), errors.Is(err, errKeyVanished):
		return false
	case d.refused(err):
		return true // no connection: answer at once, nothing can have been done
	}
	return !d.unreachable(err)
}
