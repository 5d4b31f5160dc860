package users_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/asyncops/asyncops/cache"
	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/examples/users"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
)

// open opens a database with its tables, of the example's own. What it returns
// is closed by closeAll.
func open() (db *store.Target, closeAll func(), err error) {
	folder, err := os.MkdirTemp("", "users")
	if err != nil {
		return nil, nil, err
	}
	path := filepath.Join(folder, "users.db")
	if err := makeTables(path); err != nil {
		return nil, nil, err
	}
	log := slog.New(slog.DiscardHandler)
	kept, err := cache.Open(cache.Config{MaxBytes: 16 << 20}, log, nil)
	if err != nil {
		return nil, nil, err
	}
	db, err = store.Open(store.Config{
		Name: "main", Driver: store.SQLite, Path: path,
		Tables: map[string]store.Table{"users": {Write: true}, "audits": {Write: true}},
		Cache:  store.QueryCache{In: kept},
	}, log, nil)
	if err != nil {
		return nil, nil, err
	}
	return db, func() { _ = errors.Join(db.Close(), kept.Close(), os.RemoveAll(folder)) }, nil
}

// makeTables makes the schema, as a migration does.
func makeTables(path string) error {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	_, err = db.Exec(users.Schema + ";" + users.AuditSchema)
	return errors.Join(err, db.Close())
}

func ExampleUserRepository() {
	db, closeAll, err := open()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer closeAll()
	ctx := context.Background()
	repository, err := users.NewUserRepository(db)
	if err != nil {
		fmt.Println(err)
		return
	}

	ada := &users.User{Name: "Ada", Email: "ada@example.com", Status: users.StatusActive}
	fmt.Println("created:", repository.Create(ctx, ada), ada.ID, !ada.CreatedAt.IsZero())
	err = repository.Create(ctx, &users.User{Name: "Another", Email: "ada@example.com"})
	fmt.Println("the same address again exists:", errors.Is(err, job.ErrExists))
	err = repository.CreateMany(ctx, []users.User{
		{Name: "Bob", Email: "bob@example.com", Status: users.StatusActive},
		{Name: "Eve", Email: "eve@example.com", Status: users.StatusLocked},
	})
	fmt.Println("created two more:", err)

	for range 2 { // the second is answered from the cache
		found, err := repository.FindByEmail(ctx, "ada@example.com")
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("found:", found.Name, found.Status)
	}
	ada.Status = users.StatusLocked
	fmt.Println("locked:", repository.Update(ctx, ada, "status"))
	found, err := repository.FindByEmail(ctx, "ada@example.com")
	fmt.Println("found:", found.Name, found.Status, err)
	fmt.Println("answered from the cache:", db.Stats().CacheHits)

	page, err := repository.FindActive(ctx, 10, "")
	fmt.Println("active:", len(page.Rows), page.Rows[0].Name, page.Next == "", err)
	_, err = repository.FindByEmail(ctx, "nobody@example.com")
	fmt.Println("nobody is not found:", errors.Is(err, job.ErrNotFound))
	// Output:
	// created: <nil> 1 true
	// the same address again exists: true
	// created two more: <nil>
	// found: Ada active
	// found: Ada active
	// locked: <nil>
	// found: Ada locked <nil>
	// answered from the cache: 1
	// active: 1 Bob true <nil>
	// nobody is not found: true
}

// validationAPI is somebody else's server: it takes no address of example.net,
// and is out of order when it is asked for one of example.org.
func validationAPI() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch email := r.URL.Query().Get("email"); {
		case r.URL.Path != "/v1/validate":
			http.NotFound(w, r)
		case strings.HasSuffix(email, "@example.net"):
			_, _ = fmt.Fprint(w, `{"valid": false, "reason": "no such mailbox"}`)
		case strings.HasSuffix(email, "@example.org"):
			http.Error(w, "out of order", http.StatusServiceUnavailable)
		default:
			_, _ = fmt.Fprint(w, `{"valid": true}`)
		}
	}))
}

func ExampleRegistration_Register() {
	db, closeAll, err := open()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer closeAll()
	server := validationAPI()
	defer server.Close()
	validation, err := clients.Open(clients.Config{
		Name: "validation", BaseURL: server.URL + "/v1",
		AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, // it is on this machine
	}, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer validation.Close()
	registration, err := users.NewRegistration(db, validation)
	if err != nil {
		fmt.Println(err)
		return
	}

	ctx := context.Background()
	user, err := registration.Register(ctx, "Ada", "ada@example.com")
	fmt.Println("the API says yes:", user.ID, user.Status, err)

	_, err = registration.Register(ctx, "Bob", "bob@example.net")
	var refused *users.RefusedError
	fmt.Println("the API says no:", errors.As(err, &refused), refused.Reason)

	_, err = registration.Register(ctx, "Eve", "eve@example.org")
	var failure *job.Failure
	fmt.Println("the API does not answer:", errors.As(err, &failure), failure.Code)

	_, err = registration.Register(ctx, "Ada", "ada@example.com")
	fmt.Println("the address is taken:", errors.Is(err, users.ErrTaken))

	written, err := store.Count[users.User](ctx, db)
	fmt.Println("users:", written, err)
	audits, err := store.SelectMany[users.Audit](ctx, db)
	fmt.Println("audits:", len(audits), audits[0].Action, err)
	// Output:
	// the API says yes: 1 active <nil>
	// the API says no: true no such mailbox
	// the API does not answer: true upstream_status
	// the address is taken: true
	// users: 1 <nil>
	// audits: 1 registered <nil>
}
