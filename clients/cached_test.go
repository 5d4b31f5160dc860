package clients_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asyncops/asyncops/cache"
	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/clients/clientstest"
	"github.com/asyncops/asyncops/dispatch"
	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/internal/testkit"
	"github.com/asyncops/asyncops/job"
)

func TestCacheConformance(t *testing.T) {
	t.Parallel()
	clientstest.RunCache(t, func(t *testing.T, cfg clients.Config) clientstest.Caller { return open(t, cfg) })
}

// numbered answers with 1, 2, 3 and so on.
func numbered(headers ...string) clientstest.Step {
	var n atomic.Int64
	return func(x *clientstest.Exchange) {
		clientstest.Answer(http.StatusOK, strconv.FormatInt(n.Add(1), 10), headers...)(x)
	}
}

// got is the body of a Get that must succeed.
func got(t *testing.T, c *clients.Client, path string, with ...clients.Option) string {
	t.Helper()
	resp, err := c.Get(t.Context(), path, with...)
	if err != nil {
		t.Fatalf("Get(%s) = %v", path, err)
	}
	return string(resp.Body)
}

func TestInvalidateCache(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("/s", 20)
	paths := []string{"/", "/users", "/users/7", "/users/7/orders", "/users-old", "/a%2Fb", deep + "/1", deep + "/2"}
	for _, tt := range []struct {
		name  string
		stale clients.Stale
		want  []string // paths
	}{
		{"nothing", clients.Stale{}, nil},
		{"a key", clients.Stale{Key: "/users"}, []string{"/users"}},
		{"no such key", clients.Stale{Key: "/orders"}, nil},
		{"a path", clients.Stale{PathPrefix: "/users"}, []string{"/users", "/users/7", "/users/7/orders"}},
		{"a path with a slash", clients.Stale{PathPrefix: "/users/7/"}, []string{"/users/7", "/users/7/orders"}},
		{"a path in another way", clients.Stale{PathPrefix: "/%75sers/7/orders"}, []string{"/users/7/orders"}},
		{"an escaped slash", clients.Stale{PathPrefix: "/a%2Fb"}, []string{"/a%2Fb"}},
		{"a path and a key", clients.Stale{Key: "/", PathPrefix: "/users-old"}, []string{"/", "/users-old"}},
		{"a deep path", clients.Stale{PathPrefix: deep + "/1"}, []string{deep + "/1", deep + "/2"}}, // they have no tag of their own
		{"all", clients.Stale{PathPrefix: "/"}, paths},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u := clientstest.New(t, clientstest.Options{})
			c := open(t, clients.Config{Name: "up", BaseURL: u.URL() + "/base", AllowNetworks: loopback, Cache: clients.ResponseCache{In: clientstest.NewCache(t)}})
			for _, path := range paths {
				u.On("/base"+path, numbered())
				got(t, c, path, clients.CacheKey(path))
			}
			if err := c.InvalidateCache(tt.stale); err != nil {
				t.Fatal(err)
			}
			var stale []string
			for _, path := range paths {
				if got(t, c, path, clients.CacheKey(path)) != "1" {
					stale = append(stale, path)
				}
			}
			if !slices.Equal(stale, tt.want) {
				t.Errorf("InvalidateCache(%+v) made %q stale, want %q", tt.stale, stale, tt.want)
			}
		})
	}
}

// What an upstream says that it has made or changed is stale as well, unless it
// is somebody else's.
func TestLocationIsStale(t *testing.T) {
	t.Parallel()
	for location, stale := range map[string]bool{
		"/base/made": true, "made": true, "HOST/base/made?a=1": true, "/made": false, "http://other.example/base/made": false, "::": false,
	} {
		t.Run(location, func(t *testing.T) {
			t.Parallel()
			u := clientstest.New(t, clientstest.Options{})
			c := open(t, clients.Config{Name: "up", BaseURL: u.URL() + "/base", AllowNetworks: loopback, Cache: clients.ResponseCache{In: clientstest.NewCache(t)}})
			u.On("/base/made", numbered("Cache-Control: max-age=60"))
			u.On("/base/list", clientstest.Answer(http.StatusCreated, "", "Location: "+strings.ReplaceAll(location, "HOST", u.URL())))
			got(t, c, "/made")
			if _, err := c.Post(t.Context(), "/list"); err != nil {
				t.Fatal(err)
			}
			if read := got(t, c, "/made"); (read != "1") != stale {
				t.Errorf("after a Location of %s the answer is number %s, want a new one: %t", location, read, stale)
			}
		})
	}
}

