package sdk

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/asyncops/asyncops/job"
)

// Problem is an answer outside 2xx (RFC 9457). errors.Is tells which of the
// sentinels of package job it is, by its code and, where that says nothing,
// its status: job.ErrNotFound, ErrMalformed, ErrMalformedID,
// ErrMalformedCursor, ErrInvalid, ErrIdempotencyMismatch,
// ErrIdempotencyInProgress, ErrTerminal, ErrNotTerminal, ErrNotRevivable, ErrStarted,
// ErrExists, ErrReadOnly, ErrPrecondition, ErrUnavailable, ErrSaturated,
// ErrSchemaOutdated and ErrEffectsMissing.
type Problem struct {
	Type   string           `json:"type"`
	Title  string           `json:"title"`
	Status int              `json:"status"`
	Detail string           `json:"detail"`
	Code   string           `json:"code"`             // for machines; "" when the answer was no problem document
	Errors []job.FieldError `json:"errors,omitempty"` // what is wrong with the request's body, field by field

	RetryAfter time.Duration `json:"-"` // that the server asks for; 0 if it does not
	RequestID  string        `json:"-"` // to be found in the server's log
}

// Error returns status, code and detail on one line.
func (p *Problem) Error() string {
	parts := []string{strconv.Itoa(p.Status)}
	if p.Code != "" {
		parts = append(parts, p.Code)
	} else if p.Title != "" {
		parts = append(parts, p.Title)
	}
	text := strings.Join(parts, " ")
	if p.Detail != "" {
		text += ": " + p.Detail
	}
	return text
}

const codeInProgress = "idempotency_in_progress"

// Is answers the sentinel of package job that the problem stands for.
func (p *Problem) Is(target error) bool {
	byCode := map[string]error{
		"malformed_id": job.ErrMalformedID, "malformed_cursor": job.ErrMalformedCursor, "not_found": job.ErrNotFound,
		"idempotency_mismatch": job.ErrIdempotencyMismatch, codeInProgress: job.ErrIdempotencyInProgress,
		"terminal": job.ErrTerminal, "not_terminal": job.ErrNotTerminal, "not_revivable": job.ErrNotRevivable, "started": job.ErrStarted,
		"exists": job.ErrExists, "read_only": job.ErrReadOnly, "precondition_failed": job.ErrPrecondition, "unavailable": job.ErrUnavailable, "saturated": job.ErrSaturated,
		"schema_outdated": job.ErrSchemaOutdated, "effects_missing": job.ErrEffectsMissing,
	}
	byStatus := map[int]error{
		http.StatusBadRequest: job.ErrMalformed, http.StatusUnprocessableEntity: job.ErrInvalid, http.StatusNotFound: job.ErrNotFound,
	}
	return target != nil && (byCode[p.Code] == target || byStatus[p.Status] == target)
}

// ProblemOf reads an answer outside 2xx, for those who send requests of their
// own; body is what was read of it. One that is no problem document, of a proxy
// say, has a status and a title alone.
func ProblemOf(res *http.Response, body []byte) *Problem {
	p := new(Problem)
	mediaType, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";")
	if mediaType != "application/problem+json" || json.Unmarshal(body, p) != nil {
		p = &Problem{Title: http.StatusText(res.StatusCode)}
	}
	p.Status = res.StatusCode
	p.RequestID = res.Header.Get("X-Request-Id")
	p.RetryAfter = retryAfter(res.Header.Get("Retry-After"), time.Now())
	return p
}

// retryAfter reads the header's value: seconds, or a time.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return max(0, at.Sub(now))
}
