package api

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/asyncops/asyncops/internal/duration"
	"github.com/asyncops/asyncops/job"
)

// query is a request's query parameters; all of them are known.
type query struct{ values url.Values }

// readQuery refuses parameters that are not known: one that is misspelled must
// not be passed over.
func readQuery(r *http.Request, known ...string) (query, error) {
	if r.URL.RawQuery == "" {
		return query{}, nil
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return query{}, refuse(http.StatusBadRequest, CodeMalformed, "the query is not percent-encoded as it should be")
	}
	for name := range values {
		if !slices.Contains(known, name) {
			return query{}, refuse(http.StatusBadRequest, CodeUnknownParameter, "unknown query parameter %q; known here are: %s", clip(name), strings.Join(known, ", "))
		}
	}
	return query{values: values}, nil
}

// noQuery refuses every parameter.
func noQuery(r *http.Request) error {
	_, err := readQuery(r)
	return err
}

// one returns the value of a parameter that may be given once.
func (q query) one(name string) (string, error) {
	switch values := q.values[name]; len(values) {
	case 0:
		return "", nil
	case 1:
		return values[0], nil
	}
	return "", refuse(http.StatusBadRequest, CodeMalformed, "the query parameter %s is given twice", name)
}

// flag returns a parameter that is true or false.
func (q query) flag(name string) (bool, error) {
	text, err := q.one(name)
	switch {
	case err != nil:
		return false, err
	case text == "true":
		return true, nil
	case text == "" || text == "false":
		return false, nil
	}
	return false, refuse(http.StatusBadRequest, CodeMalformed, "the query parameter %s is neither true nor false", name)
}

// list returns the values of a parameter that may be repeated, or hold commas.
func (q query) list(name string) []string {
	var list []string
	for _, value := range q.values[name] {
		for item := range strings.SplitSeq(value, ",") {
			if item != "" && !slices.Contains(list, item) {
				list = append(list, item)
			}
		}
	}
	return list
}

// limit returns the parameter of that name, from 1 to most; fallback when it is
// missing.
func (q query) limit(most, fallback int) (int, error) {
	text, err := q.one("limit")
	if err != nil || text == "" {
		return fallback, err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, refuse(http.StatusBadRequest, CodeMalformed, "the query parameter limit is not an integer")
	}
	if err != nil || n < 1 || n > int64(most) {
		return 0, invalidParameter("limit", "want 1 to %d", most)
	}
	return int(n), nil
}

// time returns a parameter in RFC 3339; zero when it is missing.
func (q query) time(name string) (time.Time, error) {
	text, err := q.one(name)
	if err != nil || text == "" {
		return time.Time{}, err
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, refuse(http.StatusBadRequest, CodeMalformed, "the query parameter %s is not a time in RFC 3339, such as 2026-11-23T10:00:00Z (write + as %%2B)", name)
	}
	return t, nil
}

// wait returns the parameter of that name: how long the answer may be held.
func (q query) wait() (time.Duration, error) {
	text, err := q.one("wait")
	if err != nil || text == "" {
		return 0, err
	}
	d, err := duration.Parse(text)
	if err != nil {
		return 0, refuse(http.StatusBadRequest, CodeMalformed, "the query parameter wait is not a duration such as 10s or PT10S")
	}
	if d < 0 || d > maxWait {
		return 0, invalidParameter("wait", "want 0s to %s", maxWait)
	}
	return d, nil
}

// invalidParameter is the answer to a parameter that is well-formed and not
// allowed.
func invalidParameter(name, format string, args ...any) error {
	return refuse(http.StatusUnprocessableEntity, CodeInvalid, "the query parameter "+name+" is not allowed: "+format, args...)
}

// pathID returns the job id in the path.
func pathID(c *call) (job.ID, error) {
	id, err := job.ParseID(c.Param("id"))
	if err != nil {
		return "", refuse(http.StatusBadRequest, CodeMalformedID, "%s", err)
	}
	return id, nil
}
