package store_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/asyncops/asyncops/cache"
	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/internal/sqliteconn"
	"github.com/asyncops/asyncops/store"
)

func ExampleTarget_RunCached() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := makeUsers(filepath.Join(dir, "app.db")); err != nil {
		fmt.Println(err)
		return
	}
	in, err := cache.Open(cache.Config{MaxBytes: 16 << 20}, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = in.Close() }()
	target, err := store.Open(store.Config{
		Name: "app", Driver: store.SQLite, Path: filepath.Join(dir, "app.db"),
		Tables: map[string]store.Table{"users": {Write: true}},
		Cache:  store.QueryCache{In: in},
	}, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = target.Close() }()

	seven := dbop.Compare{Column: "id", Op: dbop.Eq, Value: dbop.Value{Kind: dbop.Number, Text: "7"}}
	read := dbop.Operation{Op: dbop.SelectOne, Table: "users", Where: seven}
	rename := dbop.Operation{Op: dbop.UpdateOne, Table: "users", Where: seven, Set: []dbop.Assignment{
		{Column: "name", Value: dbop.Value{Kind: dbop.String, Text: "Countess"}},
	}}
	show := func() {
		result, err := target.RunCached(context.Background(), read, store.Cached{Key: "user-7"})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(string(result.JSON))
	}
	show()
	show()
	if _, err := target.Run(context.Background(), rename, nil); err != nil {
		fmt.Println(err)
	}
	show()
	// Output:
	// {"row":{"id":7,"name":"Ada"},"cached":false}
	// {"row":{"id":7,"name":"Ada"},"cached":true}
	// {"row":{"id":7,"name":"Countess"},"cached":false}
}

func makeUsers(path string) error {
	db, err := sqliteconn.Open(sqliteconn.Config{Path: path})
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	_, err = db.Writer().ExecContext(context.Background(), "CREATE TABLE users (id integer PRIMARY KEY, name text); INSERT INTO users VALUES (7, 'Ada')")
	return err
}
