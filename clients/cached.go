package clients

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/asyncops/asyncops/cache"
	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/job"
)

// ResponseCache says what a client keeps of answers: of those to requests with a
// httpop.Cache, and in this process only of those to other GETs and HEADs to
// which the upstream gives freshness (RFC 9111).
type ResponseCache struct {
	In      *cache.Cache  // nil keeps nothing
	TTL     time.Duration // where neither request nor upstream says; zero means DefaultCacheTTL
	MaxBody int64         // answers with longer bodies are not kept; zero means DefaultMaxBody
}

// CacheSpace is the name of a client's entries in the cache.
func CacheSpace(client string) string { return "client:" + client }

// maxKept bounds how long an answer is kept.
const maxKept = 30 * 24 * time.Hour

// mayBeKept reports whether the answer to the call's request may be one that is
// kept. A request with conditions of its own, or that says itself how it is to
// be answered, goes to the upstream.
func (k *call) mayBeKept() bool {
	if k.space == nil || k.request.Method != http.MethodGet && k.request.Method != http.MethodHead {
		return false
	}
	if k.request.Cache == nil && k.cfg.Auth.Type == AuthCustom {
		return false // what it sets may differ from call to call; see identity
	}
	for name := range k.request.Headers {
		switch lower := strings.ToLower(name); {
		case lower == "range", lower == "cache-control", lower == "pragma", strings.HasPrefix(lower, "if-"):
			return false
		}
	}
	return true
}

// cached answers with what is kept, or sends. It asks the gate, and so takes a
// slot or a token, only when it sends.
func (k *call) cached(ctx context.Context) (*httpop.Response, error) {
	entry, err := k.entry(ctx)
	if err != nil {
		return k.do(ctx) // which says why it cannot be signed
	}
	var resp *httpop.Response // of this call's own load
	load := func(ctx context.Context, old []byte) (v cache.Value, err error) {
		resp, v, err = k.load(ctx, unpack(old))
		return v, err
	}
	var answer cache.Answer
	if k.early() {
		answer, err = k.space.Warm(ctx, entry, 0, load)
	} else {
		answer, err = k.space.Get(ctx, entry, load)
	}
	switch failure, ok := errors.AsType[*job.Failure](err); {
	case ok:
		return nil, failure
	case err != nil: // ctx has ended while another call was loading
		f := k.interrupted(ctx, err)
		f.Summary = k.summary()
		return nil, f
	case k.early() && answer.Result == cache.Bypass:
		return nil, k.failure(job.ClassRetryable, job.CodeCacheAway, "the cache is away: Redis does not answer", nil)
	case k.early() && !answer.Kept():
		return nil, k.notKept()
	case resp != nil:
		return resp, nil
	}
	found := unpack(answer.Data)
	if found == nil { // of another release; what it is to the cache says nothing to us
		return k.do(ctx)
	}
	return k.answer(found), nil
}

// answer is the call's answer from what is kept.
func (k *call) answer(found *kept) *httpop.Response {
	resp := found.response(time.Now())
	resp.Duration, resp.Sends, resp.Summary = time.Since(k.began), k.sends, k.summary()
	return resp
}

// load asks the upstream, if old may hold still with old's validators. Where the
// upstream cannot be asked, old may do.
func (k *call) load(ctx context.Context, old *kept) (*httpop.Response, cache.Value, error) {
	if old != nil && old.validates() {
		k.old = old
	}
	resp, failure := k.run(ctx)
	if failure == nil && resp.Status == http.StatusNotModified && k.asksWhetherOldHolds() {
		now, took := time.Now(), time.Since(k.sent)
		if etag := resp.Headers["etag"]; etag == "" || weak(etag) == weak(old.headers["etag"]) {
			held := old.renewed(resp.Headers, now, took)
			v := k.value(held)
			v.As = cache.Revalidated
			return k.answer(held), v, nil
		}
		k.old = nil // it speaks of something else
		resp, failure = k.run(ctx)
	}
	switch {
	case failure != nil && old != nil && !k.early() && k.standsIn(old, failure):
		return k.answer(old), cache.Value{Data: old.pack(), As: cache.Stale}, nil
	case failure != nil:
		failure.Summary = k.summary()
		return nil, cache.Value{}, failure
	}
	fresh := &kept{terms: termsOf(resp.Headers, time.Now(), time.Since(k.sent)), status: resp.Status, at: time.Now(), headers: resp.Headers, body: resp.Body}
	resp.Duration, resp.Sends, resp.Summary = time.Since(k.began), k.sends, k.summary()
	return resp, k.value(fresh), nil
}

