package clients_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/clients/clientstest"
	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/job"
)

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	tests := []struct {
		header   string
		min, max time.Duration
	}{
		{"", 0, 0},
		{"0", 0, 0},
		{"120", 2 * time.Minute, 2 * time.Minute},
		{" 120 ", 2 * time.Minute, 2 * time.Minute},
		{"3600", time.Hour, time.Hour},
		{"3601", time.Hour, time.Hour},
		{"99999999999999999999999", time.Hour, time.Hour},
		{"-5", 0, 0},
		{"1.5", 0, 0},
		{"soon", 0, 0},
		{time.Now().Add(30 * time.Minute).UTC().Format(http.TimeFormat), 20 * time.Minute, 30 * time.Minute},
		{time.Now().Add(30 * time.Hour).UTC().Format(http.TimeFormat), time.Hour, time.Hour},
		{"Mon, 02 Jan 2006 15:04:05 GMT", 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.header, func(t *testing.T) {
			t.Parallel()
			u := clientstest.New(t, clientstest.Options{})
			u.On("/", clientstest.Answer(503, "", "Retry-After: "+tt.header))
			c := open(t, clients.Config{Name: "up", BaseURL: u.URL(), AllowNetworks: loopback})
			_, err := c.Do(t.Context(), httpop.Request{Method: "POST", Path: "/"})
			class := job.ClassRetryable
			if tt.max > 0 { // it wants to be left alone
				class = job.ClassThrottled
			}
			f := wantFailure(t, err, class, job.CodeUpstreamStatus)
			if f.RetryAfter < tt.min || f.RetryAfter > tt.max {
				t.Errorf("RetryAfter = %s, want %s to %s", f.RetryAfter, tt.min, tt.max)
			}
		})
	}
}

func TestFailureOfAnAnswer(t *testing.T) {
	t.Parallel()
	u := clientstest.New(t, clientstest.Options{})
	u.On("/empty", clientstest.Answer(404, ""))
	u.On("/text", clientstest.Answer(422, "no\x00such\n\xffcustomer"))
	u.On("/long", clientstest.Answer(400, strings.Repeat("ö", 4000)))
	u.On("/drip", clientstest.Drip(400, time.Millisecond))
	c := open(t, clients.Config{Name: "up", BaseURL: u.URL(), AllowNetworks: loopback})
	do := func(path string) *job.Failure {
		_, err := c.Do(t.Context(), httpop.Request{Method: "POST", Path: path, Query: map[string][]string{"q": {"hidden"}}})
		return wantFailure(t, err, job.ClassPermanent, job.CodeUpstreamStatus)
	}
	if f := do("/empty"); f.Private || f.Message != "client up: it answered 404" {
		t.Errorf("Failure = %+v, want a public message", f)
	}
	if f := do("/text"); !f.Private || f.Message != "client up: it answered 422: no such \uFFFDcustomer" {
		t.Errorf("Failure = %+v, want a private message with the text made harmless", f)
	}
	f := do("/long")
	if excerpt := strings.TrimPrefix(f.Message, "client up: it answered 400: "); len(excerpt) != 256 || !utf8.ValidString(excerpt) {
		t.Errorf("the excerpt has %d bytes, want 256 of valid UTF-8", len(excerpt))
	}
	if f := do("/drip"); !f.Private {
		t.Errorf("Failure = %+v, want what came of the text", f)
	}

	var got struct {
		Method, Path string
		Statuses     []int
		Sends        int
		DurationMS   *int64 `json:"duration_ms"`
	}
	if err := json.Unmarshal(f.Summary, &got); err != nil {
		t.Fatalf("Summary %s: %v", f.Summary, err)
	}
	if got.Method != "POST" || got.Path != "/long" || len(got.Statuses) != 1 || got.Statuses[0] != 400 || got.Sends != 1 || got.DurationMS == nil {
		t.Errorf("Summary = %s, want method, path, status, sends and duration", f.Summary)
	}
}

