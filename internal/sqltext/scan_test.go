package sqltext_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/asyncops/asyncops/internal/sqltext"
)

func TestScan(t *testing.T) {
	t.Parallel()
	all := []sqltext.Dialect{sqltext.Postgres, sqltext.MySQL, sqltext.SQLite}
	for _, c := range []struct {
		name, sql string
		dialects  []sqltext.Dialect
		want      string // main word, params, what it does; or "! " and a part of the error
	}{
		{"question marks", "SELECT a FROM t WHERE b = ? AND c = ?", all, "SELECT 2 returns"},
		{"numbers", "SELECT a FROM t WHERE b = $2 AND c = $1 AND d = $2", all, "SELECT 2 returns"},
		{"in literals and names", "SELECT '?', '''?', \"?\" FROM t", all, "SELECT 0 returns"},
		{"in comments", "/* ? */ SELECT 1 -- ?\n + ?", all, "SELECT 1 returns"},
		{"backslash", `SELECT '\', ?`, []sqltext.Dialect{sqltext.Postgres, sqltext.SQLite}, "SELECT 1 returns"},
		{"escaped quote", `SELECT '\', ?'`, []sqltext.Dialect{sqltext.MySQL}, "SELECT 0 returns"},
		{"escape literal", `SELECT E'\', ?', ?`, []sqltext.Dialect{sqltext.Postgres}, "SELECT 1 returns"},
		{"dollar quotes", `SELECT $$ ? $$, $a1$ $$ ? $a1$, ?`, []sqltext.Dialect{sqltext.Postgres}, "SELECT 1 returns"},
		{"nested comment", `SELECT /* /* ? */ ? */ ?`, []sqltext.Dialect{sqltext.Postgres}, "SELECT 1 returns"},
		{"comment that does not nest", `SELECT /* /* ? */ ?`, []sqltext.Dialect{sqltext.MySQL, sqltext.SQLite}, "SELECT 1 returns"},
		{"two minuses", "SELECT 5--?", []sqltext.Dialect{sqltext.MySQL}, "SELECT 1 returns"},
		{"hash", "SELECT 1 # ?\n + ?", []sqltext.Dialect{sqltext.MySQL}, "SELECT 1 returns"},
		{"backticks", "SELECT `a?\\` FROM t", []sqltext.Dialect{sqltext.MySQL, sqltext.SQLite}, "SELECT 0 returns"},
		{"brackets", "SELECT [a?] FROM t", []sqltext.Dialect{sqltext.SQLite}, "SELECT 0 returns"},
		{"array", "SELECT a[?] FROM t", []sqltext.Dialect{sqltext.Postgres}, "SELECT 1 returns"},
		{"cast", "SELECT ?::int", []sqltext.Dialect{sqltext.Postgres}, "SELECT 1 returns"},
		{"semicolon", "SELECT 1 ; -- that is all", all, "SELECT 0 returns"},
		{"with", "WITH a AS (SELECT 1), b (x) AS (VALUES (1)) SELECT * FROM a, b", all, "SELECT 0 returns"},
		{"insert", "INSERT INTO t (a) VALUES (?)", all, "INSERT 1 changes"},
		{"returning", "insert into t (a) values (?) returning id", all, "INSERT 1 changes returns"},
		{"with update", "WITH a AS (SELECT 1) UPDATE t SET a = ?", all, "UPDATE 1 changes"},
		{"hidden write", "WITH a AS (DELETE FROM t RETURNING id) SELECT * FROM a", all, "SELECT 0 changes returns"},
		{"write behind a nested query", "WITH a AS (WITH b AS (SELECT 1) DELETE FROM t RETURNING id) SELECT * FROM a", all, "SELECT 0 changes returns"},
		{"functions", "SELECT replace(a, 'x', 'y'), (insert(a, 1, 1, 'x')) FROM t WHERE (replace (a, 'x', 'y')) = 'y'", all, "SELECT 0 returns"},
		{"words in literals", "SELECT 'FOR UPDATE', '(DELETE' FROM t", all, "SELECT 0 returns"},
		{"lock", "SELECT a FROM t FOR NO KEY UPDATE", all, "SELECT 0 locks returns"},
		{"into", "SELECT a INTO b FROM t", all, "SELECT 0 into returns"},
		{"values", "VALUES (1)", all, "VALUES 0 returns"},
		{"a name of SQLite", "SELECT :a", []sqltext.Dialect{sqltext.SQLite}, "! neither ? nor $n"},
		{"numbered question mark", "SELECT ?1", all, "! numbers a placeholder as ?n"},
		{"gap", "SELECT $1, $3", all, "! leaves out $2"},
		{"both", "SELECT $1, ?", all, "! mixes"},
		{"two", "SELECT 1; SELECT 2", all, "! more than one"},
		{"run by MySQL", "SELECT 1 /*!; DROP TABLE t */", all, "! MySQL runs"},
		{"open literal", "SELECT 'a", all, "! not closed"},
		{"open comment", "SELECT 1 /* a", all, "! not closed"},
		{"open quotes", "SELECT $a$ a", []sqltext.Dialect{sqltext.Postgres}, "! not closed"},
		{"nothing", " -- ?", all, "! no statement"},
		{"out of bounds", "SELECT $99999999999999999999", all, "! out of bounds"},
	} {
		for _, d := range c.dialects {
			s, err := sqltext.Scan(c.sql, d)
			if wrong, bad := strings.CutPrefix(c.want, "! "); bad {
				if err == nil || !strings.Contains(err.Error(), wrong) {
					t.Errorf("%s, dialect %d: error = %v, want %s", c.name, d, err, wrong)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s, dialect %d: %v", c.name, d, err)
				continue
			}
			if got := summary(s); got != c.want {
				t.Errorf("%s, dialect %d: %s, want %s", c.name, d, got, c.want)
			}
		}
	}
}

func summary(s *sqltext.Statement) string {
	got := fmt.Sprint(s.MainWord, " ", s.Params)
	for _, note := range []struct {
		is   bool
		word string
	}{{s.Changes, " changes"}, {s.Locks, " locks"}, {s.Into, " into"}, {s.Returns, " returns"}} {
		if note.is {
			got += note.word
		}
	}
	return got
}

func TestBind(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		"SELECT ?, '?', ?":                 "SELECT <0>, '?', <1>",
		"SELECT $2, $1 -- $1\n, $2":        "SELECT <1>, <0> -- $1\n, <1>",
		"SELECT 1":                         "SELECT 1",
		"SELECT é FROM t WHERE ü = ?":      "SELECT é FROM t WHERE ü = <0>",
		"UPDATE t SET a = ? WHERE b = ? ;": "UPDATE t SET a = <0> WHERE b = <1> ;",
	} {
		s, err := sqltext.Scan(sql, sqltext.Postgres)
		if err != nil {
			t.Fatal(err)
		}
		text, order := s.Bind(func(param int) string { return fmt.Sprintf("<%d>", param) })
		if text != want {
			t.Errorf("%s: %s, want %s", sql, text, want)
		}
		var marks []int
		for _, part := range strings.Split(want, "<")[1:] {
			marks = append(marks, int(part[0]-'0'))
		}
		if !slices.Equal(order, marks) {
			t.Errorf("%s: order = %v, want %v", sql, order, marks)
		}
	}
}

// FuzzScan: whatever the text, reading it ends, and nothing but placeholders is
// replaced.
func FuzzScan(f *testing.F) {
	for _, sql := range []string{"SELECT ?", "SELECT '?', $1", "/* /* */", "E'\\''", "$a$ ? $a$", "--", "[", "WITH a AS (SELECT 1) DELETE FROM t", "\xff?"} {
		for d := range 3 {
			f.Add(sql, d)
		}
	}
	f.Fuzz(func(t *testing.T, sql string, d int) {
		s, err := sqltext.Scan(sql, sqltext.Dialect(d))
		if err != nil {
			return
		}
		questions := strings.Count(sql, "?")
		text, order := s.Bind(func(int) string { return "" })
		if len(order) < s.Params || questions < strings.Count(text, "?") || len(order) > 0 == (text == sql) {
			t.Errorf("%q binds as %q with %v of %d", sql, text, order, s.Params)
		}
	})
}
