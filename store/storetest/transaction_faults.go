package storetest

import (
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
)

// The transaction is committed, and its reply is lost: the next try inside the
// run meets the effect's row, and no step happens again.
func testLostTransaction(t *testing.T, h Harness) {
	if h.Server == nil {
		t.Skip("this database has no connection to lose")
	}
	server := h.Server(t)
	b := startBank(t, h, server.Database, 2, nil)
	for i := range 3 {
		cfg := server.LoseReply("COMMIT")
		cfg.Tables = b.tables()
		through := open(t, cfg, nil)
		if err := through.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		e := effect()
		res, err := through.RunTransaction(t.Context(), b.transaction(b.transfer(1, 2, 10)), e)
		if err != nil || !res.Replayed {
			t.Fatalf("RunTransaction = %+v, %v, want a replay", res, err)
		}
		b.settled(i + 1)
		again, err := b.runTransaction(b.transfer(1, 2, 10), e)
		if err != nil || string(again.JSON) != string(res.JSON) {
			t.Errorf("RunTransaction by another worker = %+v, %v, want %s", again, err, res.JSON)
		}
		b.settled(i + 1)
	}
}

// A worker freezes inside of an open transaction, after its first step. The
// server ends the transaction within a lease, another worker runs the job, and
// the first one changes nothing when it goes on.
func testFrozenTransaction(t *testing.T, h Harness) {
	if h.Server == nil {
		t.Skip("a frozen writer of a file blocks the file")
	}
	server := h.Server(t)
	b := startBank(t, h, server.Database, 2, nil)
	proxy := testkit.Proxy(t, server.Addr())
	cfg := server.Through(proxy.Addr())
	cfg.Tables = b.tables()
	frozen := open(t, cfg, nil)
	e, args := effect(), b.transaction(b.transfer(1, 2, 10))

	held := b.lockAccount(2)
	zombie := make(chan error, 1)
	go func() {
		_, err := frozen.RunTransaction(t.Context(), args, e)
		zombie <- err
	}()
	testkit.Eventually(t, 10*time.Second, 200*time.Millisecond, func() error { return b.db.Waiting(1) }) // in its second step
	proxy.Pause()
	if err := held.Rollback(); err != nil {
		t.Fatal(err)
	}
	began := time.Now() // the transaction has account 1 and the effect's row
	result, moved := b.attempt(b.transfer(1, 2, 10), e)
	if took := time.Since(began); !moved || took > 25*time.Second {
		t.Errorf("another worker: %s after %s, want it to move the money within 25s", result, took)
	}
	b.settled(1)
	proxy.Resume()
	if err := <-zombie; err != nil { // it tries again, and meets the row
		t.Logf("the frozen worker goes on: %v", err)
	}
	b.settled(1)
	if again, _ := b.attempt(b.transfer(1, 2, 10), e); again != result {
		t.Errorf("a later run = %s, want %s", again, result)
	}
}
