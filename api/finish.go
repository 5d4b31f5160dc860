package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"
)

// statusGone is what a request is accounted as whose caller went away.
const statusGone = 499

// panicError is a panic of a route.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// guard calls do and turns a panic into an error.
func (s *Server) guard(do func() error) (err error) {
	defer func() {
		value := recover()
		if value == http.ErrAbortHandler { //nolint:errorlint // what was panicked with, not an error that was wrapped
			panic(value) // net/http closes the connection
		}
		if value != nil {
			err = &panicError{value: value, stack: debug.Stack()}
		}
	}()
	return do()
}

// finish answers an error, if there is one, and accounts for the request.
// route is "" when there is none.
func (s *Server) finish(c *call, route string, started time.Time, err error) {
	r, w := c.Request(), c.Response()
	code := w.Status
	if err != nil {
		code = s.answerError(c, route, err)
	}
	took := time.Since(started)
	s.deps.Observer.Request(route, methodLabel(r.Method), code, took.Seconds())
	if s.deps.Log.Enabled(r.Context(), slog.LevelDebug) {
		key := ""
		if c.who != nil {
			key = c.who.id
		}
		s.deps.Log.DebugContext(r.Context(), "request", "method", r.Method, "route", route, "status", code, "key", key,
			"address", c.RealIP(), "took", took, "request_id", w.Header().Get(headerRequestID))
	}
}

// answerError writes the problem that err is and returns its status.
func (s *Server) answerError(c *call, route string, err error) int {
	r, w := c.Request(), c.Response()
	var known *refusal
	if !errors.As(err, &known) && r.Context().Err() != nil {
		return statusGone
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = errRequestTimeout
	}
	answer, foreseen := answerTo(err)
	if !foreseen {
		s.logFault(r.Context(), route, w.Header().Get(headerRequestID), err)
	}
	if w.Committed {
		return w.Status
	}
	_ = answer.write(w) // the caller has gone: nobody is left to tell
	return answer.Status
}

// logFault is the one place where an internal error is logged.
func (s *Server) logFault(ctx context.Context, route, requestID string, err error) {
	attrs := []any{"route", route, "request_id", requestID, "error", err}
	var p *panicError
	if errors.As(err, &p) {
		attrs = append(attrs, "stack", string(p.stack))
	}
	s.deps.Log.ErrorContext(ctx, "request failed", attrs...)
}

// methodLabel keeps what callers invent out of the metrics.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "OTHER"
}
