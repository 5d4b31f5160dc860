package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asyncops/asyncops/cache"
	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
)

// cached is the part of the suite that is about the cache.
func cached() map[string]func(*testing.T, Harness) {
	return map[string]func(*testing.T, Harness){
		"cached reads": testCachedReads, "writes invalidate": testWritesInvalidate, "cached lost commit": testCachedLostCommit,
		"cached views": testCachedViews, "cache bounds": testCacheBounds, "cached reads are never behind": testCachedNeverBehind,
		"cached queries": testCachedQueries, "warmed reads": testWarm,
	}
}

// startCached makes the fixture with a cache of its own.
func startCached(t *testing.T, h Harness, change func(*store.Config)) fixture {
	t.Helper()
	in := newCache(t)
	return start(t, h, func(cfg *store.Config) {
		cfg.Cache.In = in
		if change != nil {
			change(cfg)
		}
	})
}

func newCache(t *testing.T) *cache.Cache {
	t.Helper()
	in, err := cache.Open(cache.Config{}, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close() })
	return in
}

// wantCached checks the result of a read that may use the cache.
func (f fixture) wantCached(op dbop.Operation, c store.Cached, want string) {
	f.t.Helper()
	res, err := f.RunCached(f.t.Context(), op, c)
	if err != nil {
		f.t.Fatalf("RunCached(%s) = %v", op.Op, err)
	}
	if string(res.JSON) != want || res.Cached != strings.HasSuffix(want, `"cached":true}`) {
		f.t.Errorf("RunCached(%s) = %s, cached %t, want %s", op.Op, res.JSON, res.Cached, want)
	}
}

func testCachedReads(t *testing.T, h Harness) {
	f := startCached(t, h, nil)
	f.people()
	key := store.Cached{Key: "people"}
	one := dbop.Operation{Op: dbop.SelectOne, Table: "users", Columns: []string{"name"}, Where: eq("email", str("ada@x"))}
	two := one
	two.Where = eq("email", str("bob@x"))
	many := dbop.Operation{Op: dbop.SelectMany, Table: "users", Columns: []string{"name"}, Limit: 2}
	for _, answered := range []string{"false", "true"} {
		f.wantCached(one, key, `{"row":{"name":"Ada"},"cached":`+answered+`}`)
		f.wantCached(two, key, `{"row":{"name":"Bob"},"cached":`+answered+`}`) // the same key, and another read
		f.wantCached(many, key, `{"rows":[{"name":"Ada"},{"name":"Bob"}],"count":2,"cached":`+answered+`}`)
	}
	if res, err := f.RunCached(t.Context(), many, key); err != nil || res.Rows != 2 {
		t.Errorf("RunCached = %+v, %v, want 2 rows", res, err)
	}
	f.want(one, `{"row":{"name":"Ada"},"cached":false}`)
	if s := f.Stats(); s.CacheHits != 4 || s.CacheMisses != 3 {
		t.Errorf("Stats = %d hits, %d misses, want 4 and 3", s.CacheHits, s.CacheMisses)
	}
	mustExec(t, f.db.SQL, "UPDATE users SET name = 'Eva'") // past asyncops
	f.wantCached(one, key, `{"row":{"name":"Ada"},"cached":true}`)
	for what, invalidate := range map[string]func() error{
		"table": func() error { return f.InvalidateCache([]string{"users"}, nil) },
		"key":   func() error { return f.InvalidateCache(nil, []string{"people"}) },
	} {
		if err := invalidate(); err != nil {
			t.Fatalf("InvalidateCache of a %s = %v", what, err)
		}
		f.wantCached(one, key, `{"row":{"name":"Eva"},"cached":false}`)
		f.wantCached(one, key, `{"row":{"name":"Eva"},"cached":true}`)
	}
	_, err := f.RunCached(t.Context(), dbop.Operation{Op: dbop.SelectOne, Table: "users", Where: eq("nope", str("x"))}, key)
	wantCode(t, err, job.CodeUnknownColumn)
	_, err = f.RunCached(t.Context(), dbop.Operation{Op: dbop.SelectOne, Table: "secrets"}, key)
	if err == nil {
		t.Error("a table that is not listed was read through the cache")
	}
}

