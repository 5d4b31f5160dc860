package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
)

// Account is a row of the table accounts.
type Account struct {
	ID      int64 `bun:",pk"`
	Owner   string
	Balance int64 // in cents
}

// openExample opens a database of the example's own, with 100 and 20 in two
// accounts.
func openExample() (db *store.Target, closeAll func(), err error) {
	folder, err := os.MkdirTemp("", "store")
	if err != nil {
		return nil, nil, err
	}
	path := filepath.Join(folder, "example.db")
	schema, err := sql.Open("sqlite", path)
	if err != nil {
		return nil, nil, err
	}
	_, err = schema.Exec(`CREATE TABLE accounts (id INTEGER PRIMARY KEY, owner TEXT NOT NULL, balance INTEGER NOT NULL);
		INSERT INTO accounts VALUES (1, 'ada', 10000), (2, 'bob', 2000)`)
	if err := errors.Join(err, schema.Close()); err != nil {
		return nil, nil, err
	}
	db, err = store.Open(store.Config{
		Name: "example", Driver: store.SQLite, Path: path, Tables: map[string]store.Table{"accounts": {Write: true}},
	}, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return nil, nil, err
	}
	return db, func() { _ = errors.Join(db.Close(), os.RemoveAll(folder)) }, nil
}

// transfer moves money if there is enough of it.
func transfer(ctx context.Context, db *store.Target, from, to, cents int64) error {
	return db.Transaction(ctx, func(tx *store.Tx) error {
		_, err := store.UpdateOne[Account](ctx, tx, store.Eq("id", from), store.Gte("balance", cents), store.Inc("balance", -cents), store.Require())
		if err != nil {
			return err
		}
		_, err = store.UpdateOne[Account](ctx, tx, store.Eq("id", to), store.Inc("balance", cents), store.Require())
		return err
	})
}

func ExampleTarget_Transaction() {
	db, closeAll, err := openExample()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer closeAll()
	ctx := context.Background()
	fmt.Println(transfer(ctx, db, 1, 2, 2500))
	fmt.Println("too little:", errors.Is(transfer(ctx, db, 2, 1, 999900), job.ErrNotFound))
	fmt.Println("no such account:", errors.Is(transfer(ctx, db, 1, 3, 100), job.ErrNotFound))
	accounts, err := store.SelectMany[Account](ctx, db, store.OrderBy("-balance"))
	fmt.Println(accounts, err)
	// Output:
	// <nil>
	// too little: true
	// no such account: true
	// [{1 ada 7500} {2 bob 4500}] <nil>
}

func ExampleRepository_Page() {
	db, closeAll, err := openExample()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer closeAll()
	accounts, err := store.NewRepository[Account](db)
	if err != nil {
		fmt.Println(err)
		return
	}
	want := store.PageRequest{Size: 1, OrderBy: []string{"owner"}}
	for {
		page, err := accounts.Page(context.Background(), want, store.Gt("balance", 0))
		fmt.Println(page.Rows, err)
		if want.After = page.Next; page.Next == "" || err != nil {
			break
		}
	}
	// Output:
	// [{1 ada 10000}] <nil>
	// [{2 bob 2000}] <nil>
}
