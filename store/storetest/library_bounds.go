package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/internal/testkit"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
	"github.com/uptrace/bun"
)

// entry is a row of the table log.
type entry struct {
	bun.BaseModel `bun:"table:log"`

	Nonce string
}

// More rows than a read may return are no answer that is cut short.
func testTypedBounds(t *testing.T, h Harness) {
	f := start(t, h, nil)
	rows := make([]entry, dbop.MaxLimit)
	for i := range rows {
		rows[i].Nonce = fmt.Sprint(i)
	}
	must(store.InsertMany(t.Context(), f, rows))(t)
	if got, err := store.SelectMany[entry](t.Context(), f); len(got) != dbop.MaxLimit || err != nil {
		t.Errorf("SelectMany = %d rows, %v, want %d", len(got), err, dbop.MaxLimit)
	}
	must(store.InsertOne(t.Context(), f, &rows[0]))(t)
	if got, err := store.SelectMany[entry](t.Context(), f); codeOf(err) != job.CodeTooManyRows {
		t.Errorf("SelectMany = %d rows, %v, want %s", len(got), err, job.CodeTooManyRows)
	}
	if got, err := store.SelectMany[entry](t.Context(), f, store.Limit(dbop.MaxLimit)); len(got) != dbop.MaxLimit || err != nil {
		t.Errorf("SelectMany with a limit = %d rows, %v, want %d", len(got), err, dbop.MaxLimit)
	}
}

// A read ends where its values are too many bytes, a job's too.
func testReadBytes(t *testing.T, h Harness) {
	// Under the race detector it takes long.
	f := start(t, h, func(cfg *store.Config) { cfg.StatementTimeout = 5 * time.Minute })
	const rows, fit = 18, 2 // of 4 MiB each
	must(store.InsertOne(t.Context(), f, &entry{Nonce: strings.Repeat("x", 4<<20)}))(t)
	for f.count("log", "1 = 1") < rows {
		mustExec(t, f.db.SQL, "INSERT INTO log (nonce) SELECT nonce FROM (SELECT nonce FROM log) AS copied LIMIT 8")
	}
	if got, err := store.SelectMany[entry](t.Context(), f); codeOf(err) != job.CodeResultTooLarge {
		t.Errorf("SelectMany = %d rows, %v, want %s", len(got), err, job.CodeResultTooLarge)
	}
	f.wantFailure(dbop.Operation{Op: dbop.SelectMany, Table: "log", Limit: rows}, job.CodeResultTooLarge)
	if got, err := store.SelectMany[entry](t.Context(), f, store.Limit(fit)); len(got) != fit || err != nil {
		t.Errorf("SelectMany of a few = %d rows, %v, want %d", len(got), err, fit)
	}
}

