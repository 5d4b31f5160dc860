package app //nolint:testpackage // nobody else sees it

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asyncops/asyncops/dispatch"
)

func TestRedisQueuesAreKeptForAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		looks, up := 0, true
		var away error
		r := newRedisQueues(func(context.Context, string) (dispatch.QueueView, error) {
			looks++
			return dispatch.QueueView{Pending: int64(looks), Days: []dispatch.QueueDay{{Day: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC), Processed: 5}}}, away
		}, func() bool { return up })
		want := func(queue string, pending, looked int) {
			t.Helper()
			got := r.RedisQueue(t.Context(), queue)
			if (got == nil) != (pending == 0) || got != nil && got.Pending != pending || looks != looked {
				t.Errorf("RedisQueue(%s) = %+v after %d looks, want %d pending after %d", queue, got, looks, pending, looked)
			}
		}
		want("a", 1, 1)
		want("a", 1, 1)
		want("b", 2, 2)
		if got := r.RedisQueue(t.Context(), "a"); len(got.Days) != 1 || got.Days[0].Date != "2026-11-23" || got.Days[0].Processed != 5 {
			t.Errorf("days = %+v, want one", got.Days)
		}
		time.Sleep(redisViewAge)
		want("a", 3, 3)
		away = errors.New("no answer")
		time.Sleep(redisViewAge)
		want("a", 0, 4)
		want("b", 0, 4)
		away = nil
		time.Sleep(redisViewAge)
		want("b", 5, 5)
		up = false
		want("b", 0, 5)
	})
}
