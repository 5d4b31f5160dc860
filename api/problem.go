package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/asyncops/asyncops/job"
)

// Problem is the body of every answer outside 2xx (RFC 9457).
type Problem struct {
	Type   string           `json:"type"` // always "about:blank": Code tells problems apart
	Title  string           `json:"title"`
	Status int              `json:"status"`
	Detail string           `json:"detail"`
	Code   string           `json:"code"`
	Errors []job.FieldError `json:"errors,omitempty"`
}

// Codes of problems. A problem about one field has that field's code instead.
const (
	CodeMalformed             = "malformed"
	CodeMalformedID           = "malformed_id"
	CodeMalformedCursor       = "malformed_cursor"
	CodeUnknownParameter      = "unknown_parameter"
	CodeInvalid               = "invalid"
	CodeUnauthorized          = "unauthorized"
	CodeForbidden             = "forbidden"
	CodeCrossOrigin           = "cross_origin"
	CodeNotFound              = "not_found"
	CodeMethodNotAllowed      = "method_not_allowed"
	CodeNotAcceptable         = "not_acceptable"
	CodeRequestTimeout        = "request_timeout"
	CodeIdempotencyKey        = "idempotency_key"
	CodeIdempotencyMismatch   = "idempotency_mismatch"
	CodeIdempotencyInProgress = "idempotency_in_progress"
	CodeJobDeleted            = "job_deleted"
	CodeTerminal              = "terminal"
	CodeNotTerminal           = "not_terminal"
	CodeNotRevivable          = "not_revivable"
	CodeStarted               = "started"
	CodeExists                = "exists"
	CodeReadOnly              = "read_only"
	CodePreconditionFailed    = "precondition_failed"
	CodeTooLarge              = "too_large"
	CodeURITooLong            = "uri_too_long"
	CodeUnsupportedMediaType  = "unsupported_media_type"
	CodeMisdirected           = "misdirected"
	CodeRateLimited           = "rate_limited"
	CodeTooManyStreams        = "too_many_streams"
	CodeInternal              = "internal"
	CodeUnavailable           = "unavailable"
	CodeSaturated             = "saturated"
	CodeSchemaOutdated        = "schema_outdated"
	CodeEffectsMissing        = "effects_missing"
	CodeTimeout               = "timeout"
)

// ProblemCodes lists the codes that a problem has when it is not about one field.
func ProblemCodes() []string {
	return []string{
		CodeMalformed, CodeMalformedID, CodeMalformedCursor, CodeUnknownParameter, CodeInvalid, CodeUnauthorized,
		CodeForbidden, CodeCrossOrigin, CodeNotFound, CodeMethodNotAllowed, CodeNotAcceptable, CodeRequestTimeout,
		CodeIdempotencyKey, CodeIdempotencyMismatch, CodeIdempotencyInProgress, CodeJobDeleted, CodeTerminal,
		CodeNotTerminal, CodeNotRevivable, CodeStarted, CodeExists, CodeReadOnly, CodePreconditionFailed, CodeTooLarge, CodeURITooLong, CodeUnsupportedMediaType,
		CodeMisdirected, CodeRateLimited, CodeTooManyStreams, CodeInternal, CodeUnavailable, CodeSaturated, CodeSchemaOutdated,
		CodeEffectsMissing, CodeTimeout,
	}
}

// refusal is an error that is its own answer.
type refusal struct {
	Problem
	retryAfter int // seconds; 0 for none
}

func (r *refusal) Error() string { return r.Code + ": " + r.Detail }

// refuse returns the answer with the status and code.
func refuse(status int, code, format string, args ...any) *refusal {
	return &refusal{Problem: Problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status, Code: code, Detail: fmt.Sprintf(format, args...),
	}}
}

// sentinelRow is the answer to an error that is one of job's.
type sentinelRow struct {
	is         error
	status     int
	code       string
	detail     string
	retryAfter int
}

