package observe_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/observe"
)

// everything is what a process knows that has all parts in it.
func everything() observe.Labels {
	return observe.Labels{
		Kinds: []string{"db.insert_one"}, Queues: []string{"default"},
		Databases: []string{"demo"},
		Caches:    []string{"database:demo"},
		Clients:   []string{"crm"}, Methods: []string{http.MethodGet},
		Routes: []observe.Route{{Method: http.MethodPost, Path: "/v1/jobs", Code: http.StatusAccepted}},
	}
}

// idle are the sources of a process in which nothing has happened.
func idle() observe.Sources {
	pools := func() map[string]observe.Pool { return map[string]observe.Pool{"demo": {Max: 50}} }
	return observe.Sources{
		Backlogs: func(context.Context) ([]observe.Backlog, error) { return []observe.Backlog{{Queue: "default"}}, nil },
		Parked:   func(context.Context) (map[job.WaitReason]int, error) { return nil, nil },
		Workers:  func(context.Context) (map[string]int, error) { return nil, nil },
		RelayLag: func(context.Context) (time.Duration, error) { return 0, nil },
		Drift:    func(context.Context) (int, error) { return 0, nil },

		ScheduleLag: func(context.Context) (time.Duration, error) { return 0, nil },

		AlertsFiring: func(context.Context) (map[job.AlertRule]int, error) { return nil, nil },

		DatabasePools: pools, ClientPools: pools, CacheBytes: func() int64 { return 0 },
		Targets:  func() []observe.Target { return []observe.Target{{Type: "database", Name: "demo"}} },
		Breakers: func() map[string]observe.Breaker { return map[string]observe.Breaker{"demo": {State: "closed"}} },
		RedisUp:  func() bool { return false },
		LedgerUp: func() bool { return false },
	}
}

func TestEveryFamilyIsExposedBeforeAnythingHappens(t *testing.T) {
	t.Parallel()
	m := observe.New(observe.Build{Version: "v0.1.0", Revision: "abc"}, everything())
	m.Feed(idle(), discard())
	series := scrape(t, m)

	known := map[string]bool{}
	for _, f := range observe.Families() {
		name := f.Name
		if f.Type == observe.Histogram {
			name += "_count"
		}
		known[f.Name] = true
		found := false
		for s, value := range series {
			base, labels, _ := strings.Cut(s, "{")
			if base != name {
				continue
			}
			found = true
			for _, label := range f.Labels {
				if !strings.Contains(labels, label+`="`) {
					t.Errorf("%s has no label %s", s, label)
				}
			}
			if value != 0 && f.Name != "asyncops_build_info" && !strings.Contains(labels, `state="max"`) {
				t.Errorf("%s = %v, want 0", s, value)
			}
		}
		if !found {
			t.Errorf("no series of %s", f.Name)
		}
	}
	for s := range series {
		base, _, _ := strings.Cut(s, "{")
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if known[strings.TrimSuffix(base, suffix)] {
				base = strings.TrimSuffix(base, suffix)
			}
		}
		if strings.HasPrefix(base, "asyncops_") && !known[base] {
			t.Errorf("%s is not in Families", base)
		}
	}
	for _, s := range []string{"go_goroutines", "process_open_fds"} {
		if _, ok := series[s]; !ok {
			t.Errorf("no series %s", s)
		}
	}
}

