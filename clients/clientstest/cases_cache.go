package clientstest

import (
	"net/http"
	"time"

	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/job"
)

// cacheCall is one call of a cacheCase and what must come of it.
type cacheCall struct {
	httpop.Request

	body   string   // want; of a failure
	code   job.Code // this, instead
	cached bool
	sends  int
}

// cacheCase is calls, one after the other, of an upstream that answers them by a
// script.
type cacheCase struct {
	name   string
	config func(*clients.Config)
	script []Step // of /x
	calls  []cacheCall
	// sent is headers, as "Name: value", that the requests must have come with, one
	// for each; "" asks nothing of it, and "-Name" wants none.
	sent []string
}

// keep is what a call says that has its answer kept.
func keep(ttl time.Duration) *httpop.Cache { return &httpop.Cache{Key: "x", TTL: ttl} }

// Calls of /x: with and without asking for the cache, and what comes of them.
func plain(body string, cached bool, sends int) cacheCall {
	return cacheCall{Request: httpop.Request{Method: http.MethodGet, Path: "/x"}, body: body, cached: cached, sends: sends}
}

func asked(ttl time.Duration, body string, cached bool, sends int) cacheCall {
	c := plain(body, cached, sends)
	c.Cache = keep(ttl)
	return c
}

func (c cacheCall) with(set func(*httpop.Request)) cacheCall {
	set(&c.Request)
	return c
}

func change(method, path string, status int) cacheCall {
	c := cacheCall{Request: httpop.Request{Method: method, Path: path, Body: []byte("{}"), ContentType: "application/json"}, sends: 1}
	switch {
	case status == 0:
		c.code = job.CodeAmbiguous
	case status >= 400:
		c.code = job.CodeUpstreamStatus
	}
	return c
}

