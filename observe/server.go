package observe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Off is the address of a Server that serves nothing.
const Off = "off"

// Bounds of the server: probes are small and quick.
const (
	headerTimeout = 5 * time.Second
	writeTimeout  = 30 * time.Second // a scrape over a slow line
	idleTimeout   = 2 * time.Minute  // longer than scrapes are apart
	stopTimeout   = 3 * time.Second
	maxHeader     = 16 << 10 // bytes
)

// Server is the HTTP server of a process that has no API. Start and Run fit
// the part that runs it.
type Server struct {
	addr string
	out  io.Writer
	log  *slog.Logger
	http *http.Server

	listener net.Listener // set by Start
}

// NewServer returns a server of handler on addr, host:port, where port 0 is
// any and Off is no server at all. Start prints the address it got to out.
func NewServer(addr string, handler http.Handler, out io.Writer, log *slog.Logger) *Server {
	return &Server{addr: addr, out: out, log: log, http: &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       headerTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}}
}

// Start listens and prints the address, such as
// "health and metrics on http://127.0.0.1:8081".
func (s *Server) Start(ctx context.Context) error {
	if s.addr == Off {
		return nil
	}
	var err error
	if s.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", s.addr); err != nil {
		return fmt.Errorf("observe: serve health and metrics: %w", err)
	}
	if _, err := fmt.Fprintf(s.out, "health and metrics on http://%s\n", s.listener.Addr()); err != nil {
		return errors.Join(fmt.Errorf("observe: print the address: %w", err), s.listener.Close())
	}
	return nil
}

// Addr returns the address that Start got; "" before, or if the server is Off.
func (s *Server) Addr() string {
	if s.listener == nil {
		return ""
	}
	return s.listener.Addr().String()
}

// Run serves until ctx ends and then lets the requests in flight finish for
// 3 s. It returns nil at once if the server is Off.
func (s *Server) Run(ctx context.Context) error {
	if s.listener == nil {
		return nil
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		err := s.http.Shutdown(limited)
		if err != nil {
			err = errors.Join(err, s.http.Close())
		}
		stopped <- err
	})
	err := s.http.Serve(s.listener)
	if stop() { // it ended by itself
		return fmt.Errorf("observe: serve health and metrics: %w", err)
	}
	if err := <-stopped; err != nil {
		s.log.WarnContext(ctx, "requests in flight were cut off", "error", err)
	}
	return nil
}
