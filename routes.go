package asyncops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/asyncops/asyncops/api"
	"github.com/asyncops/asyncops/app"
	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/tasks"
)

// Build says what a request asks for: the kind and args of an operation, or a
// whole job. Its error is answered as that of a handler.
type Build func(c echo.Context) (Submission, error)

// Synchronous makes a route of a database operation (db.*) or an API call
// (http.request) that is carried out before it answers, with the args of a job
// and by the same rules:
//
//   - db.select_one answers 200 with the row, or 404
//   - inserts answer 201 with their result, 200 if nothing was inserted
//   - other database operations answer 200 with their result; 404 where require
//     found nothing
//   - http.request answers with the status, content type and body of the answer
//     that was expected; any other is 502
//
// Of the Submission it takes Kind, Args, Timeout and, for an http.request,
// IdempotencyKey. There is no job, so nothing is tried again later, and a write
// leaves no record in its database: who loses the answer cannot tell whether it
// happened. Background is for what must.
func Synchronous(build Build) echo.HandlerFunc {
	return func(c echo.Context) error {
		v := visitOf(c.Request().Context())
		if v == nil {
			return errNoMiddleware
		}
		s, err := build(c)
		if err != nil {
			return err
		}
		done, err := v.do(c.Request(), s)
		if err != nil {
			return err
		}
		if done.Response != nil {
			return answerResponse(c, done.Response)
		}
		return answerResult(c, done)
	}
}

// do carries out what is not to become a job.
func (v *visit) do(r *http.Request, s Submission) (app.Done, error) {
	if !onlyOperation(s) {
		return app.Done{}, errors.New("asyncops: Synchronous takes Kind, Args, Timeout and the IdempotencyKey of an http.request; the rest is for jobs")
	}
	args, err := json.Marshal(s.Args)
	if err != nil {
		return app.Done{}, fmt.Errorf("asyncops: write the args of %s: %w", s.Kind, err)
	}
	ctx := r.Context()
	if s.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.Timeout)
		defer cancel()
	}
	return v.app.embedded.Do(ctx, s.Kind, args, s.IdempotencyKey, api.Traceparent(r.Header))
}

// onlyOperation reports whether nothing is set that only a job can keep to.
func onlyOperation(s Submission) bool {
	keyed := s.IdempotencyKey == "" || s.Kind == string(tasks.HTTPRequest)
	return keyed && s.Queue == "" && s.RunAt.IsZero() && s.Delay == 0 && s.Deadline.IsZero() && s.ExpiresAt.IsZero() &&
		s.MaxAttempts == 0 && s.Backoff == nil && s.Tags == nil && s.Retention == 0
}

// answerResult answers with what a database's operation has found or done.
func answerResult(c echo.Context, done app.Done) error {
	status := http.StatusOK
	switch done.Kind {
	case tasks.DBSelectOne:
		var found tasks.SelectOneResult
		if err := json.Unmarshal(done.Result.JSON, &found); err != nil {
			return fmt.Errorf("asyncops: read a row: %w", err)
		}
		if done.Result.Rows == 0 {
			return job.ErrNotFound
		}
		return c.JSONBlob(status, found.Row)
	case tasks.DBInsertOne, tasks.DBInsertMany:
		if done.Result.Rows > 0 {
			status = http.StatusCreated
		}
	}
	return c.JSONBlob(status, done.Result.JSON)
}

// answerResponse passes on what an API has answered.
func answerResponse(c echo.Context, r *httpop.Response) error {
	if r.Status == http.StatusNoContent || r.Status == http.StatusNotModified {
		return c.NoContent(r.Status)
	}
	contentType := r.Headers["content-type"]
	if contentType == "" {
		contentType = echo.MIMEOctetStream
	}
	c.Response().Header().Set(echo.HeaderXContentTypeOptions, "nosniff") // it is another's
	return c.Blob(r.Status, contentType, r.Body)
}