func cacheCases() []cacheCase {
	const gone = time.Nanosecond // over by the time of the next call
	header := func(name, value string) func(*httpop.Request) {
		return func(r *httpop.Request) { r.Headers = map[string]string{name: value} }
	}
	refresh := func(r *httpop.Request) { r.Cache.Refresh = true }
	early := func(r *httpop.Request) { r.Cache.Early = true }
	expect := func(statuses ...int) func(*httpop.Request) {
		return func(r *httpop.Request) { r.Expect = statuses }
	}
	one := func(headers ...string) Step { return Answer(200, "1", headers...) }
	two := Answer(200, "2")
	return []cacheCase{
		// Asked for.
		{name: "asked", script: []Step{one(), two}, calls: []cacheCall{asked(time.Hour, "1", false, 1), asked(time.Hour, "1", true, 0), asked(time.Minute, "1", true, 0)}},
		{name: "the client's ttl", script: []Step{one(), two}, calls: []cacheCall{asked(0, "1", false, 1), asked(0, "1", true, 0)}},
		{name: "early, while most of its time is left", script: []Step{one(), two}, calls: []cacheCall{asked(time.Hour, "1", false, 1), asked(time.Hour, "1", true, 0).with(early)}},
		{name: "early, and its time is over", script: []Step{one(), two}, calls: []cacheCall{asked(gone, "1", false, 1), asked(gone, "2", false, 1).with(early)}},
		{name: "its time is over", script: []Step{one(), two}, calls: []cacheCall{asked(gone, "1", false, 1), asked(gone, "2", false, 1)}},
		{name: "nobody asked", script: []Step{one(), two}, calls: []cacheCall{plain("1", false, 1), plain("2", false, 1)}},
		{name: "other callers", script: []Step{one(), two}, calls: []cacheCall{
			asked(time.Hour, "1", false, 1), plain("2", false, 1), asked(time.Hour, "1", true, 0),
			asked(time.Hour, "2", false, 1).with(func(r *httpop.Request) { r.Cache.Key = "y" }),
			asked(time.Hour, "2", false, 1).with(func(r *httpop.Request) { r.Query = map[string][]string{"a": {"1"}} }),
			asked(time.Hour, "2", false, 1).with(header("Accept-Language", "de")),
			asked(time.Hour, "2", false, 1).with(expect(200, 404)),
			asked(time.Hour, "", false, 1).with(func(r *httpop.Request) { r.Method = http.MethodHead }),
			asked(time.Hour, "2", true, 0).with(header("accept-language", "de")),
		}},
		{name: "said by the request", script: []Step{one(), two}, calls: []cacheCall{
			asked(time.Hour, "1", false, 1).with(header("If-None-Match", `"a"`)), asked(time.Hour, "2", false, 1).with(header("If-Match", `"a"`)),
		}},
		{name: "asked anew", script: []Step{one(), two}, calls: []cacheCall{
			asked(time.Hour, "1", false, 1), asked(time.Hour, "2", false, 1).with(refresh), asked(time.Hour, "2", true, 0),
		}},
		{name: "too large", config: func(c *clients.Config) { c.Cache.MaxBody = 1 }, script: []Step{Answer(200, "22"), one(), two}, calls: []cacheCall{
			asked(time.Hour, "22", false, 1), asked(time.Hour, "1", false, 1), asked(time.Hour, "1", true, 0),
		}},
		{name: "404", script: []Step{Answer(404, "none", "Cache-Control: max-age=3600"), two}, calls: []cacheCall{
			asked(time.Hour, "none", false, 1).with(expect(404)), asked(time.Hour, "none", true, 0).with(expect(404)),
		}},
		{name: "part", script: []Step{Answer(206, "1"), two}, calls: []cacheCall{asked(time.Hour, "1", false, 1), asked(time.Hour, "2", false, 1)}},
		{name: "redirected", config: redirects, script: []Step{Redirect(302, "/x"), one(), two}, calls: []cacheCall{asked(time.Hour, "1", false, 2), asked(time.Hour, "2", false, 1)}},
		{name: "failed", config: noRetries, script: []Step{Answer(500, ""), two}, calls: []cacheCall{{Request: asked(time.Hour, "", false, 0).Request, code: job.CodeUpstreamStatus, sends: 1}, asked(time.Hour, "2", false, 1)}},

		// What the upstream says (RFC 9111).
		{name: "max-age", script: []Step{one("Cache-Control: public, max-age=60"), two}, calls: []cacheCall{plain("1", false, 1), plain("1", true, 0)}},
		{name: "max-age over", script: []Step{one("Cache-Control: max-age=60", "Age: 61"), two}, calls: []cacheCall{plain("1", false, 1), plain("2", false, 1)}},
		{name: "max-age before Expires", script: []Step{one("Cache-Control: max-age=60", "Expires: 0"), two}, calls: []cacheCall{plain("1", false, 1), plain("1", true, 0)}},
		{name: "no number", script: []Step{one("Cache-Control: max-age=soon", "Expires: Fri, 01 Jan 2100 00:00:00 GMT"), two}, calls: []cacheCall{plain("1", false, 1), plain("2", false, 1)}},
		{name: "Expires", script: []Step{one("Expires: Fri, 01 Jan 2100 00:00:00 GMT"), two}, calls: []cacheCall{plain("1", false, 1), plain("1", true, 0)}},
		{name: "Expires: 0", script: []Step{one("Expires: 0"), two}, calls: []cacheCall{plain("1", false, 1), plain("2", false, 1)}},
		{name: "s-maxage is for others", script: []Step{one("Cache-Control: s-maxage=60"), two}, calls: []cacheCall{plain("1", false, 1), plain("2", false, 1)}},
		{name: "private is for us", script: []Step{one("Cache-Control: private, max-age=60"), two}, calls: []cacheCall{plain("1", false, 1), plain("1", true, 0)}},
		{name: "no-store", script: []Step{one("Cache-Control: no-store, max-age=60"), two}, calls: []cacheCall{asked(time.Hour, "1", false, 1), asked(time.Hour, "2", false, 1)}},
		{name: "Vary", script: []Step{one("Cache-Control: max-age=60", "Vary: Accept-Encoding, Accept"), two}, calls: []cacheCall{asked(time.Hour, "1", false, 1), asked(time.Hour, "2", false, 1)}},
		{name: "Vary: *", script: []Step{one("Cache-Control: max-age=60", "Vary: *"), two}, calls: []cacheCall{plain("1", false, 1), plain("2", false, 1)}},
		{name: "Vary: accept-encoding", script: []Step{one("Cache-Control: max-age=60", "Vary: accept-encoding"), two}, calls: []cacheCall{plain("1", false, 1), plain("1", true, 0)}},
		{name: "max-age where none is asked", script: []Step{one("Cache-Control: max-age=60", "Age: 61"), two}, calls: []cacheCall{asked(0, "1", false, 1), asked(0, "2", false, 1)}},
		{name: "the job knows better", script: []Step{one("Cache-Control: max-age=0"), two}, calls: []cacheCall{asked(time.Hour, "1", false, 1), asked(time.Hour, "1", true, 0)}},
		{name: "and may not", script: []Step{one("Cache-Control: max-age=0, must-revalidate"), two}, calls: []cacheCall{asked(time.Hour, "1", false, 1), asked(time.Hour, "2", false, 1)}},

		// Whether it holds.
		{
			name: "no-cache, 304", script: []Step{one("Cache-Control: no-cache", `ETag: "a"`), Answer(304, "", `ETag: "a"`)},
			calls: []cacheCall{asked(time.Hour, "1", false, 1), asked(time.Hour, "1", true, 1), asked(time.Hour, "1", true, 1)},
			sent:  []string{"-If-None-Match", `If-None-Match: "a"`, `If-None-Match: "a"`},
		},
		{
			name: "Last-Modified, 304", script: []Step{one("Last-Modified: Mon, 23 Nov 2026 10:00:00 GMT"), Answer(304, ""), two},
			calls: []cacheCall{asked(gone, "1", false, 1), asked(gone, "1", true, 1), asked(gone, "2", false, 1)},
			sent:  []string{"-If-Modified-Since", "If-Modified-Since: Mon, 23 Nov 2026 10:00:00 GMT", "If-Modified-Since: Mon, 23 Nov 2026 10:00:00 GMT"},
		},
		{
			name: "304 makes it fresh", script: []Step{one("Cache-Control: max-age=60", "Age: 61", `ETag: W/"a"`), Answer(304, "", "Cache-Control: max-age=60", `ETag: "a"`), two},
			calls: []cacheCall{asked(0, "1", false, 1), asked(0, "1", true, 1), asked(0, "1", true, 0)},
		},
		{
			name: "304 of something else", script: []Step{one(`ETag: "a"`), Answer(304, "", `ETag: "b"`), two},
			calls: []cacheCall{asked(gone, "1", false, 1), asked(gone, "2", false, 2)}, sent: []string{"", `If-None-Match: "a"`, "-If-None-Match"},
		},
		{name: "304 unasked", script: []Step{Answer(304, "")}, calls: []cacheCall{{Request: asked(time.Hour, "", false, 0).Request, code: job.CodeUpstreamStatus, sends: 1}}},

		// When the upstream fails (RFC 5861).
		{name: "stale-if-error, 503", config: noRetries, script: []Step{one("Cache-Control: stale-if-error=60"), Answer(503, "")}, calls: []cacheCall{asked(gone, "1", false, 1), asked(gone, "1", true, 1)}},
		{name: "stale-if-error, cut", config: noRetries, script: []Step{one("Cache-Control: stale-if-error=60"), Cut()}, calls: []cacheCall{asked(gone, "1", false, 1), asked(gone, "1", true, 1)}},
		{name: "stale-if-error, 404", config: noRetries, script: []Step{one("Cache-Control: stale-if-error=60"), Answer(404, "")}, calls: []cacheCall{
			asked(gone, "1", false, 1), {Request: asked(gone, "", false, 0).Request, code: job.CodeUpstreamStatus, sends: 1},
		}},
		{name: "stale-if-error, must-revalidate", config: noRetries, script: []Step{one("Cache-Control: stale-if-error=60, must-revalidate", `ETag: "a"`), Answer(503, "")}, calls: []cacheCall{
			asked(gone, "1", false, 1), {Request: asked(gone, "", false, 0).Request, code: job.CodeUpstreamStatus, sends: 1},
		}},
		{name: "nothing said, 503", config: noRetries, script: []Step{one(`ETag: "a"`), Answer(503, "")}, calls: []cacheCall{
			asked(gone, "1", false, 1), {Request: asked(gone, "", false, 0).Request, code: job.CodeUpstreamStatus, sends: 1},
		}},

		// What else is done to the path (RFC 9111 §4.4).
		{name: "PUT", script: []Step{one(), two}, calls: []cacheCall{asked(time.Hour, "1", false, 1), change("PUT", "/%78", 200), asked(time.Hour, "2", false, 1)}},
		{name: "POST, unasked", script: []Step{one("Cache-Control: max-age=60"), two}, calls: []cacheCall{plain("1", false, 1), change("POST", "/x/", 200), plain("2", false, 1)}},
		{name: "POST refused", script: []Step{one(), Answer(409, ""), two}, calls: []cacheCall{asked(time.Hour, "1", false, 1), change("POST", "/x", 409), asked(time.Hour, "1", true, 0)}},
		{name: "POST cut", script: []Step{one(), Cut(), two}, calls: []cacheCall{asked(time.Hour, "1", false, 1), change("POST", "/x", 0), asked(time.Hour, "2", false, 1)}},
		{name: "DELETE elsewhere", script: []Step{one(), two}, calls: []cacheCall{asked(time.Hour, "1", false, 1), change("DELETE", "/x/7", 200), asked(time.Hour, "1", true, 0)}},
	}
}
