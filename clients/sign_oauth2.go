package clients

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/job"
)

// The last part of a token's life: a fifth of it, but no more than these. In
// the first a new token is fetched while the old one is used; in the second the
// old one is not sent any more, lest it expires on its way.
const (
	renewBefore  = time.Minute
	unusedBefore = 10 * time.Second
	renewPause   = 5 * time.Second // after a fetch ahead of time that failed
)

// tokens keeps one access token of an upstream and fetches the next before it
// expires: one fetch at a time, for all who wait. Who opened it closes it.
type tokens struct {
	cfg     clientcredentials.Config // ClientSecret is the running fetch's
	secret  func() string
	http    *http.Client
	timeout time.Duration   // of one fetch
	ctx     context.Context //nolint:containedctx // fetches outlive those who ask; close ends it
	cancel  context.CancelFunc
	fetches sync.WaitGroup

	mu      sync.Mutex
	token   string    // guarded by mu; "" for none
	renewAt time.Time // guarded by mu; zero for never
	until   time.Time // guarded by mu; zero for ever
	fetch   *fetch    // guarded by mu; nil while none runs
}

// fetch is one request for a token. token and err are set before done is closed.
type fetch struct {
	done  chan struct{}
	token string
	err   error
}

func newTokens(cfg Config, transport *http.Transport) *tokens {
	ctx, cancel := context.WithCancel(context.Background())
	t := &tokens{
		secret: cfg.Auth.ClientSecret, timeout: cfg.Timeout, ctx: ctx, cancel: cancel,
		cfg:  clientcredentials.Config{ClientID: cfg.Auth.ClientID, TokenURL: cfg.Auth.TokenURL, Scopes: cfg.Auth.Scopes},
		http: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
	if cfg.Auth.Audience != "" {
		t.cfg.EndpointParams = url.Values{"audience": {cfg.Auth.Audience}}
	}
	return t
}

func (t *tokens) close() {
	t.cancel()
	t.fetches.Wait()
	t.http.CloseIdleConnections()
}

func (t *tokens) sign(req *http.Request, _ message) ([]string, error) {
	token, err := t.current(req.Context())
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return []string{token, t.secret()}, nil
}

func (t *tokens) preview(req *http.Request, _ message) {
	req.Header.Set("Authorization", "Bearer "+hidden)
}

// refused drops the token that the upstream refused, if it is still the one.
func (t *tokens) refused(secrets []string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if slices.Contains(secrets, t.token) {
		t.token = ""
	}
	return true
}

// current returns a token that is good for now.
func (t *tokens) current(ctx context.Context) (string, error) {
	t.mu.Lock()
	now := time.Now()
	token := t.token
	if !t.until.IsZero() && !now.Before(t.until) {
		token = ""
	}
	if t.fetch == nil && (token == "" || !t.renewAt.IsZero() && !now.Before(t.renewAt)) && t.ctx.Err() == nil {
		t.startLocked()
	}
	f := t.fetch
	t.mu.Unlock()
	if token != "" {
		return token, nil
	}
	if f == nil {
		return "", &authError{class: job.ClassRetryable, code: job.CodeInternal, message: "it is closed"}
	}
	select {
	case <-f.done:
		return f.token, f.err
	case <-ctx.Done():
		return "", fmt.Errorf("%w: %w", errTokenAwaited, ctx.Err())
	}
}

// startLocked begins a fetch. It outlives whoever asked first, for others may
// wait for it.
func (t *tokens) startLocked() {
	f := &fetch{done: make(chan struct{})}
	t.fetch = f
	t.fetches.Go(func() {
		token, err := t.get()
		now := time.Now()
		t.mu.Lock()
		defer t.mu.Unlock()
		t.fetch = nil
		defer close(f.done)
		if err != nil {
			f.err = err
			t.renewAt = now.Add(renewPause)
			return
		}
		f.token, t.token = token.AccessToken, token.AccessToken
		t.renewAt, t.until = time.Time{}, time.Time{}
		if !token.Expiry.IsZero() {
			fifth := token.Expiry.Sub(now) / 5
			t.renewAt = token.Expiry.Add(-min(fifth, renewBefore))
			t.until = token.Expiry.Add(-min(fifth/2, unusedBefore))
		}
	})
}

// get asks for a token. Its errors are *authError.
func (t *tokens) get() (*oauth2.Token, error) {
	ctx, cancel := context.WithTimeout(t.ctx, t.timeout)
	defer cancel()
	if t.cfg.ClientSecret = t.secret(); t.cfg.ClientSecret == "" {
		return nil, badSecret("client_secret")
	}
	token, err := t.cfg.Token(context.WithValue(ctx, oauth2.HTTPClient, t.http))
	switch {
	case err != nil:
		return nil, tokenError(err)
	case !strings.EqualFold(token.Type(), "Bearer"):
		return nil, noToken(errors.New("the token is not of the type Bearer"))
	case !httpop.ValidHeaderValue(token.AccessToken):
		return nil, noToken(errBadSecret)
	}
	return token, nil
}

func noToken(err error) *authError {
	return &authError{class: job.ClassRetryable, code: job.CodeAuthFailed, message: "its token_url answered with no token that can be used", err: err}
}

// tokenError says why there is no token. Texts of the token's issuer, which
// may repeat the secret, and its URL stay out of it.
func tokenError(err error) *authError {
	unreachable := &authError{class: job.ClassRetryable, code: job.CodeUpstreamUnreachable, again: true}
	answer, answered := errors.AsType[*oauth2.RetrieveError](err)
	request, asked := errors.AsType[*url.Error](err)
	switch {
	case errors.Is(err, errDialDenied):
		return &authError{class: job.ClassPermanent, code: job.CodeDialDenied, message: "the address of its token_url is not public and not in its allow_networks", err: errDialDenied}
	case answered:
		status := answer.Response.StatusCode
		what := fmt.Sprintf("its token_url answered %d", status)
		if oauthErrors[answer.ErrorCode] {
			what += " " + answer.ErrorCode
		}
		if status >= 500 || status == http.StatusTooManyRequests {
			unreachable.message, unreachable.retryAfter = what, retryAfter(answer.Response.Header, time.Now())
			return unreachable
		}
		return &authError{class: job.ClassRetryable, code: job.CodeAuthFailed, message: what}
	case asked && errors.Is(err, context.DeadlineExceeded):
		unreachable.code, unreachable.message, unreachable.err = job.CodeTimeout, errTokenAwaited.Error(), request.Err
		return unreachable
	case asked:
		unreachable.message, unreachable.err = "its token_url cannot be reached: "+whyUnreachable(request.Err), request.Err
		return unreachable
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return noToken(syntax)
	}
	return noToken(nil)
}

// oauthErrors are the codes of RFC 6749 §5.2.
var oauthErrors = map[string]bool{
	"invalid_request": true, "invalid_client": true, "invalid_grant": true, "unauthorized_client": true,
	"unsupported_grant_type": true, "invalid_scope": true,
}
