package cache_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/asyncops/asyncops/cache"
	"github.com/asyncops/asyncops/internal/testkit"
)

const patience = 60 * time.Second

// untilCached asks until the answer comes from the cache, which it does not
// while a process joins the others, or is held up.
func untilCached(t testing.TB, s *cache.Space, e cache.Entry, load cache.Load) (a cache.Answer) {
	t.Helper()
	testkit.Eventually(t, patience, 5*time.Millisecond, func() error {
		if a = get(t, s, e, load); !a.Cached() {
			return fmt.Errorf("the answer is %s", a.Result)
		}
		return nil
	})
	return a
}

func TestShared(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t)
	a := open(t, cache.Config{Shared: true}, server.Addr()).Space("database:main")
	b := open(t, cache.Config{Shared: true}, server.Addr()).Space("database:main")
	e := cache.Entry{ID: "select", Key: "user-7", Tags: []string{"users"}}
	untilCached(t, a, e, constant("1", time.Hour))
	if got := untilCached(t, b, e, constant("2", time.Hour)); string(got.Data) != "1" && string(got.Data) != "2" {
		t.Fatalf("Get = %q, want what one of them has loaded", got.Data)
	}
	for i, invalidate := range []func() error{
		func() error { return a.Invalidate([]string{"users"}, nil) },
		func() error { return b.Invalidate(nil, []string{"user-7"}) },
	} {
		if err := invalidate(); err != nil {
			t.Fatal(err)
		}
		fresh := fmt.Sprintf("after %d", i)
		for _, s := range []*cache.Space{a, b} {
			if got := get(t, s, e, constant(fresh, time.Hour)); string(got.Data) != fresh {
				t.Fatalf("Get = %q (%s), want %q", got.Data, got.Result, fresh)
			}
		}
	}
}

// TestNothingToldOfContents: what a caller calls something is not in Redis, and
// without shared no value is.
func TestNothingToldOfContents(t *testing.T) {
	t.Parallel()
	for _, shared := range []bool{true, false} {
		t.Run(fmt.Sprintf("shared %t", shared), func(t *testing.T) {
			t.Parallel()
			server := testkit.Redis(t)
			client := redis.NewClient(&redis.Options{Addr: server.Addr()})
			t.Cleanup(func() { _ = client.Close() })
			s := open(t, cache.Config{Shared: shared}, server.Addr()).Space("database:canary")
			untilCached(t, s, cache.Entry{ID: "canary", Key: "canary", Tags: []string{"canary"}}, constant("secret", time.Hour))
			names, err := client.Keys(t.Context(), "*").Result()
			if err != nil {
				t.Fatal(err)
			}
			values := 0
			for _, name := range names {
				kind := client.Type(t.Context(), name).Val()
				if kind == "string" {
					values++
				}
				if strings.Contains(name, "canary") {
					t.Errorf("the key %s tells what the caller calls it", name)
				}
				if kind == "hash" && strings.Contains(fmt.Sprint(client.HGetAll(t.Context(), name).Val()), "canary") {
					t.Errorf("the hash %s tells what the caller calls something", name)
				}
				if ttl := client.PTTL(t.Context(), name).Val(); ttl <= 0 {
					t.Errorf("the key %s stays for ever", name)
				}
			}
			if shared != (values > 0) {
				t.Errorf("%d values are in Redis", values)
			}
		})
	}
}

// TestTeller: a process that only invalidates reaches those that read.
func TestTeller(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t)
	reader := open(t, cache.Config{}, server.Addr()).Space("database:main")
	teller := open(t, cache.Config{Teller: true}, server.Addr()).Space("database:main")
	e := cache.Entry{ID: "select", Tags: []string{"users"}}
	untilCached(t, reader, e, constant("old", time.Hour))
	if err := teller.Invalidate([]string{"users"}, nil); err != nil {
		t.Fatal(err)
	}
	if got := get(t, reader, e, constant("new", time.Hour)); string(got.Data) != "new" {
		t.Errorf("Get = %q (%s), want the new value", got.Data, got.Result)
	}
}

// TestSilentMember: a process that hears nothing any more holds a write up no
// longer than its lease, and the next write not at all; and trusts nothing.
func TestSilentMember(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t)
	proxy := testkit.Proxy(t, server.Addr())
	cut := open(t, cache.Config{Shared: true}, proxy.Addr()).Space("database:main")
	writer := open(t, cache.Config{Shared: true}, server.Addr()).Space("database:main")
	e := cache.Entry{ID: "select", Tags: []string{"users"}}
	untilCached(t, cut, e, constant("old", time.Hour))
	untilCached(t, writer, e, constant("old", time.Hour))
	proxy.Pause()
	if err := writer.Invalidate([]string{"users"}, nil); err != nil {
		t.Fatal(err)
	}
	if got := get(t, cut, e, constant("new", time.Hour)); string(got.Data) != "new" {
		t.Errorf("Get = %q (%s) of a process that is cut off, want the new value", got.Data, got.Result)
	}
	proxy.Resume()
	untilCached(t, cut, e, constant("new", time.Hour))
}

