package observe

import "slices"

// Type is the kind of a metric.
type Type string

// The types that Prometheus knows and asyncops uses.
const (
	Counter   Type = "counter"
	Gauge     Type = "gauge"
	Histogram Type = "histogram"
)

// Family is one metric with its labels.
type Family struct {
	Name    string    // whole, with its prefix
	Type    Type      //
	Labels  []string  // in their order
	Help    string    // one sentence
	Buckets []float64 // upper bounds, of a histogram
}

// prefix begins the name of every metric except those of Go and the process.
const prefix = "asyncops_"

// Upper bounds in seconds. Each list begins where the thing measured is as
// fast as it gets and ends at the longest that settings allow by default.
var (
	// runBuckets are for jobs: from a no-op to ten minutes, whatever the timeout.
	runBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 600}
	// waitBuckets are for waits: from a ring of the doorbell to a backlog of an hour.
	waitBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600}
	// queryBuckets end at the default statement_timeout and pool_timeout.
	queryBuckets = []float64{.00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
	// requestBuckets end at the longest wait that a request may ask for.
	requestBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
	// groupBuckets count the jobs of one commit.
	groupBuckets = []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000}
)

// Families lists every metric that asyncops exposes beside those of the Go
// runtime and the process, in the order of the documentation. The caller owns
// the result.
func Families() []Family {
	of := func(t Type, name, help string, labels ...string) Family {
		return Family{Name: prefix + name, Type: t, Labels: labels, Help: help}
	}
	timed := func(buckets []float64, name, help string, labels ...string) Family {
		f := of(Histogram, name, help, labels...)
		f.Buckets = slices.Clone(buckets)
		return f
	}
	return []Family{
		of(Counter, "jobs_submitted_total", "Jobs accepted; replays of an idempotency key are not counted again.", "kind", "queue"),
		of(Counter, "jobs_finished_total", "Jobs that reached a terminal state, by that state.", "kind", "queue", "outcome"),
		of(Counter, "job_errors_total", "Runs that ended with an error, by its code.", "kind", "code"),
		timed(runBuckets, "job_duration_seconds", "How long runs took.", "kind"),
		timed(waitBuckets, "job_wait_seconds", "How long jobs that were due waited for their run to begin.", "queue"),
		of(Gauge, "jobs_active", "Jobs that this process is running.", "queue"),
		of(Gauge, "jobs_parked", "Jobs that may not go on for a reason outside themselves.", "reason"),
		of(Gauge, "queue_pending", "Jobs that are due and have not started.", "queue"),
		of(Gauge, "queue_oldest_seconds", "How long the first of the jobs that are due has waited.", "queue"),
		of(Counter, "attempts_total", "Runs that ended, by the state they left the job in; pending is handed back.", "kind", "outcome"),
		of(Counter, "fenced_total", "Outcomes that were refused because their run had been superseded."),
		of(Gauge, "workers", "Workers of the fleet; gone are those that went within the last hour.", "state"),
		timed(queryBuckets, "db_query_duration_seconds", "How long operations on a target database took, the wait for a connection not counted.", "database", "operation"),
		of(Gauge, "db_pool_connections", "Connections of this process to a target database; max is their bound.", "database", "state"),
		timed(queryBuckets, "db_pool_wait_seconds", "How long operations waited for a connection to a target database.", "database"),
		of(Counter, "slow_queries_total", "Operations on a target database that took longer than its slow_query.", "database", "operation"),
		timed(requestBuckets, "client_request_duration_seconds", "How long sends to an upstream took; code is the status of the answer, or what went wrong.", "client", "method", "code"),
		of(Gauge, "client_pool_connections", "Connections of this process to an upstream; max is their bound.", "client", "state"),
		of(Counter, "cache_requests_total", "What the cache was asked for; hit is this process's memory, hit_shared is Redis, revalidated is that an API said that its answer holds, stale that an old one stood in for a failure, bypass that Redis was away.", "cache", "result"),
		of(Counter, "cache_evictions_total", "Results and answers that had to make room for others in this process's memory.", "cache"),
		of(Gauge, "cache_bytes", "Memory of this process that cached results and answers take."),
		of(Gauge, "breaker_state", "Where a client's circuit breaker stands: 0 closed, 1 half-open, 2 open.", "client"),
		of(Gauge, "breaker_failures", "Failures in a row of a client, over the fleet, that its circuit breaker counts.", "client"),
		of(Counter, "breaker_transitions_total", "Moves of a client's circuit breaker, counted by the process that made them.", "client", "to"),
		of(Counter, "rate_limited_total", "Requests to a client that its rate limit, or a pause it asked for, did not let out.", "client"),
		of(Gauge, "target_up", "1 while a database or a client of this process can be reached, else 0.", "type", "name"),
		of(Gauge, "redis_up", "1 while this process reaches Redis, else 0; 0 where none is used."),
		of(Gauge, "ledger_up", "1 while this process can use the ledger, else 0."),
		timed(groupBuckets, "ledger_group_size", "Jobs written by one commit of the ledger."),
		of(Gauge, "relay_lag_seconds", "How long the first of the jobs that are due and unrung has waited for the relay."),
		of(Gauge, "ledger_redis_drift", "Doorbells that open jobs of the ledger name and Redis does not hold."),
		of(Gauge, "schedule_lag_seconds", "How long the first of the schedules that are due has waited for its fire."),
		of(Gauge, "alerts_firing", "Alerts of the fleet that fire.", "rule"),
		timed(requestBuckets, "http_request_duration_seconds", "How long requests to this process took, by route template.", "route", "method", "code"),
		of(Gauge, "build_info", "1; the labels say what is running.", "version", "revision", "go_version"),
	}
}
