package handlers_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/clients/clientstest"
	"github.com/asyncops/asyncops/handlers"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/tasks"
)

// batcher runs batches against a real upstream.
type batcher struct {
	*handlers.Handlers
	upstream *clientstest.Upstream
	progress []job.Progress // of all runs, in order
	mu       sync.Mutex     // guards progress
}

func newBatcher(t *testing.T, edit ...func(*clients.Config)) *batcher {
	t.Helper()
	u := clientstest.New(t, clientstest.Options{Dedupe: "Idempotency-Key"})
	cfg := clients.Config{
		Name: "crm", BaseURL: u.URL(), AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Idempotency: clients.Idempotency{Header: "Idempotency-Key"}, MaxResponse: 16 << 20,
	}
	for _, f := range edit {
		f(&cfg)
	}
	c, err := clients.Open(cfg, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return &batcher{Handlers: handlers.New(&fake{}, nil, map[string]handlers.Upstream{"crm": c}), upstream: u}
}

func (b *batcher) run(ctx context.Context, j *job.Job) (job.Result, error) {
	return b.Run(job.WithProgress(ctx, func(p job.Progress) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.progress = append(b.progress, p)
	}), j)
}

// paths are the targets of the requests that arrived, in order.
func (b *batcher) paths() []string {
	var paths []string
	for _, r := range b.upstream.Requests() {
		paths = append(paths, r.Target)
	}
	return paths
}

// batchOf is a job that posts to each path.
func batchOf(options string, paths ...string) *job.Job {
	var requests []string
	for _, path := range paths {
		requests = append(requests, fmt.Sprintf(`{"method":"POST","path":%q,"body":{"a":1}}`, path))
	}
	return &job.Job{ID: id, Kind: "http.batch", Attempt: 1, MaxAttempts: 3,
		Args: json.RawMessage(`{"requests":[` + strings.Join(requests, ",") + `]` + options + `}`)}
}

// outcomes writes each response as its status, its error's code, or null.
func outcomes(t *testing.T, result json.RawMessage) string {
	t.Helper()
	var batch tasks.HTTPBatchResult
	if err := json.Unmarshal(result, &batch); err != nil {
		t.Fatalf("result %s: %v", result, err)
	}
	var texts []string
	succeeded, failed := 0, 0
	for _, response := range batch.Responses {
		var one struct {
			Status int
			Error  struct{ Code string }
		}
		if err := json.Unmarshal(response, &one); err != nil {
			t.Fatal(err)
		}
		switch {
		case one.Status != 0:
			succeeded++
			texts = append(texts, fmt.Sprint(one.Status))
		case one.Error.Code != "":
			failed++
			texts = append(texts, one.Error.Code)
		default:
			texts = append(texts, "null")
		}
	}
	if batch.Succeeded != succeeded || batch.Failed != failed {
		t.Errorf("succeeded %d, failed %d, want %d and %d", batch.Succeeded, batch.Failed, succeeded, failed)
	}
	return strings.Join(texts, " ")
}

// partial is the Failure that a run has ended in, with what it has decided.
func partial(t *testing.T, err error, class job.Class, code job.Code, want string) *job.Failure {
	t.Helper()
	f, ok := errors.AsType[*job.Failure](err)
	if !ok || f.Class != class || f.Code != code {
		t.Fatalf("Run = %v, want a Failure %s %s", err, class, code)
	}
	if got := outcomes(t, f.Result); got != want {
		t.Errorf("the run has decided %s, want %s", got, want)
	}
	return f
}

func TestBatch(t *testing.T) {
	t.Parallel()
	b := newBatcher(t)
	var now, most atomic.Int64
	b.upstream.On("/slow", func(x *clientstest.Exchange) {
		n := now.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		defer now.Add(-1)
		clientstest.Apply(clientstest.Answer(201, `{"n":1}`))(x)
	})
	result, err := b.run(t.Context(), batchOf(`,"max_concurrent":3`, slices.Repeat([]string{"/slow"}, 20)...))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := outcomes(t, result.Value), strings.TrimSpace(strings.Repeat("201 ", 20)); got != want {
		t.Errorf("responses = %s, want %s", got, want)
	}
	if most.Load() > 3 {
		t.Errorf("%d requests were under way at once, want at most 3", most.Load())
	}
	effects := b.upstream.Effects()
	for i := range 20 {
		if key := fmt.Sprintf("%s.%d", id, i); effects[key] != 1 {
			t.Errorf("request %d was carried out %d times under the key %s, want once", i, effects[key], key)
		}
	}
	if last := b.progress[len(b.progress)-1]; last != (job.Progress{Done: 20, Total: 20}) || b.progress[0].Done != 0 || len(b.progress) != 21 {
		t.Errorf("progress = %+v, want 0 to 20 of 20", b.progress)
	}
	if !strings.Contains(string(result.Summary), `"requests":20,"succeeded":20,"failed":0,"undecided":0,"sends":20`) {
		t.Errorf("summary = %s, want what came of the requests", result.Summary)
	}
}

