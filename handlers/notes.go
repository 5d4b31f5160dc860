package handlers

import (
	"context"
	"errors"
	"time"

	"github.com/asyncops/asyncops/job"
)

// notesOf is what earlier runs of the job have noted. The first has none before
// it.
func notesOf(ctx context.Context, j *job.Job) (job.Notes, error) {
	if j.Epoch <= 1 {
		return job.Notes{}, nil
	}
	notes, err := job.NotebookOf(ctx).Notes(ctx)
	if err != nil {
		return notes, &job.Failure{Class: job.ClassRetryable, Code: job.CodeInternal, Message: "what earlier runs have noted cannot be read", Err: err}
	}
	return notes, nil
}

// doubtSince is when a request was first sent that may have been carried out, by
// this process's clock; zero: never. A run that was lost may have sent it.
func doubtSince(j *job.Job, notes job.Notes, index int) time.Time {
	at := notes.LostAt
	if noted, ok := notes.Sends[index]; ok && noted.Answer == nil && (at.IsZero() || noted.At.Before(at)) {
		at = noted.At
	}
	if at.IsZero() {
		return at
	}
	return time.Now().Add(-j.StartedAt.Sub(at)) // both are times of the ledger
}

// noteDoubt notes for the next run that a request which failed so may have been
// carried out. Where that cannot be noted, the doubt ends the job.
func noteDoubt(ctx context.Context, index int, err error) error {
	f, ok := errors.AsType[*job.Failure](err)
	if !ok || f.Doubt == 0 || f.Class == job.ClassAmbiguous || f.Class == job.ClassPermanent {
		return err
	}
	if err := job.NotebookOf(ctx).Note(ctx, []job.Send{{Index: index, Ago: f.Doubt, Doubt: true}}); err != nil {
		f.Class, f.Code, f.Err = job.ClassAmbiguous, job.CodeAmbiguous, errors.Join(f.Err, err)
	}
	return f
}
