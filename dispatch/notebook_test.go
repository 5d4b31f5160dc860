package dispatch //nolint:testpackage // what it tests is nobody else's

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asyncops/asyncops/job"
)

// shelf is a NotesLedger that is away for the first times that it is asked.
type shelf struct {
	mu   sync.Mutex
	errs []error       // of the next calls; guarded by mu
	ago  time.Duration // of the last note; guarded by mu
	run  runID         // of the last note; guarded by mu
}

func (s *shelf) next() error {
	if len(s.errs) == 0 {
		return nil
	}
	err := s.errs[0]
	s.errs = s.errs[1:]
	return err
}

func (s *shelf) NoteSends(_ context.Context, id job.ID, epoch int64, sends []job.Send) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.run, s.ago = runID{id, epoch}, sends[0].Ago
	return s.next()
}

func (s *shelf) Notes(context.Context, job.ID) (job.Notes, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return job.Notes{LostAt: time.Unix(7, 0)}, s.next()
}

// Notes are tried for until they are in the ledger, under the run's epoch, and
// say how long ago the request was sent by then. The outcome tells of them.
func TestNotebook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		away := errors.New("away")
		s := &shelf{errs: []error{away, away, nil, away}}
		var notes job.Notes
		var errs [2]error
		e, done := newRunner(runner{run: func(ctx context.Context, _ *job.Job) (job.Result, error) {
			book := job.NotebookOf(ctx)
			errs[0] = book.Note(ctx, []job.Send{{Index: 1, Ago: time.Second}})
			notes, errs[1] = book.Notes(ctx)
			return job.Result{}, nil
		}})
		e.notes = s
		e.slots.take(1)
		id := job.NewID()
		e.start([]job.Job{{ID: id, Epoch: 7, Worker: "here"}})
		if got := <-done; !got.outcome.Noted || got.outcome.State != job.Completed {
			t.Errorf("outcome = %+v, want completed with notes", got.outcome)
		}
		if errs != [2]error{} || notes.LostAt != time.Unix(7, 0) {
			t.Errorf("Note and Notes = %v, %+v; want no errors, and what is noted", errs, notes)
		}
		if s.run != (runID{id, 7}) || s.ago < time.Second+2*noteAgain {
			t.Errorf("noted by %+v that it was %s ago, want by the run, and the time until then counted", s.run, s.ago)
		}
	})
}

// A run that has been superseded is told at once, and one that must end does not
// wait for a ledger that is away.
func TestNotebookGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		away := errors.New("away")
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		for _, tt := range []struct {
			ctx  context.Context //nolint:containedctx // of a case
			err  error
			left int
		}{{t.Context(), job.ErrLeaseLost, 1}, {ended, away, 1}} {
			s := &shelf{errs: []error{tt.err, nil}}
			book := &notebook{ledger: s}
			if err := book.Note(tt.ctx, []job.Send{{}}); !errors.Is(err, tt.err) || len(s.errs) != tt.left {
				t.Errorf("Note = %v after %d tries, want %v after one", err, 2-len(s.errs), tt.err)
			}
		}
	})
}