// Typed operations are seen as those of jobs are, without their values.
func testTypedObserved(t *testing.T, h Harness) {
	f := start(t, h, nil)
	cfg := f.db.Config
	cfg.Tables, cfg.SlowQuery = allTables(), time.Nanosecond
	var log bytes.Buffer
	var seen recorder
	target, err := store.Open(cfg, slog.New(slog.NewTextHandler(&log, nil)), &seen)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = target.Close() }()
	ctx := t.Context()
	must(store.InsertOne(ctx, target, &user{Email: "top secret"}))(t)
	must(store.SelectOne[user](ctx, target, store.Eq("email", "top secret")))(t)
	must(store.Count[user](ctx, target, store.Eq("email", "top secret")))(t)
	err = target.Transaction(ctx, func(tx *store.Tx) error {
		if _, err := store.UpdateOne[user](ctx, tx, store.Eq("email", "top secret"), store.Set("name", "top secret")); err != nil {
			return err
		}
		_, err := store.DeleteMany[entry](ctx, tx, store.Eq("nonce", "top secret"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	_ = target.Transaction(ctx, func(*store.Tx) error { return errOwn }) // no failure of the database's
	want := "wait, query insert_one, slow insert_one, wait, query select_one, slow select_one, wait, query select_many, slow select_many, " +
		"wait, query transaction, slow transaction, wait, query transaction, slow transaction"
	if got := strings.Join(seen.events, ", "); got != want {
		t.Errorf("observed %q, want %q", got, want)
	}
	text := log.String()
	for _, part := range []string{"INSERT INTO", "SELECT ", "UPDATE ", "DELETE ", `table="users, log"`} {
		if !strings.Contains(text, part) {
			t.Errorf("the log is %q, want %s in it", text, part)
		}
	}
	if strings.Contains(text, "top secret") {
		t.Errorf("the log is %q, want no values", text)
	}
}

// Typed operations share the target's slots with jobs.
func testTypedPool(t *testing.T, h Harness) {
	f := start(t, h, func(cfg *store.Config) { cfg.PoolSize, cfg.PoolTimeout = 2, 50*time.Millisecond })
	ctx := t.Context()
	begun, end := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		err := f.Transaction(ctx, func(*store.Tx) error {
			close(begun)
			<-end
			return nil
		}, store.ReadOnly())
		if err != nil {
			t.Errorf("Transaction = %v", err)
		}
	})
	<-begun
	stop := f.busy(1)
	if _, err := store.SelectOne[entry](ctx, f); codeOf(err) != job.CodePoolTimeout {
		t.Errorf("SelectOne = %v, want %s", err, job.CodePoolTimeout)
	}
	if err := f.Transaction(ctx, func(*store.Tx) error { return nil }); codeOf(err) != job.CodePoolTimeout {
		t.Errorf("Transaction = %v, want %s", err, job.CodePoolTimeout)
	}
	stop()
	close(end)
	wg.Wait()
	if _, err := store.Count[entry](ctx, f); err != nil {
		t.Errorf("Count = %v", err)
	}
}

// slept is a row of the view slow.
type slept struct {
	bun.BaseModel `bun:"table:slow"`

	ID int
}

func testTypedInterrupted(t *testing.T, h Harness) {
	f := start(t, h, nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- f.Transaction(ctx, func(tx *store.Tx) error {
			_, err := store.SelectOne[slept](ctx, tx)
			return err
		}, store.ReadOnly())
	}()
	f.awaitStats(func(s store.Stats) bool { return s.InUse == 1 })
	cancel()
	if err := <-done; codeOf(err) != job.CodeHandedBack {
		t.Errorf("Transaction = %v, want %s", err, job.CodeHandedBack)
	}
	f.wantNothingRuns(t)
	testkit.Eventually(t, patience, 5*time.Millisecond, func() error {
		if s := f.Stats(); s.InUse != 0 {
			return fmt.Errorf("Stats() = %+v", s)
		}
		return nil
	})
}

// gone is a row of the table users that is deleted by a mark.
type gone struct {
	bun.BaseModel `bun:"table:users"`

	ID     int64 `bun:",pk,autoincrement"`
	Name   string
	SeenAt *time.Time `bun:",soft_delete"`
}

func testSoftDelete(t *testing.T, h Harness) {
	f := start(t, h, nil)
	f.people()
	ctx := t.Context()
	for _, c := range []struct {
		name      string
		do        func() (int64, error)
		want      int64
		seen, all int64
	}{
		{"delete", func() (int64, error) { return store.DeleteOne[gone](ctx, f, store.Eq("name", "Ada")) }, 1, 2, 3},
		{"again", func() (int64, error) { return store.DeleteOne[gone](ctx, f, store.Eq("name", "Ada")) }, 0, 2, 3},
		{"update", func() (int64, error) {
			return store.UpdateMany[gone](ctx, f, store.Gt("id", 0), store.Set("name", "x"))
		}, 2, 2, 3},
		{"update all", func() (int64, error) {
			return store.UpdateMany[gone](ctx, f, store.WithDeleted(), store.Gt("id", 0), store.Set("name", "y"))
		}, 3, 2, 3},
		{"delete many", func() (int64, error) { return store.DeleteMany[gone](ctx, f, store.Gt("id", 2)) }, 1, 1, 3},
		{"for good", func() (int64, error) {
			return store.DeleteMany[gone](ctx, f, store.WithDeleted(), store.Gt("id", 2))
		}, 1, 1, 2},
	} {
		if n, err := c.do(); n != c.want || err != nil {
			t.Errorf("%s = %d, %v, want %d", c.name, n, err, c.want)
		}
		if n := must(store.Count[gone](ctx, f))(t); n != c.seen {
			t.Errorf("%s: Count = %d, want %d", c.name, n, c.seen)
		}
		if got := must(store.SelectMany[gone](ctx, f, store.WithDeleted()))(t); int64(len(got)) != c.all {
			t.Errorf("%s: SelectMany with those that are deleted = %d rows, want %d", c.name, len(got), c.all)
		}
	}
	if _, err := store.DeleteMany[gone](ctx, f); codeOf(err) != job.CodeInvalid { // the mark is no condition
		t.Errorf("DeleteMany without a condition = %v, want %s", err, job.CodeInvalid)
	}
}

// hooked has bun's hooks.
type hooked struct {
	bun.BaseModel `bun:"table:users"`

	ID    int64 `bun:",pk,autoincrement"`
	Name  string
	Email string
	read  bool
}

var (
	_ bun.BeforeAppendModelHook = (*hooked)(nil)
	_ bun.AfterScanRowHook      = (*hooked)(nil)
)

func (h *hooked) BeforeAppendModel(_ context.Context, query bun.Query) error {
	if h.Name == "" {
		return errOwn
	}
	h.Email = query.Operation()
	return nil
}

func (h *hooked) AfterScanRow(context.Context) error {
	h.read = true
	return nil
}

func testHooks(t *testing.T, h Harness) {
	f := start(t, h, nil)
	ctx := t.Context()
	repo := must(store.NewRepository[hooked](f))(t)
	row := hooked{Name: "x"}
	if err := repo.Create(ctx, &row); err != nil {
		t.Fatal(err)
	}
	if got := must(repo.Find(ctx, row.ID))(t); got.Email != "INSERT" || !got.read {
		t.Errorf("Find after Create = %+v, want what the hooks did", got)
	}
	if err := repo.Update(ctx, &row); err != nil {
		t.Fatal(err)
	}
	if got := must(repo.FindBy(ctx))(t); got.Email != "UPDATE" {
		t.Errorf("FindBy after Update = %+v, want what the hook did", got)
	}
	if err := repo.Create(ctx, &hooked{}); !errors.Is(err, errOwn) {
		t.Errorf("Create = %v, want the hook's %v", err, errOwn)
	}
	if err := repo.CreateMany(ctx, []hooked{{Name: "y"}, {}}); !errors.Is(err, errOwn) {
		t.Errorf("CreateMany = %v, want the hook's %v", err, errOwn)
	}
	f.wantCount("users", "1 = 1", 1)
}
