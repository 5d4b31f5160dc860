package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
)

// Twenty runs of one effect at the same time: one effect, one result.
func testExactlyOnce(t *testing.T, h Harness) {
	f := start(t, h, nil)
	for round := range 5 {
		e := effect()
		results := make([]string, 20)
		var wg sync.WaitGroup
		for i := range results {
			wg.Go(func() {
				res, err := f.Run(t.Context(), logOp(fmt.Sprint(round)), e)
				if err != nil {
					t.Errorf("run %d: %v", i, err)
					return
				}
				results[i] = string(res.JSON)
			})
		}
		wg.Wait()
		f.wantCount("log", fmt.Sprintf("nonce = '%d'", round), 1)
		for i, got := range results {
			if want := fmt.Sprintf(`{"id":null,"row":{"nonce":"%d"},"rows_affected":1}`, round); got != want {
				t.Errorf("run %d = %s, want %s", i, got, want)
			}
		}
	}
}

func testSameResult(t *testing.T, h Harness) {
	f := start(t, h, nil)
	e := effect()
	odd := `it's \ "odd" ? $1 ü€😀` + "\n"
	first := f.mustOnce(insertUser(set("name", str(odd))), e)
	res, err := f.Run(t.Context(), insertUser(set("name", str("another"))), e)
	if err != nil || string(res.JSON) != first || !res.Replayed {
		t.Errorf("second run = %+v, %v, want a replay of %s", res, err, first)
	}
	f.wantCount("users", "1 = 1", 1)
	stored := f.mustOnce(logOp(odd), &store.Effect{Job: e.Job, Generation: 1}) // another generation is another effect
	if again := f.mustOnce(logOp(odd), &store.Effect{Job: e.Job, Generation: 1}); again != stored {
		t.Errorf("replay = %s, want %s", again, stored)
	}
	f.wantCount("log", "1 = 1", 1)
}

func testRollback(t *testing.T, h Harness) {
	f := start(t, h, nil)
	f.people()
	e := effect()
	_, err := f.Run(t.Context(), insertUser(set("email", str("ada@x"))), e)
	wantCode(t, err, job.CodeConstraint)
	f.wantCount("asyncops_effects", "1 = 1", 0)
	f.mustOnce(insertUser(set("email", str("new@x"))), e) // not done yet, so it may be tried again
	f.wantCount("asyncops_effects", "outcome = 'done'", 1)
}

func testUndone(t *testing.T, h Harness) {
	f := start(t, h, nil)
	if err := f.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustExec(t, f.db.SQL, h.DDL.Undo)
	_, err := f.Run(t.Context(), logOp("x"), effect())
	wantCode(t, err, job.CodeConflict)
	f.wantCount("log", "1 = 1", 0)
}

func testSeal(t *testing.T, h Harness) {
	f := start(t, h, nil)
	sealed, done := effect(), effect()
	for range 2 { // sealing twice is sealing
		if stored, applied, err := f.Seal(t.Context(), *sealed); stored != nil || applied || err != nil {
			t.Errorf("Seal = %s, %t, %v, want nothing", stored, applied, err)
		}
	}
	_, err := f.Run(t.Context(), logOp("x"), sealed)
	wantCode(t, err, job.CodeCanceled)
	if !errors.Is(err, store.ErrSealed) {
		t.Errorf("err = %v, want %v", err, store.ErrSealed)
	}
	f.wantCount("log", "1 = 1", 0)

	want := f.mustOnce(logOp("y"), done)
	if stored, applied, err := f.Seal(t.Context(), *done); string(stored) != want || !applied || err != nil {
		t.Errorf("Seal = %s, %t, %v, want %s, true", stored, applied, err, want)
	}
}

// A run and a seal at the same time: either the effect happened and the seal
// says so, or it did not and never will.
func testSealRace(t *testing.T, h Harness) {
	f := start(t, h, nil)
	for round := range 40 {
		e := effect()
		nonce := fmt.Sprint("r", round)
		var wg sync.WaitGroup
		var runErr, sealErr error
		var applied bool
		var stored json.RawMessage
		wg.Go(func() { _, runErr = f.Run(t.Context(), logOp(nonce), e) })
		wg.Go(func() { stored, applied, sealErr = f.Seal(t.Context(), *e) })
		wg.Wait()
		if sealErr != nil {
			t.Fatalf("Seal = %v", sealErr)
		}
		if applied != (runErr == nil) || applied != (stored != nil) {
			t.Errorf("applied = %t, stored = %s, run = %v", applied, stored, runErr)
		}
		f.wantCount("log", "nonce = '"+nonce+"'", map[bool]int{true: 1, false: 0}[applied])
	}
}

