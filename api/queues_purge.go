package api

import (
	"context"

	"github.com/asyncops/asyncops/internal/strictjson"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/tasks"
)

const (
	purgeBatch = 500
	maxPurge   = 10_000 // jobs of one request
)

// purgeBody is the body of POST /v1/queues/{queue}/purge.
type purgeBody struct {
	Confirm *string `json:"confirm"`
}

// purgeItem is a queue after a purge.
type purgeItem struct {
	queueItem

	Purged int  `json:"purged"` // jobs that were canceled
	More   bool `json:"more"`   // there are more: ask again
}

// purgeQueue is POST /v1/queues/{queue}/purge: it cancels what waits there.
func (s *Server) purgeQueue(ctx context.Context, c *call) error {
	name, err := s.pathQueue(c)
	if err != nil {
		return err
	}
	body, err := readBody(c.Request(), s.cfg.BodyLimit)
	if err != nil {
		return err
	}
	var in purgeBody
	if err := strictjson.Decode(body, &in); err != nil {
		return err
	}
	if in.Confirm == nil || *in.Confirm != name {
		return job.Malformed("/confirm", tasks.CodeRequired, "jobs would be canceled; write the queue's name here to confirm it")
	}
	purged, more := 0, true
	for more && purged < maxPurge {
		events, err := s.deps.Ledger.PurgeQueue(ctx, name, purgeBatch)
		if err != nil {
			return err
		}
		for _, e := range events {
			s.deps.Signals.Moved(&job.Job{ID: e.Job, State: e.State})
		}
		purged, more = purged+len(events), len(events) == purgeBatch
	}
	item, err := s.readQueue(ctx, name)
	if err != nil {
		return err
	}
	return s.sendValue(c, purgeItem{queueItem: item, Purged: purged, More: more})
}
