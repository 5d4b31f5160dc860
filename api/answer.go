package api

import (
	"context"
	"errors"
	"math"
	"net/http"
	"slices"

	"github.com/asyncops/asyncops/job"
)

// Refuse returns an error that AnswerError answers with the status and code.
func Refuse(status int, code, detail string) error { return refuse(status, code, "%s", detail) }

// AnswerError answers a request of a program's own route with the problem that
// err is, and returns its status: by the rules of this API, and, for what an
// operation or a call has failed with (*job.Failure), by its code. It tells no
// more than the caller can do something about: neither SQL nor what another
// server said. What is not Foreseen is 500.
func AnswerError(w http.ResponseWriter, err error) (status int) {
	answer, _ := answerToAll(err)
	_ = answer.write(w) // the caller has gone: nobody is left to tell
	return answer.Status
}

// Foreseen reports whether AnswerError knows the error.
func Foreseen(err error) bool {
	_, foreseen := answerToAll(err)
	return foreseen
}

// answerToAll is answerTo, and knows failures.
func answerToAll(err error) (*refusal, bool) {
	if answer, foreseen := answerTo(err); foreseen {
		return answer, true
	}
	if f, ok := errors.AsType[*job.Failure](err); ok {
		if answer := failureAnswer(f); answer != nil {
			return answer, true
		}
	} else if errors.Is(err, context.DeadlineExceeded) {
		return refuse(http.StatusGatewayTimeout, CodeTimeout, "%s", detailTimeout), true
	}
	return answerTo(err)
}

// failureRow is the answer to failures with one of the codes.
type failureRow struct {
	codes  []job.Code
	status int
	detail string
	own    bool // pass on what the failure says, unless it quotes others: it is about what was asked for
}

const (
	detailTimeout = "the request ran out of time"
	detailBusy    = "more is being asked of what this needs than it can do, or it is out of order; try again later"
)

// failures is the table of answers to what an operation or a call has failed
// with. What is not in it is a fault of the program or its configuration.
func failures() []failureRow {
	return []failureRow{
		{[]job.Code{job.CodeNoRows}, http.StatusNotFound, "there is no such thing", true},
		{[]job.Code{job.CodeConstraint, job.CodeTooManyRows, job.CodeMaxAffected, job.CodeUnexpectedRows}, http.StatusConflict, "it is in conflict with what is there", true},
		{[]job.Code{job.CodeInvalidValue, job.CodeInvalidReference, job.CodeUnknownColumn, job.CodeResultTooLarge}, http.StatusUnprocessableEntity, "a value does not suit what it is for", true},
		{[]job.Code{job.CodeUpstreamStatus, job.CodeResponseInvalid, job.CodeResponseTooLarge}, http.StatusBadGateway, "the server that was asked for this did not answer as it should", false},
		{[]job.Code{job.CodeUpstreamUnreachable, job.CodeAuthFailed, job.CodeDialDenied}, http.StatusBadGateway, "the server that is to be asked for this cannot be reached", false},
		{[]job.Code{job.CodeAmbiguous}, http.StatusBadGateway, "nobody can tell whether this was carried out; look before you try again", false},
		{[]job.Code{job.CodeTimeout, job.CodeDeadlineExceeded}, http.StatusGatewayTimeout, detailTimeout, false},
		{[]job.Code{job.CodeBreakerOpen, job.CodeRateLimited, job.CodePoolTimeout, job.CodeConflict}, http.StatusServiceUnavailable, detailBusy, false},
		{[]job.Code{job.CodeDatabaseUnreachable, job.CodeReadOnly, job.CodeHandedBack}, http.StatusServiceUnavailable, "what this needs is not available; try again later", false},
	}
}

// failureAnswer is the answer to a failure, nil for one that only the program's
// author can do something about.
func failureAnswer(f *job.Failure) *refusal {
	row := failureRow{status: http.StatusServiceUnavailable, detail: detailBusy}
	if f.Class != job.ClassThrottled { // which was not carried out and may be later, whatever the code
		i := slices.IndexFunc(failures(), func(r failureRow) bool { return slices.Contains(r.codes, f.Code) })
		if i < 0 {
			return nil
		}
		row = failures()[i]
	}
	r := refuse(row.status, string(f.Code), "%s", row.detail)
	if row.own && !f.Private {
		r.Detail = f.Message
	}
	if row.status == http.StatusServiceUnavailable {
		r.retryAfter = int(max(1, math.Ceil(f.RetryAfter.Seconds())))
	}
	return r
}

// AppendJob writes a job that a program's own route answers with; self is its
// address there, the only link that it has.
func AppendJob(b []byte, j *job.Job, self string) []byte {
	return appendJob(b, j, view{payload: true, self: self})
}
