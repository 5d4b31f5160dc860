package pgconn_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/pgconn"
	"github.com/asyncops/asyncops/internal/testkit"
)

func openText(t *testing.T) *sql.DB {
	t.Helper()
	cfg := configOf(t, testkit.PostgresDatabase(t))
	cfg.TextRows, cfg.MaxOpen = true, 2
	return open(t, cfg)
}

// ask prepares a statement, runs it, and returns its answer.
func ask(ctx context.Context, db interface {
	PrepareContext(context.Context, string) (*sql.Stmt, error)
}, query string, args ...any) (rows [][]any, types []string, err error) {
	stmt, err := db.PrepareContext(ctx, query)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = stmt.Close() }()
	return answer(stmt.QueryContext(ctx, args...))
}

// answer reads rows: their values as text, NULL as nil, and their types.
func answer(found *sql.Rows, err error) (rows [][]any, types []string, _ error) {
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = found.Close() }()
	columns, err := found.ColumnTypes()
	if err != nil {
		return nil, nil, err
	}
	for _, c := range columns {
		types = append(types, c.Name()+" "+c.DatabaseTypeName())
	}
	for found.Next() {
		row := make([]any, len(columns))
		dest := make([]any, len(columns))
		for i := range row {
			dest[i] = &row[i]
		}
		if err := found.Scan(dest...); err != nil {
			return nil, nil, err
		}
		rows = append(rows, row)
	}
	return rows, types, found.Err()
}

func TestTextRows(t *testing.T) {
	t.Parallel()
	db := openText(t)
	rows, types, err := ask(t.Context(), db, `SELECT $1::int AS a, $2::timestamptz AS b, $3::text, 'infinity'::timestamptz, ARRAY[1, NULL], $4::bytea, $5::boolean`,
		"5", nil, "it's \\ ü", []byte("\x00\xff"), true)
	if err != nil {
		t.Fatal(err)
	}
	want := []any{"5", nil, "it's \\ ü", "infinity", "{1,NULL}", `\x00ff`, "t"}
	for i, got := range rows[0] {
		if got != want[i] {
			t.Errorf("column %d = %v, want %v", i, got, want[i])
		}
	}
	if got, want := strings.Join(types, ", "), "a 23, b 1184, text 25, timestamptz 1184, array 1007, bytea 17, bool 16"; got != want {
		t.Errorf("types = %s, want %s", got, want)
	}

	long := strings.Repeat("x", 100_000)
	rows, _, err = ask(t.Context(), db, "SELECT $1::text || n FROM generate_series(1, 500) AS n", long)
	if err != nil || len(rows) != 500 || rows[499][0] != long+"500" {
		t.Errorf("%d rows: %v", len(rows), err)
	}
	if rows, types, err := ask(t.Context(), db, "SELECT 1 WHERE false"); err != nil || len(rows) != 0 || len(types) != 1 {
		t.Errorf("no rows = %v, %v, %v", rows, types, err)
	}
}

func TestTextStatements(t *testing.T) {
	t.Parallel()
	db := openText(t)
	exec := func(query string, args ...any) int64 {
		t.Helper()
		stmt, err := db.PrepareContext(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = stmt.Close() }()
		res, err := stmt.ExecContext(t.Context(), args...)
		if err != nil {
			t.Fatal(err)
		}
		n, err := res.RowsAffected()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE t (id int PRIMARY KEY)"); err != nil {
		t.Fatal(err)
	}
	if n := exec("INSERT INTO t SELECT generate_series(1, $1::int)", "5"); n != 5 {
		t.Errorf("inserted %d, want 5", n)
	}
	if n := exec("DELETE FROM t WHERE id > $1", int64(3)); n != 2 {
		t.Errorf("deleted %d, want 2", n)
	}

	// One statement, before and after the table has changed, and after others.
	stmt, err := db.PrepareContext(t.Context(), "SELECT * FROM t WHERE id = $1")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stmt.Close() }()
	for _, more := range []string{"SELECT 1", "ALTER TABLE t ADD COLUMN note text DEFAULT 'x'"} {
		if _, err := db.ExecContext(t.Context(), more); err != nil {
			t.Fatal(err)
		}
		rows, types, err := answer(stmt.QueryContext(t.Context(), "2"))
		if err != nil || len(rows) != 1 || len(types) == 2 != strings.HasPrefix(more, "ALTER") {
			t.Errorf("after %s: %v of %v, %v", more, rows, types, err)
		}
	}

	for query, want := range map[string]string{
		"SELEC 1": "42601", "SELECT nothing FROM t": "42703", "SELECT * FROM nothing": "42P01",
	} {
		if _, _, err := ask(t.Context(), db, query); pgconn.Code(err) != want || pgconn.Message(err) == "" || pgconn.Unreachable(err) {
			t.Errorf("prepare %s = %v, want %s", query, err, want)
		}
	}
	if _, _, err := ask(t.Context(), db, "SELECT 1 / (id - $1::int) FROM t ORDER BY id", "3"); pgconn.Code(err) != "22012" { // after two rows
		t.Errorf("err = %v, want 22012", err)
	}
	if _, _, err := ask(t.Context(), db, "SELECT $1::text", "a\x00b"); err == nil {
		t.Error("a NUL was taken")
	}
	if n := exec("UPDATE t SET note = $1", nil); n != 3 {
		t.Errorf("updated %d, want 3: a failed statement has left its connection unusable", n)
	}
}

// A statement is interrupted as every other one is, and its connection serves
// the next; in a transaction, too.
func TestTextInterrupted(t *testing.T) {
	t.Parallel()
	db := openText(t)
	for _, query := range []string{"SELECT pg_sleep($1::float)", "SELECT n, pg_sleep($1::float / 100) FROM generate_series(1, 100) AS n"} {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		began := time.Now()
		_, _, err := ask(ctx, db, query, "30")
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 20*time.Second {
			t.Errorf("%s = %v after %s", query, err, time.Since(began))
		}
	}
	tx, err := db.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := ask(t.Context(), tx, "SELECT $1::int", "1"); err != nil {
		t.Error(err)
	}
	if _, _, err := ask(t.Context(), tx, "CREATE TABLE x (id int)"); pgconn.Code(err) != "25006" {
		t.Errorf("err = %v, want 25006", err)
	}
	if err := tx.Commit(); err == nil {
		t.Error("an aborted transaction was committed")
	}
	if _, _, err := ask(t.Context(), db, "SELECT 1"); err != nil {
		t.Error(err)
	}
}