// TestBatchContinues: what another try would mend is tried again, and nothing
// else; the job completes when each request has its outcome.
func TestBatchContinues(t *testing.T) {
	t.Parallel()
	b := newBatcher(t)
	b.upstream.On("/gone", clientstest.Answer(404, "{}"))
	b.upstream.On("/busy", clientstest.Answer(503, ""), clientstest.Answer(200, "{}"))
	b.upstream.On("/dead", clientstest.Answer(503, ""))
	j := batchOf(`,"max_concurrent":1`, "/a", "/gone", "/busy", "/dead", "/b")
	_, err := b.run(t.Context(), j)
	f := partial(t, err, job.ClassRetryable, job.CodeUpstreamStatus, "200 upstream_status null null 200")
	if !strings.Contains(f.Message, "request 2: ") || !strings.Contains(f.Message, "2 of 5 requests are undecided") {
		t.Errorf("Message = %q, want which request it is about, and how many are left", f.Message)
	}
	j.Result, j.Attempt = f.Result, 2
	_, err = b.run(t.Context(), j)
	f = partial(t, err, job.ClassRetryable, job.CodeUpstreamStatus, "200 upstream_status 200 null 200")
	j.Result, j.Attempt = f.Result, 3
	result, err := b.run(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := outcomes(t, result.Value), "200 upstream_status 200 upstream_status 200"; got != want {
		t.Errorf("responses = %s, want %s: the last attempt decides", got, want)
	}
	if got, want := b.paths(), []string{"/a", "/gone", "/busy", "/dead", "/b", "/busy", "/dead", "/dead"}; !slices.Equal(got, want) {
		t.Errorf("the upstream got %q, want %q", got, want)
	}
}

// TestBatchIsParked: requests that the upstream wants later are sent later,
// also in the last attempt, for none is used. Only a batch of which nothing was
// sent has not begun.
func TestBatchIsParked(t *testing.T) {
	t.Parallel()
	b := newBatcher(t)
	b.upstream.On("/busy", clientstest.Answer(429, "", "Retry-After: 5"))
	b.upstream.On("/busier", clientstest.Answer(503, "", "Retry-After: 7"))
	j := batchOf("", "/a", "/busy", "/busier")
	j.Attempt = j.MaxAttempts
	_, err := b.run(t.Context(), j)
	f := partial(t, err, job.ClassThrottled, job.CodeUpstreamStatus, "200 null null")
	if f.RetryAfter != 7*time.Second || f.Wait != job.WaitRateLimit || f.On != "client crm" || f.Unrun {
		t.Errorf("Failure = %+v, want the longest wait, for the client, of a run that has begun", f)
	}
	b = newBatcher(t, func(c *clients.Config) { c.Gate = shut{} })
	_, err = b.run(t.Context(), batchOf("", "/a", "/b"))
	if f := partial(t, err, job.ClassThrottled, job.CodeBreakerOpen, "null null"); !f.Unrun || len(b.paths()) != 0 {
		t.Errorf("Failure = %+v with %d requests sent, want a run that has not begun", f, len(b.paths()))
	}
}

// TestBatchIsParkedWhenOthersAreDecided: a failure that the last attempt has
// decided does not end a batch whose other requests have yet to be sent.
func TestBatchIsParkedWhenOthersAreDecided(t *testing.T) {
	t.Parallel()
	g := &opening{}
	g.lets.Store(1)
	b := newBatcher(t, func(c *clients.Config) { c.Gate = g })
	b.upstream.On("/dead", clientstest.Answer(503, ""))
	j := batchOf(`,"max_concurrent":1`, "/dead", "/a", "/b")
	j.Attempt = j.MaxAttempts
	_, err := b.run(t.Context(), j)
	f := partial(t, err, job.ClassThrottled, job.CodeBreakerOpen, "upstream_status null null")
	j.Result = f.Result
	g.lets.Store(9)
	result, err := b.run(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := outcomes(t, result.Value), "upstream_status 200 200"; got != want {
		t.Errorf("responses = %s, want %s", got, want)
	}
}

// opening is a gate that lets so many requests out.
type opening struct {
	shut
	lets atomic.Int64
}

func (g *opening) Enter(ctx context.Context) (clients.Pass, error) {
	if g.lets.Add(-1) < 0 {
		return g.shut.Enter(ctx)
	}
	return passed{}, nil
}

type passed struct{}

func (passed) Done(clients.Sign) {}

// shut is a gate that lets nothing out.
type shut struct{}

func (shut) Enter(context.Context) (clients.Pass, error) {
	return nil, &job.Failure{Class: job.ClassThrottled, Code: job.CodeBreakerOpen, Wait: job.WaitBreaker, Message: "open"}
}

func (shut) Pause(asked time.Duration) time.Duration { return asked }

// TestBatchAborts: the first failure ends the job, and a retry by hand begins
// with it.
func TestBatchAborts(t *testing.T) {
	t.Parallel()
	b := newBatcher(t)
	b.upstream.On("/gone", clientstest.Answer(404, "{}"), clientstest.Answer(200, "{}"))
	j := batchOf(`,"max_concurrent":1,"on_error":"abort"`, "/a", "/gone", "/b")
	_, err := b.run(t.Context(), j)
	f := partial(t, err, job.ClassPermanent, job.CodeUpstreamStatus, "200 upstream_status null")
	j.Result, j.Generation = f.Result, 1
	result, err := b.run(t.Context(), j)
	if err != nil || outcomes(t, result.Value) != "200 200 200" {
		t.Fatalf("Run = %s, %v, want all decided", result.Value, err)
	}
	if got, want := b.paths(), []string{"/a", "/gone", "/gone", "/b"}; !slices.Equal(got, want) {
		t.Errorf("the upstream got %q, want %q", got, want)
	}
	b.upstream.On("/busy", clientstest.Answer(503, ""))
	j = batchOf(`,"max_concurrent":1,"on_error":"abort"`, "/busy", "/b")
	j.Attempt = 3
	_, err = b.run(t.Context(), j)
	partial(t, err, job.ClassRetryable, job.CodeUpstreamStatus, "upstream_status null")
}

// TestBatchOfUnknownOutcome: a request that may have been carried out is not
// sent again unless it has a key that the upstream honours. The others are.
func TestBatchOfUnknownOutcome(t *testing.T) {
	t.Parallel()
	b := newBatcher(t, func(c *clients.Config) { c.Idempotency.Header = "" })
	b.upstream.On("/cut", clientstest.Apply(clientstest.Cut()), clientstest.Answer(200, "{}"))
	j := batchOf(`,"max_concurrent":1`, "/cut", "/b")
	_, err := b.run(t.Context(), j)
	f := partial(t, err, job.ClassAmbiguous, job.CodeAmbiguous, "ambiguous 200")
	if got := b.paths(); !slices.Equal(got, []string{"/cut", "/b"}) {
		t.Errorf("the upstream got %q, want each request once", got)
	}
	j.Result, j.Generation = f.Result, 1 // a person has looked
	if result, err := b.run(t.Context(), j); err != nil || outcomes(t, result.Value) != "200 200" {
		t.Errorf("Run = %s, %v, want all decided", result.Value, err)
	}

	b = newBatcher(t, func(c *clients.Config) { c.MaxRetries, c.RetryDelay = 1, time.Millisecond })
	b.upstream.On("/cut", clientstest.Apply(clientstest.Cut()), clientstest.Apply(clientstest.Answer(200, "{}")))
	if result, err := b.run(t.Context(), batchOf("", "/cut")); err != nil || outcomes(t, result.Value) != "200" {
		t.Fatalf("Run = %s, %v, want an answer", result.Value, err)
	}
	if n := b.upstream.Effects()[string(id)+".0"]; n != 1 {
		t.Errorf("the request was carried out %d times, want once", n)
	}
}

// TestBatchInterrupted: what is decided when the run is stopped stays so.
func TestBatchInterrupted(t *testing.T) {
	t.Parallel()
	b := newBatcher(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	b.upstream.On("/held", func(x *clientstest.Exchange) {
		cancel(job.ErrDraining)
		clientstest.Hold(nil, nil)(x)
	})
	_, err := b.run(ctx, batchOf(`,"max_concurrent":1`, "/a", "/held", "/b"))
	f := partial(t, err, job.ClassRetryable, job.CodeTimeout, "200 null null")
	if !errors.Is(f, job.ErrDraining) {
		t.Errorf("Run = %v, want the cause in it", f)
	}
}

func TestBatchIsBounded(t *testing.T) {
	t.Parallel()
	b := newBatcher(t)
	b.upstream.On("/big", clientstest.Answer(200, `"`+strings.Repeat("x", 9<<20)+`"`))
	result, err := b.run(t.Context(), batchOf("", "/big", "/big", "/big", "/big"))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(outcomes(t, result.Value), "response_too_large"); got != 1 {
		t.Errorf("responses = %s, want one that found no room", outcomes(t, result.Value))
	}
}

// TestBatchSurvivesPanics: the code of a custom auth is not ours.
func TestBatchSurvivesPanics(t *testing.T) {
	t.Parallel()
	panics := func(c *clients.Config) {
		c.Auth = clients.Auth{Type: "custom", Name: "ours", Sign: func(*http.Request) error { panic("canary") }}
	}
	j := batchOf("", "/a")
	_, err := newBatcher(t, panics).run(t.Context(), j)
	if f := partial(t, err, job.ClassRetryable, job.CodeInternal, "null"); strings.Contains(f.Message, "canary") {
		t.Errorf("Message = %q, want nothing of the panic", f.Message)
	}
	_, err = newBatcher(t, panics, unkeyed).run(t.Context(), j) // it may have been sent
	partial(t, err, job.ClassAmbiguous, job.CodeInternal, "internal")
}
