package sdk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"
)

const (
	firstBackoff  = 200 * time.Millisecond
	maxBackoff    = 5 * time.Second
	maxRetryAfter = time.Minute // a server that asks for longer gets no retry
)

// call is one request and what is known about repeating it.
type call struct {
	method string
	path   string // escaped
	query  url.Values
	header http.Header
	// body makes the request's body anew for each send; nil for none. What it
	// returns is closed by the transport.
	body        func() (io.ReadCloser, error)
	contentType string
	// idempotent: repeating the call changes nothing, so a lost answer may be
	// followed by another send. Others may only follow an answer that says that
	// nothing was done.
	idempotent bool
	once       bool          // the body cannot be made twice
	extra      time.Duration // that the answer may take because it was asked to
}

// answer is a 2xx with its body read.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// jsonBody returns the body for a call, made of v.
func jsonBody(v any) (func() (io.ReadCloser, error), error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil }, nil
}

// fetch carries out the call and decodes its answer into out, unless that is nil.
func (c *Client) fetch(ctx context.Context, k call, out any) (*answer, error) {
	a, err := c.do(ctx, k)
	if err == nil && out != nil {
		err = json.Unmarshal(a.body, out)
	}
	if err != nil {
		return nil, fmt.Errorf("sdk: %s %s: %w", k.method, k.path, err)
	}
	return a, nil
}

// do sends the call until it is answered, may not be sent again, or retries
// are used up.
func (c *Client) do(ctx context.Context, k call) (*answer, error) {
	for try := 0; ; try++ {
		a, err := c.send(ctx, k)
		if err == nil {
			return a, nil
		}
		wait, ok := k.retryAfter(err, try)
		if !ok || try >= c.maxRetries || ctx.Err() != nil {
			return nil, err
		}
		if deadline, set := ctx.Deadline(); set && time.Until(deadline) < wait {
			return nil, err // it would only end as a timeout, which says less
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, errors.Join(context.Cause(ctx), err)
		}
	}
}

// retryAfter reports whether the call may be sent again after err, and when.
func (k call) retryAfter(err error, try int) (time.Duration, bool) {
	wait := min(firstBackoff<<min(try, 10), maxBackoff)
	wait = wait/2 + rand.N(wait/2+1)
	if k.once || errors.Is(err, ErrResponseTooLarge) {
		return 0, false
	}
	var p *Problem
	if !errors.As(err, &p) {
		return wait, k.idempotent // the answer was lost, or there was none
	}
	switch {
	case p.Status == http.StatusTooManyRequests:
	case !k.idempotent:
		return 0, false
	case p.Status == http.StatusServiceUnavailable, p.Status == http.StatusBadGateway,
		p.Status == http.StatusGatewayTimeout, p.Code == codeInProgress:
	default:
		return 0, false
	}
	return max(wait, p.RetryAfter), p.RetryAfter <= maxRetryAfter
}

// send sends the call once.
func (c *Client) send(ctx context.Context, k call) (*answer, error) {
	limit := c.timeout + k.extra
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %s: %w", limit, context.DeadlineExceeded))
	defer cancel()
	req, err := c.request(ctx, k)
	if err != nil {
		return nil, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // what was called is said once, by fetch
		}
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, c.maxResponse+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the answer: %w", err)
	case int64(len(body)) > c.maxResponse:
		return nil, ErrResponseTooLarge
	case res.StatusCode < 200 || res.StatusCode > 299:
		return nil, ProblemOf(res, body)
	}
	return &answer{status: res.StatusCode, header: res.Header, body: body}, nil
}

func (c *Client) request(ctx context.Context, k call) (*http.Request, error) {
	target := c.base + k.path
	if len(k.query) > 0 {
		target += "?" + k.query.Encode()
	}
	var body io.Reader
	if k.body != nil {
		made, err := k.body()
		if err != nil {
			return nil, err
		}
		body = made
	}
	req, err := http.NewRequestWithContext(ctx, k.method, target, body)
	if err != nil {
		return nil, err
	}
	for name, values := range k.header {
		req.Header[name] = values
	}
	req.Header.Set("Accept", "application/json, application/problem+json")
	req.Header.Set("User-Agent", c.userAgent)
	if k.contentType != "" {
		req.Header.Set("Content-Type", k.contentType)
	}
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	return req, nil
}
