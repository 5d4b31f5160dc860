package clientstest

import (
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/asyncops/asyncops/cache"
	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/job"
)

// RunCache runs the suite of what is kept of answers. open returns a Caller of
// the upstream that the Config describes, and closes it when the test ends.
func RunCache(t *testing.T, open func(*testing.T, clients.Config) Caller) {
	for _, wire := range wires {
		t.Run(wire.name, func(t *testing.T) {
			t.Parallel()
			for _, c := range cacheCases() {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					u := New(t, wire.options)
					cfg := clients.Config{
						Name: "up", BaseURL: u.URL(), Protocol: wire.protocol, MaxRetries: 2, RetryDelay: time.Millisecond,
						AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Cache: clients.ResponseCache{In: NewCache(t)},
					}
					if wire.options.TLS {
						cfg.TLS.CA = u.CA()
					}
					if c.config != nil {
						c.config(&cfg)
					}
					runCacheCase(t, c, u, open(t, cfg))
				})
			}
		})
	}
}

// NewCache opens the cache of one process, which is closed when the test ends.
func NewCache(t testing.TB) *cache.Cache {
	t.Helper()
	c, err := cache.Open(cache.Config{}, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func runCacheCase(t *testing.T, c cacheCase, u *Upstream, caller Caller) {
	t.Helper()
	u.On("/x", c.script...)
	for i, call := range c.calls {
		before := len(u.Requests())
		resp, err := caller.Do(t.Context(), call.Request)
		if sends := len(u.Requests()) - before; sends != call.sends {
			t.Errorf("call %d sent %d requests, want %d", i, sends, call.sends)
		}
		if call.code != "" {
			var f *job.Failure
			if !errors.As(err, &f) || f.Code != call.code {
				t.Errorf("call %d = %v, want %s", i, err, call.code)
			}
			continue
		}
		if err != nil {
			t.Fatalf("call %d = %v, want an answer", i, err)
		}
		if resp.Cached != call.cached || resp.Sends != call.sends {
			t.Errorf("call %d: cached %t after %d sends, want %t after %d", i, resp.Cached, resp.Sends, call.cached, call.sends)
		}
		if reads := call.Method == http.MethodGet; reads && string(resp.Body) != call.body {
			t.Errorf("call %d = %q, want %q", i, resp.Body, call.body)
		}
		if _, told := resp.Headers["age"]; call.cached && !told {
			t.Errorf("call %d does not say how old its answer is: %v", i, resp.Headers)
		}
	}
	for i, want := range c.sent {
		got := u.Requests()[i].Header
		name, value, _ := strings.Cut(strings.TrimPrefix(want, "-"), ": ")
		if want != "" && got.Get(name) != value {
			t.Errorf("request %d came with %s: %q, want %q", i, name, got.Get(name), value)
		}
	}
}
