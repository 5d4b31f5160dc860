package fleet

import (
	"context"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
)

// Status is how an upstream's gate stands.
type Status struct {
	// Shared says that the fleet was asked. Otherwise this is of this process
	// only, and others may see it differently.
	Shared    bool
	Breaker   bool // there is one
	State     State
	Failures  int           // in a row, while it is closed
	OpenFor   time.Duration // until the first request goes through, while it is open
	PausedFor time.Duration // that the upstream wants to be left alone yet
	Limit     RateLimit     // zero Requests: none
	Available int           // requests that the limit would let out at once
}

// Status looks at the gate.
func (u *Upstream) Status(ctx context.Context) Status {
	shared := u.link.usable()
	if shared {
		if _, err := u.ask(ctx, question{verb: verbLook}); err != nil {
			u.lost(ctx, err)
			shared = false
		}
	}
	s := Status{Shared: shared && u.link.usable(), Breaker: u.breaker != nil, Limit: u.cfg.RateLimit}
	if u.limit != nil {
		s.Available = u.fromLimit(ctx, 0, 0).available
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	now := time.Now()
	s.State, s.Failures = u.standing(s.Shared)
	s.PausedFor = u.view.paused(now)
	_, _, s.OpenFor = u.phase(s.Shared, now)
	return s
}

// Standing is where the breaker stands, and its failures in a row, as far as is
// known without asking.
func (u *Upstream) Standing() (State, int) {
	shared := u.link.usable()
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.standing(shared)
}

// standing requires mu.
func (u *Upstream) standing(shared bool) (State, int) {
	switch {
	case u.breaker == nil:
		return Closed, 0
	case shared:
		return u.view.state, u.view.failures
	}
	switch u.breaker.State() {
	case circuitbreaker.OpenState:
		return Open, 0
	case circuitbreaker.HalfOpenState:
		return HalfOpen, 0
	default:
		return Closed, int(u.breaker.Metrics().Failures())
	}
}