func TestResponse(t *testing.T) {
	t.Parallel()
	u := clientstest.New(t, clientstest.Options{})
	u.On("/", clientstest.Answer(503, ""), clientstest.Answer(201, `{"id":7}`, "X-Two: a", "X-Two: b"))
	u.On("/gzip", clientstest.Gzipped(strings.Repeat("ab", 1000)))
	u.On("/zstd", clientstest.Zstd(strings.Repeat("ab", 1000)))
	u.On("/br", clientstest.Answer(200, "\x0b\x02", "Content-Encoding: br"))
	c := open(t, clients.Config{Name: "up", BaseURL: u.URL(), AllowNetworks: loopback, MaxRetries: 1, RetryDelay: time.Millisecond})
	got, err := c.Do(t.Context(), httpop.Request{Method: "POST", Path: "/"})
	if err != nil {
		t.Fatal(err)
	}
	if got.Status != 201 || string(got.Body) != `{"id":7}` || got.Sends != 2 || got.Duration <= 0 || !strings.Contains(string(got.Summary), `"statuses":[503,201],"sends":2`) {
		t.Errorf("Do = %+v with summary %s, want 201 after two sends", got, got.Summary)
	}
	delete(got.Headers, "date")
	if diff := cmp.Diff(map[string]string{"content-type": "application/json", "content-length": "8", "x-two": "a, b"}, got.Headers); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if got, err = c.Do(t.Context(), httpop.Request{Method: "GET", Path: "/gzip"}); err != nil || string(got.Body) != strings.Repeat("ab", 1000) || got.Headers["content-encoding"] != "" {
		t.Errorf("Do(/gzip) = %+v, %v, want the decoded body", got, err)
	}
	if got, err = c.Do(t.Context(), httpop.Request{Method: "GET", Path: "/zstd"}); err != nil || string(got.Body) != strings.Repeat("ab", 1000) || got.Headers["content-encoding"] != "" {
		t.Errorf("Do(/zstd) = %+v, %v, want the decoded body", got, err)
	}
	if got, err = c.Do(t.Context(), httpop.Request{Method: "GET", Path: "/br"}); err != nil || string(got.Body) != "\x0b\x02" || got.Headers["content-encoding"] != "br" {
		t.Errorf("Do(/br) = %+v, %v, want the body as it came", got, err)
	}
}

// TestBoundsStopTheUpstream: of 10 GiB, little more than the bound and what
// the network's buffers hold is ever sent.
func TestBoundsStopTheUpstream(t *testing.T) {
	t.Parallel()
	u := clientstest.New(t, clientstest.Options{})
	u.On("/", clientstest.Endless(10<<30, false))
	c := open(t, clients.Config{Name: "up", BaseURL: u.URL(), AllowNetworks: loopback, MaxResponse: 1 << 20})
	_, err := c.Do(t.Context(), httpop.Request{Method: "GET", Path: "/"})
	wantFailure(t, err, job.ClassPermanent, job.CodeResponseTooLarge)
	u.Close()
	if got := u.Wrote(); got > 64<<20 {
		t.Errorf("the upstream wrote %d bytes, want at most 64 MiB", got)
	}
}

// TestInterruptedAfterAcceptance: a worker that stops while it reads an answer
// must not lead to a second send of what was carried out.
func TestInterruptedAfterAcceptance(t *testing.T) {
	t.Parallel()
	tests := []struct {
		method string
		cause  error
		class  job.Class
		code   job.Code
	}{
		{"POST", job.ErrDraining, job.ClassPermanent, job.CodeResponseInvalid},
		{"POST", job.ErrLeaseLost, job.ClassPermanent, job.CodeResponseInvalid},
		{"POST", job.ErrCanceled, job.ClassPermanent, job.CodeCanceled},
		{"POST", job.ErrTimeout, job.ClassPermanent, job.CodeTimeout},
		{"GET", job.ErrDraining, job.ClassRetryable, job.CodeHandedBack},
		{"GET", job.ErrLeaseLost, job.ClassRetryable, job.CodeWorkerLost},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.cause.Error(), func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			u := clientstest.New(t, clientstest.Options{})
			u.On("/", func(x *clientstest.Exchange) {
				// More than the network's buffers hold: once it is written, the
				// answer is being read.
				if _, err := x.W.Write(make([]byte, 16<<20)); err != nil {
					t.Errorf("write: %v", err)
				}
				cancel(tt.cause)
				clientstest.Hold(nil, nil)(x)
			})
			c := open(t, clients.Config{Name: "up", BaseURL: u.URL(), AllowNetworks: loopback, MaxResponse: 64 << 20})
			_, err := c.Do(ctx, httpop.Request{Method: tt.method, Path: "/"})
			wantFailure(t, err, tt.class, tt.code)
		})
	}
}

