package store_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
)

// counter counts slow operations.
type counter struct{ slow int }

func (*counter) Query(string, dbop.Op, time.Duration, bool) {}
func (*counter) PoolWait(string, time.Duration)             {}
func (c *counter) SlowQuery(string, dbop.Op)                { c.slow++ }

// slowTarget is an SQLite target that finds everything slow and logs to log.
func slowTarget(t *testing.T, log *bytes.Buffer, slow time.Duration) (*store.Target, *counter) {
	t.Helper()
	db := openSQLite(t, filepath.Join(t.TempDir(), "slow.db"))
	mustDo(t, db.SQL, "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)")
	cfg := db.Config
	cfg.SlowQuery, cfg.Tables = slow, map[string]store.Table{"notes": {Write: true}}
	seen := &counter{}
	target, err := store.Open(cfg, slog.New(slog.NewJSONHandler(log, nil)), seen)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = target.Close() })
	return target, seen
}

func noteOp(text string) dbop.Operation {
	return dbop.Operation{Op: dbop.InsertOne, Table: "notes", Rows: [][]dbop.Assignment{{{Column: "text", Value: str(text)}}}}
}

func TestSlowQueryLine(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	target, _ := slowTarget(t, &log, time.Nanosecond)
	id := job.NewID()
	if _, err := target.Run(store.ForJob(t.Context(), id), noteOp("top secret"), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := target.Run(t.Context(), dbop.Operation{Op: dbop.InsertOne, Table: "notes", Rows: [][]dbop.Assignment{{{Column: "id", Value: str("top secret")}}}}, nil); err == nil {
		t.Fatal("a text was taken for an integer key")
	}
	if strings.Contains(log.String(), "top secret") {
		t.Errorf("the log holds a value: %s", &log)
	}
	lines := jsonLines(t, &log)
	if len(lines) != 2 {
		t.Fatalf("%d lines, want 2", len(lines))
	}
	for i, want := range []map[string]any{
		{"msg": "slow query", "level": "WARN", "database": "target", "operation": "insert_one", "table": "notes", "rows": 1.0, "job": string(id),
			"sql": `INSERT INTO "notes" AS "t" ("text") VALUES ($1)`, "failed": nil},
		{"job": nil, "rows": 0.0, "failed": "invalid_value", "sql": `INSERT INTO "notes" AS "t" ("id") VALUES ($1)`},
	} {
		for name, value := range want {
			if got := lines[i][name]; got != value {
				t.Errorf("line %d: %s = %v, want %v", i, name, got, value)
			}
		}
		if took, ok := lines[i]["took"].(float64); !ok || took <= 0 {
			t.Errorf("line %d: took = %v, want a duration", i, lines[i]["took"])
		}
	}
}

// A target that has become slow as a whole does not fill the log, and what is
// left out is counted; long statements are cut.
func TestSlowQueryFlood(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	target, seen := slowTarget(t, &log, time.Nanosecond)
	many := dbop.In{Column: "id"}
	for range 2000 {
		many.Values = append(many.Values, num("1"))
	}
	const runs = 60
	for range runs {
		if _, err := target.Run(t.Context(), dbop.Operation{Op: dbop.SelectOne, Table: "notes", Where: many}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if seen.slow != runs {
		t.Errorf("%d slow queries were counted, want %d", seen.slow, runs)
	}
	told := 0
	lines := jsonLines(t, &log)
	for _, line := range lines {
		told++
		if n, ok := line["left_out"].(float64); ok {
			told += int(n)
		}
		if sql, ok := line["sql"].(string); ok && len(sql) > 2100 {
			t.Errorf("a statement of %d bytes is in the log, want it cut", len(sql))
		}
	}
	if len(lines) > runs/2 || told > runs {
		t.Errorf("%d lines tell of %d slow queries, want few lines and at most %d", len(lines), told, runs)
	}
}

func TestSlowQueryNever(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	target, seen := slowTarget(t, &log, store.Never)
	if _, err := target.Run(t.Context(), noteOp("x"), nil); err != nil {
		t.Fatal(err)
	}
	if seen.slow != 0 || log.Len() != 0 {
		t.Errorf("slow queries = %d, log %q, want nothing", seen.slow, &log)
	}
}

func jsonLines(t *testing.T, log *bytes.Buffer) (lines []map[string]any) {
	t.Helper()
	for line := range bytes.Lines(log.Bytes()) {
		var fields map[string]any
		if err := json.Unmarshal(line, &fields); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		lines = append(lines, fields)
	}
	return lines
}
