package api

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"golang.org/x/time/rate"

	"github.com/asyncops/asyncops/job"
)

const (
	readHeaderTimeout = 5 * time.Second
	idleTimeout       = 60 * time.Second
	// maxHeaderBytes: net/http adds 4 KiB to what it is given.
	maxHeaderBytes = 28 << 10
	maxStreams     = 100 // of one HTTP/2 connection
	// bulkShare is how many batches of the largest size may be in memory.
	bulkShare = 8
	// shutdownTimeout is how long requests may take to end once Run's context
	// has; it lies below the default grace of a part.
	shutdownTimeout = 8 * time.Second
)

// Server is the REST server. Start opens its port, Run serves until its
// context ends; the two fit a part of package lifecycle. Its Handler can be
// used without either. It is safe for concurrent use.
type Server struct {
	cfg        Config
	deps       Deps
	echo       *echo.Echo
	everybody  *principal
	keys       *keyring
	failures   *limiter                    // wrong keys, by address
	rates      *limiter                    // nil: no limit
	ratePolicy string                      // of rates
	origins    *http.CrossOriginProtection // nil: a key is asked for
	ownPages   *http.CrossOriginProtection
	sessions   *recall[job.Session]
	hub        *hub
	streams    streams
	statsKept  keptAnswers
	kinds      []kindItem
	templates  Templates
	bulk       atomic.Int64    // bytes of batches that may be in memory
	draining   context.Context //nolint:containedctx // ends when Run's does: waits are cut short
	drain      context.CancelFunc

	listener net.Listener // set by Start
	http     *http.Server // set by Start
}

// New returns a server that does not listen yet.
func New(cfg Config, deps Deps) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if err := deps.validate(); err != nil {
		return nil, err
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	cfg = cfg.withDefaults()
	s := &Server{cfg: cfg, deps: deps, echo: echo.New(), everybody: everybody(), kinds: kindItems(), ownPages: http.NewCrossOriginProtection()}
	s.templates = Templates{Queues: cfg.Queues, Targets: deps.Targets, Deliveries: deps.Deliveries}
	s.keys = newKeyring(deps.ConfiguredKeys, deps.Keys, deps.Log, deps.Now)
	s.sessions = newRecall[job.Session](deps.Now)
	s.failures = newLimiter(failuresPerSecond, failuresBurst, deps.Now)
	if r := cfg.RateLimit; r.Requests > 0 {
		s.rates = newLimiter(rate.Limit(float64(r.Requests)/r.Per.Seconds()), r.Burst, deps.Now)
		s.ratePolicy = ratePolicy(r)
	}
	s.hub = newHub(s)
	s.streams.open, s.streams.heartbeat, s.streams.recheck = map[string]int{}, 15*time.Second, keyAge
	s.draining, s.drain = context.WithCancel(context.Background())
	s.echo.IPExtractor = ipExtractor(cfg)
	if err := s.setOrigins(); err != nil {
		return nil, fmt.Errorf("api: CORSOrigins: %w", err)
	}
	s.register()
	return s, nil
}

// setOrigins decides which other sites a browser may speak for.
func (s *Server) setOrigins() error {
	anywhere := slices.Contains(s.cfg.CORSOrigins, "*")
	if s.cfg.Open && !anywhere {
		s.origins = http.NewCrossOriginProtection()
		for _, origin := range s.cfg.CORSOrigins {
			if err := s.origins.AddTrustedOrigin(origin); err != nil {
				return err
			}
		}
	}
	if len(s.cfg.CORSOrigins) > 0 {
		s.echo.Pre(middleware.CORSWithConfig(middleware.CORSConfig{
			// The pages are nobody else's, and neither are the logins beneath them.
			Skipper: func(c echo.Context) bool {
				return s.cfg.DashboardPath != "" && strings.HasPrefix(c.Request().URL.Path, s.cfg.DashboardPath)
			},
			AllowOrigins:     s.cfg.CORSOrigins,
			AllowMethods:     []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete},
			AllowHeaders:     []string{"Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match", "Prefer", "Traceparent", headerRequestID},
			ExposeHeaders:    []string{"ETag", "Location", headerRequestID, "Idempotency-Replayed", "Preference-Applied", "Retry-After", "RateLimit", "RateLimit-Policy"},
			AllowCredentials: !anywhere,
			MaxAge:           600,
		}))
	}
	return nil
}

// ipExtractor believes X-Forwarded-For only from the proxies that are trusted.
func ipExtractor(cfg Config) echo.IPExtractor {
	if len(cfg.TrustedProxies) == 0 {
		return echo.ExtractIPDirect()
	}
	trust := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, p := range cfg.TrustedProxies {
		trust = append(trust, echo.TrustIPRange(&net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}))
	}
	return echo.ExtractIPFromXFFHeader(trust...)
}

func (s *Server) now() time.Time { return s.deps.Now() }

// Handler serves requests without a port of the server's own.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.enter) }

// Start opens the port. It is called once, before Run.
func (s *Server) Start(ctx context.Context) error {
	server := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       s.cfg.ReadTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		ErrorLog:          slog.NewLogLogger(s.deps.Log.Handler(), slog.LevelDebug),
	}
	if s.cfg.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(s.cfg.Certificate, s.cfg.CertificateKey)
		if err != nil {
			return fmt.Errorf("api: read the certificate: %w", err)
		}
		server.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", s.cfg.Listen)
	if err != nil {
		return fmt.Errorf("api: listen on %s: %w", s.cfg.Listen, err)
	}
	s.listener, s.http = listener, server
	return nil
}

// Addr returns the address that Start opened.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Run serves until ctx ends. Then it takes no more requests, cuts waits short,
// and returns nil when the rest are answered, at the latest after 8 s.
func (s *Server) Run(ctx context.Context) error {
	served := make(chan error, 1)
	go func() {
		if s.http.TLSConfig != nil {
			served <- s.http.ServeTLS(s.listener, "", "")
			return
		}
		served <- s.http.Serve(s.listener)
	}()
	select {
	case err := <-served:
		return fmt.Errorf("api: serve: %w", err)
	case <-ctx.Done():
	}
	s.drain()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	err := s.http.Shutdown(grace)
	if err != nil {
		_ = s.http.Close() // what would not end is cut off; err says so
		err = fmt.Errorf("api: stop: %w", err)
	}
	<-served //nolint:errcheck // it says that it was closed
	s.hub.wait()
	return err
}
