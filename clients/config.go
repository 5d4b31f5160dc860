package clients

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"time"

	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/job"
)

// Defaults of a Config's zero values, and its bounds.
const (
	DefaultTimeout        = 30 * time.Second
	DefaultMaxRetries     = 3 // for the configuration file; a Config's zero means none
	DefaultRetryDelay     = 200 * time.Millisecond
	DefaultMaxIdle        = 20
	DefaultMaxConnections = 100
	DefaultIdleTimeout    = 90 * time.Second
	DefaultMaxResponse    = 10 << 20
	DefaultCacheTTL       = time.Hour
	DefaultMaxBody        = 1 << 20

	MaxMaxRetries = 100
	MaxRedirects  = 10
)

// Protocol is the version of HTTP that an upstream is spoken to.
type Protocol string

const (
	ProtocolAuto  Protocol = "auto" // HTTP/2 if the upstream offers it in the TLS handshake
	ProtocolHTTP1 Protocol = "http1"
	ProtocolHTTP2 Protocol = "http2" // without TLS: with prior knowledge
)

// Format is how an idempotency key is written into its header.
type Format string

const (
	FormatBare   Format = "bare"   // as it is
	FormatString Format = "string" // in quotes: a string of RFC 8941
)

// OnAmbiguous is what follows a request whose outcome nobody can tell and that
// is neither idempotent by its method nor by a key.
type OnAmbiguous string

const (
	OnAmbiguousUnknown OnAmbiguous = "unknown" // a person looks
	OnAmbiguousRetry   OnAmbiguous = "retry"   // it is sent again
)

// Config is one upstream.
type Config struct {
	Name    string // as in the configuration
	BaseURL string // http or https, host, optionally port and path
	Auth    Auth
	// Timeout of one call with all its sends; zero means DefaultTimeout.
	Timeout time.Duration
	// MaxRetries is how many sends may follow the first inside one call; zero
	// means none.
	MaxRetries int
	// RetryDelay is the first wait between two sends; it doubles up to 10s,
	// with jitter. Zero means DefaultRetryDelay.
	RetryDelay time.Duration
	Pool       Pool
	// AllowNetworks are the networks that may be dialled besides public addresses.
	AllowNetworks []netip.Prefix
	AllowHeaders  []string // see httpop.Policy
	Idempotency   Idempotency
	// MaxResponse bounds the decoded body of an answer, in bytes; zero means
	// DefaultMaxResponse.
	MaxResponse int64
	Cache       ResponseCache
	Protocol    Protocol // "" means ProtocolAuto
	TLS         TLS
	// Proxy is the URL of an HTTP, HTTPS or SOCKS5 proxy; "" means none, and
	// the environment is not asked. Its address must be public or in
	// AllowNetworks; what it connects to is for the proxy to guard.
	Proxy string
	// Redirects is how many redirects of a GET or HEAD within the upstream's
	// origin are followed; zero means none.
	Redirects int
	// Resolver looks names up; nil means the system's.
	Resolver *net.Resolver
	// Gate is asked before each send; nil lets everything through.
	Gate Gate
}

// Pool bounds the connections to the upstream. Zero values mean the defaults.
type Pool struct {
	MaxIdle        int
	MaxConnections int // a call waits when all of them are busy
	IdleTimeout    time.Duration
}

// Idempotency says whether and how the upstream honours idempotency keys.
type Idempotency struct {
	Header string // "" means that it does not
	Format Format // "" means FormatBare
	// TTL is how long the upstream remembers a key; zero is for ever. A request that
	// may have been carried out longer ago is not sent again for its key alone.
	TTL         time.Duration
	OnAmbiguous OnAmbiguous // "" means OnAmbiguousUnknown
}

