package job

import (
	"context"
	"encoding/json"
	"time"
)

// Send is what a run notes of one request of its job before the outcome of the
// run is written, so that the next run knows if this one is lost.
type Send struct {
	Index int // of the request in its job
	// Answer decides the request. Nil: it may have been carried out, and nobody
	// knows yet what came of it.
	Answer json.RawMessage
	// Ago is how long ago the request was first sent, where there is no Answer.
	Ago time.Duration
	// Doubt, where there is no Answer, keeps the note beyond the end of the run:
	// the request has been sent, and nobody can tell whether it was carried out.
	Doubt bool
}

// Noted is what is known of an earlier run's request.
type Noted struct {
	Answer json.RawMessage // nil: it may have been carried out
	At     time.Time       // when it was first sent, by the ledger's clock
}

// Notes is what earlier runs of a job have noted since its args were last set or
// a person had it run again.
type Notes struct {
	Sends map[int]Noted // by index
	// LostAt is when the first run began that was lost: it may have sent any
	// request that it did not note. Zero: none was.
	LostAt time.Time
}

// Notebook keeps the notes of one job. It is safe for concurrent use.
type Notebook interface {
	// Note returns when the notes are in the ledger. ErrLeaseLost says that the
	// run has been superseded, and nothing was noted.
	Note(ctx context.Context, sends []Send) error
	// Notes returns what was noted.
	Notes(ctx context.Context) (Notes, error)
}

type notebookKey struct{}

// WithNotebook returns a context whose holder may take notes.
func WithNotebook(ctx context.Context, n Notebook) context.Context {
	return context.WithValue(ctx, notebookKey{}, n)
}

// NotebookOf is the notebook of a run. Outside of a run it keeps nothing.
func NotebookOf(ctx context.Context) Notebook {
	if n, ok := ctx.Value(notebookKey{}).(Notebook); ok {
		return n
	}
	return noNotebook{}
}

type noNotebook struct{}

func (noNotebook) Note(context.Context, []Send) error   { return nil }
func (noNotebook) Notes(context.Context) (Notes, error) { return Notes{}, nil }
