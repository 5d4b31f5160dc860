package api_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/asyncops/asyncops/api"
	"github.com/asyncops/asyncops/job"
)

// fakeStats has counted a few jobs.
type fakeStats struct {
	mu    sync.Mutex
	reads int // guarded by mu
	drift bool
}

func (f *fakeStats) Tallies(_ context.Context, from time.Time, queues, kinds []string) ([]job.Tally, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads++
	minute := testNow.Truncate(time.Minute)
	of := func(at time.Time, queue, kind string, n int64) job.Tally {
		t := job.Tally{At: at, Step: time.Minute, Queue: queue, Kind: kind, Submitted: 2 * n, Completed: n, Archived: 1, Canceled: 1, Retried: 3}
		for range n {
			t.Run.Add(100 * time.Millisecond)
			t.Wait.Add(2 * time.Second)
		}
		return t
	}
	all := []job.Tally{
		of(minute, "default", "system.noop", 3), of(minute, "critical", "db.query", 5), of(minute.Add(-10*time.Minute), "default", "db.query", 1),
		of(minute.Add(-2*time.Hour), "default", "db.query", 100), of(minute.Add(time.Hour), "default", "db.query", 1000),
	}
	return slices.DeleteFunc(all, func(t job.Tally) bool {
		return t.At.Before(from) || len(queues) > 0 && !slices.Contains(queues, t.Queue) || len(kinds) > 0 && !slices.Contains(kinds, t.Kind)
	}), nil
}

func (f *fakeStats) Ages(_ context.Context, from time.Time, queues []string) ([]api.Age, error) {
	minute := testNow.Truncate(time.Minute)
	all := []api.Age{
		{Queue: "default", At: minute, Oldest: 9 * time.Second}, {Queue: "default", At: minute.Add(-time.Minute)}, {Queue: "critical", At: minute.Add(-10 * time.Minute), Oldest: 2 * time.Second},
		{Queue: "default", At: minute.Add(-30 * time.Hour), Oldest: time.Minute}, {Queue: "default", At: minute.Add(-30*time.Hour + time.Minute), Oldest: time.Hour},
		{Queue: "default", At: minute.Add(time.Hour), Oldest: 5 * time.Hour}, {Queue: "gone", At: minute, Oldest: time.Second},
	}
	return slices.DeleteFunc(all, func(a api.Age) bool {
		return a.At.Before(from) || len(queues) > 0 && !slices.Contains(queues, a.Queue)
	}), nil
}

func (f *fakeStats) Step(window time.Duration) time.Duration {
	if window > 2*time.Hour {
		return time.Hour
	}
	return time.Minute
}

func (f *fakeStats) Backlogs(context.Context) ([]api.Backlog, error) {
	return []api.Backlog{{Queue: "critical", Pending: 2, Oldest: 1500 * time.Millisecond}, {Queue: "default", Pending: 1, Oldest: time.Second}}, nil
}

func (f *fakeStats) Drift(context.Context) (int, bool) { return 4, f.drift }

// statsBody is what tests look at of the answer.
type statsBody struct {
	Window string    `json:"window"`
	Step   string    `json:"step"`
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Series []struct {
		At        time.Time `json:"at"`
		Submitted int       `json:"submitted"`
		Run       struct {
			P95 *float64 `json:"p95"`
		} `json:"run"`
	} `json:"series"`
	Totals struct {
		Submitted     int      `json:"submitted"`
		Finished      int      `json:"finished"`
		Failed        int      `json:"failed"`
		SuccessRate   *float64 `json:"success_rate"`
		Pending       int      `json:"pending"`
		OldestSeconds float64  `json:"oldest_seconds"`
		Wait          struct {
			Count int      `json:"count"`
			P50   *float64 `json:"p50"`
		} `json:"wait"`
	} `json:"totals"`
	Queues []struct {
		Name      string `json:"name"`
		Submitted int    `json:"submitted"`
		Pending   int    `json:"pending"`

		OldestSeries []*float64 `json:"oldest_series"`
	} `json:"queues"`
	Kinds []struct {
		Name      string `json:"name"`
		Completed int    `json:"completed"`
	} `json:"kinds"`
	Drift *int `json:"drift"`
}

func withStats(kept *fakeStats) func(*api.Config, *api.Deps) {
	return func(_ *api.Config, deps *api.Deps) { deps.Stats = kept }
}

