package users

import (
	"context"
	"time"

	"github.com/asyncops/asyncops/store"
)

// User is a row of the table users.
type User struct {
	ID        int64 `bun:",pk,autoincrement"`
	Email     string
	Name      string
	Status    string
	CreatedAt time.Time `bun:",nullzero"` // by the database's clock
}

// What a user's Status may be.
const (
	StatusActive = "active"
	StatusLocked = "locked"
)

// Schema makes the table on SQLite.
const Schema = `CREATE TABLE users (
	id         INTEGER   PRIMARY KEY,
	email      TEXT      NOT NULL UNIQUE,
	name       TEXT      NOT NULL,
	status     TEXT      NOT NULL,
	created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
)`

// emailTTL is how long a user that was looked up by email is kept. Writes by
// this program, and by jobs, end it earlier.
const emailTTL = 10 * time.Minute

// UserRepository is the table users.
type UserRepository struct{ *store.Repository[User] }

// NewUserRepository returns the repository in a session: a *store.Target, or a
// transaction.
func NewUserRepository(s store.Session) (*UserRepository, error) {
	users, err := store.NewRepository[User](s)
	if err != nil {
		return nil, err
	}
	return &UserRepository{users}, nil
}

// FindByEmail returns the user with an address, from the cache if it has been
// asked for before. None is job.ErrNotFound.
func (r *UserRepository) FindByEmail(ctx context.Context, email string) (*User, error) {
	return r.FindBy(ctx, store.Eq("email", email), store.CacheFor(emailTTL))
}

// FindActive returns a page of the active users, those who came last first.
func (r *UserRepository) FindActive(ctx context.Context, size int, after store.Cursor) (store.Page[User], error) {
	return r.Page(ctx, store.PageRequest{Size: size, After: after, OrderBy: []string{"-created_at"}}, store.Eq("status", StatusActive))
}
