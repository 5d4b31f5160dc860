package clients

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/job"
)

// userAgent is sent unless allow_headers lets requests say another.
const userAgent = "asyncops"

// What nearly every request has, which nobody changes in place.
var (
	sentUserAgent      = []string{userAgent}
	sentAcceptEncoding = []string{acceptEncoding}
)

// Preview is a request as it would be sent, without secrets.
type Preview struct {
	Method  string
	URL     string
	Headers map[string]string // names in lower case
	Body    []byte
}

// DryRun returns what Do would send first, with "[secret]" in place of every
// credential, and sends nothing. A request that Check refuses answers a
// *job.Failure with code invalid.
func (c *Client) DryRun(r httpop.Request) (*Preview, error) {
	target, err := c.target(r, httpop.Check(r, c.policy))
	if err != nil {
		return nil, err
	}
	req := c.build(context.Background(), r, target)
	c.signer.preview(req, message{id: orDefault(r.IdempotencyKey, hiddenID), body: r.Body, at: time.Now()})
	return &Preview{
		Method:  r.Method,
		URL:     strings.ReplaceAll(req.URL.String(), url.QueryEscape(hidden), hidden),
		Headers: flatten(req.Header),
		Body:    r.Body,
	}, nil
}

// target is the URL of a request, of which faults are what Check says.
func (c *Client) target(r httpop.Request, faults []job.FieldError) (*url.URL, error) {
	if len(faults) > 0 {
		err := &job.InvalidError{Fields: faults}
		return nil, c.failure(job.ClassPermanent, job.CodeInvalid, err.Error(), err)
	}
	u, err := httpop.Join(c.base, r.Path, r.Query)
	if err != nil {
		return nil, c.failure(job.ClassPermanent, job.CodeInvalid, err.Error(), err)
	}
	return u, nil
}

// hiddenID stands for the id of a message that has none yet.
const hiddenID = "[id]"

// build returns the request of one send, to be signed. GetBody stays nil: with
// it, net/http would send a body again by itself.
func (c *Client) build(ctx context.Context, r httpop.Request, target *url.URL) *http.Request {
	u := *target
	req := (&http.Request{
		Method: r.Method, URL: &u, Host: u.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"User-Agent": sentUserAgent},
		Body:   http.NoBody,
	}).WithContext(ctx)
	for name, value := range r.Headers {
		req.Header.Set(name, value)
	}
	if len(r.Body) > 0 {
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(r.Body)), int64(len(r.Body))
		if r.ContentType != "" && req.Header.Get("Content-Type") == "" {
			req.Header.Set("Content-Type", r.ContentType)
		}
	}
	// Part of a file must come as it is, and HEAD makes some servers send a
	// compressed body.
	if r.Method != http.MethodHead && req.Header.Get("Range") == "" {
		req.Header["Accept-Encoding"] = sentAcceptEncoding
	}
	if r.Traceparent != "" {
		req.Header.Set("Traceparent", r.Traceparent)
	}
	if header := c.cfg.Idempotency.Header; header != "" && r.IdempotencyKey != "" {
		req.Header.Set(header, c.formatKey(r.IdempotencyKey))
	}
	return req
}

func (c *Client) formatKey(key string) string {
	if c.cfg.Idempotency.Format == FormatString {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(key) + `"`
	}
	return key
}

func flatten(h http.Header) map[string]string {
	flat := make(map[string]string, len(h))
	for name, values := range h {
		flat[lowerName(name)] = strings.ToValidUTF8(strings.Join(values, ", "), "\uFFFD") // one is not copied
	}
	return flat
}

// lowerNames are those of headers that nearly every answer has.
var lowerNames = map[string]string{
	"Age": "age", "Cache-Control": "cache-control", "Connection": "connection", "Content-Encoding": "content-encoding",
	"Content-Length": "content-length", "Content-Type": "content-type", "Date": "date", "Etag": "etag", "Expires": "expires",
	"Last-Modified": "last-modified", "Server": "server", "Vary": "vary",
}

func lowerName(name string) string {
	if lower, ok := lowerNames[name]; ok {
		return lower
	}
	return strings.ToLower(name)
}
