package sdk

import (
	"context"
	"encoding/json"
	"io"
	"iter"
	"net/http"
	"net/url"
	"sync"

	"github.com/asyncops/asyncops/job"
)

// BatchOptions rule a batch.
type BatchOptions struct {
	// Atomic accepts all jobs or none: a *Problem (422) then says why.
	Atomic bool
	// Keyed says that every job carries an idempotency key, so that the batch
	// may be sent again when its answer is lost or the server is busy.
	Keyed bool
}

// BatchResult is the answer to a batch. A batch that is not atomic may be
// accepted in part.
type BatchResult struct {
	Accepted int         `json:"accepted"`
	Rejected int         `json:"rejected"`
	Items    []BatchItem `json:"items"` // in the order of the jobs
}

// BatchItem is what became of one job of a batch: ID or Error is set.
type BatchItem struct {
	ID       job.ID   `json:"id,omitempty"`
	Replayed bool     `json:"replayed,omitempty"` // the idempotency key was known: ID is the first job's
	Error    *Problem `json:"error,omitempty"`
}

// SubmitBatch hands in jobs in one request, written as they come: none but the
// current one is held in memory. jobs may be called again for a Keyed batch;
// it is never called after SubmitBatch has returned.
func (c *Client) SubmitBatch(ctx context.Context, jobs iter.Seq[Submission], opts BatchOptions) (*BatchResult, error) {
	var body *lines
	result, err := c.batch(ctx, opts, false, func() (io.ReadCloser, error) {
		if body != nil {
			_ = body.Close() // never fails; the transport may not have come round to it
		}
		body = newLines(jobs)
		return body, nil
	})
	if body != nil {
		_ = body.Close()
	}
	return result, err
}

// SubmitLines hands in jobs that are written already: lines is NDJSON, one
// submission a line. A Keyed batch is sent again only if lines is an io.Seeker.
func (c *Client) SubmitLines(ctx context.Context, lines io.Reader, opts BatchOptions) (*BatchResult, error) {
	seeker, canSeek := lines.(io.Seeker)
	sent := false
	return c.batch(ctx, opts, !canSeek, func() (io.ReadCloser, error) {
		if sent {
			if _, err := seeker.Seek(0, io.SeekStart); err != nil {
				return nil, err
			}
		}
		sent = true
		return io.NopCloser(lines), nil
	})
}

func (c *Client) batch(ctx context.Context, opts BatchOptions, once bool, body func() (io.ReadCloser, error)) (*BatchResult, error) {
	k := call{
		method: http.MethodPost, path: "/v1/jobs/batch", contentType: "application/x-ndjson",
		body: body, once: once, extra: 9 * c.timeout,
	}
	if opts.Keyed {
		k.idempotent = true
	}
	if opts.Atomic {
		k.query = url.Values{"atomic": {"true"}}
	}
	result := new(BatchResult)
	if _, err := c.fetch(ctx, k, result); err != nil {
		return nil, err
	}
	return result, nil
}

// lines reads submissions as NDJSON.
type lines struct {
	mu   sync.Mutex // the transport may read while Close is called
	next func() (Submission, bool)
	stop func()
	rest []byte // of the current line
	err  error  // io.EOF at the end
}

func newLines(jobs iter.Seq[Submission]) *lines {
	next, stop := iter.Pull(jobs)
	return &lines{next: next, stop: stop}
}

func (l *lines) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.rest) == 0 && l.err == nil {
		s, ok := l.next()
		if !ok {
			l.err = io.EOF
			break
		}
		if l.rest, l.err = json.Marshal(s); l.err == nil {
			l.rest = append(l.rest, '\n')
		}
	}
	if len(l.rest) == 0 {
		return 0, l.err
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

// Close ends the sequence. It may be called more than once.
func (l *lines) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stop()
	l.rest = nil
	if l.err == nil {
		l.err = io.ErrClosedPipe
	}
	return nil
}
