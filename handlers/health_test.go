package handlers_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/asyncops/asyncops/handlers"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/tasks"
)

// noTargets is a configuration without databases and clients.
type noTargets struct{}

func (noTargets) Database(string) (tasks.Database, bool) { return tasks.Database{}, false }
func (noTargets) Client(string) (tasks.Client, bool)     { return tasks.Client{}, false }

// sight is a Looker that has looked.
type sight []tasks.TargetHealth

func (s sight) Look(_ context.Context, targets []job.Target) []tasks.TargetHealth {
	if len(targets) > 0 {
		return s[:len(targets)]
	}
	return s
}

func TestHealth(t *testing.T) {
	t.Parallel()
	of := func(statuses ...string) (s sight) {
		for _, status := range statuses {
			s = append(s, tasks.TargetHealth{Type: "ledger", Name: "ledger", Status: status})
		}
		return s
	}
	tests := []struct {
		name string
		args string
		look handlers.Looker
		want string
		n    int
	}{
		{"all are well", `{}`, of("ok", "ok"), "ok", 2},
		{"one is not", `{}`, of("ok", "degraded", "ok"), "degraded", 3},
		{"one is down", `{}`, of("degraded", "down", "ok"), "down", 3},
		{"one of several", `{"targets":["ledger"]}`, of("ok", "down"), "ok", 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := handlers.New(noTargets{}, nil, nil).WithLooker(test.look)
			result, err := h.Run(t.Context(), &job.Job{Kind: "system.health", Args: json.RawMessage(test.args)})
			var got tasks.HealthResult
			if err == nil {
				err = json.Unmarshal(result.Value, &got)
			}
			if err != nil || got.Status != test.want || len(got.Targets) != test.n {
				t.Errorf("Run = %s, %v; want %s of %d targets", result.Value, err, test.want, test.n)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var f *job.Failure
	_, err := handlers.New(noTargets{}, nil, nil).WithLooker(of("down")).Run(ctx, &job.Job{Kind: "system.health"})
	if !errors.As(err, &f) || f.Class != job.ClassRetryable {
		t.Errorf("Run that is stopped = %v, want a retryable failure", err)
	}
}