func TestStats(t *testing.T) {
	t.Parallel()
	kept := &fakeStats{drift: true}
	f := start(t, withStats(kept))
	got := decode[statsBody](t, f.do(t, "GET", "/v1/stats", "", as(viewerKey)))
	if got.Window != "1h0m0s" || got.Step != "1m0s" || len(got.Series) != 60 || !got.To.Equal(testNow.Truncate(time.Minute).Add(time.Minute)) ||
		got.To.Sub(got.From) != time.Hour || !got.Series[0].At.Equal(got.From) || got.Series[59].Submitted != 16 || got.Series[49].Submitted != 2 {
		t.Errorf("stats = %+v, want an hour of minutes, with 16 submitted in the last and 2 ten minutes before", got)
	}
	if p := got.Series[59].Run.P95; p == nil || *p < 0.09 || *p > 0.11 || got.Series[0].Run.P95 != nil {
		t.Errorf("p95 of runs = %v and %v, want 0.1 s and null", p, got.Series[0].Run.P95)
	}
	total := got.Totals
	if total.Submitted != 18 || total.Finished != 15 || total.Failed != 3 || *total.SuccessRate != 0.75 || total.Pending != 3 || total.OldestSeconds != 1.5 ||
		total.Wait.Count != 9 || *total.Wait.P50 < 1.8 || *total.Wait.P50 > 2.2 || *got.Drift != 4 {
		t.Errorf("totals = %+v, drift %d, want 18 submitted, 15 finished, 3 failed of 12", total, *got.Drift)
	}
	if len(got.Queues) != 2 || got.Queues[0].Name != "critical" || got.Queues[0].Submitted != 10 || got.Queues[0].Pending != 2 || got.Queues[1].Submitted != 8 ||
		len(got.Kinds) != 2 || got.Kinds[0].Name != "db.query" || got.Kinds[0].Completed != 6 {
		t.Errorf("queues = %+v, kinds = %+v", got.Queues, got.Kinds)
	}
	long := decode[statsBody](t, f.do(t, "GET", "/v1/stats?window=7d", "", as(viewerKey)))
	if long.Step != "1h0m0s" || len(long.Series) != 7*24 || long.Totals.Submitted != 218 {
		t.Errorf("stats of a week = %d points of %s and %d submitted, want 168 of 1h and 218", len(long.Series), long.Step, long.Totals.Submitted)
	}
	for path, want := range map[string]int{"?queue=default": 8, "?kind=db.query&queue=critical": 10, "?queue=critical,default": 18, "?window=PT5M": 16} {
		if got := decode[statsBody](t, f.do(t, "GET", "/v1/stats"+path, "", as(viewerKey))); got.Totals.Submitted != want {
			t.Errorf("GET /v1/stats%s: %d submitted, want %d", path, got.Totals.Submitted, want)
		}
	}
	limited := decode[statsBody](t, f.do(t, "GET", "/v1/stats", "", as(limitedKey)))
	if limited.Totals.Submitted != 6 || len(limited.Queues) != 1 || len(limited.Kinds) != 1 {
		t.Errorf("stats for a key that is limited to a queue and kinds = %+v", limited)
	}
	kept.mu.Lock()
	reads := kept.reads
	kept.mu.Unlock()
	f.do(t, "GET", "/v1/stats", "", as(operatorKey))
	kept.mu.Lock()
	defer kept.mu.Unlock()
	if kept.reads != reads {
		t.Error("the same question was put to the ledger twice within two seconds")
	}
	none := start(t, withStats(&fakeStats{}))
	if got := decode[statsBody](t, none.do(t, "GET", "/v1/stats", "", as(viewerKey))); got.Drift != nil {
		t.Errorf("drift = %d where there is no Redis, want null", *got.Drift)
	}
}

// age is a point of a queue's ages: seconds, or -1 where nobody looked.
func (b statsBody) age(queue string, point int) float64 {
	for _, q := range b.Queues {
		if q.Name == queue && q.OldestSeries[point] != nil {
			return *q.OldestSeries[point]
		}
	}
	return -1
}

func TestAgesInStats(t *testing.T) {
	t.Parallel()
	f := start(t, withStats(&fakeStats{}))
	hour := decode[statsBody](t, f.do(t, "GET", "/v1/stats", "", as(viewerKey)))
	week := decode[statsBody](t, f.do(t, "GET", "/v1/stats?window=7d", "", as(viewerKey)))
	narrow := decode[statsBody](t, f.do(t, "GET", "/v1/stats?queue=default&kind=db.query", "", as(viewerKey)))
	for _, tt := range []struct {
		name  string
		body  statsBody
		queue string
		point int
		want  float64
	}{
		{"the last minute", hour, "default", 59, 9}, {"one in which none waited", hour, "default", 58, 0}, {"one in which nobody looked", hour, "default", 57, -1},
		{"another queue", hour, "critical", 49, 2}, {"an hour of several minutes", week, "default", 7*24 - 1 - 30, 3600}, {"the last hour", week, "default", 7*24 - 1, 9},
		{"of one kind", narrow, "default", 59, 9},
	} {
		if got := tt.body.age(tt.queue, tt.point); got != tt.want {
			t.Errorf("%s: the age of %s is %v, want %v", tt.name, tt.queue, got, tt.want)
		}
	}
	for _, q := range week.Queues {
		if len(q.OldestSeries) != len(week.Series) {
			t.Errorf("%s has %d ages beside %d points", q.Name, len(q.OldestSeries), len(week.Series))
		}
	}
	if len(narrow.Queues) != 1 {
		t.Errorf("%d queues, want the one that was asked for", len(narrow.Queues))
	}
}

func TestBadStats(t *testing.T) {
	t.Parallel()
	f := start(t, withStats(&fakeStats{}))
	for path, status := range map[string]int{
		"?window=1": 400, "?window=hour": 400, "?window=1h&window=2h": 400, "?days=7": 400, "?window=91d": 422, "?window=9999999d": 400, "?window=999999d": 422,
		"?window=0d": 422, "?window=-1h": 422, "?window=59s": 422, "?window=2161h": 422, "?window=P91D": 422, "?queue=%00": 400, "?kind=%ff": 400,
	} {
		got := f.do(t, "GET", "/v1/stats"+path, "", as(viewerKey))
		if got.problem(t); got.Status != status {
			t.Errorf("GET /v1/stats%s = %d %s, want %d", path, got.Status, got.Body, status)
		}
	}
	if got := f.do(t, "GET", "/v1/stats?queue=critical", "", as(limitedKey)); got.Status != 403 {
		t.Errorf("stats of a queue that the key is limited away from = %d, want 403", got.Status)
	}
	without := start(t)
	if got := without.do(t, "GET", "/v1/stats", "", as(viewerKey)); got.Status != 404 {
		t.Errorf("stats where none are kept = %d, want 404", got.Status)
	}
}
