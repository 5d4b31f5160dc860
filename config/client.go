package config

import (
	"net/netip"
	"time"
)

// Protocols that a client may be held to.
const (
	ProtocolAuto  = "auto" // what TLS negotiates
	ProtocolHTTP1 = "http1"
	ProtocolHTTP2 = "http2"
)

// Client is one upstream API.
type Client struct {
	BaseURL        string            `yaml:"base_url" required:"https://api.example.com/v2"` // http or https; paths of jobs are appended
	Auth           Auth              `yaml:"auth"`
	Protocol       string            `yaml:"protocol" oneof:"auto|http1|http2"`
	Timeout        Duration          `yaml:"timeout" range:"1ms..24h"`   // of one request
	MaxRetries     int               `yaml:"max_retries" range:"0..100"` // inside one attempt of a job
	RateLimit      RateLimit         `yaml:"rate_limit"`                 // across the whole fleet
	CircuitBreaker Breaker           `yaml:"circuit_breaker"`            // shared by the fleet
	Cache          ResponseCache     `yaml:"cache"`
	Pool           ClientPool        `yaml:"pool"`
	AllowNetworks  []netip.Prefix    `yaml:"allow_networks"` // reachable besides public addresses
	AllowHeaders   []string          `yaml:"allow_headers"`  // that jobs may set besides the harmless ones
	Idempotency    ClientIdempotency `yaml:"idempotency"`
	MaxResponse    Size              `yaml:"max_response" range:"1KiB..1GiB"` // longer bodies fail the job
	TLS            ClientTLS         `yaml:"tls"`
	Proxy          Secret            `yaml:"proxy"`                   // http, https or socks5 URL; empty: direct
	Redirects      int               `yaml:"redirects" range:"0..10"` // followed, on the same host
}

func (c *Client) setDefaults(string) {
	c.Protocol = ProtocolAuto
	c.Timeout = Duration(30 * time.Second)
	c.MaxRetries = 3
	c.MaxResponse = 10 * MiB
}

// Breaker stops requests to an upstream that keeps failing.
type Breaker struct {
	Threshold        int      `yaml:"threshold" range:"0..1000000"`        // consecutive failures that open it; 0 is off
	Timeout          Duration `yaml:"timeout" range:"1ms..24h"`            // how long it stays open
	HalfOpenRequests int      `yaml:"half_open_requests" range:"1..10000"` // let through to find out whether it may close
}

func (b *Breaker) setDefaults(string) {
	*b = Breaker{Threshold: 5, Timeout: Duration(time.Minute), HalfOpenRequests: 1}
}

// ResponseCache bounds what the cache keeps of one upstream.
type ResponseCache struct {
	TTL     Duration `yaml:"ttl" range:"1ms..8760h"`   // where the upstream says nothing
	MaxBody Size     `yaml:"max_body" range:"0..1GiB"` // longer bodies are not kept
}

func (c *ResponseCache) setDefaults(string) {
	*c = ResponseCache{TTL: Duration(time.Hour), MaxBody: 1 * MiB}
}

// ClientPool bounds one process's connections to an upstream.
type ClientPool struct {
	MaxIdle        int      `yaml:"max_idle" range:"0..100000"`        // connections kept open
	MaxConnections int      `yaml:"max_connections" range:"1..100000"` // connections at once
	IdleTimeout    Duration `yaml:"idle_timeout" range:"1ms..24h"`     // an idle connection is closed after it
}

func (p *ClientPool) setDefaults(string) {
	*p = ClientPool{MaxIdle: 20, MaxConnections: 100, IdleTimeout: Duration(90 * time.Second)}
}

// How an upstream's idempotency key is written, and what follows a request
// that may have been carried out.
const (
	KeyBare          = "bare"    // the key as it is
	KeyString        = "string"  // as a quoted string of RFC 9651
	AmbiguousUnknown = "unknown" // the job stops, for a person
	AmbiguousRetry   = "retry"   // the request is sent again
)

// ClientIdempotency is what an upstream does to tell a repeated request.
type ClientIdempotency struct {
	Header      string   `yaml:"header"`                             // that the upstream honours; empty: none
	Format      string   `yaml:"format" oneof:"bare|string"`         // KeyBare or KeyString
	TTL         Duration `yaml:"ttl" range:"1s..8760h"`              // how long the upstream remembers a key
	OnAmbiguous string   `yaml:"on_ambiguous" oneof:"unknown|retry"` // AmbiguousUnknown or AmbiguousRetry
}

func (i *ClientIdempotency) setDefaults(string) {
	*i = ClientIdempotency{Format: KeyBare, TTL: Duration(24 * time.Hour), OnAmbiguous: AmbiguousUnknown}
}

// ClientTLS names a client's PEM files.
type ClientTLS struct {
	CA   string `yaml:"ca"`   // path of the authorities to trust; empty: the system's
	Cert string `yaml:"cert"` // path of the certificate to show; empty: none
	Key  string `yaml:"key"`  // path of its private key
}

// Kinds of Auth.
const (
	AuthTypeNone             = "none"
	AuthTypeBearer           = "bearer"
	AuthTypeAPIKey           = "api_key"
	AuthTypeBasic            = "basic"
	AuthTypeOAuth2           = "oauth2"
	AuthTypeHMAC             = "hmac"
	AuthTypeStandardWebhooks = "standard_webhooks"
	AuthTypeCustom           = "custom"
)

// Auth is how requests to an upstream prove who sends them. Which fields
// matter depends on Type; the others are empty.
type Auth struct {
	Type            string   `yaml:"type" oneof:"none|bearer|api_key|basic|oauth2|hmac|standard_webhooks|custom"`
	Token           Secret   `yaml:"token"`                            // bearer
	In              string   `yaml:"in" oneof:"|header|query"`         // api_key; default header
	Name            string   `yaml:"name"`                             // api_key: of the header or parameter; custom: as registered in Go
	Key             Secret   `yaml:"key"`                              // api_key
	Username        string   `yaml:"username"`                         // basic
	Password        Secret   `yaml:"password"`                         // basic; may be empty
	TokenURL        string   `yaml:"token_url"`                        // oauth2
	ClientID        string   `yaml:"client_id"`                        // oauth2
	ClientSecret    Secret   `yaml:"client_secret"`                    // oauth2
	Scopes          []string `yaml:"scopes"`                           // oauth2
	Audience        string   `yaml:"audience"`                         // oauth2
	Secret          Secret   `yaml:"secret"`                           // hmac
	Algorithm       string   `yaml:"algorithm" oneof:"|sha256|sha512"` // hmac; default sha256
	Header          string   `yaml:"header"`                           // hmac: that carries the signature
	TimestampHeader string   `yaml:"timestamp_header"`                 // hmac: that carries the time; empty: none
	Secrets         []Secret `yaml:"secrets"`                          // standard_webhooks: each signs, so that they can be rotated
}

// complete fills in the defaults that only some types have.
func (a *Auth) complete() {
	if a.Type == AuthTypeAPIKey && a.In == "" {
		a.In = "header"
	}
	if a.Type == AuthTypeHMAC && a.Algorithm == "" {
		a.Algorithm = "sha256"
	}
}

func (a *Auth) setDefaults(string) { a.Type = AuthTypeNone }
