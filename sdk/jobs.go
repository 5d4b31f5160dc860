package sdk

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/asyncops/asyncops/job"
)

// Get returns the job as it is now. One that is not there, or no longer kept,
// is job.ErrNotFound.
func (c *Client) Get(ctx context.Context, id job.ID) (*Job, error) { return c.get(ctx, id, 0) }

// Result returns a job's result, also one that is too large to stand in the
// job and is named by Links["result"] instead.
func (c *Client) Result(ctx context.Context, id job.ID) (json.RawMessage, error) {
	var result json.RawMessage
	k := call{method: http.MethodGet, path: jobPath(id) + "/result", idempotent: true}
	if _, err := c.fetch(ctx, k, &result); err != nil {
		return nil, err
	}
	return result, nil
}

func (c *Client) get(ctx context.Context, id job.ID, wait time.Duration) (*Job, error) {
	k := call{method: http.MethodGet, path: jobPath(id), idempotent: true, extra: wait}
	if wait > 0 {
		k.query = url.Values{"wait": {wait.String()}}
	}
	j := new(Job)
	if _, err := c.fetch(ctx, k, j); err != nil {
		return nil, err
	}
	return j, nil
}

// Wait returns the job when it has ended or when the time given has passed,
// whichever is first; the job's state tells which. Zero or less waits until
// ctx ends, whose error is then returned.
func (c *Client) Wait(ctx context.Context, id job.ID, atMost time.Duration) (*Job, error) {
	started := time.Now()
	for {
		wait := MaxWait
		if atMost > 0 {
			wait = min(wait, max((atMost-time.Since(started)).Round(time.Millisecond), time.Millisecond))
		}
		asked := time.Now()
		j, err := c.get(ctx, id, wait)
		if err != nil || j.State.Terminal() || (atMost > 0 && time.Since(started) >= atMost) {
			return j, err
		}
		if early := time.Second - time.Since(asked); early > 0 { // a server that does not hold its answer
			if err := sleep(ctx, min(early, wait)); err != nil {
				return nil, err
			}
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Filter chooses jobs. Zero fields choose all.
type Filter struct {
	States        []job.State
	Kinds         []string
	Queues        []string
	Tag           string
	CreatedAfter  time.Time
	CreatedBefore time.Time
	Query         string // the beginning of an id, or words of tags and errors
	OldestFirst   bool   // default youngest first
	Payload       bool   // args and results too
	PageSize      int    // of one request, at most 200; default the server's 50
	Cursor        string // where to begin; from Page.Next
}

func (f Filter) query() url.Values {
	q := url.Values{}
	for _, s := range f.States {
		q.Add("state", string(s))
	}
	for _, kind := range f.Kinds {
		q.Add("kind", kind)
	}
	for _, queue := range f.Queues {
		q.Add("queue", queue)
	}
	set := func(name, value string, given bool) {
		if given {
			q.Set(name, value)
		}
	}
	set("tag", f.Tag, f.Tag != "")
	set("created_after", f.CreatedAfter.UTC().Format(time.RFC3339Nano), !f.CreatedAfter.IsZero())
	set("created_before", f.CreatedBefore.UTC().Format(time.RFC3339Nano), !f.CreatedBefore.IsZero())
	set("q", f.Query, f.Query != "")
	set("order", "asc", f.OldestFirst)
	set("include", "payload", f.Payload)
	set("limit", strconv.Itoa(f.PageSize), f.PageSize > 0)
	set("cursor", f.Cursor, f.Cursor != "")
	return q
}

// Page is one page of a list.
type Page struct {
	Items []*Job `json:"items"`
	Next  string `json:"next_cursor"` // "" on the last
}

// Page returns one page of the jobs that the filter chooses.
func (c *Client) Page(ctx context.Context, f Filter) (*Page, error) {
	page := new(Page)
	if _, err := c.fetch(ctx, call{method: http.MethodGet, path: "/v1/jobs", query: f.query(), idempotent: true}, page); err != nil {
		return nil, err
	}
	return page, nil
}

// List returns the jobs that the filter chooses, asking for further pages as
// they are needed. It ends after the first error.
func (c *Client) List(ctx context.Context, f Filter) iter.Seq2[*Job, error] {
	return func(yield func(*Job, error) bool) {
		for {
			page, err := c.Page(ctx, f)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, j := range page.Items {
				if !yield(j, nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			f.Cursor = page.Next
		}
	}
}

// Attempts lists the runs of a job, oldest first: those that ended in a
// retryable failure, loss or death, and the current or last one.
func (c *Client) Attempts(ctx context.Context, id job.ID) ([]job.Attempt, error) {
	return list[job.Attempt](ctx, c, jobPath(id)+"/attempts")
}

// Cancel ends a job that does not run, and asks one that does to stop: the
// state of the returned job tells which. One that has ended is job.ErrTerminal.
func (c *Client) Cancel(ctx context.Context, id job.ID) (*Job, error) {
	return c.steer(ctx, id, "cancel", nil)
}

// Retry runs a job again that is archived, canceled, expired or unknown, with
// args in place of its own unless nil. Another job is job.ErrNotRevivable.
func (c *Client) Retry(ctx context.Context, id job.ID, args any) (*Job, error) {
	if args == nil {
		return c.steer(ctx, id, "retry", nil)
	}
	return c.steer(ctx, id, "retry", map[string]any{"args": args})
}

// steer is not repeated when its answer is lost: it would meet its own effect.
func (c *Client) steer(ctx context.Context, id job.ID, move string, body any) (*Job, error) {
	k := call{method: http.MethodPost, path: jobPath(id) + "/" + move}
	if body != nil {
		var err error
		if k.body, err = jsonBody(body); err != nil {
			return nil, err
		}
		k.contentType = "application/json"
	}
	j := new(Job)
	if _, err := c.fetch(ctx, k, j); err != nil {
		return nil, err
	}
	return j, nil
}

// Delete removes a job that has ended, with its payload. Another is
// job.ErrNotTerminal.
func (c *Client) Delete(ctx context.Context, id job.ID) error {
	_, err := c.fetch(ctx, call{method: http.MethodDelete, path: jobPath(id)}, nil)
	return err
}

func jobPath(id job.ID) string { return "/v1/jobs/" + url.PathEscape(string(id)) }
