package clientstest

import (
	"net/http"
	"strings"
	"time"

	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/job"
)

// Cases returns the suite.
func Cases() []Case {
	get := httpop.Request{Method: http.MethodGet}
	post := httpop.Request{Method: http.MethodPost, Body: []byte(`{"a":1}`), ContentType: "application/json", IdempotencyKey: "0192.0"}
	bare := httpop.Request{Method: http.MethodPost, IdempotencyKey: "0192.0"} // without a body
	ok := Apply(Answer(http.StatusOK, `{"ok":true}`))
	short := func(r httpop.Request) httpop.Request { r.Timeout = 2 * time.Second; return r }
	expecting := func(r httpop.Request, status ...int) httpop.Request { r.Expect = status; return r }
	const permanent, retryable, ambiguous = job.ClassPermanent, job.ClassRetryable, job.ClassAmbiguous
	onAmbiguousRetry := func(c *clients.Config) { c.Idempotency.OnAmbiguous = clients.OnAmbiguousRetry }
	const huge = 10 << 30

	return []Case{
		{Name: "answer", Request: post, Script: []Step{ok}, Status: 200, Sends: 1, Effects: 1},
		{Name: "answer without a body", Request: bare, Script: []Step{Apply(Answer(204, ""))}, Status: 204, Sends: 1, Effects: 1},
		{Name: "head", Request: httpop.Request{Method: http.MethodHead}, Script: []Step{ok}, Status: 200, Sends: 1, Effects: 1},
		{Name: "gzip", Request: get, Script: []Step{Gzipped("ok")}, Status: 200, Sends: 1},
		{Name: "zstd", Request: get, Script: []Step{Zstd("ok")}, Status: 200, Sends: 1},
		{Name: "compressed nothing", Request: get, Script: []Step{Answer(200, "", "Content-Encoding: zstd")}, Status: 200, Sends: 1},

		// Answers that are no success.
		{Name: "404", Request: get, Script: []Step{Answer(404, "{}")}, Class: permanent, Code: job.CodeUpstreamStatus, Sends: 1},
		{Name: "404 expected", Request: expecting(get, 404), Script: []Step{Answer(404, "{}")}, Status: 404, Sends: 1},
		{Name: "500 expected", Request: expecting(get, 200, 500), Script: []Step{Answer(500, "{}")}, Status: 500, Sends: 1},
		{Name: "200 not expected", Request: expecting(post, 201), Script: []Step{ok}, Class: permanent, Code: job.CodeUpstreamStatus, Sends: 1, Effects: 1},
		{Name: "501", Request: get, Script: []Step{Answer(501, "")}, Class: permanent, Code: job.CodeUpstreamStatus, Sends: 1},
		{Name: "503 then well", Request: post, Script: []Step{Answer(503, ""), ok}, Status: 200, Sends: 2, Effects: 1},
		{Name: "429 then well", Request: post, Script: []Step{Answer(429, "", "Retry-After: 0"), ok}, Status: 200, Sends: 2, Effects: 1},
		{Name: "408 then 425 then well", Request: post, Script: []Step{Answer(408, ""), Answer(425, ""), ok}, Status: 200, Sends: 3, Effects: 1},
		{Name: "429 for good", Request: post, Script: []Step{Answer(429, "")}, Class: job.ClassThrottled, Code: job.CodeUpstreamStatus, Sends: 3},
		{Name: "429 for long", Request: post, Script: []Step{Answer(429, "", "Retry-After: 3600")}, Class: job.ClassThrottled, Code: job.CodeUpstreamStatus, Sends: 1},
		{Name: "503 for long", Request: post, Script: []Step{Answer(503, "", "Retry-After: 3600")}, Class: job.ClassThrottled, Code: job.CodeUpstreamStatus, Sends: 1},
		{Name: "500 after applying, keyed", Request: post, Dedupe: true, Script: []Step{Apply(Answer(500, "")), ok}, Status: 200, Sends: 2, Effects: 1},
		{Name: "500 after applying, no key", Request: post, Script: []Step{Apply(Answer(500, ""))}, Class: ambiguous, Code: job.CodeAmbiguous, Sends: 1, Effects: 1},
		{Name: "500, no key, retry anyway", Request: post, Config: onAmbiguousRetry, Script: []Step{Answer(500, ""), ok}, Status: 200, Sends: 2, Effects: 1},
		{Name: "500 then well, safe", Request: get, Script: []Step{Answer(500, ""), ok}, Status: 200, Sends: 2, Effects: 1},
		{Name: "502 no key", Request: post, Script: []Step{Apply(Answer(502, ""))}, Class: ambiguous, Code: job.CodeAmbiguous, Sends: 1, Effects: 1},
		{Name: "504 no key, retry anyway", Request: post, Config: onAmbiguousRetry, Script: []Step{Answer(504, ""), ok}, Status: 200, Sends: 2, Effects: 1},
		{Name: "504 keyed", Request: post, Dedupe: true, Script: []Step{Apply(Answer(504, "")), ok}, Status: 200, Sends: 2, Effects: 1},
		{Name: "502 safe", Request: get, Script: []Step{Answer(502, ""), Answer(200, "")}, Status: 200, Sends: 2},

		// No answer.
		{Name: "cut, no key", Request: post, Script: []Step{Cut()}, Class: ambiguous, Code: job.CodeAmbiguous, Sends: 1},
		{Name: "cut, no key, no body", Request: bare, Script: []Step{Cut()}, Class: ambiguous, Code: job.CodeAmbiguous, Sends: 1},
		{Name: "cut after applying, no key", Request: post, Script: []Step{Apply(Cut())}, Class: ambiguous, Code: job.CodeAmbiguous, Sends: 1, Effects: 1},
		{Name: "cut after applying, keyed", Request: post, Dedupe: true, Script: []Step{Apply(Cut()), ok}, Status: 200, Sends: 2, Effects: 1},
		{Name: "cut for good, keyed", Request: post, Dedupe: true, Script: []Step{Apply(Cut())}, Class: retryable, Code: job.CodeUpstreamUnreachable, Sends: 3, Effects: 1},
		{Name: "cut, no key, retry anyway", Request: post, Config: onAmbiguousRetry, Script: []Step{Cut(), ok}, Status: 200, Sends: 2, Effects: 1},
		{Name: "cut, safe", Request: get, Script: []Step{Cut(), Answer(200, "")}, Status: 200, Sends: 2},
		{Name: "cut, patch", Request: httpop.Request{Method: http.MethodPatch, Body: []byte("{}")}, Script: []Step{Cut()}, Class: ambiguous, Code: job.CodeAmbiguous, Sends: 1},
		{Name: "cut, put", Request: httpop.Request{Method: http.MethodPut, Body: []byte("{}")}, Script: []Step{Cut(), ok}, Status: 200, Sends: 2, Effects: 1},
		{Name: "garbage, no key", Request: post, Script: []Step{Garbage()}, Class: ambiguous, Code: job.CodeAmbiguous, Sends: 1},

		// A kept connection that breaks: nothing is sent but by Do.
		{Name: "kept connection, get", Warm: true, Request: get, Config: noRetries, Script: []Step{CutReused(ok)}, Class: retryable, Code: job.CodeUpstreamUnreachable, Sends: 1, HTTP1: true},
		{Name: "kept connection, get again", Warm: true, Request: get, Script: []Step{CutReused(ok)}, Status: 200, Sends: 2, Effects: 1, HTTP1: true},
		{Name: "kept connection, keyed without a body", Warm: true, Request: bare, Dedupe: true, Config: noRetries, Script: []Step{CutReused(ok)}, Class: retryable, Code: job.CodeUpstreamUnreachable, Sends: 1, HTTP1: true},
		{Name: "kept connection, keyed with a body", Warm: true, Request: post, Dedupe: true, Config: noRetries, Script: []Step{CutReused(ok)}, Class: retryable, Code: job.CodeUpstreamUnreachable, Sends: 1, HTTP1: true},
		{Name: "kept connection, no key", Warm: true, Request: post, Script: []Step{CutReused(ok)}, Class: ambiguous, Code: job.CodeAmbiguous, Sends: 1, HTTP1: true},

		// The time ends, or the job.
		{Name: "timeout, no key", Request: post, Script: []Step{Hold(nil, ok)}, Cancel: job.ErrTimeout, Class: ambiguous, Code: job.CodeAmbiguous, Sends: 1},
		{Name: "timeout, keyed", Request: post, Dedupe: true, Script: []Step{Hold(nil, ok)}, Cancel: job.ErrTimeout, Class: retryable, Code: job.CodeTimeout, Sends: 1},
		{Name: "timeout of the call, safe", Warm: true, Request: short(get), Script: []Step{Hold(nil, ok)}, Class: retryable, Code: job.CodeTimeout, Sends: 1},
		{Name: "canceled, no key", Request: post, Script: []Step{Hold(nil, ok)}, Cancel: job.ErrCanceled, Class: ambiguous, Code: job.CodeAmbiguous, Sends: 1},
		{Name: "canceled, safe", Request: get, Script: []Step{Hold(nil, ok)}, Cancel: job.ErrCanceled, Class: permanent, Code: job.CodeCanceled, Sends: 1},
		{Name: "deadline, safe", Request: get, Script: []Step{Hold(nil, ok)}, Cancel: job.ErrDeadline, Class: permanent, Code: job.CodeDeadlineExceeded, Sends: 1},
		{Name: "drain, safe", Request: get, Script: []Step{Hold(nil, ok)}, Cancel: job.ErrDraining, Class: retryable, Code: job.CodeHandedBack, Sends: 1},
		{Name: "drain, no key", Request: post, Script: []Step{Hold(nil, ok)}, Cancel: job.ErrDraining, Class: ambiguous, Code: job.CodeAmbiguous, Sends: 1},

		// Accepted, and the answer is of no use: never sent again.
		{Name: "truncated", Request: get, Script: []Step{Apply(Truncate(200))}, Class: permanent, Code: job.CodeResponseInvalid, Sends: 1, Effects: 1},
		{Name: "truncated, keyed", Request: post, Dedupe: true, Script: []Step{Apply(Truncate(201))}, Class: permanent, Code: job.CodeResponseInvalid, Sends: 1, Effects: 1},
		{Name: "not gzip", Request: get, Script: []Step{Answer(200, "plain", "Content-Encoding: gzip")}, Class: permanent, Code: job.CodeResponseInvalid, Sends: 1},
		{Name: "endless", Request: get, Script: []Step{Endless(huge, false)}, Class: permanent, Code: job.CodeResponseTooLarge, Sends: 1},
		{Name: "announced too large", Request: get, Script: []Step{Endless(huge, true)}, Class: permanent, Code: job.CodeResponseTooLarge, Sends: 1},
		{Name: "gzip bomb", Request: get, Script: []Step{GzipBomb(200, huge)}, Class: permanent, Code: job.CodeResponseTooLarge, Sends: 1},
		{Name: "zstd bomb", Request: get, Script: []Step{ZstdBomb(200, huge)}, Class: permanent, Code: job.CodeResponseTooLarge, Sends: 1},
		{Name: "gzip bomb of an error", Request: get, Script: []Step{GzipBomb(400, huge)}, Class: permanent, Code: job.CodeUpstreamStatus, Sends: 1},
		{Name: "not zstd", Request: get, Script: []Step{Answer(200, "plain", "Content-Encoding: zstd")}, Class: permanent, Code: job.CodeResponseInvalid, Sends: 1},
		{Name: "zstd of a window too large", Request: get, Script: []Step{Answer(200, "\x28\xb5\x2f\xfd\x00\xf8\x01\x00\x00", "Content-Encoding: zstd")}, Class: permanent, Code: job.CodeResponseInvalid, Sends: 1},
		{Name: "drip", Warm: true, Request: short(get), Script: []Step{Drip(200, time.Millisecond)}, Class: permanent, Code: job.CodeTimeout, Sends: 1},
		{Name: "huge headers", Request: get, Config: noRetries, Script: []Step{HugeHeaders(1 << 20)}, Class: permanent, Code: job.CodeResponseTooLarge, Sends: 1, HTTP1: true},
		{Name: "huge headers", Request: get, Config: noRetries, Script: []Step{HugeHeaders(1 << 20)}, Class: retryable, Code: job.CodeUpstreamUnreachable, Sends: 1, HTTP2: true},

		// Redirects.
		{Name: "redirect to metadata", Request: get, Config: redirects, Script: []Step{Redirect(302, "http://169.254.169.254/latest/meta-data/")}, Class: permanent, Code: job.CodeUpstreamStatus, Sends: 1},
		{Name: "redirects are off", Request: get, Script: []Step{Redirect(302, "/warm")}, Class: permanent, Code: job.CodeUpstreamStatus, Sends: 1},
		{Name: "redirect of a post", Request: post, Config: redirects, Script: []Step{Redirect(307, "/warm")}, Class: permanent, Code: job.CodeUpstreamStatus, Sends: 1},
		{Name: "redirect within the origin", Request: get, Config: redirects, Script: []Step{Redirect(301, "/x?again=1"), ok}, Status: 200, Sends: 2, Effects: 1},
		{Name: "redirects without end", Request: get, Config: redirects, Script: []Step{Redirect(301, "/x")}, Class: permanent, Code: job.CodeUpstreamStatus, Sends: 3},

		// Refused before anything is sent.
		{Name: "path", Request: httpop.Request{Method: http.MethodGet, Path: "/%2e%2e%2fadmin"}, Class: permanent, Code: job.CodeInvalid},
		{Name: "header", Request: httpop.Request{Method: http.MethodGet, Headers: map[string]string{"Host": "evil"}}, Class: permanent, Code: job.CodeInvalid},
		{Name: "the key is the client's", Dedupe: true, Request: httpop.Request{Method: http.MethodGet, Headers: map[string]string{"idempotency-key": "mine"}}, Class: permanent, Code: job.CodeInvalid},
		{Name: "loopback", Request: get, Config: func(c *clients.Config) { c.AllowNetworks = nil }, Class: permanent, Code: job.CodeDialDenied},
		{Name: "unknown authority", Request: post, Config: strangeAuthority, Class: retryable, Code: job.CodeUpstreamUnreachable},
	}
}

func noRetries(c *clients.Config) { c.MaxRetries = 0 }

// strangeAuthority makes the handshake fail: the upstream's certificate is not
// of a known authority, or it does not speak TLS.
func strangeAuthority(c *clients.Config) {
	_, host, _ := strings.Cut(c.BaseURL, "://")
	c.BaseURL, c.TLS.CA = "https://"+host, ""
}

func redirects(c *clients.Config) { c.Redirects = 2 }
