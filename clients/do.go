package clients

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/job"
)

// maxRetryDelay bounds the backoff inside one call.
const maxRetryDelay = 10 * time.Second

// Do calls the upstream and returns its answer, or a *job.Failure that says
// what follows, with the Summary of what was sent. The package's table says
// when a request is sent again; that ends with ctx, the request's timeout and
// MaxRetries. A wait that the time left does not hold is not begun: the
// Failure's RetryAfter carries what the upstream asked for.
//
// The cause of ctx decides what an interrupted call becomes (job.ErrCanceled,
// ErrTimeout, ErrDeadline, ErrDraining), but for a request that may have been
// carried out and is not repeatable: its class is ambiguous whatever the cause.
func (c *Client) Do(ctx context.Context, r httpop.Request) (*httpop.Response, error) {
	k, err := c.begin(r, httpop.Check(r, c.policy))
	if err != nil {
		return nil, err
	}
	if k.mayBeKept() {
		ctx, cancel := k.within(ctx)
		defer cancel()
		return k.cached(ctx)
	}
	if k.early() {
		return nil, k.notKept()
	}
	resp, err := k.do(ctx)
	k.changed(resp)
	return resp, err
}

// do sends the request, and again as the package's table says.
func (k *call) do(ctx context.Context) (*httpop.Response, error) {
	resp, failure := k.run(ctx)
	if failure != nil {
		k.tellDoubt(failure, k.request.Method)
		failure.Summary = k.summary()
		return nil, failure
	}
	resp.Duration, resp.Sends, resp.Summary = time.Since(k.began), k.sends, k.summary()
	return resp, nil
}

// call is one Do.
type call struct {
	*Client
	request   httpop.Request
	id        string   // the same for all sends
	target    *url.URL // moves with redirects
	redirects int
	secrets   []string // of the send
	renewed   bool     // credentials that the upstream refused were replaced
	began     time.Time
	sent      time.Time // the last send
	sends     int
	statuses  []int
	old       *kept     // whether it holds is asked; nil: nothing
	doubt     time.Time // when the request was first sent and may have been carried out; zero: never
}

// begin is a call of a request, of which faults are what Check says.
func (c *Client) begin(r httpop.Request, faults []job.FieldError) (*call, error) {
	if c.closed.Load() {
		return nil, c.failure(job.ClassRetryable, job.CodeInternal, "it is closed", nil)
	}
	target, err := c.target(r, faults)
	if err != nil {
		return nil, err
	}
	k := &call{Client: c, request: r, id: r.IdempotencyKey, target: target, began: time.Now(), doubt: r.DoubtSince}
	if k.id == "" && c.cfg.Auth.Type == AuthStandardWebhooks { // nobody else looks at it
		k.id = rand.Text()
	}
	return k, nil
}

// within is the context of the call, or of one send of it.
func (k *call) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithDeadlineCause(ctx, k.began.Add(k.timeout()), errCallTimeout)
}

func (k *call) timeout() time.Duration {
	if k.request.Timeout > 0 {
		return k.request.Timeout
	}
	return k.cfg.Timeout
}

// verdict is what one send came to when it was no success.
type verdict struct {
	failure *job.Failure
	again   bool // the request may be sent again at once
	moved   bool // target or credentials have changed: another request, no repetition
}

func (k *call) run(parent context.Context) (*httpop.Response, *job.Failure) {
	var waits *backoff.ExponentialBackOff // most calls need none
	var before *job.Failure
	for retries := 0; ; {
		resp, v := k.try(parent, before)
		switch {
		case v == nil:
			return resp, nil
		case v.moved:
			continue
		case !v.again || retries == k.cfg.MaxRetries:
			return nil, v.failure
		}
		retries++
		if waits == nil {
			waits = backoff.NewExponentialBackOff(
				backoff.WithInitialInterval(k.cfg.RetryDelay), backoff.WithMaxInterval(maxRetryDelay),
				backoff.WithMultiplier(2), backoff.WithMaxElapsedTime(0),
			)
		}
		before = v.failure
		delay := max(waits.NextBackOff(), v.failure.RetryAfter)
		if v.failure.Class == job.ClassThrottled && v.failure.RetryAfter > maxPauseInPlace {
			return nil, v.failure
		}
		if f := k.rest(parent, delay, v.failure); f != nil {
			return nil, f
		}
		k.log.DebugContext(parent, "sending again", "client", k.cfg.Name, "method", k.request.Method,
			"code", v.failure.Code, "sends", k.sends, "delay", delay)
	}
}

