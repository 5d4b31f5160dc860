package cli

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/asyncops/asyncops/sdk"
)

// Run lists the clients.
func (clientsListCmd) Run(ctx context.Context, s *session) error {
	client, err := s.connect()
	if err != nil {
		return err
	}
	upstreams, err := client.Clients(ctx)
	if err != nil {
		return err
	}
	headings := []string{"CLIENT", "STATUS", "LATENCY", "BREAKER", "LIMIT", "PAUSED", "PARKED", "DETAIL"}
	return s.print(upstreams, headings, func() [][]string {
		rows := make([][]string, len(upstreams))
		for i, u := range upstreams {
			rows[i] = []string{
				u.Name, u.Health.Status, latency(u.Health.LatencyMS), breaker(u.Breaker), rateLimit(u.RateLimit), until(u.PausedUntil),
				strconv.Itoa(u.Parked), u.Health.Detail,
			}
		}
		return rows
	})
}

// Run shows one client.
func (c *clientsShowCmd) Run(ctx context.Context, s *session) error {
	return s.showUpstream(func(client *sdk.Client) (*sdk.Upstream, error) { return client.Upstream(ctx, c.Name) })
}

// Run closes a client's circuit breaker.
func (c *clientsResetCmd) Run(ctx context.Context, s *session) error {
	return s.showUpstream(func(client *sdk.Client) (*sdk.Upstream, error) { return client.ResetBreaker(ctx, c.Name) })
}

// Run has cached answers forgotten.
func (c *clientsInvalidateCmd) Run(ctx context.Context, s *session) error {
	client, err := s.connect()
	if err != nil {
		return err
	}
	what := sdk.StaleAnswers{Key: c.Key, PathPrefix: c.PathPrefix, All: c.All}
	if err := client.InvalidateAnswers(ctx, c.Name, what); err != nil {
		return err
	}
	s.tell("no process answers with such answers of %s any more", c.Name)
	return nil
}

func (s *session) showUpstream(fetch func(*sdk.Client) (*sdk.Upstream, error)) error {
	client, err := s.connect()
	if err != nil {
		return err
	}
	u, err := fetch(client)
	if err != nil {
		return err
	}
	if s.json() {
		return s.printJSON(u)
	}
	rows := [][]string{
		{"status", u.Health.Status},
		{"latency", latency(u.Health.LatencyMS)},
		{"checked", moment(u.Health.CheckedAt)},
		{"breaker", breaker(u.Breaker)},
		{"limit", rateLimit(u.RateLimit)},
		{"paused", until(u.PausedUntil)},
		{"parked", strconv.Itoa(u.Parked)},
		{"cache", fmt.Sprintf("%d hits, %d misses", u.Cache.Hits, u.Cache.Misses)},
	}
	if u.Health.Detail != "" {
		rows = append(rows, []string{"detail", u.Health.Detail})
	}
	return s.printTable([]string{"client", u.Name}, rows)
}

// breaker is such as "open until 10:00:30".
func breaker(b *sdk.Breaker) string {
	switch {
	case b == nil:
		return "off"
	case b.OpenUntil != nil:
		return b.State + " " + until(b.OpenUntil)
	case b.Failures == 1:
		return b.State + ", 1 failure"
	case b.Failures > 1:
		return fmt.Sprintf("%s, %d failures", b.State, b.Failures)
	}
	return b.State
}

// rateLimit is such as "20 of 100 in 1s".
func rateLimit(l *sdk.UpstreamLimit) string {
	switch {
	case l == nil:
		return "none"
	case l.Available == nil:
		return fmt.Sprintf("%d in %s", l.Requests, l.Per)
	}
	return fmt.Sprintf("%d left, %d in %s", *l.Available, l.Requests, l.Per)
}

func until(t *time.Time) string {
	if t == nil {
		return ""
	}
	return "until " + moment(*t)
}
