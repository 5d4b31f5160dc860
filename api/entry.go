package api

import (
	"context"
	"crypto/rand"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

const (
	headerRequestID = "X-Request-Id"
	maxURILength    = 8 << 10
)

// enter is the server's outermost handler: what holds for every request,
// before it has a route.
func (s *Server) enter(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header[headerRequestID] = []string{requestID(r.Header)}
	header["X-Content-Type-Options"] = []string{"nosniff"}
	if refused := s.turnAway(r); refused != nil {
		if refused.Status == http.StatusMethodNotAllowed {
			header.Set("Allow", "GET, HEAD, POST, PUT, DELETE, OPTIONS")
		}
		_ = refused.write(w) // the caller has gone: nobody is left to tell
		s.deps.Observer.Request("", methodLabel(r.Method), refused.Status, 0)
		return
	}
	if r.Method == http.MethodHead {
		r = r.WithContext(context.WithValue(r.Context(), headOnly{}, true))
		r.Method = http.MethodGet // net/http leaves the body out by the method of its own copy
	}
	s.echo.ServeHTTP(w, r)
}

// headOnly is in the context of a request whose answer is its head: what would
// not end by itself ends at once.
type headOnly struct{}

// turnAway refuses requests that no route should see.
func (s *Server) turnAway(r *http.Request) *refusal {
	switch {
	case r.Method == http.MethodConnect || r.Method == http.MethodTrace:
		return refuse(http.StatusMethodNotAllowed, CodeMethodNotAllowed, "%s is not allowed", r.Method)
	case len(r.RequestURI) > maxURILength:
		return refuse(http.StatusRequestURITooLong, CodeURITooLong, "the request's target is longer than %d bytes", maxURILength)
	case s.cfg.LoopbackOnly && !isLoopback(r.Host):
		return refuse(http.StatusMisdirectedRequest, CodeMisdirected, "this server answers to localhost and loopback addresses only")
	}
	return nil
}

// requestID is the caller's, if it is one that may stand in a log, else new.
func requestID(h http.Header) string {
	if given := h[headerRequestID]; len(given) == 1 && len(given[0]) > 0 && len(given[0]) <= 128 {
		if strings.IndexFunc(given[0], notInRequestID) < 0 {
			return given[0]
		}
	}
	return rand.Text()
}

func notInRequestID(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.", r)
}

// isLoopback reports whether the Host of a request names this machine.
func isLoopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(hostport, "["), "]")
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// sameOrigin refuses what a browser sends for another site by itself: with a
// session's cookie, and where no key is asked for and the address alone would
// let it in.
func (s *Server) sameOrigin(c *call) error {
	if c.session != nil {
		return s.fromOwnPages(c.Request())
	}
	if s.origins == nil {
		return nil
	}
	if err := s.origins.Check(c.Request()); err != nil {
		return refuse(http.StatusForbidden, CodeCrossOrigin, "this server takes no requests that change something from other sites")
	}
	return nil
}
