package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/internal/testkit"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
	"github.com/uptrace/bun"
)

var errOwn = errors.New("the function's own")

func testTx(t *testing.T, h Harness) {
	f := start(t, h, nil)
	ctx := t.Context()
	err := f.Transaction(ctx, func(tx *store.Tx) error {
		ada := user{Email: "ada@x", Name: "Ada"}
		if _, err := store.InsertOne(ctx, tx, &ada); err != nil {
			return err
		}
		if _, err := store.InsertMany(ctx, tx, []user{{Email: "bob@x", Name: "Bob"}, {Email: "eve@x", Name: "Eve"}}); err != nil {
			return err
		}
		if got, err := store.SelectOne[user](ctx, tx, store.Eq("id", ada.ID)); err != nil || got.Name != "Ada" {
			t.Errorf("SelectOne in the transaction = %+v, %v, want its own row", got, err)
		}
		if got, err := store.SelectOne[user](ctx, f, store.Eq("name", "Ada")); !errors.Is(err, job.ErrNotFound) {
			t.Errorf("SelectOne outside of it = %+v, %v, want %v", got, err, job.ErrNotFound)
		}
		if _, err := store.SelectOne[user](ctx, tx, store.Eq("name", "x")); !errors.Is(err, job.ErrNotFound) { // spoils nothing
			t.Errorf("SelectOne = %v, want %v", err, job.ErrNotFound)
		}
		if _, err := store.UpdateOne[user](ctx, tx, store.Eq("name", "Bob"), store.Inc("age", 1), store.Set("balance", "1.00")); err != nil {
			return err
		}
		_, err := store.DeleteOne[user](ctx, tx, store.Eq("name", "Eve"))
		return err
	})
	if err != nil {
		t.Fatalf("Transaction = %v", err)
	}
	if got := f.names(); got != "Ada Bob" {
		t.Errorf("names = %q, want Ada Bob", got)
	}
	type secret struct {
		bun.BaseModel `bun:"table:secrets"`
		ID            int64
	}
	err = f.Transaction(ctx, func(tx *store.Tx) error {
		if _, err := store.DeleteOne[user](ctx, tx, store.Eq("name", "Ada")); err != nil {
			return err
		}
		_, _ = store.DeleteMany[secret](ctx, tx, store.Eq("id", 1)) // what is refused spoils the transaction, too
		return nil
	})
	wantCode(t, err, job.CodeUnknownTable)
	if got := f.names(); got != "Ada Bob" {
		t.Errorf("names = %q, want Ada Bob", got)
	}
	for _, level := range dbop.Isolations() {
		err := f.Transaction(ctx, func(tx *store.Tx) error {
			_, err := store.UpdateOne[user](ctx, tx, store.Eq("name", "Ada"), store.Set("age", 5))
			return err
		}, store.Isolation(level))
		if err != nil {
			t.Errorf("%s: %v", level, err)
		}
	}
	f.wantCount("users", "age = 5", 1)
	if err := f.Transaction(ctx, func(*store.Tx) error { return nil }, store.Isolation("chaos")); codeOf(err) != job.CodeInvalid {
		t.Errorf("Transaction of an isolation that there is not = %v, want %s", err, job.CodeInvalid)
	}
}

