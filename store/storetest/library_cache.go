package storetest

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asyncops/asyncops/cache"
	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
	"github.com/uptrace/bun"
)

// startKept makes the fixture with a cache and the table things.
func startKept(t *testing.T, h Harness) fixture {
	t.Helper()
	kept, err := cache.Open(cache.Config{MaxBytes: 16 << 20}, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := kept.Close(); err != nil {
			t.Error(err)
		}
	})
	return startTyped(t, h, func(cfg *store.Config) { cfg.Cache = store.QueryCache{In: kept, MaxRows: 3} })
}

// hits runs f and returns how many reads the cache answered meanwhile.
func (f fixture) hits(run func()) int64 {
	before := f.Stats().CacheHits
	run()
	return f.Stats().CacheHits - before
}

var forAnHour = store.CacheFor(time.Hour)

// What a read found is kept until somebody writes to the table, a job or a typed
// operation, and no longer.
func testKeptRows(t *testing.T, h Harness) {
	f := startKept(t, h)
	ctx := t.Context()
	f.people()
	ada := []store.SelectOption{store.Eq("email", "ada@x"), forAnHour}
	find := func() *user { return must(store.SelectOne[user](ctx, f, ada...))(t) }
	first := find()
	if n := f.hits(func() {
		for range 3 {
			if got := find(); !reflect.DeepEqual(got, first) {
				t.Errorf("SelectOne from the cache = %+v, want %+v", got, first)
			}
		}
	}); n != 3 {
		t.Errorf("%d answers from the cache, want 3", n)
	}
	if n := f.hits(func() { must(store.SelectOne[user](ctx, f, ada[0]))(t) }); n != 0 {
		t.Errorf("%d answers from the cache to a read that has not asked for it, want 0", n)
	}
	for i, write := range []func() error{
		func() error {
			return errOf(store.UpdateOne[user](ctx, f, store.Eq("email", "ada@x"), store.Set("name", "n0")))
		},
		func() error {
			return errOf(store.UpdateMany[user](ctx, f, store.Eq("email", "ada@x"), store.Set("name", "n1")))
		},
		func() error { // a job
			return errOf(f.Run(ctx, dbop.Operation{Op: dbop.UpdateOne, Table: "users", Where: eq("email", str("ada@x")), Set: []dbop.Assignment{set("name", str("n2"))}}, effect()))
		},
		func() error {
			return f.Transaction(ctx, func(tx *store.Tx) error {
				return errOf(store.UpdateOne[user](ctx, tx, store.Eq("email", "ada@x"), store.Set("name", "n3")))
			})
		},
		func() error {
			return errOf(store.InsertOne(ctx, f, &user{Email: "ada@x", Name: "n4"}, store.OnConflictUpdate([]string{"email"}, "name")))
		},
		func() error {
			return errOf(store.InsertMany(ctx, f, []user{{Email: "ada@x", Name: "n5"}}, store.OnConflictUpdate([]string{"email"}, "name")))
		},
	} {
		find()
		if err := write(); err != nil {
			t.Fatalf("write %d: %v", i, err)
		}
		if got, want := find().Name, fmt.Sprint("n", i); got != want {
			t.Errorf("after write %d the name is %q, want %q", i, got, want)
		}
	}
	must(store.DeleteMany[user](ctx, f, store.Eq("email", "ada@x")))(t)
	for range 2 {
		if _, err := store.SelectOne[user](ctx, f, ada...); !errors.Is(err, job.ErrNotFound) {
			t.Errorf("SelectOne after the delete = %v, want %v", err, job.ErrNotFound)
		}
	}
	mustExec(t, f.db.SQL, "INSERT INTO users (email, name) VALUES ('past@x', 'Past')") // past the store
	must(store.SelectMany[user](ctx, f, forAnHour))(t)
	mustExec(t, f.db.SQL, "DELETE FROM users WHERE email = 'past@x'")
	if n := len(must(store.SelectMany[user](ctx, f, forAnHour))(t)); n != 3 {
		t.Errorf("%d rows from the cache, want the 3 that there were", n)
	}
	if err := f.InvalidateCache([]string{"users"}, nil); err != nil {
		t.Fatal(err)
	}
	if n := len(must(store.SelectMany[user](ctx, f, forAnHour))(t)); n != 2 {
		t.Errorf("%d rows, want 2", n)
	}
	must(store.InsertMany(ctx, f, []user{{Email: "a"}, {Email: "b"}}))(t) // more than max_rows
	if n := f.hits(func() {
		for range 2 {
			must(store.SelectMany[user](ctx, f, forAnHour))(t)
		}
	}); n != 0 {
		t.Errorf("%d answers from the cache of more rows than it keeps, want 0", n)
	}
}

