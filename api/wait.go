package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/asyncops/asyncops/job"
)

// maxWait is how long an answer may be held for a job's end.
const maxWait = 60 * time.Second

// PreferredWait reads Prefer: wait=N (RFC 7240) in seconds, cut to a minute.
// What is not understood is passed over, as that RFC wants it.
func PreferredWait(h http.Header) time.Duration {
	for _, line := range h["Prefer"] {
		for preference := range strings.SplitSeq(line, ",") {
			preference, _, _ = strings.Cut(preference, ";")
			name, value, _ := strings.Cut(strings.TrimSpace(preference), "=")
			if !strings.EqualFold(strings.TrimSpace(name), "wait") {
				continue
			}
			seconds, err := strconv.ParseUint(strings.Trim(strings.TrimSpace(value), `"`), 10, 31)
			if err == nil {
				return min(time.Duration(seconds)*time.Second, maxWait)
			}
		}
	}
	return 0
}

// await holds the request until the job has ended, the time is up, or the
// server stops, and returns the job as it is then.
func (s *Server) await(c *call, j *job.Job, d time.Duration) (*job.Job, error) {
	if d <= 0 || j.State.Terminal() {
		return j, nil
	}
	liftReadDeadline(c.Response())
	request := c.Request().Context()
	waiting, cancel := context.WithTimeout(request, d)
	defer cancel()
	defer context.AfterFunc(s.draining, cancel)()
	if err := s.deps.Signals.Wait(waiting, j.ID); err != nil && waiting.Err() == nil {
		s.deps.Log.WarnContext(request, "waiting for a job's end was cut short", "job", j.ID, "error", err)
	}
	ctx, cancelRead := s.withTimeout(request)
	defer cancelRead()
	return s.deps.Ledger.Get(ctx, j.ID)
}

// liftReadDeadline lets a request take longer than the server's ReadTimeout
// once it has been read.
func liftReadDeadline(w http.ResponseWriter) {
	// Not every writer has a deadline to lift, which is as good.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
}