// testWritesInvalidate: a read after a write is never answered with what was
// there before, whatever the write was; one that changed nothing leaves the cache
// alone.
func testWritesInvalidate(t *testing.T, h Harness) {
	f := startCached(t, h, func(cfg *store.Config) {
		cfg.Tables["others"], cfg.Tables["loose"] = store.Table{Write: true}, store.Table{Write: true}
	})
	mustExec(t, f.db.SQL, "CREATE TABLE others (id INTEGER PRIMARY KEY)")
	mustExec(t, f.db.SQL, "CREATE TABLE loose (id INTEGER)")
	if err := f.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.people()
	read := dbop.Operation{Op: dbop.SelectMany, Table: "users", Columns: []string{"name"}, OrderBy: []dbop.Order{{Column: "id"}}}
	other := dbop.Operation{Op: dbop.SelectMany, Table: "log", Columns: []string{"nonce"}}
	written := effect()
	operation := func(op dbop.Operation, e *store.Effect) func() error {
		return func() error { _, err := f.Run(context.Background(), op, e); return err }
	}
	ada := eq("email", str("ada@x"))
	transaction := func(steps ...string) func() error {
		return func() error { _, err := f.runTransaction(steps[0], effect()); return err }
	}
	for _, c := range []struct {
		name  string
		write func() error
		stale bool
		fails bool
	}{
		{"insert_one", operation(insertUser(set("name", str("New"))), nil), true, false},
		{"insert_one with a record", operation(insertUser(set("name", str("New"))), written), true, false},
		{"the same again, of a process that died before it told", operation(insertUser(set("name", str("New"))), written), true, false},
		{"insert_one returning", operation(dbop.Operation{Op: dbop.InsertOne, Table: "users", Rows: [][]dbop.Assignment{{set("name", str("R"))}}, Returning: []string{"id"}}, effect()), true, false},
		{"insert_many", operation(dbop.Operation{Op: dbop.InsertMany, Table: "users", Rows: [][]dbop.Assignment{{set("name", str("M"))}}}, effect()), true, false},
		{"update_one", operation(dbop.Operation{Op: dbop.UpdateOne, Table: "users", Where: ada, Set: []dbop.Assignment{set("name", str("U"))}}, effect()), true, false},
		{"update_many", operation(dbop.Operation{Op: dbop.UpdateMany, Table: "users", Where: ada, Set: []dbop.Assignment{set("name", str("V"))}}, nil), true, false},
		{"transaction", transaction(`{"operations":[{"op":"select_one","table":"log"},{"op":"update_one","table":"users","where":{"email":"ada@x"},"values":{"name":"T"}}]}`), true, false},
		{"delete_one", operation(dbop.Operation{Op: dbop.DeleteOne, Table: "users", Where: ada}, effect()), true, false},
		{"delete_many", operation(dbop.Operation{Op: dbop.DeleteMany, Table: "users", Where: eq("name", str("New"))}, effect()), true, false},
		{"sealed after it was written", func() error { _, _, err := f.Seal(context.Background(), *written, insertUser()); return err }, true, false},
		{"refused", operation(insertUser(set("email", str("bob@x"))), effect()), false, true},
		{"rolled back", transaction(`{"operations":[{"op":"update_one","table":"users","where":{"email":"bob@x"},"values":{"name":"W"}},` +
			`{"op":"insert_one","table":"users","values":{"email":"eve@x"}}]}`), false, true},
		{"of another table", operation(dbop.Operation{Op: dbop.InsertOne, Table: "others", Rows: [][]dbop.Assignment{{set("id", num("1"))}}}, effect()), false, false},
		{"of what may be a view of the table", operation(dbop.Operation{Op: dbop.InsertOne, Table: "loose", Rows: [][]dbop.Assignment{{set("id", num("1"))}}}, effect()), true, false},
		{"reading transaction", transaction(`{"operations":[{"op":"select_one","table":"users"}]}`), false, false},
	} {
		f.must(read)
		if _, err := f.RunCached(t.Context(), read, store.Cached{}); err != nil {
			t.Fatal(err)
		}
		if res, err := f.RunCached(t.Context(), read, store.Cached{}); err != nil || !res.Cached {
			t.Fatalf("before %s: the read is not cached: %+v, %v", c.name, res, err)
		}
		if err := c.write(); (err != nil) != c.fails {
			t.Fatalf("%s = %v", c.name, err)
		}
		res, err := f.RunCached(t.Context(), read, store.Cached{})
		if err != nil {
			t.Fatal(err)
		}
		if res.Cached == c.stale {
			t.Errorf("after %s: cached = %t, want %t", c.name, res.Cached, !c.stale)
		}
	}
	f.must(other)
}