// The names and labels that dashboards, alerts and autoscalers rely on.
func TestFamiliesAreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	want := strings.Fields(`jobs_submitted_total{kind,queue} jobs_finished_total{kind,queue,outcome} job_errors_total{kind,code}
		job_duration_seconds{kind} job_wait_seconds{queue} jobs_active{queue} jobs_parked{reason} queue_pending{queue}
		queue_oldest_seconds{queue} attempts_total{kind,outcome} fenced_total{} workers{state}
		db_query_duration_seconds{database,operation} db_pool_connections{database,state} db_pool_wait_seconds{database}
		slow_queries_total{database,operation} client_request_duration_seconds{client,method,code}
		client_pool_connections{client,state} cache_requests_total{cache,result} cache_evictions_total{cache} cache_bytes{}
		breaker_state{client} breaker_failures{client} breaker_transitions_total{client,to} rate_limited_total{client} target_up{type,name} redis_up{} ledger_up{} ledger_group_size{}
		relay_lag_seconds{} ledger_redis_drift{} schedule_lag_seconds{} alerts_firing{rule} http_request_duration_seconds{route,method,code}
		build_info{version,revision,go_version}`)
	var got []string
	for _, f := range observe.Families() {
		got = append(got, strings.TrimPrefix(f.Name, "asyncops_")+"{"+strings.Join(f.Labels, ",")+"}")
		if f.Help == "" {
			t.Errorf("%s has no help", f.Name)
		}
		if (f.Type == observe.Histogram) != (len(f.Buckets) > 0) || !slices.IsSorted(f.Buckets) {
			t.Errorf("%s, a %s, has the buckets %v", f.Name, f.Type, f.Buckets)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("Families() = %v, want %v", got, want)
	}
}

