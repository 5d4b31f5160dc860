package storetest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
)

// The plan of a read names its table and shows no value. Asking for it reads
// nothing and takes no longer than a moment, also of a database that is busy.
func testPlan(t *testing.T, h Harness) {
	f := start(t, h, func(cfg *store.Config) { cfg.PoolSize, cfg.MaxOverflow = 2, 0 })
	f.people()
	where := dbop.And{
		dbop.Compare{Column: "name", Op: dbop.Ne, Value: str(`it''s "secret" 4711`)}, dbop.Compare{Column: "age", Op: dbop.Gt, Value: num("4711")},
		dbop.Compare{Column: "balance", Op: dbop.Lt, Value: num("-4711.5")}, dbop.Compare{Column: "email", Op: dbop.Like, Value: str(`%secret\\%`)},
		dbop.In{Column: "id", Values: []dbop.Value{num("4711"), num("4712")}},
	}
	op := dbop.Operation{Op: dbop.SelectMany, Table: "users", Where: where, OrderBy: []dbop.Order{{Column: "age"}}}
	lines, err := f.Plan(t.Context(), op)
	if err != nil {
		t.Fatalf("Plan = %v", err)
	}
	text := strings.Join(lines, "\n")
	t.Log(text)
	if len(lines) == 0 || strings.Contains(text, "secret") || strings.Contains(text, "471") {
		t.Errorf("Plan = %q, want lines without values", text)
	}
	// MariaDB and MySQL compute constant parts of a view to plan it.
	if lines, err := f.Plan(t.Context(), dbop.Operation{Op: dbop.SelectMany, Table: "slow"}); err != nil {
		wantCode(t, err, job.CodeTimeout)
	} else if len(lines) == 0 {
		t.Error("Plan of what takes long to read has no lines")
	}
	f.wantNothingRuns(t)
	_, err = f.Plan(t.Context(), dbop.Operation{Op: dbop.SelectMany, Table: "users", Where: dbop.Compare{Column: "nope", Op: dbop.Eq, Value: num("1")}})
	wantCode(t, err, job.CodeUnknownColumn)
	_, err = f.Plan(t.Context(), logOp("x"))
	wantCode(t, err, job.CodeInvalid)
	f.wantCount("log", "1 = 1", 0)

	defer f.busy(2)()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = f.Plan(ctx, op)
	wantCode(t, err, job.CodeTimeout)
	if got := store.PlanSkipped(err); got != "the database did not answer within 1s" {
		t.Errorf("PlanSkipped = %q", got)
	}
}
