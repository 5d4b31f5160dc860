package sdk

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/asyncops/asyncops/job"
)

// Schedule is a periodic job as the server shows it. A zero time is "none".
type Schedule struct {
	Name      string          `json:"name"`
	Source    job.Source      `json:"source"`
	Cron      string          `json:"cron"`
	Timezone  string          `json:"timezone"`
	Job       json.RawMessage `json:"job"` // what each fire submits
	Missed    job.Missed      `json:"missed"`
	Overlap   job.Overlap     `json:"overlap"`
	Jitter    string          `json:"jitter"`
	Start     time.Time       `json:"start,omitzero"`
	End       time.Time       `json:"end,omitzero"`
	Paused    bool            `json:"paused"`
	NextFires []time.Time     `json:"next_fires"` // the next five; while it is paused, those that it would have
	LastFire  time.Time       `json:"last_fire,omitzero"`
	LastJob   job.ID          `json:"last_job,omitempty"`
	CreatedAt time.Time       `json:"created_at"`
	UpdatedAt time.Time       `json:"updated_at"`

	// ETag names what the schedule is: give it to PutSchedule to replace nothing
	// else. "" in lists.
	ETag string `json:"-"`
}

// ScheduleSpec is a schedule to be. Name, Cron and Job.Kind are required; a zero
// field means the server's default. Of Job, what belongs to one job alone
// (RunAt, Delay, Deadline, ExpiresAt, IdempotencyKey) is refused.
type ScheduleSpec struct {
	Name     string        `json:"name"`
	Cron     string        `json:"cron"` // 5 fields, 6 (seconds first), @daily and its like, or @every 10s
	Timezone string        `json:"timezone,omitempty"`
	Job      Submission    `json:"job"`
	Missed   job.Missed    `json:"missed,omitempty"`
	Overlap  job.Overlap   `json:"overlap,omitempty"`
	Jitter   time.Duration `json:"-"`
	Start    time.Time     `json:"start,omitzero"`
	End      time.Time     `json:"end,omitzero"`
	Paused   bool          `json:"paused,omitempty"`
}

// MarshalJSON writes the body of a request.
func (s ScheduleSpec) MarshalJSON() ([]byte, error) {
	type plain ScheduleSpec
	return json.Marshal(struct {
		plain

		Jitter string `json:"jitter,omitempty"`
	}{plain(s), text(s.Jitter)})
}

// Schedules lists the schedules in the order of their names.
func (c *Client) Schedules(ctx context.Context) ([]Schedule, error) {
	var all []Schedule
	query := url.Values{}
	for {
		var page struct {
			Items []Schedule `json:"items"`
			Next  string     `json:"next_cursor"`
		}
		k := call{method: http.MethodGet, path: "/v1/schedules", query: query, idempotent: true}
		if _, err := c.fetch(ctx, k, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if page.Next == "" {
			return all, nil
		}
		query = url.Values{"cursor": {page.Next}}
	}
}

// Schedule returns one schedule. An unknown name is job.ErrNotFound.
func (c *Client) Schedule(ctx context.Context, name string) (*Schedule, error) {
	return c.schedule(ctx, call{method: http.MethodGet, path: schedulePath(name), idempotent: true})
}

// CreateSchedule makes a schedule. A name that is in use is job.ErrExists.
func (c *Client) CreateSchedule(ctx context.Context, s ScheduleSpec) (*Schedule, error) {
	return c.sendSchedule(ctx, call{method: http.MethodPost, path: "/v1/schedules"}, s)
}

// PutSchedule makes a schedule or replaces the one of its name. With an ETag it
// replaces only what that names, and is job.ErrPrecondition otherwise. Those of
// the configuration are job.ErrReadOnly.
func (c *Client) PutSchedule(ctx context.Context, s ScheduleSpec, etag string) (*Schedule, error) {
	k := call{method: http.MethodPut, path: schedulePath(s.Name), idempotent: etag == ""}
	if etag != "" {
		k.header = http.Header{"If-Match": {etag}}
	}
	return c.sendSchedule(ctx, k, s)
}

// PauseSchedule lets the schedule fire no more, until it is resumed.
func (c *Client) PauseSchedule(ctx context.Context, name string) (*Schedule, error) {
	return c.schedule(ctx, call{method: http.MethodPost, path: schedulePath(name) + "/pause", idempotent: true})
}

// ResumeSchedule lets the schedule fire from now on.
func (c *Client) ResumeSchedule(ctx context.Context, name string) (*Schedule, error) {
	return c.schedule(ctx, call{method: http.MethodPost, path: schedulePath(name) + "/resume", idempotent: true})
}

// RunSchedule makes a job of the schedule now, beside its fires. With an
// idempotency key the call is repeated when its answer is lost; "" is none.
func (c *Client) RunSchedule(ctx context.Context, name, idempotencyKey string) (*Job, error) {
	k := call{method: http.MethodPost, path: schedulePath(name) + "/run"}
	if idempotencyKey != "" {
		k.idempotent, k.header = true, http.Header{"Idempotency-Key": {idempotencyKey}}
	}
	j := new(Job)
	if _, err := c.fetch(ctx, k, j); err != nil {
		return nil, err
	}
	return j, nil
}

// DeleteSchedule removes the schedule. The jobs that it made stay.
func (c *Client) DeleteSchedule(ctx context.Context, name string) error {
	_, err := c.fetch(ctx, call{method: http.MethodDelete, path: schedulePath(name)}, nil)
	return err
}

func schedulePath(name string) string { return "/v1/schedules/" + url.PathEscape(name) }

func (c *Client) sendSchedule(ctx context.Context, k call, s ScheduleSpec) (*Schedule, error) {
	k.contentType = "application/json"
	var err error
	if k.body, err = jsonBody(s); err != nil {
		return nil, fmt.Errorf("sdk: write the schedule: %w", err)
	}
	return c.schedule(ctx, k)
}

func (c *Client) schedule(ctx context.Context, k call) (*Schedule, error) {
	s := new(Schedule)
	a, err := c.fetch(ctx, k, s)
	if err != nil {
		return nil, err
	}
	s.ETag = a.header.Get("ETag")
	return s, nil
}
