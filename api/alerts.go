package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/asyncops/asyncops/alert"
	"github.com/asyncops/asyncops/job"
)

// Alerts tells what is not as it should be.
type Alerts interface {
	// Alerts returns the alerts, at most limit: those that fire first, then those
	// that are pending, then those resolved lately.
	Alerts(ctx context.Context, limit int) (job.AlertView, error)
}

// maxAlerts bounds the alerts that are listed.
const maxAlerts = 1000

// alertList is the answer of GET /v1/alerts.
type alertList struct {
	Items  []alert.Item `json:"items"`
	SeenAt *time.Time   `json:"seen_at"` // when a scheduler looked last; nil: none has
}

// listAlerts is GET /v1/alerts. What a key may not use it is told nothing of.
func (s *Server) listAlerts(ctx context.Context, c *call) error {
	q, err := readQuery(c.Request(), "state")
	if err != nil {
		return err
	}
	states := q.list("state")
	for _, state := range states {
		if !slices.Contains([]job.AlertState{job.AlertPending, job.AlertFiring, job.AlertResolved}, job.AlertState(state)) {
			return invalidParameter("state", "%q is none of pending, firing and resolved", clip(state))
		}
	}
	if s.deps.Alerts == nil {
		return refuse(http.StatusNotFound, CodeNotFound, "this process knows no alerts")
	}
	view, err := s.deps.Alerts.Alerts(ctx, maxAlerts)
	if err != nil {
		return err
	}
	list := alertList{Items: []alert.Item{}}
	if !view.Seen.IsZero() {
		list.SeenAt = &view.Seen
	}
	for i := range view.Alerts {
		a := &view.Alerts[i]
		if (len(states) == 0 || slices.Contains(states, string(a.State))) && c.who.mayHearOf(a.About) {
			list.Items = append(list.Items, alert.Show(*a))
		}
	}
	return s.sendValue(c, list)
}

// mayHearOf reports whether the key is told of alerts about the thing.
func (p *principal) mayHearOf(about job.Target) bool {
	switch about.Type {
	case job.TypeDatabase, job.TypeClient:
		return p.permitsTarget(about)
	case job.TypeQueue:
		return limited(p.queues, "queue", about.Name) == nil
	}
	return true
}
