package store_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/internal/testkit"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
	"github.com/asyncops/asyncops/store/storetest"
)

// condMaker turns bytes into a predicate over the columns t (text), n
// (integer), d (exact number), b (boolean) and s (time).
type condMaker struct {
	program []byte
	texts   []string
	likes   bool // $like was used: what it matches differs between databases
}

func (m *condMaker) next() int {
	if len(m.program) == 0 {
		return 0
	}
	b := m.program[0]
	m.program = m.program[1:]
	return int(b)
}

func (m *condMaker) column() string { return []string{"t", "n", "d", "b", "s"}[m.next()%5] }

func (m *condMaker) value() dbop.Value {
	text := m.texts[m.next()%len(m.texts)]
	switch kind := m.next() % 4; {
	case kind == 1 && json.Valid([]byte(text)) && strings.ContainsAny(text[:1], "-0123456789"):
		return num(text)
	case kind == 2:
		return truth(fmt.Sprint(len(text)%2 == 0))
	case kind == 3:
		return bin(text)
	}
	return str(text)
}

func (m *condMaker) cond(depth int) dbop.Cond {
	n := m.next()
	if depth > 4 {
		n = n%3 + 3
	}
	switch n % 6 {
	case 0, 1:
		var parts []dbop.Cond
		for range m.next() % 4 {
			parts = append(parts, m.cond(depth+1))
		}
		if n%6 == 0 {
			return dbop.And(parts)
		}
		return dbop.Or(parts)
	case 2:
		return dbop.Not{Cond: m.cond(depth + 1)}
	case 3:
		op := []dbop.CompareOp{dbop.Eq, dbop.Ne, dbop.Gt, dbop.Gte, dbop.Lt, dbop.Lte, dbop.Like}[m.next()%7]
		if op == dbop.Like {
			m.likes = true
			return dbop.Compare{Column: "t", Op: op, Value: str(m.texts[m.next()%len(m.texts)])}
		}
		return dbop.Compare{Column: m.column(), Op: op, Value: m.value()}
	case 4:
		in := dbop.In{Column: m.column(), Negated: m.next()%2 == 0}
		for range m.next() % 4 {
			in.Values = append(in.Values, m.value())
		}
		return in
	}
	return dbop.IsNull{Column: m.column(), Negated: m.next()%2 == 0}
}

// FuzzCond runs predicates on all databases, whatever the values, and asks the
// databases themselves whether it went right:
//
//   - The statement is one statement: each of them prepares it, and takes it for a
//     part of a larger one, which ends where we have ended it.
//   - The user's text is nothing but values: all databases find the same rows, and
//     PostgreSQL those that it finds when the text is not in the statement at all,
//     but bound by the server.
//   - A row is found by the text that it holds, and holds it as it was written.
//   - Nothing but what we have written has changed.
func FuzzCond(f *testing.F) {
	for _, text := range []string{"", "'", `\`, `\'`, "--", "/*", "?", "$1", `"`, "a'; DROP TABLE x; --", "%", `_\`, "é😀", "-1", "1.5", "1e400",
		"99999999999999999999", "true", "NaN", "2026-11-23T10:00:00Z", "2026-11-23", "\x00", "\xff", "'\\''", "E'x'", "$$", ":name", "null"} {
		for program := range 12 {
			f.Add([]byte{byte(program), 3, byte(program * 7), 3, byte(program), 1, 1, 4, 2, 0, 3, 0, 1, 5, byte(program), 6, 3, 6, 0, 2}, text, "7")
		}
	}
	targets := []fuzzed{postgresFuzz(f), sqliteFuzz(f), mysqlFuzz(f)}
	f.Fuzz(func(t *testing.T, program []byte, text, other string) {
		maker := condMaker{program: program, texts: []string{text, other, "5"}}
		cond := maker.cond(0)
		first, on := "", "" // what the first finds that takes all values
		for _, target := range targets {
			rows := target.find(t, cond)
			if rows != "" {
				target.wantOneStatement(t, cond, rows)
				target.wantUnharmed(t)
			}
			if rows != "" && target.Name() == "postgres" {
				target.wantSameBound(t, cond, rows)
			}
			switch {
			case rows == "" || maker.likes:
			case first == "":
				first, on = rows, target.Name()
			case rows != first:
				t.Errorf("%+v finds %s on %s and %s on %s", cond, first, on, rows, target.Name())
			}
		}
		if strings.IndexByte(text, 0) >= 0 || !utf8.ValidString(text) {
			return
		}
		for _, target := range targets {
			roundTrip(t, target.Target, text)
		}
	})
}