// rest waits between two sends. It answers with what the call ends with instead,
// after the failure before.
func (k *call) rest(parent context.Context, delay time.Duration, before *job.Failure) *job.Failure {
	ctx, cancel := k.within(parent)
	defer cancel()
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= delay {
		return before
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return k.interrupted(ctx, before.Err)
	}
}

// try sends the request once, if the gate lets it. before is how the call's last
// send failed; nil for none.
func (k *call) try(parent context.Context, before *job.Failure) (*httpop.Response, *verdict) {
	if f := k.forgotten(k.request.Method); f != nil {
		return nil, final(f)
	}
	ctx, cancel := k.within(parent)
	defer cancel()
	pass, err := k.gate.Enter(ctx)
	if err != nil {
		return nil, k.refused(ctx, err, before)
	}
	sign := SignNone
	defer func() { pass.Done(sign) }()
	began := time.Now()
	k.sent = began
	x, err := k.send(ctx, cancel)
	defer x.finish()
	if x.reached() {
		k.sends++
	}
	if err != nil {
		v := k.unanswered(ctx, x, err)
		sign = k.unansweredSign(ctx, x, err, began)
		k.observe(string(v.failure.Code), began)
		return nil, v
	}
	defer x.resp.Body.Close() //nolint:errcheck // the body has been read as far as it is wanted
	sign = answeredSign(x.resp.StatusCode)
	k.statuses = append(k.statuses, x.resp.StatusCode)
	resp, v := k.answered(ctx, x)
	k.observe(strconv.Itoa(x.resp.StatusCode), began)
	return resp, v
}

func (k *call) observe(code string, began time.Time) {
	if k.observer != nil {
		k.observer.ObserveRequest(k.cfg.Name, k.request.Method, code, time.Since(began))
	}
}

// repeatable reports whether a request may be sent again though it may have
// been carried out.
func (k *call) repeatable() bool {
	return k.Repeatable(k.request.Method, k.request.IdempotencyKey != "")
}

// Repeatable reports whether a request of this method, with or without an
// idempotency key, may be sent again though it may have been carried out.
func (c *Client) Repeatable(method string, keyed bool) bool {
	return httpop.Safe(method) || keyed && c.cfg.Idempotency.Header != "" || c.cfg.Idempotency.OnAmbiguous == OnAmbiguousRetry
}

// asksWhetherOldHolds reports whether the request has conditions. Those of an
// answer say nothing about where a redirect leads.
func (k *call) asksWhetherOldHolds() bool { return k.old != nil && k.redirects == 0 }

func (k *call) addConditions(req *http.Request) {
	if k.asksWhetherOldHolds() {
		for name, value := range k.old.conditions() {
			req.Header.Set(name, value)
		}
	}
}

func (k *call) expected(status int) bool {
	if status == http.StatusNotModified && k.asksWhetherOldHolds() {
		return true
	}
	if len(k.request.Expect) == 0 {
		return status >= 200 && status <= 299
	}
	return slices.Contains(k.request.Expect, status)
}

// summary is a Response's Summary. Every call has one, so it is not left to
// reflection.
func (k *call) summary() []byte {
	path, _ := json.Marshal(k.request.Path) // a string cannot fail
	text := append(make([]byte, 0, 96+len(path)), `{"method":"`...)
	text = append(append(text, k.request.Method...), `","path":`...)
	text = append(text, path...)
	for i, status := range k.statuses {
		text = append(text, map[bool]string{true: `,"statuses":[`, false: `,`}[i == 0]...)
		text = strconv.AppendInt(text, int64(status), 10)
	}
	if len(k.statuses) > 0 {
		text = append(text, ']')
	}
	text = strconv.AppendInt(append(text, `,"sends":`...), int64(k.sends), 10)
	text = strconv.AppendInt(append(text, `,"duration_ms":`...), time.Since(k.began).Milliseconds(), 10)
	return append(text, '}')
}