type observation struct {
	client, method, code string
	took                 time.Duration
}

type recorder struct {
	mu   sync.Mutex
	seen []observation // guarded by mu
}

func (r *recorder) ObserveRequest(client, method, code string, took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, observation{client, method, code, took})
}

func TestObserver(t *testing.T) {
	t.Parallel()
	u := clientstest.New(t, clientstest.Options{})
	u.On("/", clientstest.Answer(503, ""), clientstest.Answer(200, ""), clientstest.Cut())
	var r recorder
	c, err := clients.Open(clients.Config{Name: "up", BaseURL: u.URL(), AllowNetworks: loopback, MaxRetries: 1, RetryDelay: time.Millisecond},
		slog.New(slog.DiscardHandler), &r)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 2 {
		_, _ = c.Do(t.Context(), httpop.Request{Method: "POST", Path: "/"}) // what is observed is asked, not what it answers
	}
	want := []string{"503", "200", "ambiguous"}
	var got []string
	for _, o := range r.seen {
		if o.client != "up" || o.method != "POST" || o.took <= 0 {
			t.Errorf("observed %+v, want client up, method POST and a duration", o)
		}
		got = append(got, o.code)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("codes (-want +got):\n%s", diff)
	}
}

// eventually waits for what happens on other goroutines; it fails after 10s.
func eventually(t *testing.T, want string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("10s have passed, want %s", want)
		}
	}
}

func TestPoolIsBounded(t *testing.T) {
	t.Parallel()
	u := clientstest.New(t, clientstest.Options{})
	release, arrived := make(chan struct{}), make(chan struct{}, 32)
	u.On("/held", func(x *clientstest.Exchange) {
		arrived <- struct{}{}
		clientstest.Hold(release, clientstest.Answer(200, "{}"))(x)
	})
	c := open(t, clients.Config{Name: "up", BaseURL: u.URL(), AllowNetworks: loopback, Pool: clients.Pool{MaxConnections: 3, MaxIdle: 2}})
	var calls sync.WaitGroup
	for range 32 {
		calls.Go(func() {
			if _, err := c.Do(t.Context(), httpop.Request{Method: "GET", Path: "/held"}); err != nil {
				t.Errorf("Do = %v, want an answer", err)
			}
		})
	}
	for range 3 {
		<-arrived
	}
	if got, want := c.Stats(), (clients.Stats{InUse: 3, Idle: 0, Max: 3}); got != want {
		t.Errorf("Stats = %+v, want %+v", got, want)
	}
	// A call that finds no connection in its time was certainly not sent.
	_, err := c.Do(t.Context(), httpop.Request{Method: "POST", Path: "/other", Timeout: time.Millisecond})
	wantFailure(t, err, job.ClassRetryable, job.CodeTimeout)
	close(release)
	calls.Wait()
	eventually(t, "none in use and at most two idle", func() bool { s := c.Stats(); return s.InUse == 0 && s.Idle <= 2 })
	if got := u.Connections(); got != 3 {
		t.Errorf("the upstream accepted %d connections, want 3", got)
	}
	c.Close()
	eventually(t, "no connection after Close", func() bool { return c.Stats() == (clients.Stats{Max: 3}) })
	_, err = c.Do(t.Context(), httpop.Request{Method: "GET", Path: "/"})
	wantFailure(t, err, job.ClassRetryable, job.CodeInternal)
}

func TestHealth(t *testing.T) {
	t.Parallel()
	u := clientstest.New(t, clientstest.Options{})
	c := open(t, clients.Config{Name: "up", BaseURL: u.URL(), AllowNetworks: loopback})
	if err := c.Health(t.Context()); err != nil {
		t.Errorf("Health = %v, want nil", err)
	}
	if got := len(u.Requests()); got != 0 {
		t.Errorf("the upstream got %d requests, want none", got)
	}
	u.Close()
	f := wantFailure(t, c.Health(t.Context()), job.ClassRetryable, job.CodeUpstreamUnreachable)
	if want := "client up: it refused the connection"; f.Message != want {
		t.Errorf("Message = %q, want %q", f.Message, want)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(job.ErrTimeout)
	wantFailure(t, c.Health(ctx), job.ClassRetryable, job.CodeTimeout)
}
