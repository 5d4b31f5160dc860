package api_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/asyncops/asyncops/job"
)

// fakeAlerts are alerts about everything.
type fakeAlerts struct{}

func (fakeAlerts) Alerts(context.Context, int) (job.AlertView, error) {
	alert := func(rule job.AlertRule, state job.AlertState, about job.Target) job.Alert {
		a := job.Alert{ID: job.NewID(), Rule: rule, State: state, About: about, Value: 1, Since: testNow, SeenAt: testNow}
		if state != job.AlertPending {
			a.FiredAt = testNow.Add(time.Minute)
		}
		if state == job.AlertResolved {
			a.ResolvedAt = testNow.Add(time.Hour)
		}
		return a
	}
	return job.AlertView{Seen: testNow, Alerts: []job.Alert{
		alert(job.AlertTargetDown, job.AlertFiring, job.DatabaseTarget("main")),
		alert(job.AlertBreakerOpen, job.AlertFiring, job.ClientTarget("crm")),
		alert(job.AlertQueueAge, job.AlertPending, job.Target{Type: job.TypeQueue, Name: "critical"}),
		alert(job.AlertErrorRate, job.AlertResolved, job.Target{Type: job.TypeFleet}),
	}}, nil
}

func TestAlerts(t *testing.T) {
	t.Parallel()
	f := start(t)
	type list struct {
		Items []struct {
			Rule, State     string
			Summary, Remedy string
			Threshold       *float64
		} `json:"items"`
		SeenAt time.Time `json:"seen_at"`
	}
	for _, tt := range []struct{ name, key, query, want string }{
		{"all", viewerKey, "", "target_down breaker_open queue_age error_rate"},
		{"that fire", viewerKey, "?state=firing", "target_down breaker_open"},
		{"in two states", viewerKey, "?state=pending&state=resolved", "queue_age error_rate"},
		{"of a key that is limited to queues and targets", limitedKey, "", "error_rate"},
		{"of a key that is limited to the database", targetKey, "", "target_down breaker_open queue_age error_rate"},
	} {
		got := f.do(t, "GET", "/v1/alerts"+tt.query, "", as(tt.key))
		body := decode[list](t, got)
		var rules []string
		for _, item := range body.Items {
			rules = append(rules, item.Rule)
			if item.Summary == "" || item.Remedy == "" {
				t.Errorf("%s: %s is not in words", tt.name, item.Rule)
			}
		}
		if got.Status != 200 || strings.Join(rules, " ") != tt.want || !body.SeenAt.Equal(testNow) {
			t.Errorf("%s = %d %s, want %s", tt.name, got.Status, got.Body, tt.want)
		}
	}
	for query, status := range map[string]int{"?state=bad": 422, "?rule=memory": 400} {
		if got := f.do(t, "GET", "/v1/alerts"+query, "", as(viewerKey)); got.Status != status {
			t.Errorf("%s = %d %s, want %d", query, got.Status, got.Body, status)
		}
	}
}
