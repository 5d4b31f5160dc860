package api

import (
	"time"

	"github.com/asyncops/asyncops/job"
)

// Database is a configured database.
type Database struct {
	Name     string         `json:"name"`
	Driver   string         `json:"driver"`   // postgres, mysql or sqlite
	Delivery job.Delivery   `json:"delivery"` // of writes
	Health   DatabaseHealth `json:"health"`
	Pool     DatabasePool   `json:"pool"`
	Parked   int            `json:"parked"` // jobs that wait for room in it
	Cache    CacheUse       `json:"cache"`
}

// DatabaseHealth is how a database was found when the process that answers
// last looked at it.
type DatabaseHealth struct {
	Status    string     `json:"status"` // ok, degraded, down or unknown
	LatencyMS *float64   `json:"latency_ms"`
	Effects   string     `json:"effects"`    // the effects table: present, missing, off or unknown
	Detail    string     `json:"detail"`     // what is wrong and the fix; no secret, no DSN; "" when ok
	CheckedAt *time.Time `json:"checked_at"` // nil: not yet
}

// DatabasePool is the use of a database's connections by the fleet: the sums of
// what its workers told in the last seconds, and what each of them told.
type DatabasePool struct {
	PoolUse

	Workers []WorkerPool `json:"workers"`
}

// WorkerPool is the use of a database's connections by one worker.
type WorkerPool struct {
	Worker string `json:"worker"`
	PoolUse
}

// PoolUse is how connections to a database are used.
type PoolUse struct {
	InUse       int     `json:"in_use"`       // operations that run
	Idle        int     `json:"idle"`         // connections that are open and unused
	Max         int     `json:"max"`          // operations that may run at the same time
	Waiting     int     `json:"waiting"`      // operations that wait for a connection
	Waits       int64   `json:"waits"`        // operations that have had to wait, since their workers started
	WaitSeconds float64 `json:"wait_seconds"` // that they have waited, since their workers started
}

// CacheUse counts what the cache was asked for, since the workers started that
// are alive.
type CacheUse struct {
	Hits   int64 `json:"hits"`
	Misses int64 `json:"misses"`
}