// narrow is a row of the table things with less of it.
type narrow struct {
	bun.BaseModel `bun:"table:things"`

	ID    int64 `bun:",pk"`
	Price float64
	Label string
}

// Values come out of the cache as they come out of the database.
func testKeptValues(t *testing.T, h Harness) {
	f := startKept(t, h)
	ctx := t.Context()
	in := thing{
		Big: -5, Ratio: 0.1, Price: "-12.50", OK: true, At: time.Date(2026, 3, 29, 1, 30, 0, 123456000, time.UTC), Day: time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC),
		Raw: []byte("\x00\xff"), Doc: document{Title: "ü", Tags: []string{"a"}, Sizes: map[string]int64{"x": 1}}, Label: "it's", Rank: ptr(int32(7)),
	}
	must(store.InsertOne(ctx, f, &in))(t)
	must(store.InsertOne(ctx, f, &thing{Price: "1.00", At: in.At, Day: in.Day}))(t)
	want := must(store.SelectMany[thing](ctx, f))(t)
	for range 2 {
		got := must(store.SelectMany[thing](ctx, f, forAnHour))(t)
		for i := range got {
			for _, at := range []*time.Time{&got[i].At, &got[i].Day, &got[i].Made, &want[i].At, &want[i].Day, &want[i].Made} {
				*at = at.UTC()
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("SelectMany through the cache = %+v, want %+v", got, want)
		}
		got[0].Raw[0], got[0].Doc.Tags[0] = 'x', "x" // nobody else's
	}
	for range 2 {
		if got := must(store.SelectOne[narrow](ctx, f, store.Eq("id", in.ID), forAnHour))(t); got.Label != "it's" || got.Price != -12.5 {
			t.Errorf("SelectOne of less columns = %+v, want those of %+v", got, in)
		}
		columns := store.Columns("id", "label")
		if got := must(store.SelectOne[thing](ctx, f, columns, forAnHour))(t); got.Label != "it's" || got.Price != "" {
			t.Errorf("SelectOne of two columns = %+v", got)
		}
	}
	if s := f.Stats(); s.CacheHits != 3 || s.CacheMisses != 3 {
		t.Errorf("Stats() = %+v, want 3 hits and 3 misses", s)
	}
}

// A transaction reads the database, and what it has not committed is nobody
// else's.
func testKeptInTx(t *testing.T, h Harness) {
	f := startKept(t, h)
	ctx := t.Context()
	f.people()
	users := must(store.NewRepository[user](f))(t)
	names := func(r *store.Repository[user]) string {
		var all []string
		for _, u := range must(r.FindAll(ctx, forAnHour))(t) {
			all = append(all, u.Name)
		}
		return strings.Join(all, " ")
	}
	names(users)
	rename := func(name string, result error) {
		err := f.Transaction(ctx, func(tx *store.Tx) error {
			if err := errOf(users.In(tx).UpdateBy(ctx, store.Eq("email", "ada@x"), store.Set("name", name))); err != nil {
				return err
			}
			if got, want := names(users.In(tx)), name+" Bob Eve"; got != want {
				t.Errorf("in the transaction: %q, want %q", got, want)
			}
			if got, want := names(users), "Ada Bob Eve"; got != want {
				t.Errorf("outside of it: %q, want %q", got, want)
			}
			return result
		})
		if !errors.Is(err, result) {
			t.Errorf("Transaction = %v, want %v", err, result)
		}
	}
	rename("Lost", errOwn)
	if n := f.hits(func() { names(users) }); n != 1 {
		t.Errorf("%d answers from the cache after a transaction that was rolled back, want 1", n)
	}
	rename("Kept", nil)
	if got, want := names(users), "Kept Bob Eve"; got != want {
		t.Errorf("after the commit: %q, want %q", got, want)
	}
}

// Whoever has written reads what was written, or newer, however many write and
// read through the cache at the same time.
func testKeptRowsOfWriters(t *testing.T, h Harness) {
	f := startKept(t, h)
	ctx := t.Context()
	must(store.InsertOne(ctx, f, &user{Email: "n", Age: ptr(0)}))(t)
	counted := func() int { return *must(store.SelectOne[user](ctx, f, store.Eq("email", "n"), forAnHour))(t).Age }
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 25 {
				before := counted()
				if _, err := store.UpdateOne[user](ctx, f, store.Eq("email", "n"), store.Inc("age", 1)); err != nil {
					t.Errorf("UpdateOne = %v", err)
					return
				}
				if after := counted(); after <= before {
					t.Errorf("read %d, added 1, and read %d", before, after)
				}
			}
		})
	}
	wg.Wait()
	if got := counted(); got != 100 {
		t.Errorf("counted %d, want 100", got)
	}
}
