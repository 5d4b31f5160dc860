package sdk

import (
	"context"
	"net/http"
	"net/url"
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
	Status    string    `json:"status"` // ok, degraded, down or unknown
	LatencyMS *float64  `json:"latency_ms"`
	Effects   string    `json:"effects"` // the effects table: present, missing, off or unknown
	Detail    string    `json:"detail"`  // what is wrong, and the fix
	CheckedAt time.Time `json:"checked_at,omitzero"`
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

// CacheUse counts reads that asked for the cache, since the workers started
// that are alive.
type CacheUse struct {
	Hits   int64 `json:"hits"`
	Misses int64 `json:"misses"`
}

// Databases lists the configured databases in the order of their names.
func (c *Client) Databases(ctx context.Context) ([]Database, error) {
	return list[Database](ctx, c, "/v1/databases")
}

// Database returns one database. An unknown name is job.ErrNotFound.
func (c *Client) Database(ctx context.Context, name string) (*Database, error) {
	db := new(Database)
	k := call{method: http.MethodGet, path: "/v1/databases/" + url.PathEscape(name), idempotent: true}
	if _, err := c.fetch(ctx, k, db); err != nil {
		return nil, err
	}
	return db, nil
}

// Invalidation says which cached results of a database count for nothing: those
// read from Table, or those that reads keep under Key. One of the two is set.
type Invalidation struct {
	Table string `json:"table,omitempty"`
	Key   string `json:"key,omitempty"`
}

// InvalidateCache returns when no process answers with such results any more.
// Writes of jobs do this by themselves: it is for what others change.
func (c *Client) InvalidateCache(ctx context.Context, database string, i Invalidation) error {
	return c.invalidate(ctx, "/v1/databases/"+url.PathEscape(database), i)
}

// invalidate makes stale what is cached of a target.
func (c *Client) invalidate(ctx context.Context, target string, what any) error {
	body, err := jsonBody(what)
	if err != nil {
		return err
	}
	k := call{method: http.MethodPost, path: target + "/cache/invalidate", body: body, contentType: "application/json", idempotent: true}
	_, err = c.fetch(ctx, k, nil)
	return err
}