func testEffectsModes(t *testing.T, h Harness) {
	auto := start(t, h, nil)
	if got := auto.Delivery("insert_one"); got != job.AtLeastOnce {
		t.Errorf("Delivery before the first look = %s, want %s", got, job.AtLeastOnce)
	}
	auto.mustOnce(logOp("auto"), effect()) // makes the table
	auto.wantCount("asyncops_effects", "1 = 1", 1)
	for op, want := range map[string]job.Delivery{"insert_one": job.ExactlyOnceEffect, "select_one": job.ExactlyOnceEffect} {
		if got := auto.Delivery(opOf(op)); got != want {
			t.Errorf("Delivery(%s) = %s, want %s", op, got, want)
		}
	}
	mustExec(t, auto.db.SQL, "DROP TABLE asyncops_effects") // made again by the next write
	auto.mustOnce(logOp("again"), effect())
	auto.wantCount("asyncops_effects", "1 = 1", 1)

	off := start(t, h, func(cfg *store.Config) { cfg.Effects = store.EffectsOff })
	e := effect()
	off.mustOnce(logOp("off"), e)
	off.mustOnce(logOp("off"), e)
	off.wantCount("log", "1 = 1", 2)
	if got := off.Delivery("insert_one"); got != job.AtLeastOnce {
		t.Errorf("Delivery with effects off = %s, want %s", got, job.AtLeastOnce)
	}
	if _, applied, err := off.Seal(t.Context(), *e); applied || err != nil {
		t.Errorf("Seal with effects off = %t, %v, want false", applied, err)
	}
	_, err := off.Run(t.Context(), logOp("off"), &store.Effect{Job: job.NewID(), Required: true})
	wantCode(t, err, job.CodeEffectsMissing)

	required := start(t, h, func(cfg *store.Config) { cfg.Effects = store.EffectsRequired })
	_, err = required.Run(t.Context(), logOp("x"), effect())
	if failure := wantCode(t, err, job.CodeEffectsMissing); failure.Class != job.ClassRetryable || !errors.Is(err, job.ErrEffectsMissing) {
		t.Errorf("failure = %+v, want a retryable one that is %v", failure, job.ErrEffectsMissing)
	}
	if !required.EffectsMissing() {
		t.Error("EffectsMissing() = false, want true")
	}
	required.wantCount("log", "1 = 1", 0)
	mustExec(t, required.db.SQL, required.MigrationSQL())
	if h := required.Health(t.Context()); h.Status != store.StatusOK || h.Effects != store.EffectsPresent {
		t.Errorf("Health after the migration = %+v, want ok", h)
	}
	required.mustOnce(logOp("x"), effect())
}

func testPrune(t *testing.T, h Harness) {
	f := start(t, h, nil)
	for range 5 {
		f.mustOnce(logOp("x"), effect())
	}
	if n, err := f.PruneEffects(t.Context(), time.Now().Add(-time.Hour), 100); n != 0 || err != nil {
		t.Errorf("PruneEffects of an hour ago = %d, %v, want 0", n, err)
	}
	later := time.Now().Add(time.Hour)
	for _, want := range []int64{3, 2, 0} {
		if n, err := f.PruneEffects(t.Context(), later, 3); n != want || err != nil {
			t.Errorf("PruneEffects = %d, %v, want %d", n, err, want)
		}
	}
}

// testPruneAll is for more records than one statement removes, and then for a
// time from which everything is kept.
func testPruneAll(t *testing.T, h Harness) {
	f := start(t, h, nil)
	const many = 520
	for range many {
		f.mustOnce(logOp("x"), effect())
	}
	for _, round := range []struct {
		before time.Time
		err    error
		want   int
	}{{time.Time{}, errors.New("the ledger is away"), many}, {time.Now().Add(-time.Hour), nil, many}, {time.Now().Add(time.Hour), nil, 0}} {
		ctx, stop := context.WithCancel(t.Context())
		asked, ended := make(chan struct{}), make(chan error, 1)
		go func() {
			ended <- f.Prune(ctx, func(context.Context) (time.Time, error) {
				close(asked)
				return round.before, round.err
			})
		}()
		<-asked
		if round.want == 0 {
			testkit.Eventually(t, time.Minute, 10*time.Millisecond, func() error {
				if n := f.count("asyncops_effects", "1 = 1"); n > 0 {
					return fmt.Errorf("%d records are left", n)
				}
				return nil
			})
		}
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Prune = %v, want nil", err)
		}
		f.wantCount("asyncops_effects", "1 = 1", round.want)
	}
}

func testConcurrentMigrate(t *testing.T, h Harness) {
	db := h.Database(t)
	mustExec(t, db.SQL, h.DDL.Log)
	var wg sync.WaitGroup
	for range 5 { // as many workers start at once
		cfg := db.Config
		cfg.Tables = allTables()
		target := open(t, cfg, nil)
		wg.Go(func() {
			if _, err := target.Run(t.Context(), logOp("x"), &store.Effect{Job: job.NewID(), Required: true}); err != nil {
				t.Errorf("Run = %v", err)
			}
		})
	}
	wg.Wait()
	fixture{t: t, db: db}.wantCount("asyncops_effects", "1 = 1", 5)
}