// Background makes a route of a job: it is accepted, and answered 202 with
// Location and the job. As on POST /v1/jobs, an Idempotency-Key of the request
// is the submission's, if that has none; then the same request must build the
// same Submission. Prefer: wait=N holds the answer until the job has ended, for
// N seconds at most, and answers 200 if it has.
func Background(build Build) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		v := visitOf(r.Context())
		if v == nil {
			return errNoMiddleware
		}
		s, err := build(c)
		if err != nil {
			return err
		}
		from := api.Submitter{Owner: ownerOf(v.owner(c)), Traceparent: api.Traceparent(r.Header)}
		if s.IdempotencyKey == "" {
			if from.IdempotencyKey, err = api.IdempotencyKey(r.Header); err != nil {
				return err
			}
		}
		receipt, err := v.app.submit(r.Context(), s, from)
		if err != nil {
			return err
		}
		return v.accepted(c, receipt)
	}
}

// accepted answers that a job is durable, once it has ended if that was asked
// for.
func (v *visit) accepted(c echo.Context, receipt *Receipt) error {
	header := c.Response().Header()
	header.Set(echo.HeaderLocation, v.self(receipt.Job.ID))
	if receipt.Replayed {
		header.Set("Idempotency-Replayed", "true")
	}
	j, status := v.await(c, receipt.Job), http.StatusAccepted
	if j.State.Terminal() && header.Get(preferenceApplied) != "" {
		status = http.StatusOK
	}
	return c.JSONBlob(status, api.AppendJob(nil, j, v.self(j.ID)))
}

const preferenceApplied = "Preference-Applied"

// await waits for the job's end as long as the request prefers to, and returns
// the job as it is then, or, if it cannot be read again, as it was.
func (v *visit) await(c echo.Context, j *job.Job) *job.Job {
	wait := api.PreferredWait(c.Request().Header)
	if wait <= 0 {
		return j
	}
	c.Response().Header().Set(preferenceApplied, "wait="+strconv.Itoa(int(wait/time.Second)))
	if j.State.Terminal() {
		return j
	}
	defer patient(c)()
	waiting, cancel := context.WithTimeout(v.whole, wait)
	defer cancel()
	_ = v.app.embedded.Wait(waiting, j.ID) // whatever ended it, the job is read
	reading, cancelRead := context.WithTimeout(v.whole, v.config.Timeout)
	defer cancelRead()
	now, err := v.app.Job(reading, j.ID)
	if err != nil {
		v.app.embedded.Log().WarnContext(v.whole, "a job could not be read again", "job", j.ID, "error", err)
		return j
	}
	return now
}

// patient keeps the server's own timeouts from ending a request that was asked
// to take longer, until done is called. Not every writer has them to lift.
func patient(c echo.Context) (done func()) {
	limits := http.NewResponseController(c.Response())
	_, _ = limits.SetReadDeadline(time.Time{}), limits.SetWriteDeadline(time.Time{})
	return func() {
		if server, _ := c.Request().Context().Value(http.ServerContextKey).(*http.Server); server != nil && server.WriteTimeout > 0 {
			_ = limits.SetWriteDeadline(time.Now().Add(server.WriteTimeout))
		}
	}
}

// self is where the program shows the job.
func (v *visit) self(id job.ID) string { return v.config.JobsPath + "/" + string(id) }

// JobStatus is the handler of a route such as GET /jobs/:id, which shows a job
// that was submitted with the App, to its owner, with args and result; Prefer:
// wait=N waits for its end. All others are 404.
func JobStatus(c echo.Context) error {
	ctx := c.Request().Context()
	v := visitOf(ctx)
	if v == nil {
		return errNoMiddleware
	}
	id, err := job.ParseID(c.Param("id"))
	if err != nil {
		return err
	}
	j, err := v.app.Job(ctx, id)
	if err != nil {
		return err
	}
	if !owns(v.owner(c), j) {
		return job.ErrNotFound
	}
	return c.JSONBlob(http.StatusOK, api.AppendJob(nil, v.await(c, j), v.self(j.ID)))
}
