package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
)

// names are the names of users that meet conditions, in the order of their ids.
func (f fixture) names(opts ...store.SelectOption) string {
	f.t.Helper()
	var names []string
	for _, u := range must(store.SelectMany[user](f.t.Context(), f, opts...))(f.t) {
		names = append(names, u.Name)
	}
	return strings.Join(names, " ")
}

func testTypedConditions(t *testing.T, h Harness) {
	f := start(t, h, nil)
	f.people() // Ada 36, Bob without an age, Eve 20 and inactive
	for _, c := range []struct {
		name string
		opts []store.SelectOption
		want string
	}{
		{"none", nil, "Ada Bob Eve"},
		{"eq", []store.SelectOption{store.Eq("name", "Ada")}, "Ada"},
		{"eq nil", []store.SelectOption{store.Eq("age", nil)}, "Bob"},
		{"eq nil pointer", []store.SelectOption{store.Eq("age", (*int)(nil))}, "Bob"},
		{"ne", []store.SelectOption{store.Ne("age", 36)}, "Eve"},
		{"ne nil", []store.SelectOption{store.Ne("age", nil)}, "Ada Eve"},
		{"gt", []store.SelectOption{store.Gt("age", 20)}, "Ada"},
		{"gte and lte", []store.SelectOption{store.Gte("age", uint8(20)), store.Lte("age", 36.0)}, "Ada Eve"},
		{"lt", []store.SelectOption{store.Lt("age", int64(36))}, "Eve"},
		{"like", []store.SelectOption{store.Like("name", "_d%")}, "Ada"},
		{"in", []store.SelectOption{store.In("name", "Bob", "Eve", "x")}, "Bob Eve"},
		{"in a slice", []store.SelectOption{store.In("age", []int{36, 20}...)}, "Ada Eve"},
		{"in with nil", []store.SelectOption{store.In("age", ptr(20), nil)}, "Bob Eve"},
		{"in nothing", []store.SelectOption{store.In[int]("age")}, ""},
		{"or", []store.SelectOption{store.Or(store.Eq("name", "Ada"), store.And(store.Eq("active", false), store.Eq("age", 20)))}, "Ada Eve"},
		{"or of nothing", []store.SelectOption{store.Or()}, ""},
		{"not", []store.SelectOption{store.Not(store.Eq("name", "Ada"))}, "Bob Eve"},
		{"all hold", []store.SelectOption{store.Gt("id", 0), store.Eq("active", true), store.Ne("name", "Bob")}, "Ada"},
		{"order", []store.SelectOption{store.OrderBy("-name")}, "Eve Bob Ada"},
		{"limit and offset", []store.SelectOption{store.OrderBy("-active", "-name"), store.Limit(2), store.Offset(1)}, "Ada Eve"},
		{"quotes", []store.SelectOption{store.Eq("name", "' OR 1=1 -- ")}, ""},
	} {
		if got := f.names(c.opts...); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if n, err := store.Count[user](t.Context(), f, store.Gt("age", 1)); n != 2 || err != nil {
		t.Errorf("Count = %d, %v, want 2", n, err)
	}
	for name, want := range map[string]bool{"Ada": true, "x": false} {
		if got, err := store.Exists[user](t.Context(), f, store.Eq("name", name)); got != want || err != nil {
			t.Errorf("Exists(%s) = %t, %v, want %t", name, got, err, want)
		}
	}
	for name, opts := range map[string][]store.SelectOption{
		"no such column": {store.Eq("nope", 1)}, "order by none": {store.OrderBy("nope")}, "greater than nil": {store.Gt("age", nil)},
		"no condition": {store.Cond{}}, "limit 0": {store.Limit(0)}, "limit over the bound": {store.Limit(10_001)}, "offset": {store.Offset(-1)},
		"no field": {store.Columns("nope")}, "no value": {store.Eq("name", make(chan int))},
	} {
		if _, err := store.SelectMany[user](t.Context(), f, opts...); codeOf(err) == "" {
			t.Errorf("%s: SelectMany = %v, want a failure", name, err)
		}
	}
}

func testTypedChanges(t *testing.T, h Harness) {
	f := start(t, h, nil)
	f.people()
	ctx := t.Context()
	for _, c := range []struct {
		name string
		do   func() (int64, error)
		want int64
		code job.Code
		then string // a condition of SQL that one row meets
	}{
		{"set", func() (int64, error) {
			return store.UpdateOne[user](ctx, f, store.Eq("name", "Ada"), store.Set("balance", "10.50"), store.Set("age", nil))
		}, 1, "", "name = 'Ada' AND balance = 10.5 AND age IS NULL"},
		{"inc", func() (int64, error) {
			return store.UpdateOne[user](ctx, f, store.Eq("name", "Ada"), store.Inc("balance", "-0.25"))
		}, 1, "", "name = 'Ada' AND balance = 10.25"},
		{"now", func() (int64, error) {
			return store.UpdateOne[user](ctx, f, store.Eq("name", "Ada"), store.SetNow("seen_at"))
		}, 1, "", "name = 'Ada' AND seen_at IS NOT NULL"},
		{"same values again", func() (int64, error) {
			return store.UpdateOne[user](ctx, f, store.Eq("name", "Ada"), store.Set("active", true))
		}, 1, "", "name = 'Ada'"},
		{"by key", func() (int64, error) { return store.UpdateOne[user](ctx, f, store.Eq("id", 2), store.Set("age", 50)) }, 1, "", "name = 'Bob' AND age = 50"},
		{"nobody", func() (int64, error) {
			return store.UpdateOne[user](ctx, f, store.Eq("name", "x"), store.Set("age", 1))
		}, 0, "", "name = 'Bob' AND age = 50"},
		{"nobody, required", func() (int64, error) {
			return store.UpdateOne[user](ctx, f, store.Eq("name", "x"), store.Set("age", 1), store.Require())
		}, 0, job.CodeNoRows, "name = 'Bob' AND age = 50"},
		{"too many for one", func() (int64, error) {
			return store.UpdateOne[user](ctx, f, store.Gt("id", 0), store.Set("age", 1))
		}, 0, job.CodeTooManyRows, "name = 'Bob' AND age = 50"},
		{"more than max_affected", func() (int64, error) {
			return store.UpdateMany[user](ctx, f, store.Gt("id", 0), store.Set("age", 1), store.MaxAffected(2))
		}, 0, job.CodeMaxAffected, "name = 'Bob' AND age = 50"},
		{"many", func() (int64, error) {
			return store.UpdateMany[user](ctx, f, store.Gt("id", 0), store.Set("name", "all"), store.MaxAffected(3))
		}, 3, "", "name = 'all' AND id = 3"},
		{"set twice", func() (int64, error) {
			return store.UpdateOne[user](ctx, f, store.Eq("id", 1), store.Set("age", 1), store.Inc("age", 1))
		}, 0, job.CodeInvalid, "id = 1"},
		{"set nothing", func() (int64, error) { return store.UpdateOne[user](ctx, f, store.Eq("id", 1)) }, 0, job.CodeInvalid, "id = 1"},
		{"without a condition", func() (int64, error) { return store.UpdateMany[user](ctx, f, store.Set("age", 1)) }, 0, job.CodeInvalid, "id = 1 AND age IS NULL"},
		{"delete without a condition", func() (int64, error) { return store.DeleteMany[user](ctx, f, store.And()) }, 0, job.CodeInvalid, "id = 1"},
		{"delete too many", func() (int64, error) { return store.DeleteOne[user](ctx, f, store.Gt("id", 1)) }, 0, job.CodeTooManyRows, "id = 3"},
		{"delete one", func() (int64, error) { return store.DeleteOne[user](ctx, f, store.Eq("id", 1)) }, 1, "", "id = 2"},
		{"delete one by another column", func() (int64, error) { return store.DeleteOne[user](ctx, f, store.Eq("email", "bob@x")) }, 1, "", "id = 3"},
		{"delete nobody", func() (int64, error) { return store.DeleteOne[user](ctx, f, store.Eq("id", 1), store.Require()) }, 0, job.CodeNoRows, "id = 3"},
	} {
		n, err := c.do()
		if n != c.want || codeOf(err) != c.code || (err != nil) != (c.code != "") {
			t.Errorf("%s = %d, %v, want %d, %q", c.name, n, err, c.want, c.code)
		}
		if c.code == job.CodeNoRows && !errors.Is(err, job.ErrNotFound) {
			t.Errorf("%s: %v, want %v", c.name, err, job.ErrNotFound)
		}
		f.wantCount("users", c.then, 1)
	}
	if n, err := store.DeleteMany[user](ctx, f, store.Gt("id", 0)); n != 1 || err != nil {
		t.Errorf("DeleteMany = %d, %v, want 1", n, err)
	}
	f.wantCount("users", "1 = 1", 0)
}

func testTypedConflicts(t *testing.T, h Harness) {
	f := start(t, h, nil)
	f.people()
	ada := user{Email: "ada@x", Name: "Ada II", Age: ptr(1)}
	if _, err := store.InsertOne(t.Context(), f, &ada); codeOf(err) != job.CodeConstraint || !errors.Is(err, job.ErrExists) {
		t.Errorf("InsertOne of a key that is there = %v, want %s, %v", err, job.CodeConstraint, job.ErrExists)
	}
	for _, opt := range []store.InsertOption{store.OnConflictIgnore(), store.OnConflictIgnore("email")} {
		if n, err := store.InsertOne(t.Context(), f, &ada, opt); n != 0 || err != nil {
			t.Errorf("InsertOne with a conflict to ignore = %d, %v, want 0", n, err)
		}
	}
	f.wantCount("users", "name = 'Ada' AND age = 36", 1)
	if n, err := store.InsertOne(t.Context(), f, &ada, store.OnConflictUpdate([]string{"email"}, "age")); n != 1 || err != nil {
		t.Errorf("InsertOne with a conflict to update = %d, %v, want 1", n, err)
	}
	f.wantCount("users", "name = 'Ada' AND age = 1", 1)
	rows := []user{{Email: "ada@x", Name: "Ada III"}, {Email: "new@x", Name: "New"}}
	if _, err := store.InsertMany(t.Context(), f, rows); !errors.Is(err, job.ErrExists) {
		t.Errorf("InsertMany = %v, want %v", err, job.ErrExists)
	}
	f.wantCount("users", "1 = 1", 3)
	if n, err := store.InsertMany(t.Context(), f, rows, store.OnConflictIgnore("email")); n != 1 || err != nil {
		t.Errorf("InsertMany with a conflict to ignore = %d, %v, want 1", n, err)
	}
	f.wantCount("users", "name = 'New'", 1)
}

func testTypedBulk(t *testing.T, h Harness) {
	f := start(t, h, nil)
	rows := make([]user, 2500)
	for i := range rows {
		rows[i] = user{Email: fmt.Sprint(i), Name: "n", Age: ptr(i)}
		if i%7 == 0 {
			rows[i].Age, rows[i].Balance = nil, "1.00"
		}
	}
	if n, err := store.InsertMany(t.Context(), f, rows); n != 2500 || err != nil {
		t.Fatalf("InsertMany = %d, %v, want 2500", n, err)
	}
	f.wantCount("users", "active AND (age IS NULL) = (balance IS NOT NULL)", 2500)
	if got := must(store.SelectMany[user](t.Context(), f))(t); len(got) != 2500 || got[2499].Email != "2499" {
		t.Errorf("SelectMany = %d rows, want all 2500 in order", len(got))
	}
	if n, err := store.InsertMany(t.Context(), f, []user{}); n != 0 || err != nil {
		t.Errorf("InsertMany of nothing = %d, %v, want 0", n, err)
	}
	rows = append(rows[:0:0], user{Email: "a"}, user{Email: "b"}, user{Email: "a"})
	if _, err := store.InsertMany(t.Context(), f, rows); err == nil {
		t.Error("InsertMany of a duplicate = nil, want an error")
	}
	f.wantCount("users", "1 = 1", 2500)
}

// Tables are to be listed, and to be written only where that is allowed; lists
// of columns are for jobs.
func testTypedRules(t *testing.T, h Harness) {
	f := start(t, h, func(cfg *store.Config) {
		cfg.Tables = map[string]store.Table{"users": {Columns: []string{"id"}}, "log": {Columns: []string{"id"}, Write: true}}
	})
	mustExec(t, f.db.SQL, "INSERT INTO users (id, email, name) VALUES (1, 'ada@x', 'Ada')")
	if got := f.names(store.Eq("email", "ada@x")); got != "Ada" {
		t.Errorf("names = %q, want Ada: columns are for jobs", got)
	}
	if _, err := store.InsertOne(t.Context(), f, &user{Name: "x"}); codeOf(err) != job.CodeReadOnly {
		t.Errorf("InsertOne into a table that may be read = %v, want %s", err, job.CodeReadOnly)
	}
	err := f.Transaction(t.Context(), func(tx *store.Tx) error {
		_, err := store.DeleteOne[user](t.Context(), tx, store.Eq("id", 1))
		return err
	})
	if codeOf(err) != job.CodeReadOnly {
		t.Errorf("DeleteOne in a transaction = %v, want %s", err, job.CodeReadOnly)
	}
	if _, err := store.SelectOne[thing](t.Context(), f); codeOf(err) != job.CodeUnknownTable {
		t.Errorf("SelectOne of a table that is not listed = %v, want %s", err, job.CodeUnknownTable)
	}
	type number int
	if _, err := store.SelectOne[number](t.Context(), f); codeOf(err) != job.CodeInvalid {
		t.Errorf("SelectOne of a number = %v, want %s", err, job.CodeInvalid)
	}
}
