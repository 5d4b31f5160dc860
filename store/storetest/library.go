package storetest

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
	"github.com/uptrace/bun"
)

// library are the tests of typed operations.
func library() map[string]func(*testing.T, Harness) {
	return map[string]func(*testing.T, Harness){
		"typed insert and select": testTypedInsert, "typed values": testTypedValues, "typed conditions": testTypedConditions, "typed changes": testTypedChanges,
		"typed conflicts": testTypedConflicts, "typed bulk": testTypedBulk, "typed rules": testTypedRules, "typed bounds": testTypedBounds, "read bytes": testReadBytes,
		"typed observed": testTypedObserved, "typed pool": testTypedPool, "typed interrupted": testTypedInterrupted,
		"soft delete": testSoftDelete, "hooks": testHooks,
		"tx": testTx, "tx rolls back": testTxRollsBack, "tx tries again": testTxTriesAgain, "tx is read-only": testTxReadOnly, "tx transfers": testTxTransfers,
		"tx lost commit": testTxLostCommit, "lost reply of a write": testLostReplyOfAWrite, "tx lost connection": testTxLostConnection,
		"kept rows": testKeptRows, "kept values": testKeptValues, "kept rows in a tx": testKeptInTx, "kept rows of writers": testKeptRowsOfWriters,
		"repository": testRepository, "pages": testPages, "bad cursors": testBadCursors,
	}
}

// user is a row of the table users.
type user struct {
	ID      int64  `bun:",pk,autoincrement"`
	Email   string `bun:",nullzero"`
	Name    string
	Age     *int
	Balance string    `bun:",nullzero"`
	Active  bool      `bun:",nullzero"`
	SeenAt  time.Time `bun:",nullzero"`
}

// thing is a row of the table things.
type thing struct {
	ID    int64 `bun:",pk,autoincrement"`
	Big   int64
	Ratio float64
	Price string
	OK    bool
	At    time.Time
	Day   time.Time
	Raw   []byte
	Doc   document
	Label label
	Rank  *int32
	Made  time.Time `bun:",nullzero"`
}

type document struct {
	Title string           `json:"title"`
	Tags  []string         `json:"tags"`
	Sizes map[string]int64 `json:"sizes"`
}

type label string

// startTyped makes the fixture with the table things.
func startTyped(t *testing.T, h Harness, change func(*store.Config)) fixture {
	t.Helper()
	db := h.Database(t)
	mustExec(t, db.SQL, h.DDL.Things)
	return startOn(t, h, db, func(cfg *store.Config) {
		cfg.Tables = typedTables()
		if change != nil {
			change(cfg)
		}
	})
}

func typedTables() map[string]store.Table {
	tables := allTables()
	tables["things"] = store.Table{Write: true}
	return tables
}

// must returns what a call returned, or ends the test.
func must[T any](got T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
}

func ptr[T any](v T) *T { return &v }

func testTypedInsert(t *testing.T, h Harness) {
	f := startTyped(t, h, nil)
	ada := user{Email: "ada@x", Name: "Ada", Age: ptr(36), Balance: "12.50"}
	if n, err := store.InsertOne(t.Context(), f, &ada); n != 1 || err != nil {
		t.Fatalf("InsertOne = %d, %v, want 1", n, err)
	}
	if ada.ID == 0 || !ada.Active {
		t.Errorf("the row after its insert = %+v, want what the database has decided", ada)
	}
	got := must(store.SelectOne[user](t.Context(), f, store.Eq("email", "ada@x")))(t)
	got.Balance = fixed(got.Balance)
	if !reflect.DeepEqual(*got, ada) {
		t.Errorf("SelectOne = %+v, want %+v", *got, ada)
	}
	if _, err := store.SelectOne[user](t.Context(), f, store.Eq("email", "nobody@x")); !errors.Is(err, job.ErrNotFound) {
		t.Errorf("SelectOne of nobody = %v, want %v", err, job.ErrNotFound)
	}
	given := user{ID: 77, Email: "bob@x", Name: "Bob", Active: true, SeenAt: time.Date(2026, 11, 29, 10, 0, 0, 123456000, time.UTC)}
	must(store.InsertOne(t.Context(), f, &given))(t)
	bob := must(store.SelectOne[user](t.Context(), f, store.Eq("id", 77), store.Columns("id", "name", "seen_at")))(t)
	if bob.ID != 77 || bob.Name != "Bob" || bob.Email != "" || !bob.SeenAt.Equal(given.SeenAt) {
		t.Errorf("SelectOne of three columns = %+v, want %+v without its email", bob, given)
	}
	if _, err := store.InsertOne[user](t.Context(), f, nil); err == nil {
		t.Error("InsertOne of nil = nil, want an error")
	}
}

// fixed gives a number two digits behind the point, where a database has cut
// zeros off.
func fixed(number string) string {
	whole, fraction, _ := strings.Cut(number, ".")
	return whole + "." + (fraction + "00")[:2]
}

