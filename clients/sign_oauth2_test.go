package clients_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/clients/clientstest"
	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/job"
)

// issuer issues token-1, token-2 and so on at /token of an upstream, and lets
// only the newest in at /x.
type issuer struct {
	*clientstest.Upstream
	issued atomic.Int64
}

func newIssuer(t *testing.T, expiresIn string) *issuer {
	t.Helper()
	i := &issuer{Upstream: clientstest.New(t, clientstest.Options{})}
	i.On("/token", func(x *clientstest.Exchange) { i.answer(x, expiresIn) })
	i.On("/x", func(x *clientstest.Exchange) {
		if x.Record.Header.Get("Authorization") != fmt.Sprintf("Bearer token-%d", i.issued.Load()) {
			clientstest.Answer(401, `{"error":"invalid_token"}`)(x)
			return
		}
		clientstest.Apply(clientstest.Answer(200, "{}"))(x)
	})
	return i
}

func (i *issuer) answer(x *clientstest.Exchange, expiresIn string) {
	clientstest.Answer(200, fmt.Sprintf(`{"access_token":"token-%d","token_type":"bearer"%s}`, i.issued.Add(1), expiresIn))(x)
}

func (i *issuer) config(clientSecret func() string) clients.Config {
	return clients.Config{
		Name: "up", BaseURL: i.URL(), AllowNetworks: loopback,
		Auth: clients.Auth{Type: "oauth2", TokenURL: i.URL() + "/token", ClientID: "me", ClientSecret: clientSecret, Scopes: []string{"a", "b"}, Audience: "them"},
	}
}

// sent are the requests to a path.
func sent(u *clientstest.Upstream, path string) []clientstest.Record {
	var records []clientstest.Record
	for _, r := range u.Requests() {
		if r.Target == path {
			records = append(records, r)
		}
	}
	return records
}

var post = httpop.Request{Method: "POST", Path: "/x", Body: []byte("{}")}

func TestTokenIsFetchedOnce(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, `,"expires_in":3600`)
	c := open(t, i.config(secret("canary")))
	var calls sync.WaitGroup
	for range 32 {
		calls.Go(func() {
			if _, err := c.Do(t.Context(), post); err != nil {
				t.Errorf("Do = %v, want an answer", err)
			}
		})
	}
	calls.Wait()
	asked := sent(i.Upstream, "/token")
	if len(asked) != 1 || len(sent(i.Upstream, "/x")) != 32 {
		t.Fatalf("the upstream got %d requests for a token and %d others, want 1 and 32", len(asked), len(sent(i.Upstream, "/x")))
	}
	form, err := url.ParseQuery(string(asked[0].Body))
	if err != nil || form.Get("grant_type") != "client_credentials" || form.Get("scope") != "a b" || form.Get("audience") != "them" {
		t.Errorf("the form is %q, want grant, scopes and audience", asked[0].Body)
	}
	if got := asked[0].Header.Get("Authorization"); got != "Basic bWU6Y2FuYXJ5" {
		t.Errorf("Authorization = %q, want id and secret", got)
	}
	if dry, err := c.DryRun(post); err != nil || dry.Headers["authorization"] != "Bearer [secret]" {
		t.Errorf("DryRun = %+v, %v, want the token hidden", dry, err)
	}
}