// What fails leaves nothing: an error of the function's, of an operation whose
// error it swallows, a panic. A transaction is of no use after its end.
func testTxRollsBack(t *testing.T, h Harness) {
	f := start(t, h, func(cfg *store.Config) { cfg.MaxAffected = 1 })
	f.people()
	ctx := t.Context()
	insert := func(tx *store.Tx) error {
		_, err := store.InsertOne(ctx, tx, &user{Email: "new@x", Name: "New"})
		return err
	}
	var escaped *store.Tx
	for _, c := range []struct {
		name string
		f    func(*store.Tx) error
		want error    // in the tree of what is returned; nil for a failure
		code job.Code // of the failure
	}{
		{"own error", func(tx *store.Tx) error { return errors.Join(insert(tx), errOwn) }, errOwn, ""},
		{"swallowed duplicate", func(tx *store.Tx) error {
			if err := insert(tx); err != nil {
				return err
			}
			_, _ = store.InsertOne(ctx, tx, &user{Email: "ada@x"})
			if _, err := store.SelectOne[user](ctx, tx); codeOf(err) != job.CodeConstraint {
				t.Errorf("an operation after one that failed = %v, want %s", err, job.CodeConstraint)
			}
			return nil
		}, job.ErrExists, job.CodeConstraint},
		{"swallowed bound", func(tx *store.Tx) error {
			_, _ = store.UpdateMany[user](ctx, tx, store.Gt("id", 0), store.Set("name", "x"))
			return nil
		}, nil, job.CodeMaxAffected},
		{"failure with words of its own", func(tx *store.Tx) error {
			_, err := store.InsertOne(ctx, tx, &user{Email: "ada@x"})
			return fmt.Errorf("sign up: %w", err)
		}, job.ErrExists, job.CodeConstraint},
		{"use after the end", func(tx *store.Tx) error {
			escaped = tx
			return nil
		}, nil, ""},
	} {
		err := f.Transaction(ctx, c.f)
		if c.want != nil && !errors.Is(err, c.want) || codeOf(err) != c.code {
			t.Errorf("%s: Transaction = %v, want %v, %q", c.name, err, c.want, c.code)
		}
		if got := f.names(); got != "Ada Bob Eve" {
			t.Errorf("%s: names = %q, want none that is new", c.name, got)
		}
	}
	if err := insert(escaped); codeOf(err) != job.CodeInvalid {
		t.Errorf("InsertOne in a transaction that has ended = %v, want %s", err, job.CodeInvalid)
	}
	func() {
		defer func() {
			if p := recover(); p != "mine" {
				t.Errorf("the panic is %v, want it to go on", p)
			}
		}()
		_ = f.Transaction(ctx, func(tx *store.Tx) error {
			_ = insert(tx)
			panic("mine")
		})
	}()
	if got := f.names(); got != "Ada Bob Eve" {
		t.Errorf("after a panic: names = %q, want none that is new", got)
	}
	if s := f.Stats(); s.InUse != 0 {
		t.Errorf("Stats() = %+v, want nothing in use", s)
	}
}

// Two that read what the other writes: the one that the database gives up runs
// again, from the start, and sees what the other did.
func testTxTriesAgain(t *testing.T, h Harness) {
	f := start(t, h, func(cfg *store.Config) { cfg.Retry = store.Retry{Attempts: 20, Delay: time.Millisecond} })
	const workers, each = 4, 10
	must(store.InsertOne(t.Context(), f, &user{Email: "n", Name: "counter", Age: ptr(0)}))(t)
	var wg sync.WaitGroup
	var calls atomic.Int64
	for range workers {
		wg.Go(func() {
			for range each {
				err := f.Transaction(t.Context(), func(tx *store.Tx) error {
					calls.Add(1)
					u, err := store.SelectOne[user](t.Context(), tx, store.Eq("name", "counter"))
					if err != nil {
						return err
					}
					_, err = store.UpdateOne[user](t.Context(), tx, store.Eq("id", u.ID), store.Set("age", *u.Age+1))
					return err
				}, store.Isolation(dbop.Serializable))
				if err != nil {
					t.Errorf("Transaction = %v", err)
				}
			}
		})
	}
	wg.Wait()
	f.wantCount("users", fmt.Sprintf("age = %d", workers*each), 1)
	t.Logf("%d calls for %d transactions", calls.Load(), workers*each)
}

func testTxReadOnly(t *testing.T, h Harness) {
	f := start(t, h, nil)
	f.people()
	err := f.Transaction(t.Context(), func(tx *store.Tx) error {
		if n, err := store.Count[user](t.Context(), tx); n != 3 || err != nil {
			t.Errorf("Count = %d, %v, want 3", n, err)
		}
		must(store.InsertOne(t.Context(), f, &user{Email: "new@x", Name: "New"}))(t) // waits for no reader
		if n, err := store.Count[user](t.Context(), tx); n != 3 || err != nil {
			t.Errorf("Count after an insert by others = %d, %v, want 3", n, err)
		}
		_, err := store.InsertOne(t.Context(), tx, &user{Email: "x@x"})
		return err
	}, store.ReadOnly(), store.Isolation(dbop.RepeatableRead))
	if codeOf(err) != job.CodeReadOnly {
		t.Errorf("Transaction = %v, want %s", err, job.CodeReadOnly)
	}
	f.wantCount("users", "1 = 1", 4)
}

// account is a row of the bank's.
type account struct {
	ID      int `bun:",pk"`
	Balance string
}

