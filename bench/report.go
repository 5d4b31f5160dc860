package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// row is one line of the table.
type row struct {
	key     string
	label   string
	format  string // of the value
	against string // key of the measure that the ratio is to; "" is none
	inverse bool   // the ratio is of times, not of rates
	bound   string // what is wanted of it; "" is nothing
}

const (
	perSecond = "%.0f/s"
	mebibytes = "%.1f MiB"
	millis    = "%.2f ms"
)

// rows is the table, top to bottom.
var rows = []row{
	{"submit/rest", "one job a request, REST, 64 connections", perSecond, "submit/river", false, "≥ 2.5"},
	{"submit/river", "River `Insert`, 16 callers", perSecond, "", false, ""},
	{"submit/rest one", "one job a request, REST, 1 connection", perSecond, "submit/plain", true, "time ≤ 2"},
	{"submit/rest one", "one job a request, REST, 1 connection", perSecond, "submit/handler", true, "time ≤ 1.5"},
	{"submit/handler", "the INSERT behind a bare `net/http` handler, 1 connection", perSecond, "submit/plain", true, ""},
	{"submit/plain", "plain INSERT and COMMIT, 1 caller", perSecond, "", false, ""},
	{"submit/keyed", "one job a request with an idempotency key, REST, 64 connections", perSecond, "submit/rest", false, ""},
	{"submit/keyed one", "one job a request with an idempotency key, REST, 1 connection", perSecond, "submit/rest one", true, ""},
	{"batch/rest", "1000 jobs a request, REST, 1 connection", perSecond, "batch/river", false, ""},
	{"batch/river", "River `InsertManyFast` of 1000, 1 caller", perSecond, "", false, ""},
	{"process/fleet many", "no-op jobs, over Redis, 2000 at once", perSecond, "process/river", false, "≥ 1.3"},
	{"process/dev many", "no-op jobs, straight from the ledger, 2000 at once", perSecond, "process/river", false, "≥ 1.3"},
	{"process/river", "River, 1000 workers, cooldown 5 ms", perSecond, "", false, ""},
	{"process/fleet", "no-op jobs, over Redis, as installed (100 at once)", perSecond, "process/river default", false, ""},
	{"process/dev", "no-op jobs, straight from the ledger, as installed (100 at once)", perSecond, "process/river default", false, ""},
	{"process/river default", "River, 1000 workers, cooldown as installed (100 ms)", perSecond, "", false, ""},
	{"process/asynq", "asynq, 1 server, nothing kept", perSecond, "process/river", false, ""},
	{"process/asynq best", "asynq, 8 servers, nothing kept", perSecond, "process/river", false, ""},
	{"effect/insert", "`db.insert_one`, exactly once, over Redis", perSecond, "effect/river", false, "≥ 1.5"},
	{"effect/river", "River, the same INSERT with `JobCompleteTx`", perSecond, "", false, ""},
	{"effect/http", "`http.request` to loopback, over Redis", perSecond, "process/fleet", false, ""},
	{"latency/fleet p50", "idle pick-up p50, over Redis", millis, "", false, "≤ 10 ms"},
	{"latency/fleet p99", "idle pick-up p99, over Redis", millis, "", false, ""},
	{"latency/dev p50", "idle pick-up p50, `asyncops dev`", millis, "", false, "≤ 2 ms"},
	{"latency/dev p99", "idle pick-up p99, `asyncops dev`", millis, "", false, ""},
	{"memory/worker", "resident memory of an idle worker", mebibytes, "", false, "≤ 60 MiB"},
	{"memory/dev", "resident memory of an idle `asyncops dev`", mebibytes, "", false, "≤ 80 MiB"},
}

// facts says in one line what was measured on.
func (b *bench) facts(ctx context.Context) (string, error) {
	info, err := b.keys.Info(ctx, "server").Result()
	if err != nil {
		return "", err
	}
	version, err := b.postgres.number(ctx, "postgres", "SELECT current_setting('server_version_num')::int / 10000")
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d cores (%s), %s %s, %s, PostgreSQL %d (fsync on), Redis %s",
		runtime.NumCPU(), field("/proc/cpuinfo", "model name"), runtime.GOOS, runtime.GOARCH, runtime.Version(),
		version, lookup(info, "redis_version")), nil
}

// field is the first value of a key in a file of "key : value" lines; "" if
// there is none.
func field(path, key string) string {
	text, _ := os.ReadFile(path) // without it the fact is missing, no more
	return lookup(string(text), key)
}

func lookup(text, key string) string {
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == key {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// writeReport writes the rows of a table as Markdown.
func writeReport(w io.Writer, facts string, p plan, rows []row, r results) error {
	var text strings.Builder
	fmt.Fprintf(&text, "%s. Median of %d (lowest–highest); %v of each way to submit, drains of %d no-op and %d other jobs.\n\n",
		facts, p.rounds, p.submit, p.noops, p.effects)
	text.WriteString("| measure | result | ratio | to | wanted | CPU per job, µs |\n|---|---|---|---|---|---|\n")
	labels := make(map[string]string)
	for _, row := range rows {
		labels[row.key] = row.label
	}
	for _, row := range rows {
		if len(r[row.key]) == 0 {
			continue // of a step that was left out
		}
		ratio := ""
		if len(r[row.against]) > 0 {
			ratio = spread(r.compare(row), "%.2f")
		}
		fmt.Fprintf(&text, "| %s | %s | %s | %s | %s | %s |\n", row.label, spread(r.values(row.key), row.format),
			ratio, labels[row.against], row.bound, cpuText(r, row.key))
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// compare is a row's ratio in each round.
func (r results) compare(w row) []float64 {
	if w.inverse {
		return r.ratios(w.against, w.key)
	}
	return r.ratios(w.key, w.against)
}

// spread is the median with the lowest and highest value.
func spread(values []float64, format string) string {
	if len(values) == 0 {
		return ""
	}
	text := fmt.Sprintf(format, median(values))
	if len(values) == 1 {
		return text
	}
	number, _, _ := strings.Cut(strings.TrimSuffix(format, "/s"), " ")
	return text + fmt.Sprintf(" ("+number+"–"+number+")", slices.Min(values), slices.Max(values))
}

// cpuText lists what the processes used, the hungriest first.
func cpuText(r results, key string) string {
	samples := r[key]
	if len(samples) == 0 || samples[0].cpu == nil {
		return ""
	}
	names := slices.SortedFunc(maps.Keys(samples[0].cpu), func(a, b string) int {
		return int(r.cpu(key, b) - r.cpu(key, a))
	})
	var parts []string
	for _, name := range names {
		if micros := r.cpu(key, name).Round(time.Microsecond).Microseconds(); micros > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", name, micros))
		}
	}
	return strings.Join(parts, ", ")
}
