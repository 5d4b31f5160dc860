package store

import (
	"context"
	"errors"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
)

var (
	// ErrSealed is in the tree of a run's failure when a tombstone was met: the
	// job has got its verdict, and this run had no effect.
	ErrSealed = errors.New("the job was sealed in the target")

	errStatementTimeout = errors.New("statement_timeout passed")
	// errUndone says that the effects row that this transaction inserted is not
	// there any more: something rolled back behind our back.
	errUndone = errors.New("the transaction's own effects row is gone")
	errPruned = errors.New("the effects row was pruned meanwhile")
)

// diagnose says what an error of a try means.
func (t *Target) diagnose(err error) fault {
	var f *job.Failure
	var conflict *conflictError
	var doubt *inDoubtError
	switch {
	case errors.As(err, &doubt) && doubt.final:
		return fault{class: job.ClassAmbiguous, code: job.CodeAmbiguous, message: "the connection was lost while a write was under way: it may have happened"}
	case errors.As(err, &conflict):
		d := t.dialect.diagnose(err)
		d.transient = true
		return d
	case errors.As(err, &f):
		return fault{class: f.Class, code: f.Code, stale: f.Code == job.CodeUnknownColumn || errors.Is(f.Err, errNoSuchKey)}
	case errors.Is(err, errStatementTimeout):
		return fault{class: job.ClassRetryable, code: job.CodeTimeout, message: "a statement ran longer than statement_timeout"}
	case errors.Is(err, errUndone):
		return fault{class: job.ClassRetryable, code: job.CodeConflict, message: "the database undid a part of the transaction; nothing was changed"}
	case errors.Is(err, errPruned):
		return fault{class: job.ClassRetryable, code: job.CodeConflict, transient: true, message: "the record of the effect was pruned meanwhile"}
	}
	return t.dialect.diagnose(err)
}

// lost reports that an error is about the connection, not about the statement.
func (t *Target) lost(err error) bool { return t.diagnose(err).code == job.CodeDatabaseUnreachable }

// failure turns the error of a run into the job's words. What ended the run's
// context comes first.
func (t *Target) failure(ctx context.Context, op dbop.Op, err error) error {
	var f *job.Failure
	if errors.As(err, &f) {
		return f
	}
	if ctx.Err() != nil {
		f = interrupted(context.Cause(ctx))
	} else {
		d := t.diagnose(err)
		f = &job.Failure{Class: d.class, Code: d.code, Message: d.message, Private: d.private}
		if d.duplicate {
			err = &sentinelError{err, job.ErrExists}
		}
	}
	f.Err = wrap(op, t.cfg.Name, err)
	return f
}

// interrupted names the cause of a context's end.
func interrupted(cause error) *job.Failure {
	switch {
	case errors.Is(cause, job.ErrCanceled):
		return job.Permanent(job.CodeCanceled, "canceled while it ran")
	case errors.Is(cause, job.ErrDeadline):
		return job.Permanent(job.CodeDeadlineExceeded, "the job's deadline passed while it ran")
	case errors.Is(cause, job.ErrDraining), errors.Is(cause, job.ErrLeaseLost):
		return job.Retryable(job.CodeHandedBack, "the worker stopped while it ran")
	case errors.Is(cause, job.ErrTimeout), errors.Is(cause, context.DeadlineExceeded):
		return job.Retryable(job.CodeTimeout, "it ran longer than the job's timeout")
	}
	return job.Retryable(job.CodeHandedBack, "interrupted")
}

// opError says which operation on which database failed.
type opError struct {
	op       dbop.Op
	database string
	err      error
}

func wrap(op dbop.Op, database string, err error) error { return &opError{op, database, err} }

func (e *opError) Error() string {
	return "store: " + string(e.op) + " in database " + e.database + ": " + e.err.Error()
}

func (e *opError) Unwrap() error { return e.err }

// sentinelError is an error that a caller may branch on by a sentinel, too.
type sentinelError struct{ err, is error }

func (e *sentinelError) Error() string { return e.err.Error() }

func (e *sentinelError) Unwrap() []error { return []error{e.err, e.is} }
