package store_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/internal/mysqlconn"
	"github.com/asyncops/asyncops/internal/pgconn"
	"github.com/asyncops/asyncops/internal/testkit"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
)

func testRegistry(t *testing.T) *store.Registry {
	t.Helper()
	r, err := store.NewRegistry(store.Config{Name: "main", Driver: store.Postgres, Tables: map[string]store.Table{
		"users": {Columns: []string{"id", "name", "a/b~"}, Write: true}, "audit": {}, "app.items": {Write: true},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCheckPointsAtWhatIsWrong(t *testing.T) {
	t.Parallel()
	cond := dbop.And{dbop.Or{dbop.Not{Cond: dbop.Compare{Column: "x", Op: dbop.Eq, Value: num("1")}}}, dbop.In{Column: "id"}, dbop.IsNull{Column: "y"}}
	for _, c := range []struct {
		name string
		op   dbop.Operation
		want string // pointer=code
	}{
		{"fine", dbop.Operation{Op: dbop.InsertOne, Table: "users", Returning: []string{"*"}, Rows: [][]dbop.Assignment{{{Column: "name"}}}}, ""},
		{"table", dbop.Operation{Op: dbop.SelectOne, Table: "secrets"}, "/table=unknown_table"},
		{"no table", dbop.Operation{Op: dbop.SelectOne}, "/table=unknown_table"},
		{"star is not a name", dbop.Operation{Op: dbop.SelectOne, Table: "*"}, "/table=unknown_table"},
		{"read only", dbop.Operation{Op: dbop.DeleteOne, Table: "audit"}, "/table=read_only"},
		{"any column", dbop.Operation{Op: dbop.SelectOne, Table: "audit", Columns: []string{"anything"}}, ""},
		{"columns", dbop.Operation{Op: dbop.SelectOne, Table: "users", Columns: []string{"id", "x"}}, "/columns/1=unknown_column"},
		{"where", dbop.Operation{Op: dbop.SelectOne, Table: "users", Where: cond}, "/where=unknown_column /where=unknown_column"},
		{"order", dbop.Operation{Op: dbop.SelectMany, Table: "users", OrderBy: []dbop.Order{{Column: "x"}}}, "/order_by/0=unknown_column"},
		{"values", dbop.Operation{Op: dbop.UpdateOne, Table: "users", Set: []dbop.Assignment{{Column: "a/b~"}, {Column: "c/d~"}}}, "/values/c~1d~0=unknown_column"},
		{"rows", dbop.Operation{Op: dbop.InsertMany, Table: "users", Rows: [][]dbop.Assignment{{}, {{Column: "x"}}}}, "/rows/1/x=unknown_column"},
		{"returning", dbop.Operation{Op: dbop.InsertOne, Table: "users", Returning: []string{"x"}}, "/returning/0=unknown_column"},
		{"star is no column", dbop.Operation{Op: dbop.SelectOne, Table: "users", Columns: []string{"*"}}, "/columns/0=unknown_column"},
		{"on_conflict", dbop.Operation{Op: dbop.InsertOne, Table: "users", OnConflict: &dbop.OnConflict{Columns: []string{"x"}, Update: []string{"y"}}},
			"/on_conflict/columns/0=unknown_column /on_conflict/update/0=unknown_column"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, e := range testRegistry(t).Check(c.op) {
				got = append(got, e.Pointer+"="+e.Code)
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("Check = %q, want %q", got, c.want)
			}
		})
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	where := dbop.And{dbop.Compare{Column: "id", Op: dbop.Gt, Value: num("5")}, dbop.Compare{Column: "name", Op: dbop.Like, Value: str("secret%")}}
	for _, c := range []struct {
		op   dbop.Operation
		want string
	}{
		{dbop.Operation{Op: dbop.SelectMany, Table: "users", Columns: []string{"name"}, Where: where, OrderBy: []dbop.Order{{Column: "id", Descending: true}}, Limit: 10, Offset: 20},
			`SELECT "t"."name" FROM "users" AS "t" WHERE ("t"."id" > $1 AND "t"."name" LIKE $2 ESCAPE '\') ORDER BY "t"."id" DESC LIMIT 10 OFFSET 20`},
		{dbop.Operation{Op: dbop.InsertOne, Table: "users", Rows: [][]dbop.Assignment{{{Column: "name", Value: str("secret")}, {Column: "id", Op: dbop.Now}}}, Returning: []string{"id"},
			OnConflict: &dbop.OnConflict{Columns: []string{"id"}, Action: dbop.ConflictUpdate}},
			`INSERT INTO "users" AS "t" ("name", "id") VALUES ($1, CURRENT_TIMESTAMP) ON CONFLICT ("id") DO UPDATE SET "name" = EXCLUDED."name" RETURNING "id"`},
		{dbop.Operation{Op: dbop.UpdateMany, Table: "app.items", Where: where, Set: []dbop.Assignment{{Column: "n", Op: dbop.Inc, Value: num("1")}}},
			`UPDATE "app"."items" AS "t" SET "n" = "t"."n" + $1 WHERE ("t"."id" > $2 AND "t"."name" LIKE $3 ESCAPE '\')`},
		{dbop.Operation{Op: dbop.DeleteOne, Table: "users", Where: where[0]}, `DELETE FROM "users" AS "t" WHERE "t"."id" > $1`},
	} {
		if got, err := testRegistry(t).Explain(c.op); err != nil || got != c.want {
			t.Errorf("Explain(%s) = %s, %v\nwant %s", c.op.Op, got, err, c.want)
		}
	}
	if got, err := testRegistry(t).Explain(dbop.Operation{Op: dbop.DeleteOne, Table: "users"}); err == nil {
		t.Errorf("Explain of a delete without where = %s, want an error", got)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	good := store.Config{Name: "x", Driver: store.SQLite, Path: "f"}
	if err := good.Validate(); err != nil {
		t.Errorf("Validate() = %v, want nil", err)
	}
	for want, change := range map[string]func(*store.Config){
		"name":      func(c *store.Config) { c.Name = "" },
		"driver":    func(c *store.Config) { c.Driver = "oracle" },
		"path":      func(c *store.Config) { c.Path = "" },
		"host:port": func(c *store.Config) { c.Driver = store.Postgres },
		"mysqlconn: user": func(c *store.Config) {
			c.Driver, c.MySQL = store.MySQL, mysqlconn.Config{Address: "h:1", Database: "d"}
		},
		"performance_schema.x": func(c *store.Config) {
			c.Driver, c.Tables = store.MySQL, map[string]store.Table{"performance_schema.x": {}}
		},
		"effects":          func(c *store.Config) { c.Effects = "maybe" },
		"pool_size":        func(c *store.Config) { c.PoolSize = -1 },
		"asyncops_effects": func(c *store.Config) { c.Tables = map[string]store.Table{"asyncops_effects": {}} },
		"reading only":     func(c *store.Config) { c.Tables = map[string]store.Table{"*": {Write: true}} },
	} {
		bad := good
		change(&bad)
		if err := bad.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate() = %v, want it to name %q", err, want)
		}
	}
}

func TestTargetThatIsDown(t *testing.T) {
	t.Parallel()
	for _, effects := range []store.Effects{store.EffectsAuto, store.EffectsRequired} {
		target, err := store.Open(store.Config{
			Name: "down", Driver: store.Postgres, Postgres: pgconn.Config{Address: testkit.FreeAddr(t), User: "u", Database: "d"},
			Retry: store.Retry{Attempts: 2, Delay: time.Millisecond}, Effects: effects, Tables: map[string]store.Table{"users": {Write: true}},
		}, slog.New(slog.DiscardHandler), nil)
		if err != nil {
			t.Fatalf("Open = %v", err)
		}
		op := dbop.Operation{Op: dbop.InsertOne, Table: "users", Rows: [][]dbop.Assignment{{}}}
		_, err = target.Run(t.Context(), op, &store.Effect{Job: job.NewID()})
		var failure *job.Failure
		if !errors.As(err, &failure) || failure.Code != job.CodeDatabaseUnreachable || failure.Class != job.ClassRetryable {
			t.Errorf("Run = %v, want a retryable %s", err, job.CodeDatabaseUnreachable)
		}
		if _, _, err := target.Seal(t.Context(), store.Effect{Job: job.NewID()}); err == nil {
			t.Error("Seal of a target that is down = nil, want an error")
		}
		if h := target.Health(t.Context()); h.Status != store.StatusDown || h.Detail() != string(job.CodeDatabaseUnreachable) {
			t.Errorf("Health() = %+v, want down", h)
		}
		if target.EffectsMissing() {
			t.Error("EffectsMissing() of a target that is down = true, want false: nobody knows")
		}
		for range 2 {
			if err := target.Close(); err != nil {
				t.Errorf("Close() = %v", err)
			}
		}
	}
}

func TestWatchMakesTheEffectsTable(t *testing.T) {
	t.Parallel()
	for _, path := range []string{filepath.Join(t.TempDir(), "x.db"), ":memory:"} {
		target, err := store.Open(store.Config{Name: "w", Driver: store.SQLite, Path: path}, slog.New(slog.DiscardHandler), nil)
		if err != nil {
			t.Fatal(err)
		}
		stopped := make(chan error, 1)
		ctx, stop := context.WithCancel(t.Context())
		go func() { stopped <- target.Watch(ctx) }()
		testkit.Eventually(t, 10*time.Second, time.Millisecond, func() error {
			if target.Delivery(dbop.InsertOne) != job.ExactlyOnceEffect {
				return errors.New("no effects table yet")
			}
			return nil
		})
		stop()
		if err := <-stopped; err != nil {
			t.Errorf("Watch = %v, want nil", err)
		}
		if err := target.Close(); err != nil {
			t.Error(err)
		}
	}
}
