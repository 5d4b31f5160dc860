package sdk

import (
	"context"
	"net/http"
	"time"

	"github.com/asyncops/asyncops/job"
)

// Alert is one time that something was, or is, as its rule does not want it. A
// zero time is "not yet".
type Alert struct {
	ID         job.ID         `json:"id"`
	Rule       job.AlertRule  `json:"rule"`
	State      job.AlertState `json:"state"`
	About      job.Target     `json:"about"`
	Value      float64        `json:"value"`     // fractions from 0 to 1, times in seconds, states 1 or 0
	Threshold  *float64       `json:"threshold"` // nil where the rule is about a state
	Since      time.Time      `json:"since"`
	FiredAt    time.Time      `json:"fired_at,omitzero"`
	ResolvedAt time.Time      `json:"resolved_at,omitzero"`
	SeenAt     time.Time      `json:"seen_at"`
	Summary    string         `json:"summary"` // what is the matter
	Remedy     string         `json:"remedy"`  // what to do
}

// Alerts lists the alerts that fire, then those that are pending, then those that
// were resolved in the last day.
func (c *Client) Alerts(ctx context.Context) ([]Alert, error) {
	var answer struct {
		Items []Alert `json:"items"`
	}
	if _, err := c.fetch(ctx, call{method: http.MethodGet, path: "/v1/alerts", idempotent: true}, &answer); err != nil {
		return nil, err
	}
	return answer.Items, nil
}
