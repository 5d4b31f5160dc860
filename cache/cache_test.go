package cache_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asyncops/asyncops/cache"
	"github.com/asyncops/asyncops/internal/testkit"
)

// run runs c until the test ends, before the clients that it uses are closed.
func run(t testing.TB, c *cache.Cache) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := c.Run(ctx); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
		if err := c.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	})
}

// constant loads always the same.
func constant(text string, ttl time.Duration) cache.Load {
	return func(context.Context, []byte) (cache.Value, error) {
		return cache.Value{Data: []byte(text), TTL: ttl}, nil
	}
}

// get is a Get that must succeed.
func get(t testing.TB, s *cache.Space, e cache.Entry, load cache.Load) cache.Answer {
	t.Helper()
	a, err := s.Get(t.Context(), e, load)
	if err != nil {
		t.Fatalf("Get(%+v) = %v", e, err)
	}
	return a
}

func want(t testing.TB, a cache.Answer, data string, result cache.Result) {
	t.Helper()
	if string(a.Data) != data || a.Result != result {
		t.Fatalf("Get = %q (%s), want %q (%s)", a.Data, a.Result, data, result)
	}
}

func TestGet(t *testing.T) {
	t.Parallel()
	c := open(t, cache.Config{}, "")
	s, other := c.Space("database:main"), c.Space("database:other")
	e := cache.Entry{ID: "select", Key: "user-7", Tags: []string{"users"}}
	want(t, get(t, s, e, constant("1", time.Hour)), "1", cache.Miss)
	want(t, get(t, s, e, constant("2", time.Hour)), "1", cache.Hit)
	want(t, get(t, other, e, constant("3", time.Hour)), "3", cache.Miss)
	want(t, get(t, s, cache.Entry{ID: "another"}, constant("4", 0)), "4", cache.Miss)
	want(t, get(t, s, cache.Entry{ID: "another"}, constant("5", 0)), "5", cache.Miss)
	if got, want := s.Stats(), (cache.Stats{Hits: 1, Misses: 3}); got != want {
		t.Errorf("Stats = %+v, want %+v", got, want)
	}
}

func TestInvalidate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		tags, keys []string
		stale      bool
	}{
		{"a tag", []string{"users"}, nil, true},
		{"another tag", []string{"accounts"}, nil, true},
		{"a tag among others", []string{"x", "y", "users"}, nil, true},
		{"the key", nil, []string{"user-7"}, true},
		{"a strange tag", []string{"log"}, nil, false},
		{"a strange key", nil, []string{"user-8"}, false},
		{"a tag named like the key", []string{"user-7"}, nil, false},
		{"nothing", nil, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, cache.Config{}, "").Space("database:main")
			e := cache.Entry{ID: "select", Key: "user-7", Tags: []string{"users", "accounts"}}
			get(t, s, e, constant("old", time.Hour))
			if err := s.Invalidate(c.tags, c.keys); err != nil {
				t.Fatal(err)
			}
			got := get(t, s, e, constant("new", time.Hour))
			if stale := !got.Cached(); stale != c.stale {
				t.Errorf("stale = %t, want %t", stale, c.stale)
			}
		})
	}
}

func TestErrorsAreNotKept(t *testing.T) {
	t.Parallel()
	s := open(t, cache.Config{}, "").Space("database:main")
	e := cache.Entry{ID: "select"}
	down := errors.New("down")
	fail := func(context.Context, []byte) (cache.Value, error) { return cache.Value{}, down }
	if _, err := s.Get(t.Context(), e, fail); !errors.Is(err, down) {
		t.Fatalf("Get = %v, want %v", err, down)
	}
	want(t, get(t, s, e, constant("up", time.Hour)), "up", cache.Miss)
}

func TestOneLoadsForAll(t *testing.T) {
	t.Parallel()
	s := open(t, cache.Config{}, "").Space("database:main")
	const readers = 50
	var loads, asked atomic.Int32
	release := make(chan struct{})
	load := func(context.Context, []byte) (cache.Value, error) {
		loads.Add(1)
		<-release
		return cache.Value{Data: []byte("x"), TTL: time.Hour}, nil
	}
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			if asked.Add(1) == readers {
				close(release)
			}
			a, err := s.Get(context.Background(), cache.Entry{ID: "select"}, load)
			if err != nil || string(a.Data) != "x" {
				t.Errorf("Get = %q, %v", a.Data, err)
			}
		})
	}
	wg.Wait()
	if n := loads.Load(); n != 1 {
		t.Errorf("%d loads, want 1", n)
	}
}

