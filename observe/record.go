package observe

import (
	"net/http"
	"strconv"
	"time"

	"github.com/asyncops/asyncops/cache"
	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
)

// Submitted counts jobs that were accepted.
func (m *Metrics) Submitted(kind, queue string, jobs int) {
	m.submitted.WithLabelValues(kind, queue).Add(float64(jobs))
	m.tallies.count(queue, kind, func(t *job.Tally) { t.Submitted += int64(jobs) })
}

// Started counts a run that begins, of a job that had been due for waited.
func (m *Metrics) Started(j *job.Job, waited time.Duration) {
	m.wait.WithLabelValues(j.Queue).Observe(waited.Seconds())
	m.tallies.count(j.Queue, j.Kind, func(t *job.Tally) { t.Wait.Add(waited) })
}

// Active counts a job of the queue as running until done is called, once.
func (m *Metrics) Active(queue string) (done func()) {
	g := m.active.WithLabelValues(queue)
	g.Inc()
	return g.Dec
}

// Finished counts a run that took ran and whose outcome is in the ledger.
func (m *Metrics) Finished(j *job.Job, o job.Outcome, ran time.Duration) {
	m.duration.WithLabelValues(j.Kind).Observe(ran.Seconds())
	m.tallies.count(j.Queue, j.Kind, func(t *job.Tally) {
		t.Run.Add(ran)
		if o.State == job.Retry {
			t.Retried++
		}
	})
	m.attempts.WithLabelValues(j.Kind, string(o.State)).Inc()
	if o.Error != nil {
		m.errors.WithLabelValues(j.Kind, string(o.Error.Code)).Inc()
	}
	if o.State.Terminal() {
		m.Ended(j.Kind, j.Queue, o.State, 1)
	}
}

// Ended counts jobs that reached a terminal state without a run of this
// process: canceled before they started, expired, or reaped as poison.
// Finished calls it for those that ran.
func (m *Metrics) Ended(kind, queue string, state job.State, jobs int) {
	m.finished.WithLabelValues(kind, queue, string(state)).Add(float64(jobs))
	m.tallies.count(queue, kind, func(t *job.Tally) { t.Ended(state, int64(jobs)) })
}

// Keep also counts in tallies from now on. It is called before anything is
// counted.
func (m *Metrics) Keep(t *Tallies) { m.tallies = t }

// Fenced counts outcomes that were refused because their runs had been
// superseded.
func (m *Metrics) Fenced(jobs int) { m.fenced.WithLabelValues().Add(float64(jobs)) }

// LedgerGroup counts one commit of the ledger and the jobs written by it.
func (m *Metrics) LedgerGroup(jobs int) { m.group.WithLabelValues().Observe(float64(jobs)) }

// ObserveRequest counts one send to an upstream; code is the status of its
// answer or, without one, the job.Code of what went wrong.
func (m *Metrics) ObserveRequest(client, method, code string, took time.Duration) {
	m.request.WithLabelValues(client, knownMethod(method), code).Observe(took.Seconds())
}

// BreakerMoved counts a move of a client's circuit breaker that this process made.
func (m *Metrics) BreakerMoved(client, to string) { m.breaker.WithLabelValues(client, to).Inc() }

// RateLimited counts a request to a client that was not let out.
func (m *Metrics) RateLimited(client string) { m.limited.WithLabelValues(client).Inc() }

// Request counts one answer of this process. route is the template that
// matched, never the path, and "" if none did.
func (m *Metrics) Request(route, method string, code int, seconds float64) {
	m.served.WithLabelValues(route, knownMethod(method), strconv.Itoa(code)).Observe(seconds)
}

// Query counts an operation on a target database, failed or not.
func (m *Metrics) Query(database string, op dbop.Op, took time.Duration, _ bool) {
	m.query.WithLabelValues(database, string(op)).Observe(took.Seconds())
}

// PoolWait counts the wait of one operation for a connection.
func (m *Metrics) PoolWait(database string, waited time.Duration) {
	m.poolWait.WithLabelValues(database).Observe(waited.Seconds())
}

// SlowQuery counts an operation that took longer than its database's slow_query.
func (m *Metrics) SlowQuery(database string, op dbop.Op) {
	m.slow.WithLabelValues(database, string(op)).Inc()
}

// CacheRequest counts a read that asked for the cache.
func (m *Metrics) CacheRequest(space string, result cache.Result) {
	m.cached.WithLabelValues(space, string(result)).Inc()
}

// CacheEviction counts a result that had to make room for others.
func (m *Metrics) CacheEviction(space string) { m.evicted.WithLabelValues(space).Inc() }

// knownMethod keeps callers from making a series for each word they send.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodOptions:
		return method
	}
	return "OTHER"
}