// testCachedLostCommit: a write whose outcome is not known makes stale what it
// may have changed.
func testCachedLostCommit(t *testing.T, h Harness) {
	if h.Server == nil {
		t.Skip("this database has no connection to lose")
	}
	server := h.Server(t)
	in := newCache(t)
	f := startOn(t, h, server.Database, func(cfg *store.Config) { cfg.Cache.In = in })
	if err := f.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	cfg := server.LoseReply("COMMIT")
	cfg.Tables, cfg.Cache.In, cfg.Retry.Attempts = allTables(), in, 1
	through := open(t, cfg, nil)
	read := dbop.Operation{Op: dbop.SelectMany, Table: "log"}
	f.wantCached(read, store.Cached{}, `{"rows":[],"count":0,"cached":false}`)
	f.wantCached(read, store.Cached{}, `{"rows":[],"count":0,"cached":true}`)
	if _, err := through.Run(t.Context(), logOp("x"), effect()); err == nil {
		t.Fatal("the commit was to be lost")
	}
	if res, err := f.RunCached(t.Context(), read, store.Cached{}); err != nil || res.Cached {
		t.Errorf("RunCached = %+v, %v, want a look at the database", res, err)
	}
}

// testCachedViews: what is read from a view is stale after a write to any table.
func testCachedViews(t *testing.T, h Harness) {
	f := startCached(t, h, func(cfg *store.Config) { cfg.Tables["names"] = store.Table{} })
	mustExec(t, f.db.SQL, "CREATE VIEW names AS SELECT name FROM users")
	f.people()
	read := dbop.Operation{Op: dbop.SelectMany, Table: "names", Where: eq("name", str("Zoe"))}
	f.wantCached(read, store.Cached{}, `{"rows":[],"count":0,"cached":false}`)
	f.wantCached(read, store.Cached{}, `{"rows":[],"count":0,"cached":true}`)
	f.must(insertUser(set("name", str("Zoe"))))
	f.wantCached(read, store.Cached{}, `{"rows":[{"name":"Zoe"}],"count":1,"cached":false}`)
}

func testCacheBounds(t *testing.T, h Harness) {
	f := startCached(t, h, func(cfg *store.Config) { cfg.Cache.MaxRows = 2 })
	f.people()
	all := dbop.Operation{Op: dbop.SelectMany, Table: "users", Columns: []string{"name"}, OrderBy: []dbop.Order{{Column: "name"}}}
	for range 2 {
		f.wantCached(all, store.Cached{}, `{"rows":[{"name":"Ada"},{"name":"Bob"},{"name":"Eve"}],"count":3,"cached":false}`)
	}
	all.Limit = 2
	f.wantCached(all, store.Cached{}, `{"rows":[{"name":"Ada"},{"name":"Bob"}],"count":2,"cached":false}`)
	f.wantCached(all, store.Cached{}, `{"rows":[{"name":"Ada"},{"name":"Bob"}],"count":2,"cached":true}`)
	short := dbop.Operation{Op: dbop.SelectOne, Table: "users", Columns: []string{"name"}, Where: eq("name", str("Eve"))}
	f.wantCached(short, store.Cached{TTL: time.Millisecond}, `{"row":{"name":"Eve"},"cached":false}`)
	deadline := time.Now().Add(time.Minute)
	for {
		res, err := f.RunCached(t.Context(), short, store.Cached{TTL: time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		if !res.Cached {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a result is there long after its ttl")
		}
	}
}

// testCachedNeverBehind: readers through the cache and writers at the same
// time, and no read is older than a write that had returned when it began.
func testCachedNeverBehind(t *testing.T, h Harness) {
	f := startCached(t, h, nil)
	if err := f.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.must(insertUser(set("email", str("n@x")), set("age", num("0"))))
	where := eq("email", str("n@x"))
	read := dbop.Operation{Op: dbop.SelectOne, Table: "users", Columns: []string{"age"}, Where: where}
	var completed, hits atomic.Int64
	stop := make(chan struct{})
	var readers, writers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				floor := completed.Load()
				age, hit, err := f.cachedAge(read)
				if err != nil || age < floor {
					t.Errorf("a read gave %d after write %d was complete, cached %t, err %v", age, floor, hit, err)
					return
				}
				if hit {
					hits.Add(1)
				}
			}
		})
	}
	const writes = 20
	for range 2 {
		writers.Go(func() {
			for range writes {
				_, err := f.Run(context.Background(), dbop.Operation{Op: dbop.UpdateOne, Table: "users", Where: where,
					Set: []dbop.Assignment{{Column: "age", Op: dbop.Inc, Value: num("1")}}}, effect())
				if err != nil {
					t.Error(err)
					return
				}
				completed.Add(1) // that many at least are in the database
				for before := hits.Load(); hits.Load() == before && !t.Failed(); {
					<-time.After(time.Millisecond) // until there was something to make stale
				}
			}
		})
	}
	writers.Wait()
	close(stop)
	readers.Wait()
	f.wantCached(read, store.Cached{Key: "fresh"}, fmt.Sprintf(`{"row":{"age":%d},"cached":false}`, 2*writes))
}

