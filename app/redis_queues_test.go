package app //nolint:testpackage // nobody else sees it

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asyncops/asyncops/api"
	"github.com/asyncops/asyncops/dispatch"
	"github.com/asyncops/asyncops/job"
)

// fakeRedis counts looks.
type fakeRedis struct {
	looks, lists int
	away         error
}

func (r *fakeRedis) Queue(context.Context, string) (dispatch.QueueView, error) {
	r.looks++
	return dispatch.QueueView{Pending: int64(r.looks), Days: []dispatch.QueueDay{{Day: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC), Processed: 5}}}, r.away
}

func (r *fakeRedis) Servers(context.Context) ([]dispatch.ServerView, error) {
	r.lists++
	return []dispatch.ServerView{
		{ID: "1", Host: "h", PID: 7, Queues: map[string]int{"a": 3, "b": 1}}, {ID: "2", Queues: map[string]int{"b": 1}, Active: 2},
	}, r.away
}

func (r *fakeRedis) Held(_ context.Context, queue string, limit int) ([]dispatch.DoorbellView, error) {
	bells := []dispatch.DoorbellView{{Doorbell: job.Doorbell{ID: "x", Queue: queue, Jobs: []job.ID{"j"}}, Active: true}, {Doorbell: job.Doorbell{ID: "y"}}}
	return bells[:limit], r.away
}

func TestRedisQueuesAreKeptForAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		up, redis := true, &fakeRedis{}
		r := newRedisQueues(redis, func() bool { return up })
		want := func(queue string, pending, looked int) {
			t.Helper()
			got := r.RedisQueue(t.Context(), queue)
			if (got == nil) != (pending == 0) || got != nil && got.Pending != pending || redis.looks != looked {
				t.Errorf("RedisQueue(%s) = %+v after %d looks, want %d pending after %d", queue, got, redis.looks, pending, looked)
			}
		}
		want("a", 1, 1)
		want("a", 1, 1)
		want("b", 2, 2)
		if got := r.RedisQueue(t.Context(), "a"); len(got.Days) != 1 || got.Days[0].Date != "2026-11-23" || got.Days[0].Processed != 5 {
			t.Errorf("days = %+v, want one", got.Days)
		}
		a, b := r.RedisQueue(t.Context(), "a").Servers, r.RedisQueue(t.Context(), "b").Servers
		if len(a) != 1 || a[0].Host != "h" || a[0].PID != 7 || len(b) != 2 || b[1].Active != 2 || redis.lists != 1 {
			t.Errorf("servers of a = %+v, of b = %+v after %d looks; want the first, and both, after one", a, b, redis.lists)
		}
		time.Sleep(redisViewAge)
		want("a", 3, 3)
		redis.away = errors.New("no answer")
		time.Sleep(redisViewAge)
		want("a", 0, 4)
		want("b", 0, 4)
		redis.away = nil
		time.Sleep(redisViewAge)
		want("b", 5, 5)
		up = false
		want("b", 0, 5)
	})
}

func TestDoorbellsOfAQueue(t *testing.T) {
	t.Parallel()
	up, redis := true, &fakeRedis{}
	r := newRedisQueues(redis, func() bool { return up })
	got, err := r.Doorbells(t.Context(), "a", 2)
	if err != nil || len(got) != 2 || got[0].ID != "x" || !got[0].Active || len(got[0].Jobs) != 1 || got[1].Active {
		t.Errorf("Doorbells() = %+v, %v; want an active one, and one that waits", got, err)
	}
	redis.away = errors.New("no answer")
	if _, err := r.Doorbells(t.Context(), "a", 2); !errors.Is(err, api.ErrRedisAway) {
		t.Errorf("Doorbells() = %v while Redis does not answer, want %v", err, api.ErrRedisAway)
	}
	up, redis.away = false, nil
	if _, err := r.Doorbells(t.Context(), "a", 2); !errors.Is(err, api.ErrRedisAway) {
		t.Errorf("Doorbells() = %v while Redis is away, want %v", err, api.ErrRedisAway)
	}
}
