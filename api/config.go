package api

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// Defaults of Config, used where a field is zero.
const (
	DefaultBodyLimit      = 1 << 20
	DefaultBulkBodyLimit  = 32 << 20
	DefaultBulkMaxItems   = 10_000
	DefaultRequestTimeout = 30 * time.Second
	DefaultMaxStreams     = 1000
)

// Config is what an operator decides about the REST server.
type Config struct {
	Listen string // host:port; port 0 is any free one
	// Open serves everybody as if they had every scope, without asking for a
	// key. Requests that a browser makes for another site are still refused.
	Open bool
	// LoopbackOnly answers 421 to requests whose Host is not a name or an
	// address of this machine: a page on another site cannot reach the server
	// by giving its own name a loopback address.
	LoopbackOnly   bool
	Certificate    string // path of a PEM chain; with CertificateKey, serves TLS 1.2 or newer
	CertificateKey string
	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed
	CORSOrigins    []string       // "*" is any, without credentials
	Gzip           bool           // compress answers of 1 KiB or more for those who accept it
	BodyLimit      int64          // bytes of a request, before and after decompression
	BulkBodyLimit  int64          // bytes of a batch, likewise
	BulkMaxItems   int            // jobs of a batch
	RequestTimeout time.Duration  // of a request, waiting for a job's end not counted
	MaxStreams     int            // event streams that a key may have open; a browser's session has no more than 5
	RateLimit      RateLimit      // of each key; of each address where no key is asked for
	Queues         []string       // that jobs may be submitted to
	Weights        map[string]int // of Queues: their share of a busy worker; for those who look
	DashboardPath  string         // beneath which Deps.Dashboard is served, such as /dashboard/; "" serves none
	// ReadTimeout bounds the reading of a request, body included. Zero is 30 s,
	// or RequestTimeout and a second if that is longer.
	ReadTimeout time.Duration
}

// RateLimit is a token bucket.
type RateLimit struct {
	Requests int           // allowed in each Per; 0 is no limit
	Per      time.Duration // default 1s
	Burst    int           // at once; 0 is the same as Requests
}

// Validate returns what is wrong with the configuration, or nil.
func (c Config) Validate() error {
	switch {
	case len(c.Queues) == 0:
		return errors.New("api: Queues is empty; jobs need a queue")
	case (c.Certificate == "") != (c.CertificateKey == ""):
		return errors.New("api: set both Certificate and CertificateKey, or none")
	case c.BodyLimit < 0 || c.BulkBodyLimit < 0 || c.BulkMaxItems < 0 || c.MaxStreams < 0 || c.RequestTimeout < 0 || c.ReadTimeout < 0:
		return errors.New("api: limits and timeouts must not be negative")
	case c.RateLimit.Requests < 0 || c.RateLimit.Per < 0 || c.RateLimit.Burst < 0:
		return errors.New("api: RateLimit must not be negative")
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return fmt.Errorf("api: Listen: %w", err)
	}
	return nil
}

func (c Config) withDefaults() Config {
	if c.BodyLimit == 0 {
		c.BodyLimit = DefaultBodyLimit
	}
	if c.BulkBodyLimit == 0 {
		c.BulkBodyLimit = DefaultBulkBodyLimit
	}
	if c.BulkMaxItems == 0 {
		c.BulkMaxItems = DefaultBulkMaxItems
	}
	if c.RequestTimeout == 0 {
		c.RequestTimeout = DefaultRequestTimeout
	}
	if c.MaxStreams == 0 {
		c.MaxStreams = DefaultMaxStreams
	}
	if c.ReadTimeout == 0 {
		// The server cancels a request whose reading has timed out, even one
		// that was read to its end.
		c.ReadTimeout = max(30*time.Second, c.RequestTimeout+time.Second)
	}
	if c.RateLimit.Per == 0 {
		c.RateLimit.Per = time.Second
	}
	if c.RateLimit.Burst == 0 {
		c.RateLimit.Burst = c.RateLimit.Requests
	}
	return c
}