// TestFlightsEnd: who waits for another's load does not fail with it, and what
// was invalidated during a load is not taken from it.
func TestFlightsEnd(t *testing.T) {
	t.Parallel()
	e := cache.Entry{ID: "select", Tags: []string{"users"}}
	t.Run("an error is its own", func(t *testing.T) {
		t.Parallel()
		s := open(t, cache.Config{}, "").Space("database:main")
		loading, release := make(chan struct{}), make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := s.Get(context.Background(), e, func(context.Context, []byte) (cache.Value, error) {
				close(loading)
				<-release
				return cache.Value{}, context.Canceled
			})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("Get = %v, want canceled", err)
			}
		})
		<-loading
		for range 5 {
			wg.Go(func() {
				a, err := s.Get(context.Background(), e, constant("mine", time.Hour))
				if err != nil || string(a.Data) != "mine" {
					t.Errorf("Get = %q, %v", a.Data, err)
				}
			})
		}
		close(release)
		wg.Wait()
	})
	t.Run("a panic is its own", func(t *testing.T) {
		t.Parallel()
		s := open(t, cache.Config{}, "").Space("database:main")
		func() {
			defer func() { _ = recover() }()
			_, _ = s.Get(t.Context(), e, func(context.Context, []byte) (cache.Value, error) { panic("load") })
		}()
		want(t, get(t, s, e, constant("next", time.Hour)), "next", cache.Miss)
	})
	t.Run("a waiter's context", func(t *testing.T) {
		t.Parallel()
		s := open(t, cache.Config{}, "").Space("database:main")
		loading, release := make(chan struct{}), make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			_, _ = s.Get(context.Background(), e, func(context.Context, []byte) (cache.Value, error) {
				close(loading)
				<-release
				return cache.Value{}, nil
			})
		})
		<-loading
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Get(ctx, e, constant("", 0)); !errors.Is(err, context.Canceled) {
			t.Errorf("Get = %v, want canceled", err)
		}
		close(release)
		wg.Wait()
	})
	t.Run("invalidated meanwhile", func(t *testing.T) {
		t.Parallel()
		s := open(t, cache.Config{}, "").Space("database:main")
		loading, release := make(chan struct{}), make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			a := get(t, s, e, func(context.Context, []byte) (cache.Value, error) {
				close(loading)
				<-release
				return cache.Value{Data: []byte("old"), TTL: time.Hour}, nil
			})
			if string(a.Data) != "old" {
				t.Errorf("Get = %q, want its own load", a.Data)
			}
		})
		<-loading
		if err := s.Invalidate([]string{"users"}, nil); err != nil {
			t.Error(err)
		}
		want(t, get(t, s, e, constant("new", time.Hour)), "new", cache.Miss)
		close(release)
		wg.Wait()
		want(t, get(t, s, e, constant("newer", time.Hour)), "new", cache.Hit)
	})
}

func TestUsable(t *testing.T) {
	t.Parallel()
	s := open(t, cache.Config{}, "").Space("client:crm")
	e := cache.Entry{ID: "GET /a"}
	get(t, s, e, constant("v1", time.Hour))
	e.UsableFunc = func(data []byte) bool { return !bytes.Equal(data, []byte("v1")) }
	got := get(t, s, e, func(_ context.Context, old []byte) (cache.Value, error) {
		return cache.Value{Data: append([]byte("not "), old...), TTL: time.Hour}, nil
	})
	want(t, got, "not v1", cache.Miss)
	want(t, get(t, s, e, constant("v3", time.Hour)), "not v1", cache.Hit)
}

// TestLives: entries live for their TTL less at most a tenth, and not all alike.
func TestLives(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		draws := 0
		s := open(t, cache.Config{RandFunc: func() float64 { draws++; return float64(draws%2) * 0.999 }}, "").Space("database:main")
		const ttl = time.Minute
		for i := range 2 { // the first draws almost a tenth, the second nothing
			get(t, s, cache.Entry{ID: strconv.Itoa(i)}, constant("x", ttl))
		}
		first, second := cache.Entry{ID: "0"}, cache.Entry{ID: "1"}
		time.Sleep(ttl*9/10 - time.Second)
		want(t, get(t, s, first, constant("", 0)), "x", cache.Hit)
		time.Sleep(4 * time.Second)
		want(t, get(t, s, first, constant("y", 0)), "y", cache.Miss)
		want(t, get(t, s, second, constant("", 0)), "x", cache.Hit)
		time.Sleep(ttl / 10)
		want(t, get(t, s, second, constant("y", 0)), "y", cache.Miss)
	})
	if got := cache.Briefly(time.Hour); got > 10*time.Second || cache.Briefly(time.Second) != time.Second {
		t.Errorf("Briefly(1h) = %s, want some seconds, and no more than asked for", got)
	}
}

// counter counts what an observer is told.
type counter struct {
	evictions atomic.Int64
	mu        sync.Mutex
	results   map[cache.Result]int // guarded by mu
}

