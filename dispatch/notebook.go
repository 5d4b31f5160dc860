package dispatch

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/asyncops/asyncops/job"
)

// NotesLedger keeps what runs note of their requests.
type NotesLedger interface {
	// NoteSends keeps the notes, or answers job.ErrLeaseLost for a run that has
	// been superseded.
	NoteSends(ctx context.Context, id job.ID, epoch int64, sends []job.Send) error
	// Notes returns what runs of the job have noted.
	Notes(ctx context.Context, id job.ID) (job.Notes, error)
}

const (
	noteTimeout = 2 * time.Second // of one try
	noteAgain   = 100 * time.Millisecond
)

// notebook is that of one run.
type notebook struct {
	ledger NotesLedger
	run    runID
	used   atomic.Bool
}

// Note tries until the notes are in the ledger, the run has been superseded or
// ctx has ended; once in any case.
func (n *notebook) Note(ctx context.Context, sends []job.Send) error {
	n.used.Store(true)
	began := time.Now()
	for {
		late := time.Since(began)
		now := make([]job.Send, len(sends))
		for i, s := range sends {
			s.Ago += late
			now[i] = s
		}
		err := n.try(ctx, func(ctx context.Context) error { return n.ledger.NoteSends(ctx, n.run.job, n.run.epoch, now) })
		if err == nil || errors.Is(err, job.ErrLeaseLost) || !sleep(ctx, noteAgain, nil) {
			return err
		}
	}
}

// Notes tries likewise.
func (n *notebook) Notes(ctx context.Context) (notes job.Notes, err error) {
	for {
		err = n.try(ctx, func(ctx context.Context) error {
			notes, err = n.ledger.Notes(ctx, n.run.job)
			return err
		})
		if err == nil || !sleep(ctx, noteAgain, nil) {
			return notes, err
		}
	}
}

func (*notebook) try(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTimeout)
	defer cancel()
	return do(ctx)
}
