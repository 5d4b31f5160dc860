package clients

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/asyncops/asyncops/cache"
	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/job"
)

// Observer is told what the metrics of clients are made of. It must be safe
// for concurrent use and answer at once.
type Observer interface {
	// ObserveRequest is called after each send that was tried: code is the
	// status of its answer or, without one, the job.Code of what went wrong.
	ObserveRequest(client, method, code string, took time.Duration)
}

// Client calls one upstream. It is safe for concurrent use. Who opened it
// closes it, after the last call has returned.
type Client struct {
	cfg       Config
	base      *url.URL
	dialled   *url.URL // the proxy's or the base
	policy    httpop.Policy
	dialer    *net.Dialer
	transport *http.Transport
	upgrades  *http.Transport // of WebSockets: HTTP/1.1
	signer    signer
	tokens    *tokens // nil but for AuthOAuth2
	conns     pool
	gate      Gate
	space     *cache.Space // nil: nothing is kept
	log       *slog.Logger
	observer  Observer
	closed    atomic.Bool

	identities identities
}

// Open returns a Client of the upstream, having validated the Config. It
// connects to nothing: an upstream that is down is found out by Do and Health.
// observer may be nil.
func Open(cfg Config, log *slog.Logger, observer Observer) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	base, err := parseBase(cfg.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("clients: open %s: base_url: %w", cfg.Name, err)
	}
	c := &Client{
		cfg: cfg, base: base, dialled: base, policy: cfg.Policy(),
		dialer: newDialer(cfg.AllowNetworks, cfg.Resolver), gate: cfg.Gate, log: log, observer: observer,
	}
	if cfg.Cache.In != nil {
		c.space = cfg.Cache.In.Space(CacheSpace(cfg.Name))
	}
	if c.transport, err = newTransport(cfg, c.dialer, &c.conns); err != nil {
		return nil, fmt.Errorf("clients: open %s: %w", cfg.Name, err)
	}
	upgrades := cfg
	upgrades.Protocol = ProtocolHTTP1
	if c.upgrades, err = newTransport(upgrades, c.dialer, &c.conns); err != nil {
		return nil, fmt.Errorf("clients: open %s: %w", cfg.Name, err)
	}
	if err := c.openSigner(); err != nil {
		return nil, fmt.Errorf("clients: open %s: %w", cfg.Name, err)
	}
	if proxy, _ := parseProxy(cfg.Proxy); proxy != nil {
		c.dialled = proxy
	}
	return c, nil
}

func (c *Client) openSigner() error {
	if c.cfg.Auth.Type != AuthOAuth2 {
		c.signer = newSigner(c.cfg.Auth)
		return nil
	}
	cfg := c.cfg
	cfg.Pool, cfg.Protocol = Pool{MaxIdle: 1, MaxConnections: 1, IdleTimeout: cfg.Pool.IdleTimeout}, ProtocolAuto
	transport, err := newTransport(cfg, c.dialer, new(pool))
	if err != nil {
		return err
	}
	c.tokens = newTokens(cfg, transport)
	c.signer = c.tokens
	return nil
}

// Close closes the idle connections, and those in use as soon as they are
// idle. A Do after it answers a Failure.
func (c *Client) Close() {
	c.closed.Store(true)
	if c.tokens != nil {
		c.tokens.close()
	}
	c.transport.CloseIdleConnections()
	c.upgrades.CloseIdleConnections()
}

// Name is the Config's.
func (c *Client) Name() string { return c.cfg.Name }

// Policy is the Config's.
func (c *Client) Policy() httpop.Policy { return c.policy }

// Stats is the state of a client's connections and of its cache.
type Stats struct {
	InUse int
	Idle  int
	Max   int // Pool.MaxConnections

	CacheHits   int64 // calls that were answered with what was kept, ever
	CacheMisses int64 // calls for which it was looked for, and loaded anew
}

// Stats returns the connections as they are now, and what the cache was for.
func (c *Client) Stats() Stats {
	inUse := int(c.conns.inUse.Load())
	s := Stats{InUse: inUse, Idle: max(int(c.conns.open.Load())-inUse, 0), Max: c.cfg.Pool.MaxConnections}
	if c.space != nil {
		kept := c.space.Stats()
		s.CacheHits, s.CacheMisses = kept.Hits, kept.Misses
	}
	return s
}

// Health reports whether the upstream, or its proxy, takes connections: nil,
// or a *job.Failure that says why not. It sends nothing.
func (c *Client) Health(ctx context.Context) error {
	conn, err := c.dialer.DialContext(ctx, "tcp", hostPort(c.dialled))
	switch {
	case err == nil:
		if err := conn.Close(); err != nil {
			return fmt.Errorf("clients: check %s: %w", c.cfg.Name, err)
		}
		return nil
	case errors.Is(err, errDialDenied):
		return c.failure(job.ClassPermanent, job.CodeDialDenied, dialDeniedText, err)
	case ctx.Err() != nil:
		return c.interrupted(ctx, err)
	}
	return c.failure(job.ClassRetryable, job.CodeUpstreamUnreachable, whyUnreachable(err), err)
}