func (f fixture) cachedAge(read dbop.Operation) (age int64, hit bool, err error) {
	res, err := f.RunCached(context.Background(), read, store.Cached{})
	if err != nil {
		return 0, false, err
	}
	var row struct {
		Row *struct{ Age int64 }
	}
	if err := json.Unmarshal(res.JSON, &row); err != nil {
		return 0, false, err
	}
	if row.Row == nil {
		return 0, false, errors.New("there is no row")
	}
	return row.Row.Age, res.Cached, nil
}

// testCachedQueries: what a named statement reads depends on every table. One
// that writes makes stale what is read from the tables that it names, or all.
func testCachedQueries(t *testing.T, h Harness) {
	f := startCached(t, h, func(cfg *store.Config) {
		withQueries(cfg, nil)
		cfg.Queries["rename"] = store.Query{SQL: "UPDATE users SET name = ? WHERE id = 1", Params: params("name", "string"), Write: true}
	})
	f.must(f.query(addAda))
	names, adas := f.query(`{"name":"names"}`), f.query(`{"name":"by_name","params":{"name":"Zoe"}}`)
	log, logRead := dbop.Operation{Op: dbop.SelectMany, Table: "log"}, `{"rows":[],"count":0,"cached":`
	for _, write := range []struct {
		args, names string
		log         bool // stale, too
	}{
		{`{"name":"touch","params":{"name":"Eva","id":0}}`, "Eva", false},
		{`{"name":"rename","params":{"name":"Ida"}}`, "Ida", true},
	} {
		f.must(f.query(write.args))
		want := `{"rows":[{"name":"` + write.names + `"}],"count":1,"cached":`
		f.wantCached(names, store.Cached{}, want+`false}`)
		f.wantCached(names, store.Cached{}, want+`true}`)
		f.wantCached(adas, store.Cached{}, `{"rows":[],"count":0,"cached":false}`) // other values, another entry
		if write.log {
			f.wantCached(log, store.Cached{}, logRead+`false}`)
		}
		f.wantCached(log, store.Cached{}, map[bool]string{true: logRead + `true}`, false: logRead + `false}`}[write.log])
	}
	for _, want := range []string{"Ida", "Ida", "Eva"} { // rows for Go programs are no different
		if want == "Eva" {
			f.must(f.query(`{"name":"rename","params":{"name":"Eva"}}`))
		}
		got, err := store.SelectOne[user](t.Context(), f, store.Eq("id", 1), store.CacheFor(time.Hour))
		if err != nil || got.Name != want {
			t.Errorf("SelectOne = %+v, %v, want %s", got, err, want)
		}
	}
	f.must(f.query(`{"name":"rename","params":{"name":"Ida"}}`))
	f.must(logOp("x"))
	f.wantCached(names, store.Cached{}, `{"rows":[{"name":"Ida"}],"count":1,"cached":false}`)
}
