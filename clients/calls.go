package clients

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/job"
)

// Option says something about a call.
type Option func(*options)

type options struct {
	request      httpop.Request
	subprotocols []string
	err          error
}

// Query adds a query parameter, once for each value.
func Query(name string, values ...string) Option {
	return func(o *options) {
		if o.request.Query == nil {
			o.request.Query = map[string][]string{}
		}
		o.request.Query[name] = append(o.request.Query[name], values...)
	}
}

// Header sets a header. Which ones a call may set is Config.Policy's.
func Header(name, value string) Option {
	return func(o *options) {
		if o.request.Headers == nil {
			o.request.Headers = map[string]string{}
		}
		o.request.Headers[name] = value
	}
}

// JSON sends a value as JSON.
func JSON(value any) Option {
	return func(o *options) {
		text, err := json.Marshal(value)
		if err != nil {
			o.err = err
		}
		o.request.Body, o.request.ContentType = text, "application/json"
	}
}

// Text sends a text.
func Text(text string) Option { return Body("text/plain; charset=utf-8", []byte(text)) }

// Body sends bytes of a content type.
func Body(contentType string, body []byte) Option {
	return func(o *options) { o.request.Body, o.request.ContentType = body, contentType }
}

// Timeout bounds the call with all its sends; without it Config.Timeout does.
func Timeout(d time.Duration) Option { return func(o *options) { o.request.Timeout = d } }

// Expect names the statuses that are success, instead of 200 to 299.
func Expect(statuses ...int) Option { return func(o *options) { o.request.Expect = statuses } }

// IdempotencyKey names the call for an upstream that honours keys. A call with
// one is sent again after an outcome that nobody can tell.
func IdempotencyKey(key string) Option { return func(o *options) { o.request.IdempotencyKey = key } }

// Traceparent passes a trace context on (W3C Trace Context).
func Traceparent(text string) Option { return func(o *options) { o.request.Traceparent = text } }

// CacheFor has the answer to a Get kept, and taken from what is kept, for so
// long; zero is as long as the upstream says, or else ResponseCache.TTL. Without
// a cache in the Config it does nothing.
func CacheFor(ttl time.Duration) Option { return func(o *options) { o.cache().TTL = ttl } }

// CacheKey is CacheFor(0), under a key by which InvalidateCache finds the answer.
func CacheKey(key string) Option { return func(o *options) { o.cache().Key = key } }

func (o *options) cache() *httpop.Cache {
	if o.request.Cache == nil {
		o.request.Cache = &httpop.Cache{}
	}
	return o.request.Cache
}

// Subprotocols offers subprotocols to a Dial, in this order.
func Subprotocols(names ...string) Option { return func(o *options) { o.subprotocols = names } }

// NewRequest is the request of a method and a path with the options.
func NewRequest(method, path string, with ...Option) (httpop.Request, error) {
	o, err := optionsOf(method, path, with)
	return o.request, err
}

func optionsOf(method, path string, with []Option) (options, error) {
	o := options{request: httpop.Request{Method: method, Path: path}}
	for _, set := range with {
		set(&o)
	}
	if o.err != nil {
		return o, &job.Failure{Class: job.ClassPermanent, Code: job.CodeInvalid, Message: "the body cannot be written as JSON", Err: fmt.Errorf("clients: %s %s: %w", method, path, o.err)}
	}
	return o, nil
}

// Get reads. This and the methods after it are Do in fewer words, with its
// answers and errors.
func (c *Client) Get(ctx context.Context, path string, with ...Option) (*httpop.Response, error) {
	return c.call(ctx, http.MethodGet, path, with)
}

// Post sends a POST. Without an idempotency key that the upstream honours it is
// sent again only if it was certainly not carried out.
func (c *Client) Post(ctx context.Context, path string, with ...Option) (*httpop.Response, error) {
	return c.call(ctx, http.MethodPost, path, with)
}

// Put sends a PUT.
func (c *Client) Put(ctx context.Context, path string, with ...Option) (*httpop.Response, error) {
	return c.call(ctx, http.MethodPut, path, with)
}

// Patch sends a PATCH; what is said of Post holds.
func (c *Client) Patch(ctx context.Context, path string, with ...Option) (*httpop.Response, error) {
	return c.call(ctx, http.MethodPatch, path, with)
}

// Delete sends a DELETE.
func (c *Client) Delete(ctx context.Context, path string, with ...Option) (*httpop.Response, error) {
	return c.call(ctx, http.MethodDelete, path, with)
}

func (c *Client) call(ctx context.Context, method, path string, with []Option) (*httpop.Response, error) {
	r, err := NewRequest(method, path, with...)
	if err != nil {
		return nil, err
	}
	return c.Do(ctx, r)
}

// Decode reads the JSON body of an answer into a T. The answer stands whatever
// the error: its request has been carried out.
func Decode[T any](r *httpop.Response) (T, error) {
	var value T
	if err := json.Unmarshal(r.Body, &value); err != nil {
		return value, fmt.Errorf("clients: decode an answer with status %d: %w", r.Status, err)
	}
	return value, nil
}

// Answer is what came of one request of a Batch: a response or an error.
type Answer struct {
	Response *httpop.Response
	Err      error // of Do, or ErrNotSent
}

// ErrNotSent says that a request was not begun: ctx had ended.
var ErrNotSent = fmt.Errorf("the request was not sent: %w", context.Canceled)

// Batch makes the requests, at most maxConcurrent at once, and returns what
// came of each, in their order. It returns when all have ended; when ctx ends
// no more are begun.
func (c *Client) Batch(ctx context.Context, requests []httpop.Request, maxConcurrent int) []Answer {
	answers := make([]Answer, len(requests))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(max(maxConcurrent, 1), len(requests)) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(requests)); i = next.Add(1) - 1 {
				if ctx.Err() != nil {
					answers[i].Err = ErrNotSent
					continue
				}
				answers[i].Response, answers[i].Err = c.Do(ctx, requests[i])
			}
		})
	}
	workers.Wait()
	return answers
}

// Dial opens a WebSocket. Its errors are *job.Failure, as those of Do. A
// handshake is a GET: it is signed, guarded and bounded like any request, and
// may be repeated.
func (c *Client) Dial(ctx context.Context, path string, with ...Option) (*Conn, error) {
	o, err := optionsOf(http.MethodGet, path, with)
	if err != nil {
		return nil, err
	}
	k, err := c.begin(o.request, httpop.Check(o.request, c.policy))
	if err != nil {
		return nil, err
	}
	return k.dial(ctx, o.subprotocols)
}
