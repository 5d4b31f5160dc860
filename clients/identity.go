package clients

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"
)

// identities tells requests with different credentials apart, so that answers
// which were meant for one are not given for another. What it says of secrets
// is in the names of entries in Redis, as a hash: it costs something to try
// guesses against it. It is safe for concurrent use.
type identities struct {
	last atomic.Pointer[derived] // most clients have one for ever
}

type derived struct{ from, to string }

// identityCost is the rounds that a guess takes.
const identityCost = 4096

// identity is that of a call. With custom authentication it is what the Signer
// sets; one that sets something else each time finds nothing that is kept.
func (c *Client) identity(ctx context.Context, k *call) (string, error) {
	if c.cfg.Auth.Type == AuthNone {
		return "", nil
	}
	from := fmt.Sprintf("%q", c.cfg.Auth.credentials())
	if c.cfg.Auth.Type == AuthCustom {
		set, err := k.signedWith(ctx)
		if err != nil {
			return "", err
		}
		from = fmt.Sprintf("%q", set)
	}
	if d := c.identities.last.Load(); d != nil && d.from == from {
		return d.to, nil
	}
	to, err := pbkdf2.Key(sha256.New, from, []byte("asyncops client "+c.cfg.Name), identityCost, sha256.Size)
	if err != nil {
		return "", fmt.Errorf("clients: tell the credentials of %s: %w", c.cfg.Name, err)
	}
	c.identities.last.Store(&derived{from, string(to)})
	return string(to), nil
}

// signedWith is what signing sets in the headers and the query of the request.
func (k *call) signedWith(ctx context.Context) ([]string, error) {
	req := k.build(ctx, k.request, k.target)
	before := req.Header.Clone()
	if _, err := k.signer.sign(req, message{id: k.id, at: time.Now()}); err != nil {
		return nil, err
	}
	set := []string{req.URL.RawQuery}
	for _, name := range slices.Sorted(maps.Keys(req.Header)) {
		if !slices.Equal(before[name], req.Header[name]) {
			set = append(set, name, fmt.Sprintf("%q", req.Header[name]))
		}
	}
	return set, nil
}

// credentials are what the requests of a client prove themselves by, except for
// those of a Signer.
func (a Auth) credentials() []string {
	texts := []string{string(a.Type), string(a.In), a.Name, a.TokenURL, a.ClientID, a.Audience, string(a.Algorithm), a.Header, a.TimestampHeader}
	for _, secret := range append([]func() string{a.Token, a.Key, a.Username, a.Password, a.ClientSecret, a.Secret}, a.Secrets...) {
		text := ""
		if secret != nil {
			text = secret()
		}
		texts = append(texts, text)
	}
	return append(texts, a.Scopes...)
}
