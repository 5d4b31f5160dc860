package sdk

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/asyncops/asyncops/job"
)

// Reschedule gives a job that has not started another time; one that has passed
// is now. Others are job.ErrStarted or job.ErrTerminal.
func (c *Client) Reschedule(ctx context.Context, id job.ID, runAt time.Time) (*Job, error) {
	return c.steer(ctx, id, "reschedule", map[string]any{"run_at": runAt.UTC()})
}

// Purge cancels the jobs of a queue that wait, and returns how many those were.
// An unknown name is job.ErrNotFound.
func (c *Client) Purge(ctx context.Context, queue string) (purged int, err error) {
	for {
		k := call{method: http.MethodPost, path: "/v1/queues/" + url.PathEscape(queue) + "/purge", contentType: "application/json"}
		if k.body, err = jsonBody(map[string]string{"confirm": queue}); err != nil {
			return purged, err
		}
		var done struct {
			Purged int  `json:"purged"`
			More   bool `json:"more"`
		}
		if _, err := c.fetch(ctx, k, &done); err != nil {
			return purged, err
		}
		if purged += done.Purged; !done.More {
			return purged, nil
		}
	}
}

// Drain has a worker take no more jobs and end those that it runs. One that is
// not alive is job.ErrNotFound.
func (c *Client) Drain(ctx context.Context, worker string) error {
	_, err := c.fetch(ctx, call{method: http.MethodPost, path: "/v1/workers/" + url.PathEscape(worker) + "/drain", idempotent: true}, nil)
	return err
}
