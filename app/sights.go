package app

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/asyncops/asyncops/api"
	"github.com/asyncops/asyncops/dispatch"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/observe"
	"github.com/asyncops/asyncops/store"
)

// Names of the checks shown by /readyz, besides those of targets.
const (
	ledgerCheck = "ledger"
	redisCheck  = "redis"
)

func (s *system) ledgerCheck() observe.Check {
	return observe.Check{Name: ledgerCheck, Critical: true, Func: func(ctx context.Context) (observe.Status, string) {
		err := s.ledger.Check(ctx)
		switch {
		case err == nil:
			return observe.OK, ""
		case errors.Is(err, job.ErrSchemaOutdated):
			return observe.Down, "the schema is outdated; run asyncops migrate"
		}
		return observe.Down, "no answer"
	}}
}

func (s *system) redisCheck() observe.Check {
	return observe.Check{Name: redisCheck, Func: func(ctx context.Context) (observe.Status, string) {
		err := s.broker.Check(ctx)
		switch {
		case err == nil:
			return observe.OK, ""
		case errors.Is(err, dispatch.ErrEviction):
			return observe.Degraded, err.Error()
		}
		return observe.Down, "no answer"
	}}
}

// targetChecks look at each target every health.interval.
func (s *system) targetChecks() []observe.Check {
	interval := s.cfg.Health.Interval.Std()
	var checks []observe.Check
	for _, name := range slices.Sorted(maps.Keys(s.databases)) {
		target := s.databases[name]
		checks = append(checks, s.sights.check(job.DatabaseTarget(name), interval, func(ctx context.Context) (observe.Status, string, time.Duration) {
			h := target.Health(ctx)
			return map[store.Status]observe.Status{
				store.StatusOK: observe.OK, store.StatusDegraded: observe.Degraded, store.StatusDown: observe.Down,
			}[h.Status], h.Detail(), h.Latency
		}))
	}
	for _, name := range slices.Sorted(maps.Keys(s.upstreams)) {
		upstream := s.upstreams[name]
		checks = append(checks, s.sights.check(job.ClientTarget(name), interval, func(ctx context.Context) (observe.Status, string, time.Duration) {
			began := time.Now()
			err := upstream.Health(ctx)
			var f *job.Failure
			switch {
			case err == nil:
				return observe.OK, "", time.Since(began)
			case errors.As(err, &f):
				return observe.Down, string(f.Code), 0
			}
			return observe.Down, "no answer", 0
		}))
	}
	return checks
}

// sights remembers how each target was found when it was last looked at. It is
// safe for concurrent use.
type sights struct {
	looks map[job.Target]look // complete before the process starts

	mu   sync.Mutex
	last map[job.Target]api.Health // guarded by mu
}

// look looks at a target, now.
type look func(context.Context) (status observe.Status, detail string, latency time.Duration)

func newSights() *sights {
	return &sights{looks: map[job.Target]look{}, last: map[job.Target]api.Health{}}
}

// check looks no more often than every interval, unless the target was not ok.
func (s *sights) check(target job.Target, interval time.Duration, do look) observe.Check {
	s.looks[target] = do
	return observe.Check{Name: target.String(), Func: func(ctx context.Context) (observe.Status, string) {
		before := s.of(target)
		if before.Status == string(observe.OK) && time.Since(*before.CheckedAt) < interval {
			return observe.OK, before.Detail
		}
		h := s.look(ctx, target)
		return observe.Status(h.Status), h.Detail
	}}
}

// look looks, whenever the last look was, and remembers what it found.
func (s *sights) look(ctx context.Context, target job.Target) api.Health {
	status, detail, latency := s.looks[target](ctx)
	now := time.Now().UTC()
	h := api.Health{Status: string(status), Detail: detail, CheckedAt: &now}
	if status != observe.Down {
		ms := float64(latency.Microseconds()) / 1000
		h.LatencyMS = &ms
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last[target] = h
	return h
}

func (s *sights) of(target job.Target) api.Health {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h, ok := s.last[target]; ok {
		return h
	}
	return api.Health{Status: "unknown", Detail: "not looked at yet"}
}

// up lists the targets that have been looked at.
func (s *sights) up() []observe.Target {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []observe.Target
	for target, h := range s.last {
		found = append(found, observe.Target{Type: string(target.Type), Name: target.Name, Up: h.Status != string(observe.Down)})
	}
	return found
}
