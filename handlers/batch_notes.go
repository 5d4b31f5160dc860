package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/tasks"
)

// takeOver takes over what runs have noted that did not come to their end. A
// request that was about to be sent then, and may not be sent again, is decided:
// nobody can tell.
func (b *batchRun) takeOver(earlier job.Notes) error {
	b.earlier = earlier
	for _, i := range slices.Sorted(maps.Keys(earlier.Sends)) {
		if i >= len(b.result.Responses) || b.result.Responses[i] != nil {
			continue
		}
		f := &job.Failure{Class: job.ClassAmbiguous, Code: job.CodeAmbiguous, Message: "its worker was lost while it may have been under way, which is not safe to repeat"}
		switch answer := earlier.Sends[i].Answer; {
		case answer != nil:
			var failed tasks.BatchError
			if err := json.Unmarshal(answer, &failed); err != nil {
				return err
			}
			b.result.Responses[i] = answer
			b.kept += len(answer)
			if failed.Error.Code == "" {
				b.result.Succeeded++
				continue
			}
			b.result.Failed++
			f.Code, f.Message = failed.Error.Code, failed.Error.Message
			if f.Code != job.CodeAmbiguous {
				f.Class = job.ClassPermanent
			}
		case b.repeatable(i):
			continue
		default:
			b.decideLocked(i, f)
		}
		b.errs[i] = f
		b.halted = b.halted || b.task.Abort
	}
	return nil
}

// batchNotes notes what a batch has decided, now and then, and what it is about
// to send and may not send again, before it does. It is safe for concurrent use.
type batchNotes struct {
	book job.Notebook

	writing sync.Mutex // held by who writes; the next writes what has come meanwhile

	mu      sync.Mutex
	open    map[int]job.Send // not written yet; guarded by mu
	marked  bool             // something that may not be sent again was sent; guarded by mu
	written time.Time        // guarded by mu
}

// noteInterval is between two notes of answers alone: what a killed worker's
// batch asks for again is what it got in about this time.
const noteInterval = time.Second

func newBatchNotes(book job.Notebook, began time.Time) *batchNotes {
	return &batchNotes{book: book, open: map[int]job.Send{}, written: began}
}

// answered notes the answer of a request, soon.
func (n *batchNotes) answered(i int, answer json.RawMessage) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.open[i] = job.Send{Index: i, Answer: answer}
}

// mark returns when it is noted that a request is about to be sent.
func (n *batchNotes) mark(ctx context.Context, i int) error {
	n.mu.Lock()
	n.open[i] = job.Send{Index: i}
	n.marked = true
	n.mu.Unlock()
	n.writing.Lock()
	defer n.writing.Unlock()
	n.mu.Lock()
	_, open := n.open[i]
	n.mu.Unlock()
	if !open {
		return nil // who wrote before has written it
	}
	err := n.write(ctx)
	if err != nil { // it will not be sent
		n.mu.Lock()
		delete(n.open, i)
		n.mu.Unlock()
	}
	return err
}

// now writes if it is time to. What cannot be written now is written later.
func (n *batchNotes) now(ctx context.Context) {
	n.mu.Lock()
	due := len(n.open) > 0 && time.Since(n.written) >= noteInterval
	n.mu.Unlock()
	if due && ctx.Err() == nil && n.writing.TryLock() {
		defer n.writing.Unlock()
		_ = n.write(ctx)
	}
}

// last writes the answers of requests that may not be sent again: the outcome of
// the run has them too, unless the worker dies before it is written.
func (n *batchNotes) last(ctx context.Context) {
	n.writing.Lock()
	defer n.writing.Unlock()
	n.mu.Lock()
	marked := n.marked
	n.mu.Unlock()
	if marked && ctx.Err() == nil {
		_ = n.write(ctx)
	}
}

// write writes what is open. It requires writing.
func (n *batchNotes) write(ctx context.Context) error {
	n.mu.Lock()
	sends := slices.Collect(maps.Values(n.open))
	clear(n.open)
	n.written = time.Now()
	n.mu.Unlock()
	if len(sends) == 0 {
		return nil
	}
	err := n.book.Note(ctx, sends)
	if err == nil || errors.Is(err, job.ErrLeaseLost) {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range sends {
		if _, newer := n.open[s.Index]; !newer {
			n.open[s.Index] = s
		}
	}
	return err
}
