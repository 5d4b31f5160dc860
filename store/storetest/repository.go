package storetest

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
	"github.com/uptrace/bun"
)

func testRepository(t *testing.T, h Harness) {
	f := start(t, h, nil)
	ctx := t.Context()
	users := must(store.NewRepository[user](f))(t)
	ada := user{Email: "ada@x", Name: "Ada", Age: ptr(36), Balance: "1.00"}
	if err := users.Create(ctx, &ada); err != nil {
		t.Fatal(err)
	}
	if err := users.Create(ctx, &user{Email: "ada@x"}); !errors.Is(err, job.ErrExists) {
		t.Errorf("Create of a key that is there = %v, want %v", err, job.ErrExists)
	}
	if err := users.CreateMany(ctx, []user{{Email: "bob@x", Name: "Bob"}, {Email: "eve@x", Name: "Eve"}}); err != nil {
		t.Fatal(err)
	}
	if got, err := users.Find(ctx, ada.ID); err != nil || got.Name != "Ada" {
		t.Errorf("Find = %+v, %v, want Ada", got, err)
	}
	ada.Name, ada.Age, ada.Balance = "Ada L.", nil, ""
	if err := users.Update(ctx, &ada, "name"); err != nil {
		t.Error(err)
	}
	f.wantCount("users", "name = 'Ada L.' AND age = 36 AND balance = 1", 1)
	if err := users.Update(ctx, &ada); err != nil {
		t.Error(err)
	}
	f.wantCount("users", "name = 'Ada L.' AND age IS NULL AND balance IS NULL AND active", 1)
	if n, err := users.UpdateBy(ctx, store.Like("name", "%b%"), store.Set("age", 1)); n != 1 || err != nil {
		t.Errorf("UpdateBy = %d, %v, want 1", n, err)
	}
	if got, err := users.FindBy(ctx, store.Eq("age", 1)); err != nil || got.Name != "Bob" {
		t.Errorf("FindBy = %+v, %v, want Bob", got, err)
	}
	if got, err := users.FindAll(ctx, store.OrderBy("-id"), store.Limit(2)); err != nil || len(got) != 2 || got[0].Name != "Eve" {
		t.Errorf("FindAll = %+v, %v, want Eve and Bob", got, err)
	}
	if err := users.Delete(ctx, &ada); err != nil {
		t.Error(err)
	}
	for what, err := range map[string]error{
		"Find": errOf(users.Find(ctx, ada.ID)), "FindBy": errOf(users.FindBy(ctx, store.Eq("id", ada.ID))), "Update": users.Update(ctx, &ada), "Delete": users.Delete(ctx, &ada),
	} {
		if !errors.Is(err, job.ErrNotFound) {
			t.Errorf("%s of a row that is gone = %v, want %v", what, err, job.ErrNotFound)
		}
	}
	if n, err := users.Count(ctx, store.Gt("id", 0)); n != 2 || err != nil {
		t.Errorf("Count = %d, %v, want 2", n, err)
	}
	if ok, err := users.Exists(ctx, store.Eq("name", "Ada")); ok || err != nil {
		t.Errorf("Exists = %t, %v, want false", ok, err)
	}
	err := f.Transaction(ctx, func(tx *store.Tx) error {
		if err := users.In(tx).Create(ctx, &user{Email: "new@x"}); err != nil {
			return err
		}
		if n, err := users.In(tx).Count(ctx); n != 3 || err != nil {
			t.Errorf("Count in the transaction = %d, %v, want 3", n, err)
		}
		return errOwn
	})
	if !errors.Is(err, errOwn) {
		t.Errorf("Transaction = %v, want %v", err, errOwn)
	}
	if n, err := users.DeleteBy(ctx, store.In("name", "Bob", "Eve")); n != 2 || err != nil {
		t.Errorf("DeleteBy = %d, %v, want 2", n, err)
	}
	f.wantCount("users", "1 = 1", 0)
	for what, err := range map[string]error{
		"a key too much": errOf(users.Find(ctx, 1, 2)), "no row": users.Update(ctx, nil), "no key": users.Update(ctx, &user{Name: "x"}), "no column": users.Update(ctx, &ada, "nope"),
		"a table that is not listed": errOf(store.NewRepository[thing](f)), "no struct": errOf(store.NewRepository[*user](f)),
	} {
		if codeOf(err) == "" {
			t.Errorf("%s = %v, want a failure", what, err)
		}
	}
}

func errOf[T any](_ T, err error) error { return err }