// TestTokenIsRenewedAhead: while a token is about to expire, the next is
// fetched once, and nobody waits for it.
func TestTokenIsRenewedAhead(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, `,"expires_in":3600`)
	release := make(chan struct{})
	i.On("/token",
		func(x *clientstest.Exchange) { i.answer(x, `,"expires_in":2`) },
		clientstest.Hold(release, func(x *clientstest.Exchange) { i.answer(x, `,"expires_in":3600`) }))
	cfg := i.config(secret("canary"))
	cfg.MaxRetries = 3 // for a host so slow that the first token has expired unused
	c := open(t, cfg)
	do := func() {
		t.Helper()
		if _, err := c.Do(t.Context(), post); err != nil {
			t.Fatal(err)
		}
	}
	// The held fetch begins in the last fifth of two seconds. Until then calls
	// are answered, and so is the one that has begun it.
	for len(sent(i.Upstream, "/token")) < 2 {
		do()
	}
	close(release)
	eventually(t, "the second token in use", func() bool {
		do()
		x := sent(i.Upstream, "/x")
		return x[len(x)-1].Header.Get("Authorization") == "Bearer token-2"
	})
	if n := len(sent(i.Upstream, "/token")); n != 2 {
		t.Errorf("%d tokens were fetched, want 2", n)
	}
}

// TestRefusedTokenIsReplacedOnce: 401 is answered with another token, once, even
// for a request that is never sent twice otherwise.
func TestRefusedTokenIsReplacedOnce(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, "")
	c := open(t, i.config(secret("canary")))
	if _, err := c.Do(t.Context(), post); err != nil {
		t.Fatal(err)
	}
	i.issued.Add(1) // somebody has revoked it
	resp, err := c.Do(t.Context(), post)
	if err != nil || resp.Sends != 2 {
		t.Fatalf("Do = %+v, %v, want an answer after two sends", resp, err)
	}
	if got := i.Effects()[""]; got != 2 {
		t.Errorf("the request was carried out %d times, want 2: once a call", got)
	}
	i.On("/x", clientstest.Answer(401, "no"))
	before := i.issued.Load()
	_, err = c.Do(t.Context(), post)
	f := wantFailure(t, err, job.ClassPermanent, job.CodeUpstreamStatus)
	if !strings.Contains(string(f.Summary), `"statuses":[401,401],"sends":2`) || i.issued.Load() != before+1 {
		t.Errorf("Do = %s with %d new tokens, want two sends and one token", f.Summary, i.issued.Load()-before)
	}
	expected := post
	expected.Expect = []int{401}
	if resp, err := c.Do(t.Context(), expected); err != nil || resp.Sends != 1 {
		t.Errorf("Do = %+v, %v, want 401 as the answer where it is expected", resp, err)
	}
}

