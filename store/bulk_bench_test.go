package store_test

import (
	"database/sql"
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/internal/testkit"
	"github.com/asyncops/asyncops/store"
	"github.com/asyncops/asyncops/store/storetest"
)

// BenchmarkInsertMany compares an insert_many of 10,000 rows, recorded with its
// effect, with multi-row INSERTs written by hand in one transaction.
func BenchmarkInsertMany(b *testing.B) {
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
			if _, err := db.SQL.ExecContext(b.Context(), "CREATE TABLE events (n bigint, name varchar(100), note varchar(100))"); err != nil {
				b.Fatal(err)
			}
			b.Run("job", func(b *testing.B) { insertManyByJob(b, db) })
			b.Run("by hand", func(b *testing.B) { insertManyByHand(b, db.SQL) })
		})
	}
}

const bulkRows = 10_000

func insertManyByJob(b *testing.B, db storetest.Database) {
	cfg := db.Config
	cfg.Tables = map[string]store.Table{"events": {Write: true}}
	target, err := store.Open(cfg, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = target.Close() }()
	if err := target.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	op := dbop.Operation{Op: dbop.InsertMany, Table: "events"}
	for i := range bulkRows {
		op.Rows = append(op.Rows, []dbop.Assignment{
			{Column: "n", Value: num(strconv.Itoa(i))}, {Column: "name", Value: str(fmt.Sprint("name ", i))}, {Column: "note", Value: str("it's a note")},
		})
	}
	for b.Loop() {
		if _, err := target.Run(b.Context(), op, newEffect()); err != nil {
			b.Fatal(err)
		}
	}
}

func insertManyByHand(b *testing.B, db *sql.DB) {
	const chunk = 1000
	for b.Loop() {
		tx, err := db.BeginTx(b.Context(), nil)
		if err != nil {
			b.Fatal(err)
		}
		for start := 0; start < bulkRows; start += chunk {
			var text strings.Builder
			text.WriteString("INSERT INTO events (n, name, note) VALUES ")
			for i := range chunk {
				if i > 0 {
					text.WriteByte(',')
				}
				fmt.Fprintf(&text, "(%d, 'name %d', 'it''s a note')", start+i, start+i)
			}
			if _, err := tx.ExecContext(b.Context(), text.String()); err != nil {
				b.Fatal(err)
			}
		}
		if err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
	}
}
