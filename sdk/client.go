package sdk

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Defaults of Options.
const (
	DefaultMaxRetries  = 4
	DefaultMaxResponse = 64 << 20 // bytes
	DefaultTimeout     = 30 * time.Second
)

// Options are what most callers leave alone. A zero field means its default.
type Options struct {
	// HTTPClient sends the requests. Its Timeout must be longer than the waits
	// asked for. By default, one of the Client's own that follows no redirect,
	// so that the key goes nowhere else.
	HTTPClient *http.Client
	// MaxRetries is how often a call is sent again; default DefaultMaxRetries,
	// negative is never.
	MaxRetries int
	// MaxResponse bounds an answer, in bytes; default DefaultMaxResponse. A
	// larger one is ErrResponseTooLarge.
	MaxResponse int64
	// Timeout bounds each send of a call, waits that were asked for not
	// counted; default DefaultTimeout. Batches have ten times as long.
	Timeout time.Duration
	// UserAgent is sent with every request; default "asyncops-sdk".
	UserAgent string
}

// ErrResponseTooLarge is an answer over Options.MaxResponse.
var ErrResponseTooLarge = errors.New("the answer is larger than MaxResponse")

// Client calls one asyncops server. It is safe for concurrent use. Close
// releases its idle connections.
type Client struct {
	base        string // without a slash at its end
	key         string
	http        *http.Client
	maxRetries  int
	maxResponse int64
	timeout     time.Duration
	userAgent   string
}

// New returns a client of the server at an http or https URL, such as
// http://127.0.0.1:8080. key is aok_<id>_<secret>; "" for a server that asks
// for none. It connects to nothing.
func New(serverURL, key string, opts Options) (*Client, error) {
	u, err := url.Parse(serverURL)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		return nil, fmt.Errorf("sdk: the server's URL %q is none such as http://127.0.0.1:8080", redact(serverURL))
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("sdk: the server's URL must hold no user, query or fragment; give the key apart")
	case strings.IndexFunc(key, notInHeader) >= 0:
		return nil, errors.New("sdk: the key holds characters that none has, such as a line break")
	}
	c := &Client{
		base: strings.TrimRight(u.String(), "/"), key: key, http: opts.HTTPClient,
		maxRetries: opts.MaxRetries, maxResponse: opts.MaxResponse, timeout: opts.Timeout, userAgent: opts.UserAgent,
	}
	if c.http == nil {
		c.http = &http.Client{
			Transport:     http.DefaultTransport.(*http.Transport).Clone(),
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	if c.maxRetries == 0 {
		c.maxRetries = DefaultMaxRetries
	}
	if c.maxResponse <= 0 {
		c.maxResponse = DefaultMaxResponse
	}
	if c.timeout <= 0 {
		c.timeout = DefaultTimeout
	}
	if c.userAgent == "" {
		c.userAgent = "asyncops-sdk"
	}
	return c, nil
}

// Close releases idle connections. Calls in flight go on.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// String returns the server's URL; the key is never shown.
func (c *Client) String() string { return c.base }

// GoString returns what String does, for %#v.
func (c *Client) GoString() string { return c.base }

func notInHeader(r rune) bool { return r <= ' ' || r > '~' }

// redact hides what may be a password in a URL that cannot be read.
func redact(s string) string {
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		return "…" + s[i:]
	}
	return s
}
