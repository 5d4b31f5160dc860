package api

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/asyncops/asyncops/job"
)

// Sessions keeps what browsers logged in with. Its methods are safe for
// concurrent use.
type Sessions interface {
	// OpenSession keeps a session for as long as life, and returns its end.
	OpenSession(ctx context.Context, s job.Session, life time.Duration) (expires time.Time, err error)
	// Session returns the session with the id, or job.ErrNotFound once it has
	// ended.
	Session(ctx context.Context, id string) (*job.Session, error)
	// CloseSession ends a session; one that is not there has ended already.
	CloseSession(ctx context.Context, id string) error
}

const (
	// sessionLife is how long a session lasts at the most.
	sessionLife = 12 * time.Hour
	// The cookie's name begins so that browsers take it from the whole host over
	// TLS only; without TLS, which is for loopback, they would not take it at all.
	secureCookie   = "__Host-asyncops"
	loopbackCookie = "asyncops"
	sessionBytes   = 32 // of a token, before it is encoded
)

// sessionOf is the session in a request's cookie: the id under which it is
// kept, and the token that it was made of. A cookie over TLS comes first.
func sessionOf(r *http.Request) (id string, token []byte, given bool) {
	for _, name := range []string{secureCookie, loopbackCookie} {
		cookie, err := r.Cookie(name)
		if err != nil || cookie.Value == "" {
			continue
		}
		token, err := base64.RawURLEncoding.DecodeString(cookie.Value)
		if err != nil || len(token) != sessionBytes {
			return "", nil, true
		}
		return sessionID(token), token, true
	}
	return "", nil, false
}

// sessionID is what of a token is kept: who reads it there can make no cookie.
func sessionID(token []byte) string {
	sum := sha256.Sum256(token)
	return hex.EncodeToString(sum[:])
}

// bindingOf ties a session to the secret of its key: with another secret under
// the same id it counts for nothing.
func bindingOf(token []byte, p *principal) string {
	sum := sha256.Sum256(append(append([]byte("asyncops session\n"), token...), p.hash[:]...))
	return hex.EncodeToString(sum[:])
}

// bySession finds out whose session a cookie stands for.
func (s *Server) bySession(ctx context.Context, c *call) (*principal, error) {
	id, token, _ := sessionOf(c.Request())
	var known *principal
	found, err := s.findSession(ctx, c, id)
	if err == nil {
		known, err = s.keys.find(ctx, found.Key, func() error { return nil })
	}
	switch {
	case errors.Is(err, job.ErrNotFound):
	case err != nil:
		return nil, err
	case subtle.ConstantTimeCompare([]byte(bindingOf(token, known)), []byte(found.Binding)) == 1 && !known.ended(s.now()):
		c.session = found
		return known, nil
	}
	s.dropCookies(c)
	return nil, s.unauthorized(c, true)
}

// findSession returns the session with the id, as it was at most keyAge ago.
func (s *Server) findSession(ctx context.Context, c *call, id string) (*job.Session, error) {
	if id == "" || s.deps.Sessions == nil {
		return nil, job.ErrNotFound
	}
	found, ok := s.sessions.get(id)
	if !ok {
		if err := s.failures.peek(c.RealIP()); err != nil {
			return nil, err
		}
		asked := s.now()
		var err error
		if found, err = s.deps.Sessions.Session(ctx, id); err != nil && !errors.Is(err, job.ErrNotFound) {
			return nil, err
		}
		s.sessions.put(id, found, asked)
	}
	if found == nil || !s.now().Before(found.ExpiresAt) {
		return nil, job.ErrNotFound
	}
	return found, nil
}

// openSession begins a session of the key's and has the browser keep it.
func (s *Server) openSession(ctx context.Context, c *call, p *principal) (*job.Session, error) {
	token := make([]byte, sessionBytes)
	_, _ = rand.Read(token) // it never fails
	session := job.Session{ID: sessionID(token), Key: p.id, Binding: bindingOf(token, p)}
	var err error
	if session.ExpiresAt, err = s.deps.Sessions.OpenSession(ctx, session, sessionLife); err != nil {
		return nil, err
	}
	http.SetCookie(c.Response(), cookieFor(c.Request(), base64.RawURLEncoding.EncodeToString(token), int(sessionLife/time.Second)))
	return &session, nil
}

// cookieFor is a cookie that the browser behind the request takes, and that no
// script reads and no other site sends.
func cookieFor(r *http.Request, value string, maxAge int) *http.Cookie {
	cookie := &http.Cookie{
		Name: secureCookie, Value: value, Path: "/", MaxAge: maxAge, Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
	if plainLoopback(r) {
		cookie.Name, cookie.Secure = loopbackCookie, false
	}
	return cookie
}

// plainLoopback reports whether the browser talks HTTP without TLS to its own
// machine. Its Origin says so best: behind a proxy, scheme and host of the
// request are the proxy's.
func plainLoopback(r *http.Request) bool {
	if origin, err := url.Parse(r.Header.Get("Origin")); err == nil && origin.Host != "" {
		return origin.Scheme == "http" && isLoopback(origin.Host)
	}
	return r.TLS == nil && isLoopback(r.Host)
}

// dropCookies has the browser forget its session.
func (s *Server) dropCookies(c *call) {
	for _, name := range []string{secureCookie, loopbackCookie} {
		if _, err := c.Request().Cookie(name); err == nil {
			http.SetCookie(c.Response(), &http.Cookie{
				Name: name, Path: "/", MaxAge: -1, Secure: name == secureCookie, HttpOnly: true, SameSite: http.SameSiteStrictMode,
			})
		}
	}
}
