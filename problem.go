package asyncops

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/asyncops/asyncops/api"
	"github.com/asyncops/asyncops/job"
)

// statusGone is what a request is accounted as whose caller went away.
const statusGone = 499

// answer answers with the problem that err is, unless the handler has answered,
// and logs what only the program's operator can do something about.
func (v *visit) answer(c echo.Context, err error) {
	w, ctx := c.Response(), c.Request().Context()
	if v.whole.Err() != nil { // nobody is there to be told
		if !w.Committed {
			w.WriteHeader(statusGone)
		}
		return
	}
	told, theirs := err, problemOf(err)
	if theirs != nil {
		told = theirs
	}
	foreseen := api.Foreseen(told)
	if v.config.ErrorHandler != nil && (theirs != nil || !foreseen) {
		v.config.ErrorHandler(err, c)
		return
	}
	status := 0
	if !w.Committed {
		status = api.AnswerError(w, told)
	}
	attrs := []any{"route", c.Path(), "request_id", w.Header().Get(echo.HeaderXRequestID), "error", err}
	failure, failed := errors.AsType[*job.Failure](err)
	throttled := failed && failure.Class == job.ClassThrottled // of those there are many, and metrics
	switch {
	case !foreseen:
		v.app.embedded.Log().ErrorContext(ctx, "request failed", attrs...)
	case status >= http.StatusInternalServerError && !throttled:
		v.app.embedded.Log().WarnContext(ctx, "request failed", attrs...)
	}
}

// problemOf is one of echo's errors as a problem, nil for another.
func problemOf(err error) error {
	if binding, ok := errors.AsType[*echo.BindingError](err); ok {
		return api.Refuse(binding.Code, api.CodeMalformed, fmt.Sprintf("%s: %v", binding.Field, binding.Message))
	}
	known, ok := errors.AsType[*echo.HTTPError](err)
	if !ok {
		return nil
	}
	detail, _ := known.Message.(string)
	if detail == "" {
		detail = http.StatusText(known.Code)
	}
	return api.Refuse(known.Code, codeOf(known.Code), detail)
}

// codeOf is the code of a problem of the program's own: the status, as a word.
func codeOf(status int) string {
	return strings.NewReplacer(" ", "_", "-", "_", "'", "").Replace(strings.ToLower(http.StatusText(status)))
}
