package users

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
)

// ErrTaken says that somebody has the address already.
var ErrTaken = errors.New("the address is taken")

// RefusedError says that the validation API does not want the user.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return "the address is refused: " + e.Reason }

// Registration registers users. It is safe for concurrent use.
type Registration struct {
	db         *store.Target
	users      *UserRepository
	validation *clients.Client
}

// NewRegistration returns the service. It closes neither the database nor the
// client.
func NewRegistration(db *store.Target, validation *clients.Client) (*Registration, error) {
	users, err := NewUserRepository(db)
	if err != nil {
		return nil, err
	}
	return &Registration{db: db, users: users, validation: validation}, nil
}

// Register makes an active user if the validation API says yes. It fails with a
// *RefusedError if it says no, ErrTaken if somebody has the address, and the
// client's error if there is no answer; then nothing is written.
//
// The question comes before the transaction begins: one that waits for an API
// would keep a connection, and the locks of rows, for as long.
func (r *Registration) Register(ctx context.Context, name, email string) (*User, error) {
	if err := r.ask(ctx, email); err != nil {
		return nil, fmt.Errorf("register %s: %w", email, err)
	}
	var user *User
	err := r.db.Transaction(ctx, func(tx *store.Tx) error {
		user = &User{Name: name, Email: email, Status: StatusActive} // by each try
		if err := r.users.In(tx).Create(ctx, user); err != nil {
			return err
		}
		_, err := store.InsertOne(ctx, tx, &Audit{UserID: user.ID, Action: "registered"})
		return err
	})
	switch {
	case errors.Is(err, job.ErrExists):
		return nil, fmt.Errorf("register %s: %w", email, ErrTaken)
	case err != nil:
		return nil, fmt.Errorf("register %s: %w", email, err)
	}
	return user, nil
}

// ask returns nil if the validation API says yes. Asking twice does no harm, so
// that the client may send the question again: it is a GET.
func (r *Registration) ask(ctx context.Context, email string) error {
	answer, err := r.validation.Do(ctx, httpop.Request{Method: "GET", Path: "/validate", Query: map[string][]string{"email": {email}}})
	if err != nil {
		return err
	}
	var verdict struct {
		Valid  bool   `json:"valid"`
		Reason string `json:"reason"`
	}
	if err := json.Unmarshal(answer.Body, &verdict); err != nil {
		return fmt.Errorf("the validation API's answer: %w", err)
	}
	if !verdict.Valid {
		return &RefusedError{verdict.Reason}
	}
	return nil
}

// Audit is a row of the table audits: what was done to a user.
type Audit struct {
	ID     int64 `bun:",pk,autoincrement"`
	UserID int64
	Action string
}

// AuditSchema makes the table of Audit on SQLite.
const AuditSchema = `CREATE TABLE audits (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users, action TEXT NOT NULL)`
