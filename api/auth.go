package api

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/asyncops/asyncops/job"
)

// principal is a caller and what it may do.
type principal struct {
	id        string // of its key; "" where nobody is asked
	name      string // of its key
	role      string // "" for scopes alone
	scopes    scopeSet
	queues    []string // nil: all
	kinds     []string // nil: all
	databases []string // nil: all
	clients   []string // nil: all
	expires   time.Time
	hash      [sha256.Size]byte
}

// everybody is the caller of an open server.
func everybody() *principal { return &principal{scopes: allScopes} }

// principalOf reads a key. It refuses one that could mean more than was meant.
func principalOf(k *Key) (*principal, error) {
	scopes, err := scopeSetOf(k.Role, k.Scopes)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", k.ID, err)
	}
	p := &principal{
		id: k.ID, name: k.Name, role: k.Role, scopes: scopes, queues: orAll(k.Queues), kinds: orAll(k.Kinds),
		databases: orAll(k.Databases), clients: orAll(k.Clients), expires: k.ExpiresAt,
	}
	if !k.RevokedAt.IsZero() && (p.expires.IsZero() || k.RevokedAt.Before(p.expires)) {
		p.expires = k.RevokedAt
	}
	if n, err := hex.Decode(p.hash[:], []byte(k.Hash)); err != nil || n != len(p.hash) || len(k.Hash) != 2*n {
		return nil, fmt.Errorf("key %s: its hash is not a SHA-256 in hexadecimal", k.ID)
	}
	return p, nil
}

func orAll(names []string) []string {
	if len(names) == 0 {
		return nil
	}
	return names
}

// may reports whether a list of a key allows the name.
func may(list []string, name string) bool { return list == nil || slices.Contains(list, name) }

// HashKey returns what is kept of an API key, aok_<id>_<secret>: its SHA-256
// in hexadecimal. Secrets are random and long, so no slower hash is needed.
func HashKey(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// Bounds of a key's text.
const (
	maxKeyLength    = 320
	minKeyIDLength  = 4
	maxKeyIDLength  = 32
	minSecretLength = 32
)

// keyID returns the id of a key's text; false when it is not one.
func keyID(key string) (string, bool) {
	rest, ok := strings.CutPrefix(key, "aok_")
	if !ok || len(key) > maxKeyLength {
		return "", false
	}
	id, secret, _ := strings.Cut(rest, "_")
	if len(id) < minKeyIDLength || len(id) > maxKeyIDLength || len(secret) < minSecretLength {
		return "", false
	}
	for i := range len(id) {
		if c := id[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return "", false
		}
	}
	return id, true
}

// bearer returns the text of the key that a request carries.
func bearer(h http.Header) string {
	values := h["Authorization"]
	if len(values) != 1 {
		return ""
	}
	const scheme = "Bearer "
	if len(values[0]) <= len(scheme) || !strings.EqualFold(values[0][:len(scheme)], scheme) {
		return ""
	}
	return values[0][len(scheme):]
}

// ended reports whether the key has expired or been revoked.
func (p *principal) ended(now time.Time) bool { return !p.expires.IsZero() && !now.Before(p.expires) }

// authenticate finds out who asks: by a key, or else by the session that a key
// has begun.
func (s *Server) authenticate(ctx context.Context, c *call) (*principal, error) {
	if s.cfg.Open {
		return s.everybody, nil
	}
	if c.Request().Header["Authorization"] == nil {
		if _, _, given := sessionOf(c.Request()); given {
			return s.bySession(ctx, c)
		}
	}
	return s.byKey(ctx, c, bearer(c.Request().Header))
}

// byKey finds out whose key the text is. One that is unknown, wrong, expired or
// revoked gets one and the same answer, after the same work.
func (s *Server) byKey(ctx context.Context, c *call, text string) (*principal, error) {
	id, ok := keyID(text)
	if !ok {
		return nil, s.unauthorized(c, text != "")
	}
	known, err := s.keys.find(ctx, id, func() error { return s.failures.peek(c.RealIP()) })
	if err != nil && !errors.Is(err, job.ErrNotFound) {
		return nil, err
	}
	var want [sha256.Size]byte
	if known != nil {
		want = known.hash
	}
	got := sha256.Sum256([]byte(text))
	match := subtle.ConstantTimeCompare(got[:], want[:]) == 1
	if known == nil || !match || known.ended(s.now()) {
		return nil, s.unauthorized(c, true)
	}
	return known, nil
}

// unauthorized is the answer to a request without a good key.
func (s *Server) unauthorized(c *call, given bool) error {
	if given {
		if err := s.failures.take(c.RealIP()); err != nil {
			return err
		}
	}
	challenge := `Bearer realm="asyncops"`
	if given {
		challenge += `, error="invalid_token"`
	}
	c.Response().Header().Set("WWW-Authenticate", challenge)
	return refuse(http.StatusUnauthorized, CodeUnauthorized, "a valid API key is needed: Authorization: Bearer aok_<id>_<secret>")
}

// allow answers 403 unless the caller has the scope.
func (p *principal) allow(scope Scope) error {
	if p.scopes.has(scope) {
		return nil
	}
	return refuse(http.StatusForbidden, CodeForbidden, "this key lacks the scope %s", scope)
}

// limited answers 403 when a list of the key does not name the resource.
func limited(list []string, what, name string) error {
	if may(list, name) {
		return nil
	}
	return refuse(http.StatusForbidden, CodeForbidden, "this key is not allowed to use the %s %q", what, clip(name))
}

// clip bounds what a message repeats of a request.
func clip(s string) string {
	if len(s) <= 64 {
		return s
	}
	return strings.ToValidUTF8(s[:64], "") + "…"
}
