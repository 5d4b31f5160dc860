package api

import (
	"context"
	"net/http"
	"time"

	"github.com/asyncops/asyncops/job"
)

// maxGroups is how many groups of failures one answer has at most.
const maxGroups = 100

// failureItem is a group of jobs that ended alike.
type failureItem struct {
	Code    job.Code      `json:"code"`
	Kind    string        `json:"kind"`
	State   job.State     `json:"state"`
	Jobs    int           `json:"jobs"`
	FirstAt time.Time     `json:"first_at"`
	LastAt  time.Time     `json:"last_at"`
	Sample  failureSample `json:"sample"`
}

// failureSample is the youngest job of a group.
type failureSample struct {
	ID      job.ID `json:"id"`
	Message string `json:"message"` // of its error
}

// listFailures is GET /v1/failures: dead letters by what they died of.
func (s *Server) listFailures(ctx context.Context, c *call) error {
	q, err := readQuery(c.Request(), "state", "queue", "kind")
	if err != nil {
		return err
	}
	states, err := q.states()
	if err != nil {
		return err
	}
	for _, state := range states {
		if !state.Terminal() || state == job.Completed {
			return invalidParameter("state", "want archived, canceled, expired or unknown")
		}
	}
	if len(states) == 0 {
		states = []job.State{job.Archived}
	}
	queues, err := q.names(c.who.queues, "queue")
	if err != nil {
		return err
	}
	kinds, err := q.names(c.who.kinds, "kind")
	if err != nil {
		return err
	}
	if c.who.databases != nil || c.who.clients != nil {
		return refuse(http.StatusForbidden, CodeForbidden, "this key is limited to some databases or clients, and jobs are not counted by these; list them")
	}
	groups, examined, complete, err := s.deps.Ledger.FailureGroups(ctx, states, queues, kinds, maxGroups)
	if err != nil {
		return err
	}
	samples, err := s.samples(ctx, groups)
	if err != nil {
		return err
	}
	page := struct {
		Items    []failureItem `json:"items"`
		Examined int           `json:"examined"` // jobs, the youngest
		Complete bool          `json:"complete"` // those were all
	}{Items: make([]failureItem, len(groups)), Examined: examined, Complete: complete}
	for i, g := range groups {
		item := failureItem{Code: g.Code, Kind: g.Kind, State: g.State, Jobs: g.Jobs, FirstAt: g.FirstAt, LastAt: g.LastAt, Sample: failureSample{ID: g.Sample}}
		if j, ok := samples[g.Sample]; ok && j.Error != nil {
			item.Sample.Message = visibleError(j.Error, c.who.sees(j.Owner).payload).Message
		}
		page.Items[i] = item
	}
	return s.sendValue(c, page)
}

// samples reads the groups' youngest jobs.
func (s *Server) samples(ctx context.Context, groups []job.FailureGroup) (map[job.ID]*job.Job, error) {
	ids := make([]job.ID, len(groups))
	for i, g := range groups {
		ids[i] = g.Sample
	}
	seen, err := s.deps.Watcher.Glance(ctx, job.Glance{IDs: ids})
	if err != nil {
		return nil, err
	}
	samples := make(map[job.ID]*job.Job, len(ids))
	for i := range seen.Named {
		samples[seen.Named[i].ID] = &seen.Named[i]
	}
	return samples, nil
}

// names returns the names that a parameter chooses, of those that the key is
// allowed.
func (q query) names(allowed []string, name string) ([]string, error) {
	names, err := narrow(allowed, name, q.list(name))
	if err != nil {
		return nil, err
	}
	for _, text := range names {
		if err := plainText(name, text); err != nil {
			return nil, err
		}
	}
	return names, nil
}
