package cache_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asyncops/asyncops/cache"
)

// Under a steady load no read meets a cold key after the first round, though
// every entry expires over and over; and what is read is never older than its
// life.
func TestWarmedReadsNeverMiss(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const (
			ttl  = 10 * time.Second
			keys = 20
			load = 10 * time.Minute
		)
		seen := &counter{}
		s := start(t, cache.Config{}, seen).Space("database:main")
		began := time.Now()
		stamp := func(context.Context, []byte) (cache.Value, error) {
			return cache.Value{Data: []byte(strconv.FormatInt(int64(time.Since(began)), 10)), TTL: ttl}, nil
		}
		warm := func() (warmed int) {
			for i := range keys {
				a, err := s.Warm(t.Context(), cache.Entry{ID: strconv.Itoa(i)}, cache.Ahead(ttl), stamp)
				if err != nil || !a.Kept() {
					t.Fatalf("Warm = %+v, %v", a, err)
				}
				if !a.Cached() {
					warmed++
				}
			}
			return warmed
		}
		if n := warm(); n != keys {
			t.Fatalf("the first round warmed %d, want all %d", n, keys)
		}
		if n := warm(); n != 0 {
			t.Fatalf("the second round warmed %d at once, want what is fresh skipped", n)
		}
		ctx, stop := context.WithTimeout(t.Context(), load)
		defer stop()
		var all sync.WaitGroup
		warmed := 0
		all.Go(func() {
			for ctx.Err() == nil {
				time.Sleep(ttl / 2) // as often as the documentation asks for
				warmed += warm()
			}
		})
		for i := range keys {
			all.Go(func() {
				for ctx.Err() == nil {
					a, err := s.Get(t.Context(), cache.Entry{ID: strconv.Itoa(i)}, stamp)
					at, _ := strconv.ParseInt(string(a.Data), 10, 64)
					if age := time.Since(began) - time.Duration(at); err != nil || a.Result != cache.Hit || age > ttl {
						t.Errorf("Get = %s of %s ago, %v; want a hit no older than %s", a.Result, age, err, ttl)
						return
					}
					time.Sleep(100 * time.Millisecond)
				}
			})
		}
		all.Wait()
		if rounds := warmed / keys; rounds < 50 {
			t.Errorf("each entry was read again %d times, want it to have expired often", rounds)
		}
		if seen.results[cache.Miss] != 0 || seen.results[cache.Hit] < 100_000 {
			t.Errorf("results = %v, want hits alone, and warming not counted", seen.results)
		}
	})
}

// While a refresh loads, and when it fails, reads take what is kept.
func TestWarmKeepsTheOldUntilTheNewIsThere(t *testing.T) {
	t.Parallel()
	s := open(t, cache.Config{}, "").Space("database:main")
	e := cache.Entry{ID: "e", Tags: []string{"users"}}
	want(t, get(t, s, e, constant("old", time.Hour)), "old", cache.Miss)
	a, err := s.Warm(t.Context(), e, 2*time.Hour, func(context.Context, []byte) (cache.Value, error) {
		want(t, get(t, s, e, constant("third", time.Hour)), "old", cache.Hit)
		return cache.Value{Data: []byte("new"), TTL: time.Hour}, nil
	})
	if err != nil || a.Result != cache.Miss || !a.Kept() {
		t.Fatalf("Warm = %+v, %v; want it loaded", a, err)
	}
	want(t, get(t, s, e, constant("third", time.Hour)), "new", cache.Hit)
	if _, err := s.Warm(t.Context(), e, 2*time.Hour, func(context.Context, []byte) (cache.Value, error) { return cache.Value{}, context.Canceled }); err == nil {
		t.Error("Warm hides the error of the load")
	}
	want(t, get(t, s, e, constant("third", time.Hour)), "new", cache.Hit)
	if a, err := s.Warm(t.Context(), e, 2*time.Hour, constant("none", 0)); err != nil || a.Kept() {
		t.Errorf("Warm = %+v, %v; want it said that nothing is kept", a, err)
	}
	if err := s.Invalidate([]string{"users"}, nil); err != nil {
		t.Fatal(err)
	}
	if a, err := s.Warm(t.Context(), e, 0, constant("after", time.Hour)); err != nil || a.Cached() || string(a.Data) != "after" {
		t.Errorf("Warm = %q, %v; want what was made stale loaded anew", a.Data, err)
	}
}
