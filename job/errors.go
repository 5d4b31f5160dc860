package job

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// What callers branch on. Adapters turn their drivers' codes into these.
var (
	ErrMalformedID           = errors.New("malformed job id")
	ErrMalformedCursor       = errors.New("malformed cursor")
	ErrNotFound              = errors.New("not found")
	ErrMalformed             = errors.New("malformed request")                              // 400: not what the grammar allows
	ErrInvalid               = errors.New("invalid request")                                // 422: well-formed, not allowed
	ErrIdempotencyMismatch   = errors.New("idempotency key was used with another body")     // 422
	ErrIdempotencyInProgress = errors.New("a request with this key is still being created") // 409
	ErrTerminal              = errors.New("the job has ended")                              // 409
	ErrNotTerminal           = errors.New("the job has not ended")                          // 409
	ErrNotRevivable          = errors.New("the job cannot be run again")                    // 409
	ErrStarted               = errors.New("the job has started, or waits for another")      // 409
	ErrExists                = errors.New("already exists")                                 // 409
	ErrReadOnly              = errors.New("it belongs to the configuration")                // 409
	ErrPrecondition          = errors.New("it is not what the precondition names")          // 412
	ErrUnavailable           = errors.New("the ledger is unavailable")                      // 503
	ErrSaturated             = errors.New("the ledger is saturated")                        // 503
	ErrSchemaOutdated        = errors.New("the ledger's schema is outdated")                // 503 and /readyz
	ErrEffectsMissing        = errors.New("the target has no effects table")                // 503
	ErrLeaseLost             = errors.New("the worker's lease has ended")                   // rejoin under a new name
	ErrCanceled              = errors.New("the job was canceled")                           // cause of a run's context
	ErrTimeout               = errors.New("the attempt ran out of time")                    // cause of a run's context
	ErrDeadline              = errors.New("the job's deadline passed")                      // cause of a run's context
	ErrDraining              = errors.New("the worker is stopping")                         // cause of a run's context
)

// FieldError is one thing wrong with a request.
type FieldError struct {
	Pointer string `json:"pointer"` // JSON pointer (RFC 6901) into the request's body; "" is the whole
	Code    string `json:"code"`    // lower_snake
	Message string `json:"message"` // names the field and the fix
}

// InvalidError carries everything wrong with a request. It is ErrMalformed
// when the text is not what the grammar allows (400), else ErrInvalid (422).
type InvalidError struct {
	Malformed bool
	Fields    []FieldError
}

func (e *InvalidError) Error() string {
	var b strings.Builder
	for i, f := range e.Fields {
		if i > 0 {
			b.WriteString("; ")
		}
		if f.Pointer != "" {
			b.WriteString(f.Pointer + ": ")
		}
		b.WriteString(f.Message)
	}
	return b.String()
}

// Is answers ErrMalformed or ErrInvalid.
func (e *InvalidError) Is(target error) bool {
	if e.Malformed {
		return target == ErrMalformed
	}
	return target == ErrInvalid
}

// Invalid returns an InvalidError (422) about one field.
func Invalid(pointer, code, format string, args ...any) *InvalidError {
	return &InvalidError{Fields: []FieldError{{Pointer: pointer, Code: code, Message: fmt.Sprintf(format, args...)}}}
}

// Malformed returns an InvalidError (400) about one field.
func Malformed(pointer, code, format string, args ...any) *InvalidError {
	e := Invalid(pointer, code, format, args...)
	e.Malformed = true
	return e
}

// Failure is how a run says that it did not do what was asked. Every error
// that a handler returns is one, or is taken for retryable and internal.
type Failure struct {
	Class   Class
	Code    Code
	Message string // for the job's owner: no secrets, no SQL text
	// Private says that Message holds text of an upstream or a database,
	// shown only to those who may see payloads.
	Private bool
	// RetryAfter is how long to wait at least; zero leaves it to the job's
	// backoff (retryable) or to a second (throttled).
	RetryAfter time.Duration
	// Wait is why a throttled job is parked.
	Wait WaitReason
	// On is the target that a throttled job waits for, such as "client crm",
	// if it is one that lets its jobs go on by itself; "" for none.
	On string
	// Unrun says that the run ended before it did anything.
	Unrun bool
	// Doubt is how long ago a request was first sent of which nobody can tell
	// whether it was carried out, and that only its key makes safe to repeat; zero:
	// there is none.
	Doubt time.Duration
	// Result is what the run has got done all the same. The job keeps it, its
	// next run gets it as Job.Result, and callers see it; nil leaves what an
	// earlier run has kept.
	Result []byte
	// Summary is what the attempt sent and got, for the attempts list; may be nil.
	Summary []byte
	Err     error // the cause, for the log; may be nil
}

func (f *Failure) Error() string {
	if f.Err != nil {
		return fmt.Sprintf("%s: %s: %v", f.Code, f.Message, f.Err)
	}
	return fmt.Sprintf("%s: %s", f.Code, f.Message)
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Permanent returns a Failure that archives the job.
func Permanent(code Code, format string, args ...any) *Failure {
	return &Failure{Class: ClassPermanent, Code: code, Message: fmt.Sprintf(format, args...)}
}

// Retryable returns a Failure that backs off and counts an attempt.
func Retryable(code Code, format string, args ...any) *Failure {
	return &Failure{Class: ClassRetryable, Code: code, Message: fmt.Sprintf(format, args...)}
}