func TestNoToken(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		step    clientstest.Step
		change  func(*clients.Config)
		class   job.Class
		code    job.Code
		message string
	}{
		{"refused", clientstest.Answer(401, `{"error":"invalid_client","error_description":"canary"}`), nil, job.ClassRetryable, job.CodeAuthFailed, "its token_url answered 401 invalid_client"},
		{"refused in its own words", clientstest.Answer(400, `{"error":"canary"}`), nil, job.ClassRetryable, job.CodeAuthFailed, "its token_url answered 400"},
		{"an error with 200", clientstest.Answer(200, `{"error":"invalid_scope"}`), nil, job.ClassRetryable, job.CodeAuthFailed, "its token_url answered 200 invalid_scope"},
		{"no JSON", clientstest.Answer(200, `canary`), nil, job.ClassRetryable, job.CodeAuthFailed, "its token_url answered with no token that can be used"},
		{"no token", clientstest.Answer(200, `{}`), nil, job.ClassRetryable, job.CodeAuthFailed, "its token_url answered with no token that can be used"},
		{"a token of no use", clientstest.Answer(200, `{"access_token":"a\nb"}`), nil, job.ClassRetryable, job.CodeAuthFailed, "its token_url answered with no token that can be used"},
		{"a token of another type", clientstest.Answer(200, `{"access_token":"a","token_type":"mac"}`), nil, job.ClassRetryable, job.CodeAuthFailed, "its token_url answered with no token that can be used"},
		{"redirect", clientstest.Redirect(302, "http://169.254.169.254/"), nil, job.ClassRetryable, job.CodeAuthFailed, "its token_url answered 302"},
		{"down", clientstest.Answer(503, "canary", "Retry-After: 7"), nil, job.ClassRetryable, job.CodeUpstreamUnreachable, "its token_url answered 503"},
		{"endless", clientstest.Endless(10<<30, false), nil, job.ClassRetryable, job.CodeAuthFailed, "its token_url answered with no token that can be used"},
		{"silent", clientstest.Hold(nil, nil), func(c *clients.Config) { c.Timeout = 100 * time.Millisecond }, job.ClassRetryable, job.CodeTimeout, "its token_url gave no answer in time"},
		{"cut", clientstest.Cut(), nil, job.ClassRetryable, job.CodeUpstreamUnreachable, "its token_url cannot be reached: the connection failed or was lost"},
		{"denied", clientstest.Answer(200, "{}"), func(c *clients.Config) { c.Auth.TokenURL = "http://169.254.169.254/canary" }, job.ClassPermanent, job.CodeDialDenied, "the address of its token_url is not public and not in its allow_networks"},
		{"no secret", clientstest.Answer(200, "{}"), func(c *clients.Config) { c.Auth.ClientSecret = secret("") }, job.ClassPermanent, job.CodeInvalid, "its credentials are empty or hold what cannot be sent"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			i := newIssuer(t, "")
			i.On("/token", tt.step)
			cfg := i.config(secret("canary"))
			if tt.change != nil {
				tt.change(&cfg)
			}
			c := open(t, cfg)
			_, err := c.Do(t.Context(), post)
			f := wantFailure(t, err, tt.class, tt.code)
			if f.Message != "client up: "+tt.message || strings.Contains(f.Error(), "canary") {
				t.Errorf("Do = %v, want %q and no secret", f, tt.message)
			}
			if n := len(sent(i.Upstream, "/x")); n != 0 {
				t.Errorf("the upstream got %d requests, want none", n)
			}
			if wait := f.RetryAfter; tt.name == "down" && wait != 7*time.Second {
				t.Errorf("RetryAfter = %s, want 7s", wait)
			}
		})
	}
}

// TestTokenFetchOutlivesItsCaller: one who stops waiting takes the token from
// nobody.
func TestTokenFetchOutlivesItsCaller(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, "")
	asked, release := make(chan struct{}), make(chan struct{})
	i.On("/token", func(x *clientstest.Exchange) {
		close(asked)
		clientstest.Hold(release, func(x *clientstest.Exchange) { i.answer(x, "") })(x)
	})
	var current atomic.Value
	current.Store("canary")
	c := open(t, i.config(func() string { return current.Load().(string) }))
	ctx, cancel := context.WithCancelCause(t.Context())
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { _, err := c.Do(ctx, post); first <- err }()
	<-asked
	go func() { _, err := c.Do(t.Context(), post); second <- err }()
	cancel(job.ErrCanceled)
	wantFailure(t, <-first, job.ClassPermanent, job.CodeCanceled)
	close(release)
	if err := <-second; err != nil {
		t.Errorf("Do = %v, want the token that the first asked for", err)
	}
	c.Close()
	_, err := c.Do(t.Context(), post)
	wantFailure(t, err, job.ClassRetryable, job.CodeInternal)
}

// TestSecretOfTheClientIsReadForEveryFetch: a rotated secret gets the next token.
func TestSecretOfTheClientIsReadForEveryFetch(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, "")
	var current atomic.Value
	current.Store("old")
	c := open(t, i.config(func() string { return current.Load().(string) }))
	for _, want := range []string{"Basic bWU6b2xk", "Basic bWU6bmV3"} {
		if _, err := c.Do(t.Context(), post); err != nil {
			t.Fatal(err)
		}
		asked := sent(i.Upstream, "/token")
		if got := asked[len(asked)-1].Header.Get("Authorization"); got != want {
			t.Errorf("Authorization = %q, want %q", got, want)
		}
		current.Store("new")
		i.issued.Add(1)
	}
	if n := len(sent(i.Upstream, "/token")); n != 2 {
		t.Errorf("%d tokens were fetched, want 2", n)
	}
}
