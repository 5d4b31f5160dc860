package clients_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/clients/clientstest"
	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/job"
)

// gate lets so many requests out, and remembers what it was told.
type gate struct {
	mu    sync.Mutex
	lets  int           // guarded by mu
	wait  time.Duration // of a refusal, and of a pause that nobody asked for
	told  []string      // guarded by mu
	asked time.Duration // guarded by mu; of the last pause
}

func (g *gate) Enter(ctx context.Context) (clients.Pass, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if g.lets == 0 {
		return nil, &job.Failure{Class: job.ClassThrottled, Code: job.CodeBreakerOpen, Wait: job.WaitBreaker, RetryAfter: g.wait, Message: "open"}
	}
	g.lets--
	return pass{g}, nil
}

func (g *gate) Pause(asked time.Duration) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.told, g.asked = append(g.told, "pause"), asked
	if asked == 0 {
		return g.wait
	}
	return asked
}

type pass struct{ *gate }

func (p pass) Done(s clients.Sign) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.told = append(p.told, map[clients.Sign]string{clients.SignNone: "none", clients.SignWell: "well", clients.SignIll: "ill"}[s])
}

// The gate is asked before each send, and told what each came to.
func TestGate(t *testing.T) {
	t.Parallel()
	const wait = time.Hour
	get, post := httpop.Request{Method: "GET", Path: "/x"}, httpop.Request{Method: "POST", Path: "/x"}
	brief := get
	brief.Timeout = 200 * time.Millisecond
	patient := get
	patient.Timeout = 1500 * time.Millisecond
	tests := []struct {
		name    string
		lets    int
		script  []clientstest.Step
		request httpop.Request
		class   job.Class // of the failure; "" for an answer
		code    job.Code
		unrun   bool
		told    []string
		sends   int
	}{
		{"well", 9, []clientstest.Step{clientstest.Answer(200, "")}, get, "", "", false, []string{"well"}, 1},
		{"not let out", 0, nil, post, job.ClassThrottled, job.CodeBreakerOpen, true, nil, 0},
		{"a 4xx is an answer", 9, []clientstest.Step{clientstest.Answer(404, "")}, get, job.ClassPermanent, job.CodeUpstreamStatus, false, []string{"well"}, 1},
		{"5xx, then well", 9, []clientstest.Step{clientstest.Answer(503, ""), clientstest.Answer(200, "")}, get, "", "", false, []string{"ill", "well"}, 2},
		{"not let out again", 1, []clientstest.Step{clientstest.Answer(500, "")}, get, job.ClassRetryable, job.CodeUpstreamStatus, false, []string{"ill"}, 1},
		{"cut", 9, []clientstest.Step{clientstest.Cut()}, post, job.ClassAmbiguous, job.CodeAmbiguous, false, []string{"ill"}, 1},
		{"answers too late", 9, []clientstest.Step{clientstest.Hold(nil, clientstest.Answer(200, ""))}, patient, job.ClassRetryable, job.CodeTimeout, false, []string{"ill"}, 1},
		{"had no time to answer", 9, []clientstest.Step{clientstest.Hold(nil, clientstest.Answer(200, ""))}, brief, job.ClassRetryable, job.CodeTimeout, false, []string{"none"}, 1},
		{"wants to be left alone", 9, []clientstest.Step{clientstest.Answer(429, "", "Retry-After: 7")}, get, job.ClassThrottled, job.CodeUpstreamStatus, false, []string{"pause", "well"}, 1},
		{"does not say for how long", 9, []clientstest.Step{clientstest.Answer(429, "")}, get, job.ClassThrottled, job.CodeUpstreamStatus, false, []string{"pause", "well"}, 1},
		{"is away for a while", 9, []clientstest.Step{clientstest.Answer(503, "", "Retry-After: 7")}, get, job.ClassThrottled, job.CodeUpstreamStatus, false, []string{"pause", "ill"}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u := clientstest.New(t, clientstest.Options{})
			u.On("/x", tt.script...)
			g := &gate{lets: tt.lets, wait: wait}
			c := open(t, clients.Config{
				Name: "up", BaseURL: u.URL(), AllowNetworks: loopback, Gate: g, MaxRetries: 2, RetryDelay: time.Millisecond,
			})
			_, err := c.Do(t.Context(), tt.request)
			if tt.class == "" && err != nil {
				t.Fatal(err)
			}
			if tt.class != "" {
				f := wantFailure(t, err, tt.class, tt.code)
				if f.Unrun != tt.unrun {
					t.Errorf("Unrun = %v, want %v", f.Unrun, tt.unrun)
				}
				if throttled := tt.class == job.ClassThrottled; throttled != (f.On == "client up") || throttled && (f.RetryAfter <= 0 || f.Wait == "") {
					t.Errorf("failure = %+v, want what its job waits for, and for how long, if it does", f)
				}
				if tt.name == "not let out again" && f.RetryAfter != wait {
					t.Errorf("RetryAfter = %s, want the gate's %s", f.RetryAfter, wait)
				}
			}
			g.mu.Lock()
			defer g.mu.Unlock()
			if !slices.Equal(g.told, tt.told) {
				t.Errorf("the gate was told %v, want %v", g.told, tt.told)
			}
			if sends := tt.lets - g.lets; sends != tt.sends {
				t.Errorf("%d requests were let out, want %d", sends, tt.sends)
			}
		})
	}
}