func TestMetricsFollowPrometheusConventions(t *testing.T) {
	t.Parallel()
	m := observe.New(observe.Build{}, everything())
	m.Feed(idle(), discard())
	problems, err := testutil.GatherAndLint(m.Gatherer())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "asyncops_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

func TestRecording(t *testing.T) {
	t.Parallel()
	j := &job.Job{Kind: "db.insert_one", Queue: "low"}
	tests := []struct {
		name   string
		record func(*observe.Metrics)
		want   map[string]float64 // series without prefix
	}{
		{"submitted", func(m *observe.Metrics) {
			m.Submitted("db.insert_one", "low", 1)
			m.Submitted("db.insert_one", "low", 2)
		},
			map[string]float64{`jobs_submitted_total{kind="db.insert_one",queue="low"}`: 3}},
		{"started", func(m *observe.Metrics) { m.Started(j, 3*time.Second) },
			map[string]float64{`job_wait_seconds_sum{queue="low"}`: 3, `job_wait_seconds_bucket{queue="low",le="2.5"}`: 0,
				`job_wait_seconds_bucket{queue="low",le="5"}`: 1}},
		{"completed", func(m *observe.Metrics) { m.Finished(j, job.Outcome{State: job.Completed}, 2*time.Second) },
			map[string]float64{
				`jobs_finished_total{kind="db.insert_one",outcome="completed",queue="low"}`: 1,
				`attempts_total{kind="db.insert_one",outcome="completed"}`:                  1,
				`job_duration_seconds_sum{kind="db.insert_one"}`:                            2,
			}},
		{"to be retried", func(m *observe.Metrics) {
			m.Finished(j, job.Outcome{State: job.Retry, Error: &job.Error{Code: job.CodeConflict, Message: "secret"}}, time.Second)
		},
			map[string]float64{
				`jobs_finished_total{kind="db.insert_one",outcome="retry",queue="low"}`: absent,
				`attempts_total{kind="db.insert_one",outcome="retry"}`:                  1,
				`job_errors_total{code="conflict",kind="db.insert_one"}`:                1,
			}},
		{"ended without a run", func(m *observe.Metrics) { m.Ended("db.insert_one", "low", job.Canceled, 3) },
			map[string]float64{
				`jobs_finished_total{kind="db.insert_one",outcome="canceled",queue="low"}`: 3,
				`attempts_total{kind="db.insert_one",outcome="canceled"}`:                  absent,
			}},
		{"active", func(m *observe.Metrics) { m.Active("low"); done := m.Active("low"); m.Active("default"); done() },
			map[string]float64{`jobs_active{queue="low"}`: 1, `jobs_active{queue="default"}`: 1}},
		{"fenced", func(m *observe.Metrics) { m.Fenced(2) }, map[string]float64{`fenced_total`: 2}},
		{"ledger group", func(m *observe.Metrics) { m.LedgerGroup(64) },
			map[string]float64{`ledger_group_size_bucket{le="50"}`: 0, `ledger_group_size_bucket{le="100"}`: 1}},
		{"request to an upstream", func(m *observe.Metrics) { m.ObserveRequest("crm", "POST", "upstream_unreachable", time.Second) },
			map[string]float64{`client_request_duration_seconds_count{client="crm",code="upstream_unreachable",method="POST"}`: 1}},
		{"query", func(m *observe.Metrics) { m.Query("demo", dbop.InsertOne, time.Millisecond, true) },
			map[string]float64{`db_query_duration_seconds_count{database="demo",operation="insert_one"}`: 1}},
		{"wait for a connection", func(m *observe.Metrics) { m.PoolWait("demo", time.Second) },
			map[string]float64{`db_pool_wait_seconds_sum{database="demo"}`: 1}},
		{"breaker", func(m *observe.Metrics) { m.BreakerMoved("crm", "open") }, map[string]float64{`breaker_transitions_total{client="crm",to="open"}`: 1}},
		{"rate limited", func(m *observe.Metrics) { m.RateLimited("crm") }, map[string]float64{`rate_limited_total{client="crm"}`: 1}},
		{"slow query", func(m *observe.Metrics) { m.SlowQuery("demo", dbop.SelectMany) },
			map[string]float64{`slow_queries_total{database="demo",operation="select_many"}`: 1}},
		{"request to us", func(m *observe.Metrics) { m.Request("/v1/jobs/{id}", "GET", 404, 1) },
			map[string]float64{`http_request_duration_seconds_count{code="404",method="GET",route="/v1/jobs/{id}"}`: 1}},
		{"a method that nobody knows", func(m *observe.Metrics) { m.Request("/v1/jobs", "BREW", 405, 1) },
			map[string]float64{`http_request_duration_seconds_count{code="405",method="OTHER",route="/v1/jobs"}`: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := observe.New(observe.Build{}, observe.Labels{})
			tt.record(m)
			series := scrape(t, m)
			for name, want := range tt.want {
				got, ok := series["asyncops_"+name]
				if !ok {
					got = absent
				}
				if got != want {
					t.Errorf("%s = %v, want %v", name, got, want)
				}
			}
		})
	}
}

// absent stands for a series that is not there.
const absent = -1

func TestSourcesAreReadAndPadded(t *testing.T) {
	t.Parallel()
	s := idle()
	s.Backlogs = func(context.Context) ([]observe.Backlog, error) {
		return []observe.Backlog{{Queue: "low", Jobs: 7, Oldest: 90 * time.Second}}, nil
	}
	s.Parked = func(context.Context) (map[job.WaitReason]int, error) {
		return map[job.WaitReason]int{job.WaitPool: 4}, nil
	}
	s.Workers = func(context.Context) (map[string]int, error) { return map[string]int{"running": 3}, nil }
	s.DatabasePools = func() map[string]observe.Pool { return map[string]observe.Pool{"demo": {InUse: 2, Idle: 3, Max: 50}} }
	s.Targets = func() []observe.Target { return []observe.Target{{Type: "client", Name: "crm", Up: true}} }
	s.Breakers = func() map[string]observe.Breaker {
		return map[string]observe.Breaker{"crm": {State: "open"}, "mail": {State: "half_open"}, "up": {State: "closed", Failures: 3}}
	}
	s.AlertsFiring = func(context.Context) (map[job.AlertRule]int, error) {
		return map[job.AlertRule]int{job.AlertMemory: 2}, nil
	}
	s.RedisUp = func() bool { return true }
	m := observe.New(observe.Build{}, observe.Labels{})
	m.Feed(s, discard())
	series := scrape(t, m)
	want := map[string]float64{
		`queue_pending{queue="low"}`: 7, `queue_oldest_seconds{queue="low"}`: 90,
		`jobs_parked{reason="pool"}`: 4, `jobs_parked{reason="breaker"}`: 0,
		`alerts_firing{rule="memory"}`: 2, `alerts_firing{rule="target_down"}`: 0,
		`workers{state="running"}`: 3, `workers{state="gone"}`: 0,
		`db_pool_connections{database="demo",state="in_use"}`: 2,
		`db_pool_connections{database="demo",state="idle"}`:   3,
		`db_pool_connections{database="demo",state="max"}`:    50,
		`breaker_state{client="crm"}`:                         2, `breaker_state{client="mail"}`: 1, `breaker_state{client="up"}`: 0,
		`breaker_failures{client="up"}`: 3, `breaker_failures{client="crm"}`: 0,
		`target_up{name="crm",type="client"}`: 1, `redis_up`: 1, `ledger_up`: 0,
	}
	for name, value := range want {
		if got, ok := series["asyncops_"+name]; !ok || got != value {
			t.Errorf("%s = %v (there: %t), want %v", name, got, ok, value)
		}
	}
}

func TestFailingSourceLeavesTheOthersInTheScrape(t *testing.T) {
	t.Parallel()
	s := idle()
	s.Workers = func(context.Context) (map[string]int, error) { return nil, errors.New("ledger: list workers: refused") }
	var log buffer
	m := observe.New(observe.Build{}, observe.Labels{})
	m.Feed(s, observe.Logger(&log, "warn", "json"))
	series := scrape(t, m)
	if _, ok := series[`asyncops_workers{state="running"}`]; ok {
		t.Error("workers is in the scrape although its source failed")
	}
	if _, ok := series["asyncops_ledger_redis_drift"]; !ok {
		t.Error("ledger_redis_drift is not in the scrape")
	}
	if !strings.Contains(log.String(), "asyncops_workers") || !strings.Contains(log.String(), "refused") {
		t.Errorf("log = %q, want the metric and the error", log.String())
	}
}

func TestSourcesAreLookedUpAtMostEveryFiveSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		m := observe.New(observe.Build{}, observe.Labels{})
		m.Feed(observe.Sources{Drift: func(ctx context.Context) (int, error) {
			if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) != 2*time.Second {
				t.Errorf("deadline in %s (set: %t), want 2s", time.Until(deadline), ok)
			}
			calls++
			return calls, nil
		}}, discard())
		steps := []struct {
			after time.Duration
			want  float64
		}{{0, 1}, {4999 * time.Millisecond, 1}, {time.Millisecond, 2}, {time.Hour, 3}}
		for _, step := range steps {
			<-time.After(step.after)
			if got := scrape(t, m)["asyncops_ledger_redis_drift"]; got != step.want {
				t.Errorf("%s later the figure is look-up %v, want %v", step.after, got, step.want)
			}
		}
	})
}

func TestProcessWithoutASourceDoesNotExposeIt(t *testing.T) {
	t.Parallel()
	m := observe.New(observe.Build{}, observe.Labels{})
	m.Feed(observe.Sources{LedgerUp: func() bool { return true }}, discard())
	for s := range scrape(t, m) {
		if strings.HasPrefix(s, "asyncops_queue_") || strings.HasPrefix(s, "asyncops_workers") {
			t.Errorf("%s is exposed by a process that does not know it", s)
		}
	}
}

func TestMetricsHandlerSaysItsFormat(t *testing.T) {
	t.Parallel()
	rec := httptest.NewRecorder()
	observe.New(observe.Build{Version: "v1"}, observe.Labels{}).Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if got := rec.Header().Get("Content-Type"); !strings.HasPrefix(got, "text/plain") {
		t.Errorf("Content-Type = %q, want text/plain", got)
	}
	if !strings.Contains(rec.Body.String(), `version="v1"`) {
		t.Error("build_info does not hold the version")
	}
}
