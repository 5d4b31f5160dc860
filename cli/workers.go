package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/asyncops/asyncops/sdk"
)

// Run lists the workers, and below each what it runs.
func (workersListCmd) Run(ctx context.Context, s *session) error {
	client, err := s.connect()
	if err != nil {
		return err
	}
	workers, err := client.Workers(ctx)
	if err != nil {
		return err
	}
	headings := []string{"WORKER", "STATE", "RUNNING", "QUEUES", "DATABASES", "HOST", "PID", "VERSION", "STARTED", "LAST SEEN"}
	err = s.print(workers, headings, func() [][]string {
		rows := make([][]string, len(workers))
		for i, w := range workers {
			queues := strings.Join(w.Queues, ",")
			if queues == "" {
				queues = "all"
			}
			rows[i] = []string{
				w.ID, w.State, fmt.Sprintf("%d of %d", w.Running, w.Concurrency), queues, databaseUses(w.Databases), w.Host, strconv.Itoa(w.PID), w.Version,
				moment(w.StartedAt), moment(w.BeatAt),
			}
		}
		return rows
	})
	if err != nil || s.json() {
		return err
	}
	var rows [][]string
	for _, w := range workers {
		for _, j := range w.Jobs {
			rows = append(rows, []string{string(j.ID), j.Kind, j.Queue, w.ID, moment(j.Since)})
		}
	}
	return s.printSection([]string{"JOB", "KIND", "QUEUE", "WORKER", "SINCE"}, rows)
}

// Run has a worker take no more jobs.
func (c *workersDrainCmd) Run(ctx context.Context, s *session) error {
	client, err := s.connect()
	if err != nil {
		return err
	}
	if err := client.Drain(ctx, c.ID); err != nil {
		return err
	}
	s.tell("%s takes no more jobs, and ends those that it runs; asyncops workers shows it", c.ID)
	return nil
}

// databaseUses is such as "main 3 of 50, other 0 of 10".
func databaseUses(uses map[string]sdk.PoolUse) string {
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(uses)) {
		texts = append(texts, name+" "+inUse(uses[name]))
	}
	return strings.Join(texts, ", ")
}
