package storetest

import (
	"testing"
	"time"

	"github.com/asyncops/asyncops/cache"
	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
)

// testWarm: what is warmed is found by reads that say the same, until a write.
func testWarm(t *testing.T, h Harness) {
	f := startCached(t, h, func(cfg *store.Config) { cfg.Cache.MaxRows = 2 })
	f.people()
	read := dbop.Operation{Op: dbop.SelectOne, Table: "users", Columns: []string{"name"}, Where: eq("email", str("ada@x"))}
	key := store.Cached{Key: "ada", TTL: time.Hour}
	for i, fresh := range []bool{false, true} {
		if got, err := f.Warm(t.Context(), read, key); err != nil || got != fresh {
			t.Errorf("Warm %d = %t, %v; want fresh: %t", i, got, err, fresh)
		}
	}
	f.wantCached(read, key, `{"row":{"name":"Ada"},"cached":true}`)
	mustExec(t, f.db.SQL, "UPDATE users SET name = 'Eva' WHERE email = 'ada@x'") // past asyncops
	// What has less than three fifths of a life left is read again.
	if fresh, err := f.Warm(t.Context(), read, store.Cached{Key: "ada", TTL: 2 * time.Hour}); err != nil || fresh {
		t.Errorf("Warm for two hours of what is kept for one = %t, %v; want it read", fresh, err)
	}
	f.wantCached(read, key, `{"row":{"name":"Eva"},"cached":true}`)
	f.must(dbop.Operation{Op: dbop.UpdateOne, Table: "users", Where: eq("email", str("ada@x")), Set: []dbop.Assignment{set("name", str("Zoe"))}})
	if fresh, err := f.Warm(t.Context(), read, key); err != nil || fresh {
		t.Errorf("Warm after a write = %t, %v; want it read", fresh, err)
	}
	f.wantCached(read, key, `{"row":{"name":"Zoe"},"cached":true}`)

	_, err := f.Warm(t.Context(), dbop.Operation{Op: dbop.SelectMany, Table: "users", Limit: 10}, key)
	wantCode(t, err, job.CodeNotKept)
	_, err = f.Warm(t.Context(), dbop.Operation{Op: dbop.SelectOne, Table: "secrets"}, key)
	if err == nil {
		t.Error("a table that is not listed was warmed")
	}
	if s := f.Stats(); s.CacheMisses != 0 {
		t.Errorf("Stats = %+v, want warming not counted", s)
	}
	off := start(t, h, nil)
	off.people()
	_, err = off.Warm(t.Context(), read, key)
	wantCode(t, err, job.CodeNotKept)
	if cache.Ahead(time.Hour) <= time.Hour/2 {
		t.Error("what is warmed twice in a life is not always there")
	}
}