func weak(etag string) string { return strings.TrimPrefix(etag, "W/") }

// usable reports whether what is kept may be the call's answer as it is.
func (k *call) usable(data []byte) bool {
	if k.request.Cache != nil && k.request.Cache.Refresh {
		return false
	}
	found := unpackFixed(data)
	if found == nil {
		return false
	}
	life := k.life(found)
	if k.early() {
		life -= cache.Ahead(life)
	}
	return found.since(time.Now()) < life
}

// notKept is why an early call is of no use.
func (k *call) notKept() *job.Failure {
	return k.failure(job.ClassPermanent, job.CodeNotKept, "its answer is not kept: the cache is turned off, the answer is too large, or one of the two sides forbids it", nil)
}

func (k *call) early() bool { return k.request.Cache != nil && k.request.Cache.Early }

// life is how long after its arrival an answer may be used. What the job asks
// for lengthens and shortens what the upstream says, as a client may (RFC 9111
// §4.2.4), unless that forbids it.
func (k *call) life(found *kept) time.Duration {
	fresh := max(found.fresh-found.age, 0)
	asked := k.request.Cache
	switch {
	case found.ask:
		return 0
	case asked == nil && found.said:
		return fresh
	case asked == nil:
		return 0
	case found.said && (asked.TTL == 0 || found.strict || found.status >= http.StatusMultipleChoices):
		if asked.TTL > 0 {
			return min(asked.TTL, fresh)
		}
		return fresh
	}
	ttl := orDefault(asked.TTL, k.cfg.Cache.TTL)
	if found.status >= http.StatusMultipleChoices {
		return cache.Briefly(ttl)
	}
	return ttl
}

// value is what the cache gets of an answer: for longer than it may be used, so
// that the upstream can be asked whether it holds, or be done without.
func (k *call) value(found *kept) cache.Value {
	life := k.life(found)
	ttl := life + k.spare(found, true)
	if found.validates() {
		ttl = max(ttl, k.cfg.Cache.TTL)
	}
	switch {
	case k.redirects > 0, !found.keepable(), int64(len(found.body)) > k.cfg.Cache.MaxBody, life <= 0 && k.request.Cache == nil:
		return cache.Value{}
	}
	return cache.Value{Data: found.pack(), TTL: min(ttl, maxKept)}
}

// spare is for how long after its life an answer may be used when the upstream
// fails, as far as that allows it, or while it is not asked at all: then for as
// long again.
func (k *call) spare(found *kept, unasked bool) time.Duration {
	switch {
	case found.ask, found.strict:
		return 0
	case unasked:
		return max(found.ifError, k.life(found))
	}
	return found.ifError
}

// standsIn reports whether an old answer may stand in for a failure.
func (k *call) standsIn(old *kept, f *job.Failure) bool {
	unasked := f.Code == job.CodeBreakerOpen
	return (unasked || k.erred(f)) && old.since(time.Now()) < k.life(old)+k.spare(old, unasked)
}

// erred reports whether the upstream has failed in a way that RFC 5861 means.
func (k *call) erred(f *job.Failure) bool {
	switch f.Code {
	case job.CodeUpstreamUnreachable, job.CodeTimeout:
		return true
	case job.CodeUpstreamStatus:
		switch k.statuses[len(k.statuses)-1] {
		case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return true
		}
	}
	return false
}

// entry is where the answer is kept: told from all others by the whole request
// and by the credentials that it is sent with.
func (k *call) entry(ctx context.Context) (cache.Entry, error) {
	who, err := k.identity(ctx, k)
	if err != nil {
		return cache.Entry{}, err
	}
	asked := k.request.Cache
	e := cache.Entry{Tags: tagsOf(k.request.Path), UsableFunc: k.usable, Local: asked == nil}
	var id strings.Builder
	line := func(texts ...string) {
		for _, text := range texts {
			id.WriteString(strconv.Quote(text))
		}
		id.WriteByte('\n')
	}
	if asked != nil {
		e.Key = asked.Key
		line("asked", asked.Key)
	}
	line(k.request.Method, k.target.String(), who)
	for _, name := range slices.Sorted(maps.Keys(k.request.Headers)) {
		line(strings.ToLower(name), k.request.Headers[name])
	}
	for _, status := range slices.Sorted(slices.Values(k.request.Expect)) {
		id.WriteString(strconv.Itoa(status) + " ")
	}
	e.ID = id.String()
	return e, nil
}
