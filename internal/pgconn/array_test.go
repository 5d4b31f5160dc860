package pgconn_test

import (
	"database/sql"
	"reflect"
	"testing"

	"github.com/asyncops/asyncops/internal/pgconn"
	"github.com/asyncops/asyncops/internal/testkit"
)

// row is what TestArray sends as arrays and reads back.
type row struct {
	text string
	none *string
	n    int64
	some *int64
	few  int
	yes  bool
}

func TestArray(t *testing.T) {
	t.Parallel()
	db := open(t, configOf(t, testkit.PostgresDatabase(t)))
	word, number := `NULL "\`, int64(1<<62)
	rows := []row{
		{text: "", n: -1 << 63, yes: true},
		{text: `{"a", b\` + "\n" + `'c' $1 ?}`, none: &word, some: &number, few: -7},
		{text: "NULL"}, {text: "ü, 日本"}, {text: " "}, {text: `\\"`},
	}
	for _, want := range [][]row{rows, nil} {
		got := unnest(t, db, `SELECT * FROM unnest(CAST($1 AS text[]), CAST($2 AS text[]), CAST($3 AS bigint[]), CAST($4 AS boolean[]),
			CAST($5 AS bigint[]), CAST($6 AS integer[]))`,
			pgconn.Array(want, func(r *row) string { return r.text }), pgconn.Array(want, func(r *row) *string { return r.none }),
			pgconn.Array(want, func(r *row) int64 { return r.n }), pgconn.Array(want, func(r *row) bool { return r.yes }),
			pgconn.Array(want, func(r *row) *int64 { return r.some }), pgconn.Array(want, func(r *row) int { return r.few }))
		if !reflect.DeepEqual(got, want) {
			t.Errorf("rows = %+v, want %+v", got, want)
		}
	}
}

func unnest(t *testing.T, db *sql.DB, query string, arrays ...any) (got []row) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query, arrays...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var r row
		if err := rows.Scan(&r.text, &r.none, &r.n, &r.yes, &r.some, &r.few); err != nil {
			t.Fatal(err)
		}
		got = append(got, r)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return got
}
