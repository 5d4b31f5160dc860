package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/tasks"
)

// Deps is what the server works with. All of it is safe for concurrent use.
type Deps struct {
	Ledger         Ledger
	Schedules      Schedules
	Signals        Signals
	Watcher        Watcher
	Targets        tasks.Targets
	Deliveries     Deliveries
	Planner        Planner      // nil: dry runs tell no SQL and no request
	Alerts         Alerts       // nil: there are none
	Statuses       Statuses     // nil: no databases and no clients
	Caches         Caches       // nil: nothing is cached
	Breakers       Breakers     // nil: there are none
	RedisQueues    RedisQueues  // nil: there is no Redis
	ConfiguredKeys func() []Key // asked at most every 5 s; nil: none
	Keys           KeySource    // keys besides those; nil: none
	Audit          AuditLog     // nil: nobody keeps it
	Stats          Stats        // nil: nobody keeps any
	Sessions       Sessions     // nil: nobody can log in
	Observer       Observer
	Log            *slog.Logger
	Healthz        http.Handler // served without a key, as are the next two
	Readyz         http.Handler
	Metrics        http.Handler     // nil: /metrics answers 404
	Dashboard      http.Handler     // the pages, without a key; nil: none
	Now            func() time.Time // nil: time.Now
}

// Signals passes on what cannot wait for the next look at the ledger.
type Signals interface {
	// Wake says that jobs of the queue that were there before may start: the
	// queue was resumed, or a job revived. New jobs are the ledger's to ring for.
	Wake(queue string)
	// Stop says that a running job was asked to stop.
	Stop(id job.ID)
	// Wait returns nil when the job has ended, at once if it has already, and
	// an error when ctx ends first.
	Wait(ctx context.Context, id job.ID) error
	// Moved says that a caller has changed the job.
	Moved(j *job.Job)
	// Moves gathers what is said to have moved, here or elsewhere.
	Moves() Moves
}

// Deliveries tells what a task's effect will be worth.
type Deliveries interface {
	// Delivery answers job.ErrEffectsMissing for a write to a target whose
	// settings require the effects table and that does not hold it.
	Delivery(t tasks.Task) (job.Delivery, error)
	// RunOnce reports whether the task must not be repeated after a run that
	// was lost: it may have sent a request that is not safe to send again.
	RunOnce(t tasks.Task) bool
}

// Planner tells what a task would do.
type Planner interface {
	// Plan returns a JSON object: the SQL with placeholders and how the database
	// would go about it, or the request without secrets. It changes nothing, and
	// a target that is away costs no more than a second.
	Plan(ctx context.Context, t tasks.Task) (json.RawMessage, error)
}

// Statuses looks at the configured targets. Targets that are down are part of
// the answer, not an error.
type Statuses interface {
	Databases(ctx context.Context) ([]Database, error)
	Clients(ctx context.Context) ([]Client, error)
}

// Caches makes results that are kept count for nothing.
type Caches interface {
	// InvalidateDatabase returns when no process answers any more with what was
	// read from the tables, or is kept under the keys. ErrCacheAway says that some
	// could not be told. The name is one of the configured databases'.
	InvalidateDatabase(name string, tables, keys []string) error
	// InvalidateClient does as much for answers of a client that are kept under the
	// key, or are of the path or of one below it; one of the two is "".
	InvalidateClient(name, key, pathPrefix string) error
}

// Health is how a target was found when it was last looked at.
type Health struct {
	Status    string     `json:"status"` // ok, degraded, down or unknown
	Detail    string     `json:"detail"` // no secret, no DSN; "" when ok
	LatencyMS *float64   `json:"latency_ms"`
	CheckedAt *time.Time `json:"checked_at"` // nil: not yet
}

// Pool is the use of a target's connections in this process.
type Pool struct {
	InUse int `json:"in_use"`
	Idle  int `json:"idle"`
	Max   int `json:"max"`
}

// Breakers acts on the circuit breakers of clients.
type Breakers interface {
	// Reset closes a client's breaker for the whole fleet, and ends a pause that
	// the upstream asked for. Without Redis, where others' cannot be reached, it
	// answers job.ErrUnavailable.
	Reset(ctx context.Context, client string) error
}

// Observer receives measurements.
type Observer interface {
	// Request is called once per request. route is as in the OpenAPI document,
	// or "" for one that is not there; code is 499 when the caller went away.
	Request(route, method string, code int, seconds float64)
	// Submitted is called when jobs were accepted.
	Submitted(kind, queue string, jobs int)
}

func (d Deps) validate() error {
	switch {
	case d.Ledger == nil, d.Schedules == nil, d.Signals == nil, d.Watcher == nil, d.Targets == nil, d.Deliveries == nil:
		return errors.New("api: Ledger, Schedules, Signals, Watcher, Targets and Deliveries are required")
	case d.Observer == nil, d.Log == nil:
		return errors.New("api: Observer and Log are required")
	case d.Healthz == nil, d.Readyz == nil:
		return errors.New("api: Healthz and Readyz are required")
	}
	return nil
}
