package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/asyncops/asyncops/job"
)

// Client is a configured upstream.
type Client struct {
	Name        string       `json:"name"`
	Health      Health       `json:"health"`
	Pool        *Pool        `json:"pool"`         // nil: this process has none
	Breaker     *Breaker     `json:"breaker"`      // nil: off
	RateLimit   *ClientLimit `json:"rate_limit"`   // nil: none
	PausedUntil *time.Time   `json:"paused_until"` // the upstream wants to be left alone until then; nil: it does not
	Parked      int          `json:"parked"`       // jobs that wait for it
	Cache       CacheUse     `json:"cache"`
}

// BreakerUnknown is the state of a breaker that cannot be told: Redis does not
// answer, and each worker has one of its own.
const BreakerUnknown = "unknown"

// Breaker is where a client's circuit breaker stands.
type Breaker struct {
	State     string     `json:"state"`      // closed, half_open, open or unknown
	Failures  int        `json:"failures"`   // in a row
	OpenUntil *time.Time `json:"open_until"` // when the first request goes through; nil: it is not open
}

// ClientLimit is a client's rate limit, which the fleet shares.
type ClientLimit struct {
	Requests  int    `json:"requests"`
	Per       string `json:"per"` // a duration, such as 1s
	Burst     int    `json:"burst"`
	Available *int   `json:"available"` // requests that could go out at once; nil: cannot be told
}

// listClients is GET /v1/clients.
func (s *Server) listClients(ctx context.Context, c *call) error {
	if err := noQuery(c.Request()); err != nil {
		return err
	}
	list, err := s.clients(ctx, c.who)
	if err != nil {
		return err
	}
	return s.sendValue(c, listOf(list))
}

// getClient is GET /v1/clients/{name}.
func (s *Server) getClient(ctx context.Context, c *call) error {
	if err := noQuery(c.Request()); err != nil {
		return err
	}
	if err := limited(c.who.clients, "client", c.Param("name")); err != nil {
		return err
	}
	return s.sendClient(ctx, c)
}

func (s *Server) sendClient(ctx context.Context, c *call) error {
	list, err := s.clients(ctx, c.who)
	if err != nil {
		return err
	}
	return sendNamed(s, c, list, Client.name)
}

// resetBreaker is POST /v1/clients/{name}/breaker/reset.
func (s *Server) resetBreaker(ctx context.Context, c *call) error {
	name := c.Param("name")
	if err := noQuery(c.Request()); err != nil {
		return err
	}
	if err := limited(c.who.clients, "client", name); err != nil {
		return err
	}
	if err := s.noBody(c); err != nil {
		return err
	}
	if s.deps.Breakers == nil {
		return job.ErrNotFound
	}
	err := s.deps.Breakers.Reset(ctx, name)
	switch {
	case errors.Is(err, job.ErrUnavailable):
		return refuse(http.StatusServiceUnavailable, CodeUnavailable,
			"Redis does not answer: each worker has a circuit breaker of its own meanwhile, which cannot be reached")
	case err != nil:
		return err
	}
	return s.sendClient(ctx, c)
}
