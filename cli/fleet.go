package cli

import (
	"context"
	"strconv"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/sdk"
)

// Run lists the queues.
func (queuesListCmd) Run(ctx context.Context, s *session) error {
	client, err := s.connect()
	if err != nil {
		return err
	}
	queues, err := client.Queues(ctx)
	if err != nil {
		return err
	}
	return s.print(queues, queueHeadings(), func() [][]string { return queueRows(queues...) })
}

// Run pauses a queue.
func (c *queuesPauseCmd) Run(ctx context.Context, s *session) error {
	return s.moveQueue(func(client *sdk.Client) (*sdk.Queue, error) { return client.Pause(ctx, c.Name) })
}

// Run resumes a queue.
func (c *queuesResumeCmd) Run(ctx context.Context, s *session) error {
	return s.moveQueue(func(client *sdk.Client) (*sdk.Queue, error) { return client.Resume(ctx, c.Name) })
}

// Run cancels what waits in a queue.
func (c *queuesPurgeCmd) Run(ctx context.Context, s *session) error {
	if !c.Yes {
		return usage("every job that waits in %s would be canceled; say --yes to go ahead", c.Name)
	}
	client, err := s.connect()
	if err != nil {
		return err
	}
	purged, err := client.Purge(ctx, c.Name)
	if err != nil {
		if purged > 0 {
			s.tell("%d jobs of %s were canceled before that", purged, c.Name)
		}
		return err
	}
	done := struct {
		Queue  string `json:"queue"`
		Purged int    `json:"purged"` // jobs that were canceled
	}{c.Name, purged}
	return s.print(done, []string{"QUEUE", "CANCELED"}, func() [][]string { return [][]string{{c.Name, strconv.Itoa(purged)}} })
}

func (s *session) moveQueue(move func(*sdk.Client) (*sdk.Queue, error)) error {
	client, err := s.connect()
	if err != nil {
		return err
	}
	queue, err := move(client)
	if err != nil {
		return err
	}
	return s.print(queue, queueHeadings(), func() [][]string { return queueRows(*queue) })
}

func queueHeadings() []string {
	return []string{"QUEUE", "STATUS", "PENDING", "ACTIVE", "SCHEDULED", "RETRY", "PARKED", "ARCHIVED", "OLDEST", "LAST MINUTE"}
}

func queueRows(queues ...sdk.Queue) [][]string {
	rows := make([][]string, len(queues))
	for i, q := range queues {
		status := "open"
		if q.Paused {
			status = "paused"
		}
		row := []string{q.Name, status}
		for _, state := range []job.State{job.Pending, job.Active, job.Scheduled, job.Retry, job.Parked, job.Archived} {
			row = append(row, strconv.Itoa(q.Counts[state]))
		}
		oldest := time.Duration(q.OldestSeconds * float64(time.Second)).Round(time.Second)
		rows[i] = append(row, oldest.String(), strconv.Itoa(q.Throughput.FinishedLastMinute))
	}
	return rows
}

// Run lists the kinds.
func (kindsCmd) Run(ctx context.Context, s *session) error {
	client, err := s.connect()
	if err != nil {
		return err
	}
	kinds, err := client.Kinds(ctx)
	if err != nil {
		return err
	}
	return s.print(kinds, []string{"KIND", "EFFECT", "DESCRIPTION"}, func() [][]string {
		rows := make([][]string, len(kinds))
		for i, k := range kinds {
			rows[i] = []string{k.Name, k.Effect, k.Description}
		}
		return rows
	})
}
