package sdk

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Stats is what has happened in a window up to now, and how things stand.
type Stats struct {
	Window string       `json:"window"`
	Step   string       `json:"step"` // between two points of the series
	From   time.Time    `json:"from"`
	To     time.Time    `json:"to"` // when the last point ends
	Series []StatsPoint `json:"series"`
	Totals StatsTotals  `json:"totals"`
	Queues []StatsQueue `json:"queues"`
	Kinds  []StatsKind  `json:"kinds"`
	Drift  *int         `json:"drift"` // jobs that may start and have no doorbell; nil where there is no Redis to ask
}

// StatsCounts is what was counted.
type StatsCounts struct {
	Submitted   int64      `json:"submitted"`
	Completed   int64      `json:"completed"`
	Archived    int64      `json:"archived"`
	Canceled    int64      `json:"canceled"`
	Expired     int64      `json:"expired"`
	Unknown     int64      `json:"unknown"`
	Retried     int64      `json:"retried"`
	Finished    int64      `json:"finished"`     // of all sorts of ends
	Failed      int64      `json:"failed"`       // archived, expired or unknown
	SuccessRate *float64   `json:"success_rate"` // completed of those that completed or failed; nil when there are none
	Wait        StatsTimes `json:"wait"`         // from when jobs were due to the begin of their runs
	Run         StatsTimes `json:"run"`
}

// StatsTimes are percentiles, in seconds; nil when there are none.
type StatsTimes struct {
	Count int64    `json:"count"`
	P50   *float64 `json:"p50"`
	P95   *float64 `json:"p95"`
	P99   *float64 `json:"p99"`
}

// StatsPoint is one span of the window.
type StatsPoint struct {
	At time.Time `json:"at"` // when it begins
	StatsCounts
}

// StatsTotals is the whole window.
type StatsTotals struct {
	StatsCounts

	SubmittedPerSecond float64 `json:"submitted_per_second"`
	FinishedPerSecond  float64 `json:"finished_per_second"`
	Pending            int     `json:"pending"`        // now: jobs that may start
	OldestSeconds      float64 `json:"oldest_seconds"` // now: how long the first of them has waited
}

// StatsQueue is the window of one queue.
type StatsQueue struct {
	Name          string     `json:"name"`
	Pending       int        `json:"pending"`        // now: jobs that may start
	OldestSeconds float64    `json:"oldest_seconds"` // now: how long the first of them has waited
	OldestSeries  []*float64 `json:"oldest_series"`  // the most of it in the span of each point of the series; nil where nobody looked
	StatsCounts
}

// StatsKind is the window of one kind.
type StatsKind struct {
	Name string `json:"name"`
	StatsCounts
}

// StatsFilter chooses what Stats tells of. The zero value is the last hour of
// everything.
type StatsFilter struct {
	Window string   // 1m to 90d, such as 90m, 24h or 7d; default 1h
	Queues []string // default all
	Kinds  []string // default all
}

// Stats tells what has happened, and how things stand.
func (c *Client) Stats(ctx context.Context, f StatsFilter) (*Stats, error) {
	query := url.Values{}
	if f.Window != "" {
		query.Set("window", f.Window)
	}
	for _, queue := range f.Queues {
		query.Add("queue", queue)
	}
	for _, kind := range f.Kinds {
		query.Add("kind", kind)
	}
	s := new(Stats)
	if _, err := c.fetch(ctx, call{method: http.MethodGet, path: "/v1/stats", query: query, idempotent: true}, s); err != nil {
		return nil, err
	}
	return s, nil
}