// Of those that ask for the same at the same time one sends.
func TestOneFlight(t *testing.T) {
	t.Parallel()
	u := clientstest.New(t, clientstest.Options{})
	release := make(chan struct{})
	u.On("/x", clientstest.Hold(release, clientstest.Answer(http.StatusOK, "1")), clientstest.Answer(http.StatusOK, "2"))
	c := open(t, clients.Config{Name: "up", BaseURL: u.URL(), AllowNetworks: loopback, Cache: clients.ResponseCache{In: clientstest.NewCache(t)}})
	const callers = 20
	bodies := make([]string, callers)
	var calls, began sync.WaitGroup
	for i := range callers {
		began.Add(1)
		calls.Go(func() {
			began.Done()
			resp, err := c.Get(context.WithoutCancel(t.Context()), "/x", clients.CacheFor(time.Hour))
			if err != nil {
				t.Errorf("Get = %v", err)
				return
			}
			bodies[i] = string(resp.Body)
		})
	}
	began.Wait()
	testkit.Eventually(t, time.Minute, time.Millisecond, func() error {
		if len(u.Requests()) == 0 {
			return errors.New("nobody has sent yet")
		}
		return nil
	})
	close(release)
	calls.Wait()
	if n := len(u.Requests()); n != 1 || slices.ContainsFunc(bodies, func(b string) bool { return b != "1" }) {
		t.Errorf("%d callers sent %d requests and got %q, want one request and its answer for all", callers, n, bodies)
	}
}

// A call that waits for another's answer ends when its own time is over.
func TestFlightIsNotWaitedForTooLong(t *testing.T) {
	t.Parallel()
	u := clientstest.New(t, clientstest.Options{})
	u.On("/x", clientstest.Hold(nil, nil))
	c := open(t, clients.Config{Name: "up", BaseURL: u.URL(), AllowNetworks: loopback, Cache: clients.ResponseCache{In: clientstest.NewCache(t)}})
	first, stop := context.WithCancel(t.Context())
	var leading sync.WaitGroup
	leading.Go(func() { _, _ = c.Get(first, "/x", clients.CacheFor(time.Hour)) })
	defer leading.Wait()
	defer stop()
	testkit.Eventually(t, time.Minute, time.Millisecond, func() error {
		if len(u.Requests()) == 0 {
			return errors.New("nobody has sent yet")
		}
		return nil
	})
	second, cancel := context.WithCancelCause(t.Context())
	cancel(job.ErrCanceled)
	_, err := c.Get(second, "/x", clients.CacheFor(time.Hour))
	var f *job.Failure
	if !errors.As(err, &f) || f.Code != job.CodeCanceled || f.Summary == nil {
		t.Errorf("Get = %v, want %s with a summary", err, job.CodeCanceled)
	}
}

// What was answered to some credentials is not given to others, and it is there
// again when they are.
func TestCredentialsDoNotMix(t *testing.T) {
	t.Parallel()
	secret := &atomic.Value{}
	now := func() string { return secret.Load().(string) } //nolint:forcetypeassert // nothing else is stored
	for name, auth := range map[string]clients.Auth{
		"bearer":   {Type: clients.AuthBearer, Token: now},
		"basic":    {Type: clients.AuthBasic, Username: func() string { return "ada" }, Password: now},
		"header":   {Type: clients.AuthAPIKey, In: clients.InHeader, Name: "X-Key", Key: now},
		"query":    {Type: clients.AuthAPIKey, In: clients.InQuery, Name: "key", Key: now},
		"hmac":     {Type: clients.AuthHMAC, Header: "X-Signature", Secret: now},
		"webhooks": {Type: clients.AuthStandardWebhooks, Secrets: []func() string{func() string { return "whsec_" + now() }}},
		"custom": {Type: clients.AuthCustom, Name: "own", Sign: func(r *http.Request) error {
			r.Header.Set("X-Own", now())
			return nil
		}},
	} {
		u := clientstest.New(t, clientstest.Options{})
		u.On("/x", numbered())
		c := open(t, clients.Config{Name: "up", BaseURL: u.URL(), AllowNetworks: loopback, Auth: auth, Cache: clients.ResponseCache{In: clientstest.NewCache(t)}})
		var seen []string
		for _, s := range []string{"c2VjcmV0LTE=", "c2VjcmV0LTE=", "c2VjcmV0LTI=", "c2VjcmV0LTI=", "c2VjcmV0LTE="} {
			secret.Store(s)
			seen = append(seen, got(t, c, "/x", clients.CacheFor(time.Hour)))
		}
		if want := []string{"1", "1", "2", "2", "1"}; !slices.Equal(seen, want) {
			t.Errorf("%s: the answers are %v, want %v", name, seen, want)
		}
	}
}

