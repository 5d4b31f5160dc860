package app

import (
	"context"
	"time"

	"github.com/asyncops/asyncops/api"
	"github.com/asyncops/asyncops/config"
	"github.com/asyncops/asyncops/dispatch"
	"github.com/asyncops/asyncops/fleet"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/ledger"
	"github.com/asyncops/asyncops/observe"
)

// openFleet makes the gates of the clients.
func (s *system) openFleet() error {
	deps := fleet.Deps{Observer: s.metrics, Log: s.log}
	if s.broker != nil {
		deps.Conn, deps.LivingFunc = s.broker.Conn(), s.livingWorkers
	}
	configs := make([]fleet.Config, 0, len(s.cfg.Clients))
	for name, client := range s.cfg.Clients {
		configs = append(configs, gateOf(name, client))
	}
	f, err := fleet.New(configs, deps)
	s.fleet = f
	return err
}

func gateOf(name string, c config.Client) fleet.Config {
	return fleet.Config{
		Name:      name,
		RateLimit: fleet.RateLimit{Requests: c.RateLimit.Requests, Per: c.RateLimit.Per.Std(), Burst: c.RateLimit.Burst},
		Breaker: fleet.Breaker{
			Threshold: c.CircuitBreaker.Threshold, Timeout: c.CircuitBreaker.Timeout.Std(), HalfOpenRequests: c.CircuitBreaker.HalfOpenRequests,
		},
	}
}

// livingWorkers is how many workers share the limits of clients.
func (s *system) livingWorkers(ctx context.Context) (int, error) {
	workers, err := s.ledger.Workers(ctx)
	if err != nil {
		return 0, err
	}
	living := 0
	for _, w := range workers {
		if w.State != ledger.WorkerGone {
			living++
		}
	}
	return living, nil
}

// gates are those of the clients, by what jobs wait for.
func (s *system) gates() map[string]dispatch.Gate {
	gates := map[string]dispatch.Gate{}
	for _, name := range s.fleet.Names() {
		gates[job.ClientTarget(name).String()] = gate{s.fleet.Upstream(name)}
	}
	return gates
}

// gate is an upstream in a worker's words.
type gate struct{ *fleet.Upstream }

func (g gate) Admit(ctx context.Context, n int) ([]dispatch.Pass, time.Duration) {
	admitted, again := g.Upstream.Admit(ctx, n)
	passes := make([]dispatch.Pass, len(admitted))
	for i, p := range admitted {
		passes[i] = p
	}
	return passes, again
}

func (gate) Return(passes []dispatch.Pass) {
	returned := make([]*fleet.Pass, len(passes))
	for i, p := range passes {
		returned[i] = p.(*fleet.Pass) //nolint:forcetypeassert // Admit made it
	}
	fleet.Return(returned)
}

// breakers is where they stand, as this process knows.
func (s *system) breakers() map[string]observe.Breaker {
	breakers := map[string]observe.Breaker{}
	for _, name := range s.fleet.Names() {
		state, failures := s.fleet.Upstream(name).Standing()
		breakers[name] = observe.Breaker{State: state.String(), Failures: failures}
	}
	return breakers
}

// showGate adds to a client how its gate stands.
func (s *system) showGate(ctx context.Context, c *api.Client) {
	now := time.Now().UTC()
	at := func(in time.Duration) *time.Time {
		if in <= 0 {
			return nil
		}
		t := now.Add(in)
		return &t
	}
	st := s.fleet.Upstream(c.Name).Status(ctx)
	known := st.Shared || s.broker == nil
	if st.Breaker {
		c.Breaker = &api.Breaker{State: api.BreakerUnknown}
		if known {
			c.Breaker = &api.Breaker{State: st.State.String(), Failures: st.Failures, OpenUntil: at(st.OpenFor)}
		}
	}
	if l := st.Limit; l.Requests > 0 {
		c.RateLimit = &api.ClientLimit{Requests: l.Requests, Per: l.Per.String(), Burst: l.Burst}
		if known {
			c.RateLimit.Available = &st.Available
		}
	}
	c.PausedUntil = at(st.PausedFor)
}