// fuzzed is a target with the tables fixed and free, and a way past it.
type fuzzed struct {
	*store.Target
	sql *sql.DB
}

func matching(cond dbop.Cond) dbop.Operation {
	return dbop.Operation{Op: dbop.SelectMany, Table: "fixed", Columns: []string{"id"}, Where: cond}
}

// find returns the ids that match, or "" if the database refuses a value.
func (target fuzzed) find(t *testing.T, cond dbop.Cond) string {
	t.Helper()
	res, err := target.Run(t.Context(), matching(cond), nil)
	var failure *job.Failure
	switch {
	case err == nil:
		return string(res.JSON)
	case errors.As(err, &failure) && failure.Code == job.CodeInvalidValue:
		return ""
	}
	t.Fatalf("%+v on %s: %v", cond, target.Name(), err)
	return ""
}

// idsOf reads the answer of a statement that the server has prepared, which it
// does with no more than one.
func (target fuzzed) idsOf(t *testing.T, query string, args ...any) (ids []int) {
	t.Helper()
	stmt, err := target.sql.PrepareContext(t.Context(), query)
	if err != nil {
		t.Fatalf("%s does not prepare %q: %v", target.Name(), query, err)
	}
	defer func() { _ = stmt.Close() }()
	rows, err := stmt.QueryContext(t.Context(), args...)
	if err != nil {
		t.Fatalf("%s does not run %q: %v", target.Name(), query, err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id int
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(ids)
	return ids
}

func foundIDs(t *testing.T, answer string) (ids []int) {
	t.Helper()
	var read struct{ Rows []struct{ ID int } }
	if err := json.Unmarshal([]byte(answer), &read); err != nil {
		t.Fatal(err)
	}
	for _, row := range read.Rows {
		ids = append(ids, row.ID)
	}
	slices.Sort(ids)
	return ids
}

// wantOneStatement puts the statement into another one: a literal or comment that
// it leaves open, or a semicolon in it, would end that one, too.
func (target fuzzed) wantOneStatement(t *testing.T, cond dbop.Cond, found string) {
	t.Helper()
	text, err := target.SelectSQL(t.Context(), matching(cond))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := target.idsOf(t, "SELECT q.id FROM ("+text+") AS q WHERE q.id IS NOT NULL"), foundIDs(t, found); !slices.Equal(got, want) {
		t.Errorf("%q as a part finds %v on %s, by itself %v", text, got, target.Name(), want)
	}
}

// wantSameBound leaves all values to the server.
func (target fuzzed) wantSameBound(t *testing.T, cond dbop.Cond, found string) {
	t.Helper()
	text, err := target.Registry().Explain(matching(cond))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := target.idsOf(t, text, valuesOf(cond)...), foundIDs(t, found); !slices.Equal(got, want) {
		t.Errorf("%+v with bound values finds %v, written out %v", cond, got, want)
	}
}

// valuesOf lists the values of a predicate in the order of its SQL.
func valuesOf(cond dbop.Cond) (values []any) {
	switch c := cond.(type) {
	case dbop.And:
		for _, part := range c {
			values = append(values, valuesOf(part)...)
		}
	case dbop.Or:
		for _, part := range c {
			values = append(values, valuesOf(part)...)
		}
	case dbop.Not:
		return valuesOf(c.Cond)
	case dbop.Compare:
		return []any{c.Value.Text}
	case dbop.In:
		for _, v := range c.Values {
			values = append(values, v.Text)
		}
	}
	return values
}

func (target fuzzed) wantUnharmed(t *testing.T) {
	t.Helper()
	if got := target.idsOf(t, "SELECT id FROM fixed WHERE id = 4 AND t IS NULL OR id <> 4 AND t IN ('a', 'B', '', '7')"); !slices.Equal(got, []int{1, 2, 3, 4, 5}) {
		t.Fatalf("the table fixed of %s has only %v left as it was", target.Name(), got)
	}
}

func roundTrip(t *testing.T, target *store.Target, text string) {
	t.Helper()
	run := func(op dbop.Operation) string {
		t.Helper()
		res, err := target.Run(t.Context(), op, nil)
		if err != nil {
			t.Fatalf("%s of %q on %s: %v", op.Op, text, target.Name(), err)
		}
		return string(res.JSON)
	}
	run(dbop.Operation{Op: dbop.DeleteMany, Table: "free", Where: dbop.IsNull{Column: "id", Negated: true}})
	run(dbop.Operation{Op: dbop.InsertOne, Table: "free", Rows: [][]dbop.Assignment{{{Column: "id", Value: num("1")}, {Column: "t", Value: str(text)}}}})
	var got struct{ Row struct{ T string } }
	answer := run(dbop.Operation{Op: dbop.SelectOne, Table: "free", Where: dbop.Compare{Column: "t", Op: dbop.Eq, Value: str(text)}})
	if err := json.Unmarshal([]byte(answer), &got); err != nil || got.Row.T != text {
		t.Errorf("%q came back from %s as %s", text, target.Name(), answer)
	}
}

const fuzzRows = `INSERT INTO fixed VALUES (1, 'a', 5, 5, %[1]s, '2026-11-23 10:00:00'), (2, 'B', -7, 1.5, %[2]s, '2020-01-01 00:00:00'),
	(3, '', 0, 0, NULL, NULL), (4, NULL, NULL, NULL, %[1]s, '2026-11-23 10:00:00.5'), (5, '7', 7, 7, %[2]s, NULL)`

func fuzzTarget(f *testing.F, db storetest.Database) fuzzed {
	f.Helper()
	cfg := db.Config
	cfg.Name = string(cfg.Driver)
	cfg.Tables = map[string]store.Table{"fixed": {}, "free": {Write: true}}
	target, err := store.Open(cfg, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = target.Close() })
	return fuzzed{target, db.SQL}
}

func postgresFuzz(f *testing.F) fuzzed {
	f.Helper()
	db := openPostgres(f, testkit.PostgresDatabase(f))
	if _, err := db.SQL.ExecContext(f.Context(), `CREATE TABLE fixed (id int PRIMARY KEY, t text, n bigint, d numeric, b boolean, s timestamptz);
		CREATE TABLE free (id int PRIMARY KEY, t text); `+fmt.Sprintf(fuzzRows, "true", "false")); err != nil {
		f.Fatal(err)
	}
	return fuzzTarget(f, db)
}

func sqliteFuzz(f *testing.F) fuzzed {
	f.Helper()
	db := openSQLite(f, filepath.Join(f.TempDir(), "fuzz.db"))
	if _, err := db.SQL.ExecContext(f.Context(), `CREATE TABLE fixed (id INTEGER PRIMARY KEY, t TEXT, n BIGINT, d DECIMAL, b BOOLEAN, s TIMESTAMP);
		CREATE TABLE free (id INTEGER PRIMARY KEY, t TEXT); `+fmt.Sprintf(fuzzRows, "1", "0")); err != nil {
		f.Fatal(err)
	}
	return fuzzTarget(f, db)
}

func mysqlFuzz(f *testing.F) fuzzed {
	f.Helper()
	db := openMySQL(f, testkit.MariaDBDatabase(f))
	for _, statement := range []string{ // text compares as on the others: every difference counts
		`CREATE TABLE fixed (id INT PRIMARY KEY, t VARCHAR(200), n BIGINT, d DECIMAL(60, 30), b BOOLEAN, s DATETIME(6)) COLLATE utf8mb4_nopad_bin`,
		`CREATE TABLE free (id INT PRIMARY KEY, t LONGTEXT) COLLATE utf8mb4_nopad_bin`,
		fmt.Sprintf(fuzzRows, "true", "false"),
	} {
		if _, err := db.SQL.ExecContext(f.Context(), statement); err != nil {
			f.Fatal(err)
		}
	}
	return fuzzTarget(f, db)
}