// What our own side refuses, or gives up, says nothing about the upstream.
func TestGateHearsNothing(t *testing.T) {
	t.Parallel()
	u := clientstest.New(t, clientstest.Options{})
	u.On("/x", clientstest.Hold(nil, clientstest.Answer(200, "")))
	g := &gate{lets: 9}
	denied := open(t, clients.Config{Name: "up", BaseURL: u.URL(), Gate: g})
	_, err := denied.Do(t.Context(), httpop.Request{Method: "GET", Path: "/x"})
	wantFailure(t, err, job.ClassPermanent, job.CodeDialDenied)
	c := open(t, clients.Config{Name: "up", BaseURL: u.URL(), AllowNetworks: loopback, Gate: g})
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(job.ErrCanceled)
	_, err = c.Do(ctx, httpop.Request{Method: "GET", Path: "/x"})
	wantFailure(t, err, job.ClassPermanent, job.CodeCanceled)
	g.mu.Lock()
	defer g.mu.Unlock()
	if got := fmt.Sprint(g.told); got != "[none]" {
		t.Errorf("the gate was told %s, want [none]", got)
	}
}

// Nor does the time that went by before it was asked.
func TestGateHearsNothingOfOwnWaits(t *testing.T) {
	t.Parallel()
	const patience = 300 * time.Millisecond
	t.Run("for a token", func(t *testing.T) {
		t.Parallel()
		i, g := newIssuer(t, ""), &gate{lets: 9}
		i.On("/token", clientstest.Hold(nil, nil))
		cfg := i.config(secret("canary"))
		cfg.Gate, cfg.Timeout = g, patience
		_, err := open(t, cfg).Do(t.Context(), post)
		var failure *job.Failure // the call and the fetch of its token have the same time: either may be over first
		if !errors.As(err, &failure) || failure.Class != job.ClassRetryable || failure.Code != job.CodeTimeout && failure.Code != job.CodeUpstreamUnreachable {
			t.Errorf("err = %v, want that time is over", err)
		}
		g.wantTold(t, "[none]")
	})
	t.Run("for a connection", func(t *testing.T) {
		t.Parallel()
		u, g := clientstest.New(t, clientstest.Options{}), &gate{lets: 9}
		arrived := make(chan struct{})
		u.On("/held", func(x *clientstest.Exchange) {
			close(arrived)
			clientstest.Hold(nil, nil)(x)
		})
		c := open(t, clients.Config{
			Name: "up", BaseURL: u.URL(), AllowNetworks: loopback, Gate: g, Timeout: patience, Pool: clients.Pool{MaxConnections: 1},
		})
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, _ = c.Do(ctx, httpop.Request{Method: "GET", Path: "/held", Timeout: time.Minute})
		}()
		<-arrived
		_, err := c.Do(t.Context(), httpop.Request{Method: "GET", Path: "/x"})
		wantFailure(t, err, job.ClassRetryable, job.CodeTimeout)
		g.wantTold(t, "[none]")
		cancel(job.ErrCanceled)
		<-ended
	})
}

func (g *gate) wantTold(t *testing.T, want string) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if got := fmt.Sprint(g.told); got != want {
		t.Errorf("the gate was told %s, want %s", got, want)
	}
}

// A WebSocket asks the gate once, for its handshake.
func TestHandshakesPassTheGate(t *testing.T) {
	t.Parallel()
	u := clientstest.New(t, clientstest.Options{})
	u.On("/ws", u.Echo())
	g := &gate{lets: 1, wait: time.Hour}
	c := open(t, clients.Config{Name: "up", BaseURL: u.URL(), AllowNetworks: loopback, Gate: g})
	hello := httpop.Step{Send: &httpop.Message{Data: []byte("a")}}
	e := httpop.Exchange{Path: "/ws", Steps: []httpop.Step{hello, hello, {Receive: &httpop.Receive{Count: 2}}}}
	if _, err := c.Exchange(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	_, err := c.Exchange(t.Context(), e)
	if f := wantFailure(t, err, job.ClassThrottled, job.CodeBreakerOpen); !f.Unrun || f.On != "client up" || f.RetryAfter != time.Hour {
		t.Errorf("Failure = %+v, want that of the gate, before anything was done", f)
	}
	if n := len(u.Requests()); n != 1 || !slices.Equal(g.told, []string{"well"}) {
		t.Errorf("the upstream got %d requests and the gate was told %q, want one that went well", n, g.told)
	}
}
