package api

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/asyncops/asyncops/job"
)

const (
	defaultLimit = 50
	maxLimit     = 200
	maxSearch    = 256 // bytes of q, tag and cursor
)

// listJobs is GET /v1/jobs.
func (s *Server) listJobs(ctx context.Context, c *call) error {
	f, err := s.jobFilter(c)
	if err != nil {
		return err
	}
	v := view{brief: !f.Payload}
	// A key that is limited to some targets sees their jobs alone, and only
	// the args tell which those are.
	byTarget := c.who.databases != nil || c.who.clients != nil
	f.Payload = f.Payload || byTarget
	jobs, next, err := s.deps.Ledger.Search(ctx, f)
	if err != nil {
		return err
	}
	body := append(make([]byte, 0, 1024*(len(jobs)+1)), `{"items":[`...)
	first := true
	for i := range jobs {
		j := &jobs[i]
		if byTarget && s.permitJob(c.who, j) != nil {
			continue
		}
		if !first {
			body = append(body, ',')
		}
		first = false
		v.payload = c.who.sees(j.Owner).payload
		body = appendJob(body, j, v)
	}
	body = append(body, `],"next_cursor":`...)
	if next == "" {
		body = append(body, "null}"...)
	} else {
		body = append(appendString(body, next), '}')
	}
	return s.send(c, http.StatusOK, body)
}

// jobFilter reads the query of a list, narrowed to what the key may see.
func (s *Server) jobFilter(c *call) (Filter, error) {
	q, err := readQuery(c.Request(), "state", "kind", "queue", "tag", "workflow", "schedule",
		"created_after", "created_before", "q", "order", "limit", "cursor", "include")
	if err != nil {
		return Filter{}, err
	}
	if _, given := q.values["workflow"]; given {
		return Filter{}, refuse(http.StatusUnprocessableEntity, codeNotAvailable, "the query parameter workflow is not available in this release")
	}
	var f Filter
	if f.States, err = q.states(); err != nil {
		return Filter{}, err
	}
	if f.Kinds, err = narrow(c.who.kinds, "kind", q.list("kind")); err != nil {
		return Filter{}, err
	}
	if f.Queues, err = narrow(c.who.queues, "queue", q.list("queue")); err != nil {
		return Filter{}, err
	}
	if f.CreatedAfter, err = q.time("created_after"); err != nil {
		return Filter{}, err
	}
	if f.CreatedBefore, err = q.time("created_before"); err != nil {
		return Filter{}, err
	}
	if f.Limit, err = q.limit(maxLimit, defaultLimit); err != nil {
		return Filter{}, err
	}
	if f.Ascending, err = q.choice("order", "desc", "asc"); err != nil {
		return Filter{}, err
	}
	if f.Payload, err = q.choice("include", "", "payload"); err != nil {
		return Filter{}, err
	}
	for name, into := range map[string]*string{"tag": &f.Tag, "schedule": &f.Schedule, "q": &f.Query, "cursor": &f.Cursor} {
		if *into, err = q.text(name); err != nil {
			return Filter{}, err
		}
	}
	return f, nil
}

// narrow is the part of a filter that the key's list allows; asking for more
// is refused.
func narrow(allowed []string, what string, asked []string) ([]string, error) {
	for _, name := range asked {
		if err := limited(allowed, what, name); err != nil {
			return nil, err
		}
	}
	if len(asked) == 0 {
		return allowed, nil
	}
	return asked, nil
}

// states returns the states that are asked for.
func (q query) states() ([]job.State, error) {
	var states []job.State
	for _, name := range q.list("state") {
		if !slices.Contains(job.States(), job.State(name)) {
			return nil, invalidParameter("state", "there is no state %q", clip(name))
		}
		states = append(states, job.State(name))
	}
	return states, nil
}

// choice reports whether a parameter has the second of two values; the first
// is the same as none.
func (q query) choice(name, first, second string) (bool, error) {
	text, err := q.one(name)
	switch {
	case err != nil:
		return false, err
	case text == second:
		return true, nil
	case text == "" || text == first:
		return false, nil
	}
	return false, invalidParameter(name, "want %s", strings.Trim(first+" or "+second, " or"))
}

// text returns a parameter that is searched for as it is.
func (q query) text(name string) (string, error) {
	text, err := q.one(name)
	switch {
	case err != nil:
		return "", err
	}
	return text, plainText(name, text)
}

// plainText refuses what cannot be searched for.
func plainText(name, text string) error {
	switch {
	case len(text) > maxSearch:
		return invalidParameter(name, "it has more than %d bytes", maxSearch)
	case strings.ContainsRune(text, 0) || strings.ToValidUTF8(text, "") != text:
		return refuse(http.StatusBadRequest, CodeMalformed, "the parameter %s is not text in UTF-8", name)
	}
	return nil
}