// What is written comes back, and says the same to jobs.
func testTypedValues(t *testing.T, h Harness) {
	f := startTyped(t, h, nil)
	const odd = "it's \\ \"odd\" ? $1 ?0 -- ü€😀\n% _"
	want := thing{
		Big: -1 << 63, Ratio: 0.30000000000000004, Price: "-1234567.89", OK: true,
		At: time.Date(2026, 3, 29, 1, 30, 0, 123456000, time.UTC), Day: time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC), Raw: []byte("\x00\xff'\\x"),
		Doc:   document{Title: odd, Tags: []string{"a", odd}, Sizes: map[string]int64{"large": 1<<63 - 1}},
		Label: odd, Made: time.Date(1999, 12, 31, 23, 59, 59, 0, time.UTC),
	}
	zone := time.FixedZone("east", 3*60*60)
	in := want
	in.At, in.Made = want.At.In(zone), want.Made.In(zone)
	must(store.InsertOne(t.Context(), f, &in))(t)
	want.ID = in.ID
	for name, cond := range map[string]store.Cond{
		"id": store.Eq("id", in.ID), "big": store.Eq("big", want.Big), "ratio": store.Eq("ratio", want.Ratio), "price": store.Eq("price", want.Price), "ok": store.Eq("ok", true),
		"at": store.Eq("at", want.At.In(zone)), "day": store.Eq("day", want.Day), "raw": store.Eq("raw", want.Raw), "label": store.Eq("label", want.Label), "rank": store.Eq("rank", nil),
	} {
		got, err := store.SelectOne[thing](t.Context(), f, cond)
		if err != nil {
			t.Errorf("by %s: %v", name, err)
			continue
		}
		got.At, got.Day, got.Made = got.At.UTC(), got.Day.UTC(), got.Made.UTC()
		if !reflect.DeepEqual(*got, want) {
			t.Errorf("by %s = %+v, want %+v", name, *got, want)
		}
	}
	var read struct {
		Row struct {
			Big, Ratio, Price, OK, At, Day, Raw json.RawMessage
			Label                               string
			Doc                                 document
		}
	}
	result := f.must(dbop.Operation{Op: dbop.SelectOne, Table: "things"})
	if err := json.Unmarshal([]byte(result), &read); err != nil {
		t.Fatal(err)
	}
	row := read.Row
	for name, c := range map[string][2]string{
		"big": {string(row.Big), "-9223372036854775808"}, "ratio": {string(row.Ratio), "0.30000000000000004"}, "price": {string(row.Price), `"-1234567.89"`}, "ok": {string(row.OK), "true"},
		"at": {string(row.At), `"2026-03-29T01:30:00.123456Z"`}, "day": {string(row.Day), `"2026-11-29"`}, "raw": {string(row.Raw), `{"$base64":"AP8nXHg="}`},
	} {
		if c[0] != c[1] {
			t.Errorf("a job reads %s as %s, want %s", name, c[0], c[1])
		}
	}
	if row.Label != odd || !reflect.DeepEqual(row.Doc, want.Doc) {
		t.Errorf("a job reads label and doc as %q, %+v, want %q, %+v", row.Label, row.Doc, odd, want.Doc)
	}
	for name, bad := range map[string]thing{
		"NUL": {Label: "a\x00b", Price: "1"}, "not UTF-8": {Label: "a\xffb", Price: "1"}, "no number": {Price: "x"},
	} {
		if _, err := store.InsertOne(t.Context(), f, &bad); codeOf(err) != job.CodeInvalidValue {
			t.Errorf("%s: InsertOne = %v, want %s", name, err, job.CodeInvalidValue)
		}
	}
	if _, err := store.SelectOne[thing](t.Context(), f, store.Eq("label", "\x00")); codeOf(err) != job.CodeInvalidValue {
		t.Errorf("NUL in a condition: SelectOne = %v, want %s", err, job.CodeInvalidValue)
	}
	type small struct {
		bun.BaseModel `bun:"table:things"`

		Big int8
	}
	type wrong struct {
		bun.BaseModel `bun:"table:things"`

		Label time.Time
	}
	if got, err := store.SelectOne[small](t.Context(), f); codeOf(err) != job.CodeInvalidValue {
		t.Errorf("SelectOne into a field that is too small = %+v, %v, want %s", got, err, job.CodeInvalidValue)
	}
	if got, err := store.SelectOne[wrong](t.Context(), f); codeOf(err) != job.CodeInvalidValue {
		t.Errorf("SelectOne into a field of another type = %+v, %v, want %s", got, err, job.CodeInvalidValue)
	}
}

// codeOf is the code of a failure; "" for any other error and none.
func codeOf(err error) job.Code {
	var failure *job.Failure
	if errors.As(err, &failure) {
		return failure.Code
	}
	return ""
}
