package clientstest

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/job"
)

// Caller calls an API: a *clients.Client, or what is built around one.
type Caller interface {
	Do(context.Context, httpop.Request) (*httpop.Response, error)
}

// Case is one behaviour of an upstream and what a Caller must make of it.
type Case struct {
	Name    string
	Request httpop.Request // to path /x unless it names one
	Config  func(*clients.Config)
	Dedupe  bool // the upstream honours Idempotency-Key, and the Config says so
	Warm    bool // one request to /warm first, so that a kept connection is there
	Script  []Step
	Tokens  []Step // the upstream's script for /token
	HTTP1   bool   // for HTTP/1.1 only
	HTTP2   bool   // for HTTP/2 only

	Cancel error // cause that cancels the call once the upstream has the request

	Status  int       // want: of the answer, or zero for a Failure with
	Class   job.Class // this class
	Code    job.Code  // and this code
	Sends   int       // want: requests that reached the upstream on /x
	Effects int       // want: times that the request was carried out
}

// wires are the ways to speak to an upstream; each runs all cases.
var wires = []struct {
	name     string
	options  Options
	protocol clients.Protocol
	proto    string
}{
	{"http1", Options{}, clients.ProtocolAuto, "HTTP/1.1"},
	{"http1 over TLS", Options{TLS: true}, clients.ProtocolAuto, "HTTP/1.1"},
	{"http2 over TLS", Options{TLS: true, HTTP2: true}, clients.ProtocolAuto, "HTTP/2.0"},
	{"http2 in clear", Options{HTTP2: true}, clients.ProtocolHTTP2, "HTTP/2.0"},
}

// Run runs the conformance suite. open returns a Caller of the upstream that
// the Config describes, and closes it when the test ends.
func Run(t *testing.T, open func(*testing.T, clients.Config) Caller) {
	for _, wire := range wires {
		t.Run(wire.name, func(t *testing.T) {
			t.Parallel()
			for _, c := range append(Cases(), authCases()...) {
				if http1 := wire.proto == "HTTP/1.1"; c.HTTP1 && !http1 || c.HTTP2 && http1 {
					continue
				}
				t.Run(c.Name, func(t *testing.T) {
					t.Parallel()
					options := wire.options
					if c.Dedupe {
						options.Dedupe = "Idempotency-Key"
					}
					u := New(t, options)
					cfg := clients.Config{
						Name: "up", BaseURL: u.URL(), Protocol: wire.protocol, MaxRetries: 2, RetryDelay: time.Millisecond,
						AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, MaxResponse: 1 << 20,
					}
					if options.TLS {
						cfg.TLS.CA = u.CA()
					}
					cfg.Idempotency.Header = options.Dedupe
					if c.Config != nil {
						c.Config(&cfg)
					}
					runCase(t, c, u, open(t, cfg), wire.proto)
				})
			}
		})
	}
}

// tokenPath is where the upstream issues tokens.
const tokenPath = "/token"

func runCase(t *testing.T, c Case, u *Upstream, caller Caller, proto string) {
	t.Helper()
	if c.Warm {
		warm := httpop.Request{Method: http.MethodGet, Path: "/warm"}
		u.On("/warm", Answer(http.StatusOK, "{}"))
		if _, err := caller.Do(t.Context(), warm); err != nil {
			t.Fatalf("Do(%s) = %v, want an answer", warm.Path, err)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	script, tokens := slices.Clone(c.Script), slices.Clone(c.Tokens)
	if c.Cancel != nil {
		for _, steps := range [][]Step{script, tokens} {
			for i, step := range steps {
				steps[i] = func(x *Exchange) { cancel(c.Cancel); step(x) }
			}
		}
	}
	r := c.Request
	if r.Path == "" {
		r.Path = "/x"
	}
	u.On(r.Path, script...)
	u.On(tokenPath, tokens...)
	resp, err := caller.Do(ctx, r)

	sends := 0
	for _, record := range u.Requests() {
		if record.Target == "/warm" || record.Target == tokenPath {
			continue
		}
		sends++
		if record.Proto != proto {
			t.Errorf("the request came with %s, want %s", record.Proto, proto)
		}
		if got, want := record.Header.Get("Idempotency-Key"), r.IdempotencyKey; c.Dedupe && got != want {
			t.Errorf("send %d carries the key %q, want %q", sends, got, want)
		}
	}
	if sends != c.Sends {
		t.Errorf("the upstream got %d requests, want %d", sends, c.Sends)
	}
	effects := 0
	for _, n := range u.Effects() {
		effects += n
	}
	if effects != c.Effects {
		t.Errorf("the request was carried out %d times, want %d", effects, c.Effects)
	}
	if c.Status != 0 {
		if err != nil {
			t.Fatalf("Do = %v, want status %d", err, c.Status)
		}
		if resp.Status != c.Status || resp.Sends != c.Sends {
			t.Errorf("Do = status %d after %d sends, want %d after %d", resp.Status, resp.Sends, c.Status, c.Sends)
		}
		return
	}
	var f *job.Failure
	if !errors.As(err, &f) {
		t.Fatalf("Do = %+v, %v, want a *job.Failure", resp, err)
	}
	if f.Class != c.Class || f.Code != c.Code {
		t.Errorf("Do = %s %s (%v), want %s %s", f.Class, f.Code, f, c.Class, c.Code)
	}
}
