package config

import (
	"net"
	"net/netip"
	"strings"
	"time"
)

// Ways in which the API tells its callers apart.
const (
	AuthRequired = "required" // every request needs a key
	AuthNone     = "none"     // nobody is asked; on a loopback address only
)

// Roles of an API key.
const (
	RoleViewer    = "viewer"    // jobs:read
	RoleSubmitter = "submitter" // jobs:write, jobs:read
	RoleOperator  = "operator"  // everything but keys:admin
	RoleAdmin     = "admin"     // everything
)

// API is the REST server.
type API struct {
	Listen           string         `yaml:"listen"`                                 // host:port; an empty host is every address, port 0 is any
	Auth             string         `yaml:"auth" oneof:"required|none"`             // AuthRequired or AuthNone
	Keys             []APIKey       `yaml:"keys"`                                   // besides those in the ledger
	TLS              ServerTLS      `yaml:"tls"`                                    // both empty: plain HTTP
	TrustedProxies   []netip.Prefix `yaml:"trusted_proxies"`                        // whose X-Forwarded-For is believed
	CORSOrigins      []string       `yaml:"cors_origins"`                           // "*" is any, without credentials
	Gzip             bool           `yaml:"gzip"`                                   // compress answers for those who accept it
	BodyLimit        Size           `yaml:"body_limit" range:"1KiB..1GiB"`          // of a request
	BulkBodyLimit    Size           `yaml:"bulk_body_limit" range:"1KiB..16GiB"`    // of a batch
	BulkMaxItems     int            `yaml:"bulk_max_items" range:"1..1000000"`      // of a batch
	MaxStreamsPerKey int            `yaml:"max_streams_per_key" range:"1..1000000"` // event streams open at once
	RequestTimeout   Duration       `yaml:"request_timeout" range:"100ms..1h"`      // waiting for a job's end not counted
	RateLimit        RateLimit      `yaml:"rate_limit"`                             // per API key
}

// LoopbackOnly reports whether the server can be reached from its own machine
// alone.
func (a API) LoopbackOnly() bool {
	host, _, err := net.SplitHostPort(a.Listen)
	return err == nil && isLoopback(host)
}

// isLoopback reports whether a host, a name or an address, is this machine.
func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

func (a *API) setDefaults(string) {
	a.Listen = "127.0.0.1:8080"
	a.Auth = AuthRequired
	a.Gzip = true
	a.BodyLimit = 1 * MiB
	a.BulkBodyLimit = 32 * MiB
	a.BulkMaxItems = 10_000
	a.MaxStreamsPerKey = 1000
	a.RequestTimeout = Duration(30 * time.Second)
}

// APIKey is one caller of the API. What its lists name it is limited to; an
// empty list is no limit.
type APIKey struct {
	Name      string    `yaml:"name" required:"ops"`                                                                                               // shown in audit and listings
	Key       Secret    `yaml:"key" required:"${OPS_KEY}"`                                                                                         // aok_<id>_<secret>
	Role      string    `yaml:"role" oneof:"|viewer|submitter|operator|admin"`                                                                     // empty: scopes alone
	Scopes    []string  `yaml:"scopes" oneof:"jobs:write|jobs:read|jobs:payload|queues:admin|schedules:write|targets:admin|keys:admin|audit:read"` // besides the role's
	Queues    []string  `yaml:"queues"`
	Kinds     []string  `yaml:"kinds"`
	Databases []string  `yaml:"databases"`
	Clients   []string  `yaml:"clients"`
	ExpiresAt time.Time `yaml:"expires_at"` // zero: never
}

// ServerTLS names a server's PEM files.
type ServerTLS struct {
	Cert string `yaml:"cert"` // path of the certificate chain
	Key  string `yaml:"key"`  // path of its private key
}

// RateLimit is a token bucket.
type RateLimit struct {
	Requests int      `yaml:"requests" range:"0..10000000"` // allowed in each Per; 0 is no limit
	Per      Duration `yaml:"per" range:"1ms..24h"`
	Burst    int      `yaml:"burst" range:"0..10000000"` // at once; 0 is the same as Requests
}

func (r *RateLimit) setDefaults(string) { r.Per = Duration(time.Second) }

// Dashboard is the pages that the API process serves.
type Dashboard struct {
	Enabled  bool   `yaml:"enabled"`
	BasePath string `yaml:"base_path"` // begins and ends with a slash
}

func (d *Dashboard) setDefaults(string) { *d = Dashboard{Enabled: true, BasePath: "/dashboard/"} }

// SplitKey takes an API key, aok_<id>_<secret>, apart; false means that key is
// not one: id is 4 to 32 of [a-z0-9], secret at least 32 of [A-Za-z0-9_-].
func SplitKey(key string) (id, secret string, ok bool) {
	rest, ok := strings.CutPrefix(key, "aok_")
	if !ok {
		return "", "", false
	}
	id, secret, _ = strings.Cut(rest, "_")
	if len(id) < 4 || len(id) > 32 || !madeOf(id, lower+digits) {
		return "", "", false
	}
	if len(secret) < 32 || len(secret) > 256 || !madeOf(secret, lower+upper+digits+"_-") {
		return "", "", false
	}
	return id, secret, true
}

const (
	lower  = "abcdefghijklmnopqrstuvwxyz"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits = "0123456789"
)

// madeOf reports whether every byte of s is one of set.
func madeOf(s, set string) bool {
	for i := range len(s) {
		if !strings.Contains(set, s[i:i+1]) {
			return false
		}
	}
	return true
}
