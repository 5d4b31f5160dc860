package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/asyncops/asyncops/config"
	"github.com/asyncops/asyncops/internal/load"
	"github.com/asyncops/asyncops/job"
)

// Bounds of bench, beyond which it would say nothing new and only leave a mess.
const (
	maxBenchJobs        = 1_000_000
	maxBenchConnections = 1000
	maxBenchDuration    = config.Duration(time.Minute)
)

// benchPatience is how long none of the jobs may end before bench gives up.
const benchPatience = time.Minute

// Run measures the server.
func (c *benchCmd) Run(ctx context.Context, s *session) error {
	plan, err := c.plan(s)
	if err != nil {
		return err
	}
	client, err := s.connect()
	if err != nil {
		return err
	}
	if !c.Yes && !loopback(client.String()) {
		return usage("bench: %s is not on this machine, and would be loaded through %d connections with as many jobs as it takes; say --yes if it is meant",
			client, c.Connections)
	}
	shown := newBar(s, "", 0)
	report, err := load.Run(ctx, load.Target{URL: client.String(), Key: s.key(), UserAgent: s.userAgent()}, plan, func(p load.Progress) {
		shown.doing, shown.total = p.Doing, p.Total
		shown.show(p.Done, p.Detail)
	})
	shown.end()
	if report == nil || report.Lone == nil {
		return err // nothing was measured
	}
	if err := errors.Join(s.printBench(report), err); err != nil {
		return err
	}
	if !report.Completed() {
		return errTold
	}
	return nil
}

// plan is what the options say.
func (c *benchCmd) plan(s *session) (load.Plan, error) {
	args := json.RawMessage("{}")
	switch {
	case c.Jobs < 1 || c.Jobs > maxBenchJobs:
		return load.Plan{}, usage("--jobs: must be 1 to %d", maxBenchJobs)
	case c.Connections < 1 || c.Connections > maxBenchConnections:
		return load.Plan{}, usage("--connections: must be 1 to %d", maxBenchConnections)
	case c.Duration <= 0 || c.Duration > maxBenchDuration:
		return load.Plan{}, usage("--duration: must be above 0 and at most %s", maxBenchDuration.Std())
	case c.Args != "":
		var err error
		if args, err = s.readJSON("--args", c.Args); err != nil {
			return load.Plan{}, err
		}
	}
	return load.Plan{
		Kind: c.Kind, Args: args, Queue: c.Queue, Jobs: c.Jobs, Connections: c.Connections, Duration: c.Duration.Std(), Patience: benchPatience,
	}, nil
}

// loopback reports whether the server at the URL is on this machine, by its
// name alone: what others resolve to can change.
func loopback(server string) bool {
	u, err := url.Parse(server)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && addr.IsLoopback()
}

// printBench prints what was measured, and tells what was not.
func (s *session) printBench(r *load.Report) error {
	if r.Open > 0 {
		s.tell("%d jobs have not been seen to end; all jobs of bench have the tag %s and are deleted %s after their end", r.Open, load.Tag, load.Retention)
	}
	for _, note := range r.Notes {
		s.tell("%s", note)
	}
	if s.json() {
		return s.printJSON(r)
	}
	if err := s.printTable([]string{"MEASURE", "PER SECOND", "P50", "P95", "P99", "JOBS", "SECONDS"}, benchRows(r)); err != nil {
		return err
	}
	rows := benchFailures(r)
	if len(rows) == 0 {
		return nil
	}
	if _, err := fmt.Fprintln(s.Stdout); err != nil {
		return fmt.Errorf("print the result: %w", err)
	}
	return s.printTable([]string{"NOT COUNTED", "WHY", "TIMES", "SECONDS WAITED"}, rows)
}

func benchRows(r *load.Report) [][]string {
	var rows [][]string
	add := func(measure string, perSecond float64, waits load.Latency, jobs int, seconds float64) {
		row := []string{measure, "", "", "", "", strconv.Itoa(jobs), strconv.FormatFloat(seconds, 'f', 2, 64)}
		if perSecond > 0 {
			row[1] = strconv.FormatFloat(perSecond, 'f', 0, 64)
		}
		if waits != (load.Latency{}) {
			row[2], row[3], row[4] = millis(waits.P50), millis(waits.P95), millis(waits.P99)
		}
		rows = append(rows, row)
	}
	if m := r.Lone; m != nil {
		add("submission, one at a time", 0, m.Submit, m.Jobs, m.Seconds)
		add("pick-up, one at a time", 0, m.PickUp, m.Jobs, m.Seconds)
	}
	if m := r.Concurrent; m != nil {
		add(fmt.Sprintf("submission, %d side by side", m.Connections), m.PerSecond, m.Submit, m.Accepted, m.Seconds)
	}
	if m := r.Batches; m != nil {
		add(fmt.Sprintf("submission, %d in a request", m.Size), m.PerSecond, load.Latency{}, m.Accepted, m.Seconds)
	}
	if m := r.Throughput; m != nil {
		add("submitted to completed", m.PerSecond, load.Latency{}, m.Completed, m.Seconds)
	}
	return rows
}

func millis(ms float64) string { return strconv.FormatFloat(ms, 'f', 2, 64) + " ms" }

// benchFailures are the rows of what was not counted: answers, and jobs that
// ended otherwise.
func benchFailures(r *load.Report) [][]string {
	names := map[string]string{
		load.MeasureLone: "submission, one at a time", load.MeasureConcurrent: "submission, side by side", load.MeasureBatches: "submission, in batches",
	}
	var rows [][]string
	for _, f := range r.Failures {
		waited := ""
		if f.Waited > 0 {
			waited = strconv.FormatFloat(f.Waited, 'f', 1, 64)
		}
		rows = append(rows, []string{names[f.Measure], f.Error, strconv.Itoa(f.Count), waited})
	}
	for _, state := range slices.Sorted(maps.Keys(r.Ended)) {
		if state != job.Completed {
			rows = append(rows, []string{"accepted job", strings.ReplaceAll(string(state), "_", " "), strconv.Itoa(r.Ended[state])})
		}
	}
	if r.Open > 0 {
		rows = append(rows, []string{"accepted job", "not seen to end", strconv.Itoa(r.Open)})
	}
	return rows
}