// A Signer that fails or that signs each call in another way, and answers to
// what nobody asked to keep: nothing is taken from the cache.
func TestSignersOfTheirOwnWay(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	u := clientstest.New(t, clientstest.Options{})
	u.On("/x", numbered("Cache-Control: max-age=60"))
	c := open(t, clients.Config{Name: "up", BaseURL: u.URL(), AllowNetworks: loopback, Cache: clients.ResponseCache{In: clientstest.NewCache(t)},
		Auth: clients.Auth{Type: clients.AuthCustom, Name: "own", Sign: func(r *http.Request) error {
			if r.Header.Get("X-Fail") != "" {
				return errors.New("no key")
			}
			r.Header.Set("X-Nonce", strconv.FormatInt(n.Add(1), 10))
			return nil
		}}})
	if a, b := got(t, c, "/x"), got(t, c, "/x"); a == b {
		t.Errorf("two calls got the same answer %s, want one each", a)
	}
	if a, b := got(t, c, "/x", clients.CacheFor(time.Hour)), got(t, c, "/x", clients.CacheFor(time.Hour)); a == b {
		t.Errorf("two calls that are signed differently got the same answer %s, want one each", a)
	}
	var f *job.Failure
	if _, err := c.Get(t.Context(), "/x", clients.CacheFor(time.Hour), clients.Header("X-Fail", "1")); !errors.As(err, &f) || f.Code != job.CodeAuthFailed {
		t.Errorf("Get = %v, want %s", err, job.CodeAuthFailed)
	}
}

// What is kept passes no gate. While the circuit breaker is open it does for
// longer than it would, unless the upstream forbids it.
func TestCacheAndGate(t *testing.T) {
	t.Parallel()
	const wait = time.Hour
	for _, tt := range []struct {
		name    string
		headers []string
		stands  bool
	}{
		{"nothing said", nil, true},
		{"must-revalidate", []string{"Cache-Control: must-revalidate, max-age=60", "Age: 61", `ETag: "a"`}, false},
		{"no-cache", []string{"Cache-Control: no-cache", `ETag: "a"`}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := &gate{lets: 1, wait: wait}
			u := clientstest.New(t, clientstest.Options{})
			u.On("/x", numbered(tt.headers...))
			c := open(t, clients.Config{Name: "up", BaseURL: u.URL(), AllowNetworks: loopback, Gate: g, Cache: clients.ResponseCache{In: clientstest.NewCache(t)}})
			r := httpop.Request{Method: "GET", Path: "/x", Cache: &httpop.Cache{TTL: time.Hour}}
			if _, err := c.Do(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			if resp, err := c.Do(t.Context(), r); tt.stands && (err != nil || !resp.Cached) {
				t.Errorf("Do = %+v, %v, want what is kept", resp, err)
			}
			if !slices.Equal(g.told, []string{"well"}) {
				t.Errorf("the gate was told %v, want of one send", g.told)
			}
			r.Cache.Refresh = true // as if its time were over
			resp, err := c.Do(t.Context(), r)
			if f, _ := errors.AsType[*job.Failure](err); tt.stands && (err != nil || !resp.Cached || resp.Sends != 0) || !tt.stands && (f == nil || f.Code != job.CodeBreakerOpen || !f.Unrun) {
				t.Errorf("with an open breaker Do = %+v, %v; want what is kept to stand in: %t", resp, err, tt.stands)
			}
		})
	}
}