// TestAway: without Redis reads are answered, and writes are not held up for
// ever; what was invalidated meanwhile is stale for everybody afterwards.
func TestAway(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		away, back func(*testkit.RedisServer)
	}{
		{"killed", func(s *testkit.RedisServer) { s.Kill() }, func(s *testkit.RedisServer) { s.Restart() }},
		{"frozen", func(s *testkit.RedisServer) { s.Freeze() }, func(s *testkit.RedisServer) { s.Thaw() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := testkit.StartRedis(t, testkit.RedisAppendOnly())
			a := open(t, cache.Config{Shared: true}, server.Addr()).Space("database:main")
			b := open(t, cache.Config{Shared: true}, server.Addr()).Space("database:main")
			e := cache.Entry{ID: "select", Tags: []string{"users"}}
			untilCached(t, a, e, constant("old", time.Hour))
			untilCached(t, b, e, constant("old", time.Hour))
			c.away(server)
			if err := a.Invalidate([]string{"users"}, nil); !errors.Is(err, cache.ErrAway) {
				t.Fatalf("Invalidate = %v, want %v", err, cache.ErrAway)
			}
			for _, s := range []*cache.Space{a, b} {
				want(t, get(t, s, e, constant("new", time.Hour)), "new", cache.Bypass)
			}
			c.back(server)
			for _, s := range []*cache.Space{a, b} {
				if got := untilCached(t, s, e, constant("new", time.Hour)); string(got.Data) != "new" {
					t.Errorf("Get = %q (%s), want the new value", got.Data, got.Result)
				}
			}
		})
	}
}

// pause lets something go on as it is for a while.
func pause(d time.Duration) { <-time.After(d) }

// world is rows that writers change, and what readers may rely on.
type world struct {
	rows [4]struct {
		stored    atomic.Int64 // what the database holds
		completed atomic.Int64 // the last write whose invalidation had returned
	}
}

func (w *world) write(s *cache.Space, row int) {
	w.rows[row].stored.Add(1)
	written := w.rows[row].stored.Load() // that much is in the database for certain
	_ = s.Invalidate([]string{fmt.Sprint("table-", row)}, nil)
	for {
		old := w.rows[row].completed.Load()
		if old >= written || w.rows[row].completed.CompareAndSwap(old, written) {
			return
		}
	}
}

// read reports how far the answer is behind; negative or zero is not.
func (w *world) read(s *cache.Space, row int) (behind int64, result cache.Result, err error) {
	floor := w.rows[row].completed.Load()
	e := cache.Entry{ID: fmt.Sprint("row-", row), Tags: []string{fmt.Sprint("table-", row)}}
	a, err := s.Get(context.Background(), e, func(context.Context, []byte) (cache.Value, error) {
		return cache.Value{Data: fmt.Append(nil, w.rows[row].stored.Load()), TTL: time.Hour}, nil
	})
	if err != nil {
		return 0, "", err
	}
	var got int64
	_, err = fmt.Sscan(string(a.Data), &got)
	return floor - got, a.Result, err
}

// TestNeverBehind has readers and writers on two processes that share a Redis,
// to which things happen: no read may be older than a write that was complete
// before it began.
func TestNeverBehind(t *testing.T) {
	t.Parallel()
	for _, shared := range []bool{true, false} {
		for _, fault := range []struct {
			name   string
			rounds int
			strike func(*testkit.RedisServer, []*testkit.ProxyServer)
		}{
			{"undisturbed", 1, func(*testkit.RedisServer, []*testkit.ProxyServer) {}},
			{"connections cut", 8, func(_ *testkit.RedisServer, proxies []*testkit.ProxyServer) {
				proxies[rand.IntN(len(proxies))].Cut()
			}},
			{"killed", 3, func(s *testkit.RedisServer, _ []*testkit.ProxyServer) { s.Kill(); s.Restart() }},
			{"away for longer than anybody waits", 1, func(s *testkit.RedisServer, _ []*testkit.ProxyServer) {
				s.Kill()
				pause(4 * time.Second)
				s.Restart()
			}},
			{"frozen", 2, func(s *testkit.RedisServer, _ []*testkit.ProxyServer) {
				s.Freeze()
				pause(1500 * time.Millisecond)
				s.Thaw()
			}},
			{"emptied", 5, func(s *testkit.RedisServer, _ []*testkit.ProxyServer) { _, _ = s.Do("FLUSHALL") }},
		} {
			t.Run(fmt.Sprintf("shared %t, %s", shared, fault.name), func(t *testing.T) {
				t.Parallel()
				server := testkit.StartRedis(t, testkit.RedisAppendOnly())
				var proxies []*testkit.ProxyServer
				var spaces []*cache.Space
				for range 2 {
					proxy := testkit.Proxy(t, server.Addr())
					proxies = append(proxies, proxy)
					spaces = append(spaces, open(t, cache.Config{Shared: shared}, proxy.Addr()).Space("database:main"))
				}
				neverBehind(t, spaces, func() {
					for range fault.rounds {
						pause(300 * time.Millisecond)
						fault.strike(server, proxies)
					}
					pause(2 * time.Second)
				})
			})
		}
	}
}

// neverBehind reads and writes while meanwhile runs.
func neverBehind(t *testing.T, spaces []*cache.Space, meanwhile func()) {
	var w world
	stop := make(chan struct{})
	var work sync.WaitGroup
	var hits, reads, writes atomic.Int64
	for i := range 8 {
		work.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				s, row := spaces[rand.IntN(len(spaces))], rand.IntN(len(w.rows))
				if i < 2 {
					w.write(s, row)
					writes.Add(1)
					pause(time.Duration(rand.IntN(5)) * time.Millisecond) // so that there is something to hit
					continue
				}
				behind, result, err := w.read(s, row)
				if err != nil || behind > 0 {
					t.Errorf("a read (%s) was %d writes behind, err %v", result, behind, err)
					return
				}
				reads.Add(1)
				pause(50 * time.Microsecond) // many of these tests run at the same time
				if result == cache.Hit || result == cache.HitShared {
					hits.Add(1)
				}
			}
		})
	}
	meanwhile()
	close(stop)
	work.Wait()
	t.Logf("%d reads, %d of them from the cache, %d writes", reads.Load(), hits.Load(), writes.Load())
	if hits.Load() == 0 || writes.Load() == 0 {
		t.Errorf("%d reads were answered from the cache among %d writes: nothing was tested", hits.Load(), writes.Load())
	}
}