func (c *counter) CacheRequest(_ string, r cache.Result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.results == nil {
		c.results = map[cache.Result]int{}
	}
	c.results[r]++
}

func (c *counter) CacheEviction(string) { c.evictions.Add(1) }

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	const bound = 1 << 20
	seen := &counter{}
	c := start(t, cache.Config{MaxBytes: bound}, seen)
	s := c.Space("database:main")
	value := bytes.Repeat([]byte("x"), 10_000)
	for i := range 2000 {
		get(t, s, cache.Entry{ID: strconv.Itoa(i)}, constant(string(value), time.Hour))
	}
	testkit.Eventually(t, patience, time.Millisecond, func() error {
		got, n := c.Bytes(), seen.evictions.Load()
		if got > bound || got == 0 || n < 2000-bound/10_000 {
			return fmt.Errorf("%d bytes are kept, want some and at most %d; %d evictions were told", got, bound, n)
		}
		return nil
	})
	large := cache.Entry{ID: "large"}
	want(t, get(t, s, large, constant(string(make([]byte, bound/16+1)), time.Hour)), string(make([]byte, bound/16+1)), cache.Miss)
	want(t, get(t, s, large, constant("", time.Hour)), "", cache.Miss)
}

// What nobody has asked to keep is not waited for, is not counted unless it is
// kept, and stays out of Redis.
func TestLocal(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t)
	c := open(t, cache.Config{Shared: true}, server.Addr())
	s, e := c.Space("client:crm"), cache.Entry{ID: "GET /x", Tags: []string{"=/x"}, Local: true}
	testkit.Eventually(t, patience, time.Millisecond, func() error { // until it has joined
		if a := get(t, s, cache.Entry{ID: "other", Tags: []string{"=/other"}}, constant("", time.Hour)); !a.Cached() {
			return fmt.Errorf("it is %s", a.Result)
		}
		return nil
	})
	if _, err := server.Do("DEL", keysOf(t, server)); err != nil {
		t.Fatal(err)
	}
	before := s.Stats()
	var loads atomic.Int64
	both := make(chan struct{})
	var callers sync.WaitGroup
	for range 2 { // both load, though at the same time
		callers.Go(func() {
			_, err := s.Get(t.Context(), e, func(context.Context, []byte) (cache.Value, error) {
				if loads.Add(1) == 2 {
					close(both)
				}
				<-both
				return cache.Value{Data: []byte("passing")}, nil
			})
			if err != nil {
				t.Errorf("Get = %v", err)
			}
		})
	}
	callers.Wait()
	if got := s.Stats(); got != before {
		t.Errorf("Stats = %+v, want %+v: nothing was kept", got, before)
	}
	want(t, get(t, s, e, constant("1", time.Hour)), "1", cache.Miss)
	want(t, get(t, s, e, constant("2", time.Hour)), "1", cache.Hit)
	if got := s.Stats(); got.Hits != before.Hits+1 || got.Misses != before.Misses+1 {
		t.Errorf("Stats = %+v, want a hit and a miss more than %+v", got, before)
	}
	if keys := keysOf(t, server); keys != "" {
		t.Errorf("Redis has the values %q, want none", keys)
	}
	if err := s.Invalidate([]string{"=/x"}, nil); err != nil {
		t.Fatal(err)
	}
	want(t, get(t, s, e, constant("3", time.Hour)), "3", cache.Miss)
}

// keysOf lists the values in Redis.
func keysOf(t *testing.T, server *testkit.RedisServer) string {
	t.Helper()
	keys, err := server.Do("EVAL", "return table.concat(redis.call('KEYS', 'asyncops:cache:*'), ' ')", "0")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(keys)
}

// A load that finds the old value good, or cannot do better, says so.
func TestHeld(t *testing.T) {
	t.Parallel()
	s := open(t, cache.Config{}, "").Space("client:crm")
	e := cache.Entry{ID: "GET /x", UsableFunc: func([]byte) bool { return false }}
	want(t, get(t, s, e, constant("1", time.Hour)), "1", cache.Miss)
	for as, ttl := range map[cache.Result]time.Duration{cache.Revalidated: time.Hour, cache.Stale: 0} {
		a := get(t, s, e, func(_ context.Context, old []byte) (cache.Value, error) {
			return cache.Value{Data: old, TTL: ttl, As: as}, nil
		})
		want(t, a, "1", as)
		if !a.Cached() {
			t.Errorf("an answer that is %s is not said to be cached", as)
		}
	}
	if got, want := s.Stats(), (cache.Stats{Hits: 2, Misses: 1}); got != want {
		t.Errorf("Stats = %+v, want %+v", got, want)
	}
}