// sentinels is the one table from errors to answers. What is neither here, a
// *job.InvalidError nor a refusal is an internal error.
func sentinels() []sentinelRow {
	return []sentinelRow{
		{job.ErrNotFound, http.StatusNotFound, CodeNotFound, "there is no such thing, or it is no longer kept", 0},
		{job.ErrMalformedID, http.StatusBadRequest, CodeMalformedID, "the job id is not a UUID in lower case", 0},
		{job.ErrMalformedCursor, http.StatusBadRequest, CodeMalformedCursor, "the cursor is none that this API has given out", 0},
		{job.ErrIdempotencyMismatch, http.StatusUnprocessableEntity, CodeIdempotencyMismatch, "the idempotency key was used with another body; use a new key for another job", 0},
		{job.ErrIdempotencyInProgress, http.StatusConflict, CodeIdempotencyInProgress, "a request with this idempotency key is still being carried out; ask again", 0},
		{job.ErrTerminal, http.StatusConflict, CodeTerminal, "the job has ended", 0},
		{job.ErrNotTerminal, http.StatusConflict, CodeNotTerminal, "the job has not ended; cancel it first", 0},
		{job.ErrNotRevivable, http.StatusConflict, CodeNotRevivable, "only jobs that are archived, canceled, expired or unknown can be run again", 0},
		{job.ErrStarted, http.StatusConflict, CodeStarted, "only a job that is scheduled or pending and has not started can be given another time", 0},
		{job.ErrExists, http.StatusConflict, CodeExists, "it exists already", 0},
		{job.ErrReadOnly, http.StatusConflict, CodeReadOnly, "it belongs to the configuration; change it there", 0},
		{job.ErrPrecondition, http.StatusPreconditionFailed, CodePreconditionFailed, "it is not what If-Match or If-None-Match says; read it again", 0},
		{job.ErrEffectsMissing, http.StatusServiceUnavailable, CodeEffectsMissing, "the target database has no effects table, which its settings require; run asyncops migrate --target", 30},
		{job.ErrSaturated, http.StatusServiceUnavailable, CodeSaturated, "too many jobs are being submitted; nothing was accepted", 1},
		{job.ErrSchemaOutdated, http.StatusServiceUnavailable, CodeSchemaOutdated, "the ledger's schema is outdated; run asyncops migrate", 30},
		{job.ErrUnavailable, http.StatusServiceUnavailable, CodeUnavailable, "the ledger does not answer; a submission may have been written, and its idempotency key tells", 2},
		{ErrCacheAway, http.StatusServiceUnavailable, CodeUnavailable, "the Redis of the cache does not answer; until it does nothing is taken from the cache, and then this is stale", 2},
		{ErrRedisAway, http.StatusServiceUnavailable, CodeUnavailable, "Redis does not answer; jobs are not in it, and go on without it", 2},
		{errRequestTimeout, http.StatusServiceUnavailable, CodeTimeout, "the request took too long; a submission may have been written, and its idempotency key tells", 2},
	}
}

// ErrCacheAway says that processes could not be told to forget.
var ErrCacheAway = errors.New("the cache's Redis does not answer")

// errRequestTimeout is the cause of the end of a request's context.
var errRequestTimeout = errors.New("the request ran out of time")

// answerTo turns an error into its answer; false means that nobody foresaw it.
func answerTo(err error) (*refusal, bool) {
	var known *refusal
	if errors.As(err, &known) {
		return known, true
	}
	var invalid *job.InvalidError
	if errors.As(err, &invalid) {
		return invalidAnswer(invalid), true
	}
	for _, row := range sentinels() {
		if errors.Is(err, row.is) {
			r := refuse(row.status, row.code, "%s", row.detail)
			r.retryAfter = row.retryAfter
			return r, true
		}
	}
	return refuse(http.StatusInternalServerError, CodeInternal, "internal error"), false
}

// maxFieldErrors is how many of them one answer lists.
const maxFieldErrors = 100

func invalidAnswer(e *job.InvalidError) *refusal {
	status, code := http.StatusUnprocessableEntity, CodeInvalid
	if e.Malformed {
		status, code = http.StatusBadRequest, CodeMalformed
	}
	if shared := sharedCode(e.Fields); shared != "" {
		code = shared
	}
	fields := e.Fields[:min(len(e.Fields), maxFieldErrors)]
	r := refuse(status, code, "%s", (&job.InvalidError{Fields: fields}).Error())
	r.Errors = fields
	return r
}

// sharedCode is the code that all of the fields have, or "".
func sharedCode(fields []job.FieldError) string {
	if len(fields) == 0 {
		return ""
	}
	for _, f := range fields[1:] {
		if f.Code != fields[0].Code {
			return ""
		}
	}
	return fields[0].Code
}

// write sends the refusal as the answer.
func (r *refusal) write(w http.ResponseWriter) error {
	if r.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(r.retryAfter))
	}
	body, err := json.Marshal(r.Problem)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(r.Status)
	_, err = w.Write(body)
	return err
}
