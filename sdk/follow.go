package sdk

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/asyncops/asyncops/job"
)

const (
	// quietTime is after how long without a sign a stream is taken for dead: the
	// server gives one each 15 s.
	quietTime = 45 * time.Second
	maxEvent  = 1 << 20 // bytes of one line
)

// errQuiet is the cause of the end of a stream that gives no sign.
var errQuiet = errors.New("the stream gave no sign for too long")

// Follow returns the job as it is, and again at each change of its state or
// progress, until it has ended; the jobs have no args and no result. Changes
// that follow each other closely are one. A connection that breaks off is taken
// up again, up to Options.MaxRetries times in a row; where the server has no
// stream left for this key, it asks every two seconds. It ends after the first
// error; a job that was deleted is job.ErrNotFound.
func (c *Client) Follow(ctx context.Context, id job.ID) iter.Seq2[*Job, error] {
	return func(yield func(*Job, error) bool) {
		f := &following{client: c, id: id, path: jobPath(id) + "/events", yield: yield}
		for try := 0; ; try++ {
			before := f.last
			err := f.read(ctx)
			if f.done {
				return
			}
			if f.last != before {
				try = 0
			}
			var refused *Problem
			if errors.As(err, &refused) && refused.Code == codeTooManyStreams {
				f.poll(ctx)
				return
			}
			wait, again := call{idempotent: true}.retryAfter(err, try)
			if !again || try >= c.maxRetries || ctx.Err() != nil {
				yield(nil, fmt.Errorf("sdk: GET %s: %w", f.path, err))
				return
			}
			if err := sleep(ctx, wait); err != nil {
				yield(nil, fmt.Errorf("sdk: GET %s: %w", f.path, err))
				return
			}
		}
	}
}

// codeTooManyStreams is the problem of one who has as many streams as it may.
const codeTooManyStreams = "too_many_streams"

// pollInterval is how long an answer is held where there is no stream to be had.
const pollInterval = 2 * time.Second

// following is one call of Follow.
type following struct {
	client *Client
	id     job.ID
	path   string
	yield  func(*Job, error) bool
	last   string // id of the last event
	job    *Job   // as it was last told
	done   bool   // nothing more is to be yielded
}

// read reads one stream to its end.
func (f *following) read(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	quiet := time.AfterFunc(quietTime, func() { cancel(errQuiet) })
	defer quiet.Stop()
	k := call{method: http.MethodGet, path: f.path, header: http.Header{}}
	if f.last != "" {
		k.header.Set("Last-Event-ID", f.last)
	}
	req, err := f.client.request(ctx, k)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "text/event-stream, application/problem+json")
	res, err := f.client.http.Do(req)
	if err != nil {
		return errors.Join(context.Cause(ctx), err)
	}
	defer func() { _ = res.Body.Close() }()
	switch {
	case res.StatusCode == http.StatusNoContent: // it has ended, and this was told
		f.done = true
		return nil
	case res.StatusCode != http.StatusOK:
		body, err := io.ReadAll(io.LimitReader(res.Body, maxEvent))
		if err != nil {
			return fmt.Errorf("read the answer: %w", err)
		}
		return ProblemOf(res, body)
	}
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, maxEvent)
	var name, id, data string
	for !f.done && lines.Scan() {
		quiet.Reset(quietTime)
		field, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "event":
			name = value
		case "id":
			id = value
		case "data":
			data = value
		case "":
			if lines.Text() != "" {
				continue // a comment
			}
			if err := f.tell(name, id, data); err != nil {
				return err
			}
			name, id, data = "", "", ""
		}
	}
	if f.done {
		return nil
	}
	return errors.Join(context.Cause(ctx), lines.Err(), io.ErrUnexpectedEOF)
}

// poll asks for the job again and again.
func (f *following) poll(ctx context.Context) {
	var before *Job
	j, err := f.client.Get(ctx, f.id)
	for {
		if err != nil {
			f.yield(nil, err)
			return
		}
		if before == nil || changed(before, j) {
			shown := *j
			shown.Args, shown.Result = nil, nil
			if !f.yield(&shown, nil) {
				return
			}
		}
		if before = j; j.State.Terminal() {
			return
		}
		j, err = f.client.Wait(ctx, f.id, pollInterval)
	}
}

// changed reports whether somebody who follows the job wants to know.
func changed(a, b *Job) bool {
	progress := func(j *Job) Progress {
		if j.Progress == nil {
			return Progress{}
		}
		return *j.Progress
	}
	return a.State != b.State || a.Attempt != b.Attempt || a.Generation != b.Generation || progress(a) != progress(b)
}

// tell passes an event on.
func (f *following) tell(name, id, data string) error {
	switch {
	case name == "state":
		f.job = new(Job)
		if err := json.Unmarshal([]byte(data), f.job); err != nil {
			return err
		}
	case name == "progress" && f.job != nil:
		further := *f.job
		further.Progress = nil
		if err := json.Unmarshal([]byte(data), &further.Progress); err != nil {
			return err
		}
		f.job = &further
	case name == "gone":
		f.done = true
		f.yield(nil, fmt.Errorf("sdk: GET %s: the job was deleted: %w", f.path, job.ErrNotFound))
		return nil
	default:
		return nil
	}
	f.last = id
	f.done = !f.yield(f.job, nil) || f.job.State.Terminal()
	return nil
}
