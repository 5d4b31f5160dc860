package cli

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/asyncops/asyncops/sdk"
)

// Run tells what has happened, in total, by queue and by kind.
func (c *statsCmd) Run(ctx context.Context, s *session) error {
	client, err := s.connect()
	if err != nil {
		return err
	}
	stats, err := client.Stats(ctx, sdk.StatsFilter{Window: c.Window, Queues: c.Queue, Kinds: c.Kind})
	if err != nil {
		return err
	}
	if s.json() {
		return s.printJSON(stats)
	}
	t := &stats.Totals
	drift := "no Redis"
	if stats.Drift != nil {
		drift = strconv.Itoa(*stats.Drift)
	}
	err = s.printTable([]string{"window", fmt.Sprintf("%s to %s", moment(stats.From), moment(stats.To))}, [][]string{
		{"submitted", fmt.Sprintf("%d, %.2f/s", t.Submitted, t.SubmittedPerSecond)},
		{"ended", fmt.Sprintf("%d, %.2f/s", t.Finished, t.FinishedPerSecond)},
		{"success", share(t.SuccessRate)},
		{"failed", fmt.Sprintf("%d: %d archived, %d expired, %d unknown", t.Failed, t.Archived, t.Expired, t.Unknown)},
		{"retried", strconv.FormatInt(t.Retried, 10)},
		{"waited", times(t.Wait)},
		{"ran", times(t.Run)},
		{"pending", strconv.Itoa(t.Pending)},
		{"oldest", seconds(&t.OldestSeconds)},
		{"drift", drift},
	})
	if err != nil {
		return err
	}
	queues := make([][]string, len(stats.Queues))
	for i, q := range stats.Queues {
		queues[i] = append([]string{q.Name, strconv.Itoa(q.Pending), seconds(&q.OldestSeconds), seconds(greatest(q.OldestSeries))}, countCells(&q.StatsCounts)...)
	}
	headings := []string{"SUBMITTED", "ENDED", "FAILED", "RETRIED", "WAITED P95", "RAN P95"}
	if err := s.printSection(append([]string{"QUEUE", "PENDING", "OLDEST NOW", "OLDEST MAX"}, headings...), queues); err != nil {
		return err
	}
	kinds := make([][]string, len(stats.Kinds))
	for i, k := range stats.Kinds {
		kinds[i] = append([]string{k.Name}, countCells(&k.StatsCounts)...)
	}
	return s.printSection(append([]string{"KIND"}, headings...), kinds)
}

// printSection prints a table below another.
func (s *session) printSection(headings []string, rows [][]string) error {
	if len(rows) == 0 {
		return nil
	}
	if _, err := fmt.Fprintln(s.Stdout); err != nil {
		return fmt.Errorf("print the result: %w", err)
	}
	return s.printTable(headings, rows)
}

func countCells(c *sdk.StatsCounts) []string {
	cells := make([]string, 0, 6)
	for _, n := range []int64{c.Submitted, c.Finished, c.Failed, c.Retried} {
		cells = append(cells, strconv.FormatInt(n, 10))
	}
	return append(cells, seconds(c.Wait.P95), seconds(c.Run.P95))
}

// times is such as "50 % within 12ms, 95 % 40ms, 99 % 1.2s".
func times(t sdk.StatsTimes) string {
	if t.Count == 0 {
		return "-"
	}
	return fmt.Sprintf("50 %% within %s, 95 %% %s, 99 %% %s", seconds(t.P50), seconds(t.P95), seconds(t.P99))
}

// seconds writes a length of time to three digits or so; - for none.
func seconds(s *float64) string {
	if s == nil {
		return "-"
	}
	d := time.Duration(*s * float64(time.Second))
	switch {
	case d >= 10*time.Second:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(100 * time.Microsecond).String()
}

// share writes a part of the whole.
func share(part *float64) string {
	if part == nil {
		return "-"
	}
	return strconv.FormatFloat(*part*100, 'f', 2, 64) + " %"
}

// greatest is the greatest of the numbers that there are; nil without any.
func greatest(series []*float64) *float64 {
	var most *float64
	for _, v := range series {
		if v != nil && (most == nil || *v > *most) {
			most = v
		}
	}
	return most
}
