package observe

import (
	"net/http"
	"runtime"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/asyncops/asyncops/cache"
	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
)

// Build says what is running.
type Build struct {
	Version  string // such as v0.1.0
	Revision string // of the source; may be empty
}

// Labels are label values that are known before anything happens. Every series
// that can be made of them is exposed as 0 from the start, so that a rate over
// the first event is not lost and a missing series means a missing process.
// Any list may be empty.
type Labels struct {
	Kinds     []string
	Queues    []string
	Databases []string
	Clients   []string
	Caches    []string // spaces of the cache
	Methods   []string // of requests to clients, such as GET
	Routes    []Route  // of this process
}

// Route is one answer that this process gives over HTTP.
type Route struct {
	Method string
	Path   string // the route's template, such as /v1/jobs/{id}
	Code   int    // its usual status
}

// Metrics holds the metrics of one process in a registry of its own. All
// methods are safe for concurrent use, and none blocks or fails. The label
// values given to them must come from configuration or code, never from
// payloads.
type Metrics struct {
	registry *prometheus.Registry
	families map[string]Family // by name without prefix
	tallies  *Tallies          // nil: nobody keeps any

	active    *prometheus.GaugeVec     // queue
	submitted *prometheus.CounterVec   // kind, queue
	finished  *prometheus.CounterVec   // kind, queue, outcome
	errors    *prometheus.CounterVec   // kind, code
	attempts  *prometheus.CounterVec   // kind, outcome
	fenced    *prometheus.CounterVec   // no labels
	slow      *prometheus.CounterVec   // database, operation
	cached    *prometheus.CounterVec   // cache, result
	evicted   *prometheus.CounterVec   // cache
	breaker   *prometheus.CounterVec   // client, to
	limited   *prometheus.CounterVec   // client
	duration  *prometheus.HistogramVec // kind
	wait      *prometheus.HistogramVec // queue
	query     *prometheus.HistogramVec // database, operation
	poolWait  *prometheus.HistogramVec // database
	request   *prometheus.HistogramVec // client, method, code
	group     *prometheus.HistogramVec // no labels
	served    *prometheus.HistogramVec // route, method, code
}

// New returns the metrics of a process, with those of the Go runtime and the
// process beside them. What cannot be counted as it happens is read from the
// functions given to Feed.
func New(build Build, known Labels) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), families: map[string]Family{}}
	for _, f := range Families() {
		m.families[f.Name[len(prefix):]] = f
	}
	m.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	m.active = m.gauge("jobs_active")
	m.submitted = m.counter("jobs_submitted_total")
	m.finished = m.counter("jobs_finished_total")
	m.errors = m.counter("job_errors_total")
	m.attempts = m.counter("attempts_total")
	m.fenced = m.counter("fenced_total")
	m.slow = m.counter("slow_queries_total")
	m.cached = m.counter("cache_requests_total")
	m.evicted = m.counter("cache_evictions_total")
	m.breaker = m.counter("breaker_transitions_total")
	m.limited = m.counter("rate_limited_total")
	m.duration = m.histogram("job_duration_seconds")
	m.wait = m.histogram("job_wait_seconds")
	m.query = m.histogram("db_query_duration_seconds")
	m.poolWait = m.histogram("db_pool_wait_seconds")
	m.request = m.histogram("client_request_duration_seconds")
	m.group = m.histogram("ledger_group_size")
	m.served = m.histogram("http_request_duration_seconds")
	m.gauge("build_info").WithLabelValues(build.Version, build.Revision, runtime.Version()).Set(1)
	m.expose(known)
	return m
}

func (m *Metrics) counter(name string) *prometheus.CounterVec {
	f := m.families[name]
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: f.Name, Help: f.Help}, f.Labels)
	m.registry.MustRegister(v)
	return v
}

func (m *Metrics) gauge(name string) *prometheus.GaugeVec {
	f := m.families[name]
	v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: f.Name, Help: f.Help}, f.Labels)
	m.registry.MustRegister(v)
	return v
}

func (m *Metrics) histogram(name string) *prometheus.HistogramVec {
	f := m.families[name]
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: f.Name, Help: f.Help, Buckets: f.Buckets}, f.Labels)
	m.registry.MustRegister(v)
	return v
}

// expose makes the series of what is known.
func (m *Metrics) expose(known Labels) {
	m.fenced.WithLabelValues()
	m.group.WithLabelValues()
	for _, queue := range known.Queues {
		m.wait.WithLabelValues(queue)
		m.active.WithLabelValues(queue)
	}
	for _, kind := range known.Kinds {
		m.exposeKind(kind, known.Queues)
	}
	for _, database := range known.Databases {
		m.poolWait.WithLabelValues(database)
		for _, operation := range dbop.Ops() {
			m.query.WithLabelValues(database, string(operation))
			m.slow.WithLabelValues(database, string(operation))
		}
	}
	for _, name := range known.Caches {
		m.evicted.WithLabelValues(name)
		for _, result := range cache.Results() {
			m.cached.WithLabelValues(name, string(result))
		}
	}
	for _, client := range known.Clients {
		m.limited.WithLabelValues(client)
		for _, to := range []string{"closed", "half_open", "open"} {
			m.breaker.WithLabelValues(client, to)
		}
		for _, method := range known.Methods {
			m.request.WithLabelValues(client, method, strconv.Itoa(http.StatusOK))
		}
	}
	for _, r := range known.Routes {
		m.served.WithLabelValues(r.Path, r.Method, strconv.Itoa(r.Code))
	}
}

func (m *Metrics) exposeKind(kind string, queues []string) {
	m.duration.WithLabelValues(kind)
	for _, code := range job.Codes() {
		m.errors.WithLabelValues(kind, string(code))
	}
	for _, s := range job.States() {
		if s.Terminal() {
			m.attempts.WithLabelValues(kind, string(s))
		}
	}
	for _, s := range []job.State{job.Retry, job.Parked, job.Pending} {
		m.attempts.WithLabelValues(kind, string(s))
	}
	for _, queue := range queues {
		m.submitted.WithLabelValues(kind, queue)
		for _, s := range job.States() {
			if s.Terminal() {
				m.finished.WithLabelValues(kind, queue, string(s))
			}
		}
	}
}

// Handler serves the metrics in Prometheus' formats. At most eight scrapes
// are answered at once; more get 503.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 8})
}