// The money-transfer of the documentation, in Go, under contention.
func testTxTransfers(t *testing.T, h Harness) {
	b := startBank(t, h, h.Database(t), 3, func(cfg *store.Config) { cfg.Retry.Attempts = 20 })
	random := testkit.Random(t)
	watched, stop := context.WithCancel(t.Context())
	var watching, wg sync.WaitGroup
	watching.Go(func() { b.watchSum(watched) })
	for range 4 {
		type order struct{ from, to, amount int }
		orders := make([]order, 20)
		for i := range orders {
			from := random.IntN(3)
			orders[i] = order{from + 1, (from+1+random.IntN(2))%3 + 1, 1 + random.IntN(30)}
		}
		wg.Go(func() {
			for _, o := range orders {
				err := b.Transaction(t.Context(), func(tx *store.Tx) error {
					_, err := store.UpdateOne[account](t.Context(), tx, store.Eq("id", o.from), store.Gte("balance", o.amount), store.Inc("balance", -o.amount), store.Require())
					if err != nil {
						return err
					}
					_, err = store.UpdateOne[account](t.Context(), tx, store.Eq("id", o.to), store.Inc("balance", o.amount), store.Require())
					return err
				})
				if err != nil && !errors.Is(err, job.ErrNotFound) {
					t.Errorf("Transaction = %v, want the money to move, or too little of it", err)
				}
			}
		})
	}
	wg.Wait()
	stop()
	watching.Wait()
	b.wantCount("(SELECT SUM(balance) AS s FROM accounts) AS total", fmt.Sprintf("s = %d", money*b.accounts), 1)
	b.wantCount("accounts", "balance < 0", 0)
}

// through opens a target by another way to a server's database.
func (f fixture) through(cfg store.Config) *store.Target {
	f.t.Helper()
	cfg.Tables, cfg.Retry = allTables(), store.Retry{Attempts: 3, Delay: time.Millisecond}
	return open(f.t, cfg, nil)
}

// wantAmbiguous checks that an error says that nobody knows.
func wantAmbiguous(t *testing.T, err error) {
	t.Helper()
	if failure := wantCode(t, err, job.CodeAmbiguous); failure.Class != job.ClassAmbiguous {
		t.Errorf("class = %s, want %s", failure.Class, job.ClassAmbiguous)
	}
}

// The transaction is committed, and its reply is lost: there is no record of an
// effect that could tell, so it is not tried again.
func testTxLostCommit(t *testing.T, h Harness) {
	if h.Server == nil {
		t.Skip("this database has no connection to lose")
	}
	server := h.Server(t)
	f := startOn(t, h, server.Database, nil)
	lossy := f.through(server.LoseReply("COMMIT"))
	calls := 0
	err := lossy.Transaction(t.Context(), func(tx *store.Tx) error {
		calls++
		_, err := store.InsertOne(t.Context(), tx, &user{Name: "once"})
		return err
	})
	wantAmbiguous(t, err)
	if calls != 1 {
		t.Errorf("the function was called %d times, want once", calls)
	}
	f.wantCount("users", "name = 'once'", 1)
	if _, err := store.SelectOne[user](t.Context(), lossy, store.Eq("name", "once")); err != nil { // it goes on
		t.Error(err)
	}
}

// One statement that commits by itself, whose reply is lost.
func testLostReplyOfAWrite(t *testing.T, h Harness) {
	if h.Server == nil {
		t.Skip("this database has no connection to lose")
	}
	server := h.Server(t)
	f := startOn(t, h, server.Database, nil)
	ctx := t.Context()
	_, err := store.InsertOne(ctx, f.through(server.LoseReply("INSERT INTO")), &user{Email: "once@x", Name: "once", Age: ptr(1), Balance: "1.00", Active: true, SeenAt: time.Now()})
	wantAmbiguous(t, err)
	f.wantCount("users", "name = 'once'", 1)
	lossy := f.through(server.LoseReply("UPDATE"))
	_, err = store.UpdateOne[user](ctx, lossy, store.Eq("id", 1), store.Inc("age", 1))
	wantAmbiguous(t, err)
	f.wantCount("users", "age = 2", 1)
	if _, err := store.UpdateOne[user](ctx, lossy, store.Eq("id", 1), store.Inc("age", 1)); err != nil {
		t.Error(err)
	}
	// A read whose reply is lost is read again.
	if got, err := store.SelectOne[user](ctx, f.through(server.LoseReply("SELECT "+h.Quote+"t")), store.Eq("id", 1)); err != nil || *got.Age != 3 {
		t.Errorf("SelectOne = %+v, %v, want it to be tried again", got, err)
	}
}

// The connection is lost inside of a transaction, before its commit: nothing has
// happened, and it is tried again.
func testTxLostConnection(t *testing.T, h Harness) {
	if h.Server == nil {
		t.Skip("this database has no connection to lose")
	}
	server := h.Server(t)
	f := startOn(t, h, server.Database, nil)
	lossy := f.through(server.LoseReply("INSERT INTO"))
	calls := 0
	err := lossy.Transaction(t.Context(), func(tx *store.Tx) error {
		calls++
		_, err := store.InsertOne(t.Context(), tx, &user{Name: "once"})
		return err
	})
	if err != nil || calls != 2 {
		t.Errorf("Transaction = %v after %d calls, want it done by the second", err, calls)
	}
	f.wantCount("users", "name = 'once'", 1)
}
