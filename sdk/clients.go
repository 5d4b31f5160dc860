package sdk

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Upstream is a configured API that jobs call.
type Upstream struct {
	Name        string         `json:"name"`
	Health      Health         `json:"health"`
	Pool        *Pool          `json:"pool"`         // nil: not known to the process that answers
	Breaker     *Breaker       `json:"breaker"`      // nil: off
	RateLimit   *UpstreamLimit `json:"rate_limit"`   // nil: none
	PausedUntil *time.Time     `json:"paused_until"` // it wants to be left alone until then; nil: it does not
	Parked      int            `json:"parked"`       // jobs that wait for it
	Cache       CacheUse       `json:"cache"`
}

// Breaker is where the circuit breaker of an API stands, which the fleet shares.
type Breaker struct {
	State     string     `json:"state"`      // closed, half_open, open, or unknown while Redis does not answer
	Failures  int        `json:"failures"`   // in a row
	OpenUntil *time.Time `json:"open_until"` // when the first request goes through; nil: it is not open
}

// UpstreamLimit is the rate limit of an API, which the fleet shares.
type UpstreamLimit struct {
	Requests  int    `json:"requests"`
	Per       string `json:"per"` // a duration, such as 1s
	Burst     int    `json:"burst"`
	Available *int   `json:"available"` // requests that could go out at once; nil while Redis does not answer
}

// Clients lists the configured APIs that jobs call.
func (c *Client) Clients(ctx context.Context) ([]Upstream, error) {
	return list[Upstream](ctx, c, "/v1/clients")
}

// Upstream returns one API. An unknown name is job.ErrNotFound.
func (c *Client) Upstream(ctx context.Context, name string) (*Upstream, error) {
	return c.upstream(ctx, http.MethodGet, name, "")
}

// ResetBreaker closes the circuit breaker of an API for the whole fleet, and ends
// a pause that the API asked for. An unknown name is job.ErrNotFound.
func (c *Client) ResetBreaker(ctx context.Context, name string) (*Upstream, error) {
	return c.upstream(ctx, http.MethodPost, name, "/breaker/reset")
}

// StaleAnswers says which cached answers of an API count for nothing: those that
// requests keep under Key, those of PathPrefix and all below it, or All. One of
// the three is set.
type StaleAnswers struct {
	Key        string `json:"key,omitempty"`
	PathPrefix string `json:"path_prefix,omitempty"` // as paths of jobs: "/users" is not "/users-old"
	All        bool   `json:"all,omitempty"`
}

// InvalidateAnswers returns when no process answers with such answers any more.
// Requests of jobs that may change something do this for their own path by
// themselves. An unknown name is job.ErrNotFound.
func (c *Client) InvalidateAnswers(ctx context.Context, name string, s StaleAnswers) error {
	return c.invalidate(ctx, "/v1/clients/"+url.PathEscape(name), s)
}

func (c *Client) upstream(ctx context.Context, method, name, act string) (*Upstream, error) {
	u := new(Upstream)
	k := call{method: method, path: "/v1/clients/" + url.PathEscape(name) + act, idempotent: true}
	if _, err := c.fetch(ctx, k, u); err != nil {
		return nil, err
	}
	return u, nil
}