// Page by page, in every order, each row comes once, while others come and go
// before the cursor.
func testPages(t *testing.T, h Harness) {
	f := start(t, h, nil)
	ctx := t.Context()
	var rows []user
	for i := range 23 {
		u := user{Email: fmt.Sprintf("%02d", i), Name: fmt.Sprint("n", i%3)}
		if i%4 != 0 {
			u.Age = ptr(i % 5)
		}
		rows = append(rows, u)
	}
	users := must(store.NewRepository[user](f))(t)
	if err := users.CreateMany(ctx, rows); err != nil {
		t.Fatal(err)
	}
	for _, order := range [][]string{nil, {"-id"}, {"age"}, {"-age"}, {"age", "-email"}, {"-age", "email"}, {"-balance", "age", "-id"}} {
		var whole, paged []string
		for _, u := range must(users.FindAll(ctx, store.OrderBy(order...), store.Ne("email", "05")))(t) {
			whole = append(whole, u.Email)
		}
		want := store.PageRequest{Size: 4, OrderBy: order}
		for pages := 1; ; pages++ {
			page := must(users.Page(ctx, want, store.Ne("email", "05")))(t)
			for _, u := range page.Rows {
				paged = append(paged, u.Email)
			}
			if want.After = page.Next; page.Next == "" {
				if pages != 6 {
					t.Errorf("by %v: %d pages, want 6", order, pages)
				}
				break
			}
		}
		if got, want := strings.Join(paged, " "), strings.Join(whole, " "); got != want {
			t.Errorf("by %v: the pages have %s, want %s", order, got, want)
		}
	}
	first := must(users.Page(ctx, store.PageRequest{Size: 10}))(t)
	must(users.DeleteBy(ctx, store.In("email", "03", "09", "10")))(t)
	if second := must(users.Page(ctx, store.PageRequest{Size: 10, After: first.Next}))(t); second.Rows[0].Email != "11" {
		t.Errorf("the second page begins with %s, want 11", second.Rows[0].Email)
	}
	if all := must(users.Page(ctx, store.PageRequest{}))(t); len(all.Rows) != 20 || all.Next != "" {
		t.Errorf("Page = %d rows, next %q, want all 20", len(all.Rows), all.Next)
	}
}

func testBadCursors(t *testing.T, h Harness) {
	f := start(t, h, nil)
	ctx := t.Context()
	f.people()
	users := must(store.NewRepository[user](f))(t)
	other := must(users.Page(ctx, store.PageRequest{Size: 1, OrderBy: []string{"-age"}}))(t).Next
	encoded := func(text string) store.Cursor {
		return store.Cursor(base64.RawURLEncoding.EncodeToString([]byte(text)))
	}
	for _, cursor := range []store.Cursor{"x", "%", "é", other, encoded("{}"), encoded("[]"), encoded(`{"o":"id"}`), encoded(`{"o":"id","v":["x"]}`), encoded(`{"o":"id","v":[{}]}`), encoded(`{"o":"id","v":[1,2]}`)} {
		if _, err := users.Page(ctx, store.PageRequest{After: cursor}); !errors.Is(err, job.ErrMalformedCursor) {
			t.Errorf("Page after %q = %v, want %v", cursor, err, job.ErrMalformedCursor)
		}
	}
	if page, err := users.Page(ctx, store.PageRequest{After: encoded(`{"o":"id","v":[1]}`)}); err != nil || len(page.Rows) != 2 {
		t.Errorf("Page after 1 = %+v, %v, want two rows", page, err)
	}
	for name, want := range map[string]store.PageRequest{
		"size": {Size: -1}, "large": {Size: 10_001}, "column": {OrderBy: []string{"nope"}},
	} {
		if _, err := users.Page(ctx, want); codeOf(err) == "" {
			t.Errorf("%s: Page = %v, want a failure", name, err)
		}
	}
	entries := must(store.NewRepository[entry](f))(t)
	if _, err := entries.Page(ctx, store.PageRequest{}); codeOf(err) != job.CodeInvalid {
		t.Errorf("Page of a model without a key = %v, want %s", err, job.CodeInvalid)
	}
	numbers := must(store.NewRepository[numbered](f))(t)
	if _, err := numbers.Page(ctx, store.PageRequest{OrderBy: []string{"age"}}); codeOf(err) != job.CodeInvalid {
		t.Errorf("Page by a column whose NULL the field cannot tell = %v, want %s", err, job.CodeInvalid)
	}
}

// numbered is a row of the table users whose field for age has no value for NULL.
type numbered struct {
	bun.BaseModel `bun:"table:users"`

	ID  int64 `bun:",pk"`
	Age int
}
