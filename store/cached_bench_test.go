package store_test

import (
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/asyncops/asyncops/cache"
	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/internal/testkit"
	"github.com/asyncops/asyncops/store"
	"github.com/asyncops/asyncops/store/storetest"
)

// BenchmarkSelectOne compares a select_one of one row by its key with the same
// from the cache. p50-ns is the median of single reads, one after the other.
func BenchmarkSelectOne(b *testing.B) {
	for _, dialect := range []struct {
		name string
		open func() storetest.Database
	}{
		{"postgres", func() storetest.Database { return openPostgres(b, testkit.PostgresDatabase(b)) }},
		{"mariadb", func() storetest.Database { return openMySQL(b, testkit.MariaDBDatabase(b)) }},
		{"sqlite", func() storetest.Database { return openSQLite(b, filepath.Join(b.TempDir(), "target.db")) }},
	} {
		b.Run(dialect.name, func(b *testing.B) {
			db := dialect.open()
			for _, statement := range []string{
				"CREATE TABLE users (id int PRIMARY KEY, name varchar(100), email varchar(100))",
				"INSERT INTO users VALUES (7, 'Ada', 'ada@example.com')",
			} {
				if _, err := db.SQL.ExecContext(b.Context(), statement); err != nil {
					b.Fatal(err)
				}
			}
			in, err := cache.Open(cache.Config{}, slog.New(slog.DiscardHandler), nil)
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = in.Close() })
			cfg := db.Config
			cfg.Tables, cfg.Cache.In = map[string]store.Table{"users": {}}, in
			target, err := store.Open(cfg, slog.New(slog.DiscardHandler), nil)
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = target.Close() })
			op := dbop.Operation{Op: dbop.SelectOne, Table: "users", Where: dbop.Compare{Column: "id", Op: dbop.Eq, Value: num("7")}}
			b.Run("database", func(b *testing.B) {
				median(b, func() error { _, err := target.Run(b.Context(), op, nil); return err })
			})
			b.Run("cache", func(b *testing.B) {
				median(b, func() error { _, err := target.RunCached(b.Context(), op, store.Cached{Key: "user-7"}); return err })
			})
		})
	}
}

// median reports the median of what read takes.
func median(b *testing.B, read func() error) {
	b.Helper()
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		if err := read(); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2]), "p50-ns")
}