// Whoever gets an answer may change it.
func TestAnswersAreOnesOwn(t *testing.T) {
	t.Parallel()
	u := clientstest.New(t, clientstest.Options{})
	u.On("/x", clientstest.Answer(http.StatusOK, "body", "X-Told: yes"))
	c := open(t, clients.Config{Name: "up", BaseURL: u.URL(), AllowNetworks: loopback, Cache: clients.ResponseCache{In: clientstest.NewCache(t)}})
	for range 3 {
		resp, err := c.Get(t.Context(), "/x", clients.CacheFor(time.Hour))
		if err != nil || string(resp.Body) != "body" || resp.Headers["x-told"] != "yes" {
			t.Fatalf("Get = %+v, %v", resp, err)
		}
		copy(resp.Body, "XXXX")
		resp.Headers["x-told"] = "no"
	}
	if stats := c.Stats(); stats.CacheHits != 2 || stats.CacheMisses != 1 {
		t.Errorf("Stats = %+v, want 2 hits and a miss", stats)
	}
}

// joined opens a client of the upstream in a process of its own, which shares
// its cache through the Redis.
func joined(t *testing.T, addr, base string, shared bool) *clients.Client {
	t.Helper()
	conn, err := dispatch.Redis{Mode: dispatch.Standalone, Addrs: []string{addr}}.Open(4)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	in, err := cache.Open(cache.Config{Redis: conn, Shared: shared}, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() { _ = in.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait(); _ = in.Close() })
	return open(t, clients.Config{Name: "up", BaseURL: base, AllowNetworks: loopback, Cache: clients.ResponseCache{In: in}})
}

// untilKept asks until the answer is one that was kept.
func untilKept(t *testing.T, c *clients.Client, path string, with ...clients.Option) string {
	t.Helper()
	var body string
	testkit.Eventually(t, time.Minute, time.Millisecond, func() error {
		resp, err := c.Get(t.Context(), path, with...)
		if err != nil {
			return err
		}
		if body = string(resp.Body); !resp.Cached {
			return fmt.Errorf("answer %s is new", body)
		}
		return nil
	})
	return body
}

// Answers that a request asks to keep serve all processes; others stay in the
// one that got them. After an unsafe call of any process, once it has returned,
// no process answers with what was there before.
func TestCacheOfAFleet(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t)
	u := clientstest.New(t, clientstest.Options{})
	u.On("/asked", numbered())
	u.On("/told", numbered("Cache-Control: max-age=3600"))
	a, b := joined(t, server.Addr(), u.URL(), true), joined(t, server.Addr(), u.URL(), true)
	ask := clients.CacheFor(time.Hour)

	untilKept(t, a, "/told")
	testkit.Eventually(t, time.Minute, time.Millisecond, func() error {
		if first, second := untilKept(t, a, "/asked", ask), untilKept(t, b, "/asked", ask); first != second {
			return fmt.Errorf("one process has answer %s, the other %s", first, second)
		}
		return nil
	})
	if values, err := server.Do("EVAL", "return table.concat(redis.call('KEYS', 'asyncops:cache:*'), ' ')", "0"); err != nil || strings.TrimSpace(values) == "" {
		t.Errorf("Redis has %q, %v; want the answer that was asked to be kept", values, err)
	}
	if first, second := untilKept(t, a, "/told"), untilKept(t, b, "/told"); first == second {
		t.Errorf("both processes have answer %s, want one each of what nobody asked to keep", first)
	}
	for i, change := range []*clients.Client{a, b} {
		for path, with := range map[string][]clients.Option{"/asked": {ask}, "/told": nil} {
			before := []string{untilKept(t, a, path, with...), untilKept(t, b, path, with...)}
			if _, err := change.Put(t.Context(), path, clients.Text("x")); err != nil {
				t.Fatal(err)
			}
			for _, c := range []*clients.Client{a, b} {
				if now := got(t, c, path, with...); slices.Contains(before, now) {
					t.Errorf("after change %d of %s an answer is %s, which was there before: %v", i, path, now, before)
				}
			}
		}
	}
}
