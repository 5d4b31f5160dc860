package storetest

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
)

func testQueryInterrupted(t *testing.T, h Harness) {
	f := startQueries(t, h, func(cfg *store.Config) { cfg.PoolSize, cfg.MaxOverflow = 1, 0 })
	op := f.query(`{"name":"slow"}`)
	ctx, cancel := context.WithCancelCause(t.Context())
	timer := time.AfterFunc(200*time.Millisecond, func() { cancel(job.ErrCanceled) })
	defer timer.Stop()
	_, err := f.Run(ctx, op, nil)
	wantCode(t, err, job.CodeCanceled)
	f.wantNothingRuns(t)
	f.wantQuery(`{"name":"names"}`, `{"rows":[],"count":0,"cached":false}`) // over the only connection

	cfg := f.db.Config
	cfg.Tables, cfg.StatementTimeout = allTables(), 200*time.Millisecond
	withQueries(&cfg, nil)
	_, err = open(t, cfg, nil).Run(t.Context(), op, nil)
	if failure := wantCode(t, err, job.CodeTimeout); failure.Class != job.ClassRetryable {
		t.Errorf("class = %s, want %s", failure.Class, job.ClassRetryable)
	}
	f.wantNothingRuns(t)
}

func testQueryObserved(t *testing.T, h Harness) {
	f := startQueries(t, h, nil)
	cfg := f.db.Config
	cfg.Tables, cfg.SlowQuery = allTables(), time.Nanosecond
	withQueries(&cfg, nil)
	var log bytes.Buffer
	var seen recorder
	target, err := store.Open(cfg, slog.New(slog.NewTextHandler(&log, nil)), &seen)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = target.Close() }()
	if _, err := target.Run(t.Context(), f.query(`{"name":"note","params":{"nonce":"top secret"}}`), nil); err != nil {
		t.Fatal(err)
	}
	if got := log.String(); !strings.Contains(got, "slow query") || !strings.Contains(got, "query=note") || !strings.Contains(got, "INSERT INTO log") || strings.Contains(got, "top secret") {
		t.Errorf("the log is %q, want the statement without its values", got)
	}
	if got, want := strings.Join(seen.events, ", "), "wait, query query, slow query"; got != want {
		t.Errorf("observed %q, want %q", got, want)
	}
}

// The plan of a statement that reads shows no value; that of a write is its SQL.
func testQueryPlan(t *testing.T, h Harness) {
	f := startQueries(t, h, nil)
	f.people()
	lines, err := f.Plan(t.Context(), f.query(`{"name":"either","params":{"text":"secret's","age":4711}}`))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(lines, "\n")
	t.Log(text)
	if len(lines) == 0 || strings.Contains(text, "secret") || strings.Contains(text, "4711") {
		t.Errorf("Plan = %q, want lines without values", text)
	}
	if _, err := f.Plan(t.Context(), f.query(addAda)); err == nil {
		t.Error("a write has a plan")
	}
	for args, want := range map[string]string{addAda: "INSERT INTO users (", `{"name":"either","params":{"text":"secret","age":1}}`: "SELECT name FROM users WHERE age > "} {
		if got, err := f.Registry().Explain(f.query(args)); err != nil || !strings.HasPrefix(got, want) || strings.Contains(got, "secret") {
			t.Errorf("Explain(%s) = %s, %v", args, got, err)
		}
	}
}