func (c Config) withDefaults() Config {
	c.Timeout = orDefault(c.Timeout, DefaultTimeout)
	c.RetryDelay = orDefault(c.RetryDelay, DefaultRetryDelay)
	c.Pool.MaxIdle = orDefault(c.Pool.MaxIdle, DefaultMaxIdle)
	c.Pool.MaxConnections = orDefault(c.Pool.MaxConnections, DefaultMaxConnections)
	c.Pool.IdleTimeout = orDefault(c.Pool.IdleTimeout, DefaultIdleTimeout)
	c.MaxResponse = orDefault(c.MaxResponse, DefaultMaxResponse)
	c.Cache.TTL = orDefault(c.Cache.TTL, DefaultCacheTTL)
	c.Cache.MaxBody = orDefault(c.Cache.MaxBody, DefaultMaxBody)
	c.Protocol = orDefault(c.Protocol, ProtocolAuto)
	c.Idempotency.Format = orDefault(c.Idempotency.Format, FormatBare)
	c.Idempotency.OnAmbiguous = orDefault(c.Idempotency.OnAmbiguous, OnAmbiguousUnknown)
	c.Auth.Type = orDefault(c.Auth.Type, AuthNone)
	if c.Gate == nil {
		c.Gate = ungated{}
	}
	return c
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// Policy returns what httpop.Check is to allow for this upstream.
func (c Config) Policy() httpop.Policy {
	p := httpop.Policy{AllowHeaders: c.AllowHeaders}
	if c.Idempotency.Header != "" {
		p.ReservedHeaders = append(p.ReservedHeaders, c.Idempotency.Header)
	}
	headers, query := c.Auth.reserved()
	p.ReservedHeaders, p.ReservedQuery = append(p.ReservedHeaders, headers...), query
	return p
}

var namePattern = regexp.MustCompile(`^[a-z][a-z0-9_-]*$`)

// Validate returns everything wrong with the Config, joined, each error naming
// its setting and the fix. It reads the files that TLS names.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	bad := func(setting, format string, args ...any) {
		errs = append(errs, fmt.Errorf("clients.%s.%s: %w", c.Name, setting, fmt.Errorf(format, args...)))
	}
	if !namePattern.MatchString(c.Name) {
		errs = append(errs, fmt.Errorf("clients: %q is not a name: want lower-case letters, digits, - and _, a letter first", c.Name))
	}
	if _, err := parseBase(c.BaseURL); err != nil {
		bad("base_url", "%w", err)
	}
	for _, problem := range c.Auth.problems() {
		bad(problem.setting, "%s", problem.message)
	}
	within(bad, "timeout", c.Timeout, 1, job.MaxTimeout)
	within(bad, "max_retries", c.MaxRetries, 0, MaxMaxRetries)
	within(bad, "pool.max_idle", c.Pool.MaxIdle, 1, 1<<20)
	within(bad, "pool.max_connections", c.Pool.MaxConnections, 1, 1<<20)
	within(bad, "pool.idle_timeout", c.Pool.IdleTimeout, 1, 24*time.Hour)
	within(bad, "max_response", c.MaxResponse, 1, 1<<31)
	within(bad, "cache.ttl", c.Cache.TTL, 1, 10*365*24*time.Hour)
	within(bad, "cache.max_body", c.Cache.MaxBody, 1, 1<<31)
	within(bad, "redirects", c.Redirects, 0, MaxRedirects)
	within(bad, "idempotency.ttl", c.Idempotency.TTL, 0, 10*365*24*time.Hour)
	for _, name := range c.AllowHeaders {
		if !httpop.AllowableHeader(name) {
			bad("allow_headers", "%q cannot be allowed; remove it", name)
		}
	}
	if h := c.Idempotency.Header; h != "" && !httpop.AllowableHeader(h) {
		bad("idempotency.header", "%q cannot carry the key; want the header that the upstream reads, such as Idempotency-Key", h)
	}
	oneOf(bad, "idempotency.format", c.Idempotency.Format, FormatBare, FormatString)
	oneOf(bad, "idempotency.on_ambiguous", c.Idempotency.OnAmbiguous, OnAmbiguousUnknown, OnAmbiguousRetry)
	oneOf(bad, "protocol", c.Protocol, ProtocolAuto, ProtocolHTTP1, ProtocolHTTP2)
	if _, err := parseProxy(c.Proxy); err != nil {
		bad("proxy", "%w", err)
	}
	if _, err := c.TLS.load(); err != nil {
		bad("tls", "%w", err)
	}
	return errors.Join(errs...)
}

func within[T int | int64 | time.Duration](bad func(string, string, ...any), setting string, got, low, high T) {
	if got < low || got > high {
		bad(setting, "%v is out of bounds; want %v to %v", got, low, high)
	}
}

func oneOf[T ~string](bad func(string, string, ...any), setting string, got T, want ...T) {
	for _, w := range want {
		if got == w {
			return
		}
	}
	bad(setting, "%q is not known; want one of %q", got, want)
}

// parseBase never repeats the text in an error: it may hold a password.
func parseBase(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.Opaque != "" {
		return nil, errors.New("not a URL such as https://api.example.com/v2")
	}
	if u.User != nil {
		return nil, errors.New("holds a user; use auth: {type: basic}")
	}
	if u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return nil, errors.New("holds a query or a fragment; give scheme, host and path only")
	}
	if _, err := httpop.Join(u, "/", nil); err != nil {
		return nil, fmt.Errorf("cannot take a path: %w", err)
	}
	if u.Path != "" {
		if errs := httpop.Check(httpop.Request{Method: "GET", Path: u.EscapedPath()}, httpop.Policy{}); len(errs) > 0 {
			return nil, errors.New(errs[0].Message)
		}
	}
	return u, nil
}

func parseProxy(text string) (*url.URL, error) {
	if text == "" {
		return nil, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" {
		return nil, errors.New("not a URL such as http://proxy.example.com:3128")
	}
	switch u.Scheme {
	case "http", "https", "socks5", "socks5h":
		return u, nil
	}
	return nil, fmt.Errorf("scheme %q is not known; want http, https or socks5", u.Scheme)
}
