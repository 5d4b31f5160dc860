package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
)

// isolated is operations with an isolation.
func isolated(level string, steps ...string) string {
	return `{"isolation":"` + level + `",` + operations(steps...)[1:]
}

// Every dialect takes every isolation.
func testIsolation(t *testing.T, h Harness) {
	f := start(t, h, nil)
	f.people()
	for _, level := range []string{"read_committed", "repeatable_read", "serializable"} {
		args := isolated(level,
			`{"op":"select_one","as":"ada","table":"users","columns":["age"],"where":{"name":"Ada"}}`,
			`{"op":"update_one","table":"users","where":{"name":"Ada","age":{"$ref":"ada.age"}},"values":{"age":{"$inc":1}},"expect_rows":1}`)
		if _, err := f.runTransaction(args, effect()); err != nil {
			t.Errorf("%s: %v", level, err)
		}
	}
	f.wantCount("users", "name = 'Ada' AND age = 39", 1)
}

// Two transactions that each see both on call, and take one off: run one after
// the other, the second does not see both any more.
func testWriteSkew(t *testing.T, h Harness) {
	f := start(t, h, func(cfg *store.Config) { cfg.Retry = store.Retry{Attempts: 10, Delay: time.Millisecond} })
	for range 20 {
		mustExec(t, f.db.SQL, "DELETE FROM users")
		mustExec(t, f.db.SQL, "INSERT INTO users (email, name) VALUES ('1', 'on call'), ('2', 'on call')")
		var wg sync.WaitGroup
		var left atomic.Int64
		for _, who := range []string{"1", "2"} {
			wg.Go(func() {
				_, err := f.runTransaction(isolated("serializable",
					`{"op":"select_many","table":"users","where":{"name":"on call"},"expect_rows":2}`,
					`{"op":"update_one","table":"users","where":{"email":"`+who+`"},"values":{"name":"off"}}`), effect())
				if err == nil {
					left.Add(1)
					return
				}
				wantCode(t, err, job.CodeUnexpectedRows)
			})
		}
		wg.Wait()
		if left.Load() != 1 {
			t.Errorf("%d of two transactions left, want 1", left.Load())
		}
		f.wantCount("users", "name = 'on call'", 1)
	}
}

// Serializable transactions that touch nothing of each other do not stand in
// each other's way, the records of their effects included.
func testNeighbours(t *testing.T, h Harness) {
	f := start(t, h, func(cfg *store.Config) { cfg.Retry.Attempts = 1 })
	if err := f.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	const workers, each = 8, 20
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range each {
				if _, err := f.runTransaction(isolated("serializable", logSome, logSome), effect()); err != nil {
					t.Errorf("RunTransaction = %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	f.wantCount("log", "1 = 1", 2*workers*each)
	f.wantCount("asyncops_effects", "outcome = 'done' AND result IS NOT NULL", workers*each)
}

// Many workers, few accounts, and every transfer is run twice under one id, at
// the same time: the sum never changes, and no money moves twice.
func testTransfers(t *testing.T, h Harness) {
	b := startBank(t, h, h.Database(t), 3, nil)
	const workers, each = 6, 20
	random := testkit.Random(t)
	watched, stop := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() { b.watchSum(watched) })
	var wg sync.WaitGroup
	var moved atomic.Int64
	for range workers {
		orders := make([]string, each)
		for i := range orders {
			orders[i] = b.order(random)
		}
		wg.Go(func() {
			for _, args := range orders {
				e := effect()
				var twice [2]string
				var both sync.WaitGroup
				for i := range twice {
					both.Go(func() { twice[i], _ = b.attempt(args, e) })
				}
				both.Wait()
				again, done := b.attempt(args, e) // one that had too little money may have enough now
				if done {
					moved.Add(1)
				}
				for _, result := range twice {
					if result != "" && result != again {
						t.Errorf("one run of the transfer = %s, another %s", result, again)
					}
				}
			}
		})
	}
	wg.Wait()
	stop()
	watching.Wait()
	b.settled(int(moved.Load()))
	if moved.Load() < workers*each/4 {
		t.Errorf("%d of %d transfers had enough money: this run shows little", moved.Load(), workers*each)
	}
}

// Two transactions take the same rows in opposite order: each waits for what
// the other has. One of them is chosen to begin again, which it does by itself;
// without a retry it leaves nothing behind.
func testOppositeOrder(t *testing.T, h Harness) {
	for _, attempts := range []int{1, 3} {
		b := startBank(t, h, h.Database(t), 3, func(cfg *store.Config) { cfg.Retry.Attempts = attempts })
		change := func(id int) string {
			return fmt.Sprintf(`{"op":"update_one","table":"accounts","where":{"id":%d},"values":{"balance":{"$inc":1}},"require":true}`, id)
		}
		held := b.lockAccount(3) // for which both wait, each with one row of its own
		var wg sync.WaitGroup
		var done, conflicts atomic.Int64
		for _, order := range [][]int{{1, 3, 2}, {2, 3, 1}} {
			wg.Go(func() {
				_, err := b.runTransaction(operations(change(order[0]), change(order[1]), change(order[2])), effect())
				if err == nil {
					done.Add(1)
					return
				}
				conflicts.Add(1)
				if failure := wantCode(t, err, job.CodeConflict); failure.Class != job.ClassRetryable {
					t.Errorf("class = %s, want %s", failure.Class, job.ClassRetryable)
				}
			})
		}
		want := int64(2)
		if b.db.Waiting != nil {
			testkit.Eventually(t, 10*time.Second, 200*time.Millisecond, func() error { return b.db.Waiting(2) })
			if attempts == 1 {
				want = 1
			}
		}
		if err := held.Rollback(); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		if done.Load() != want || done.Load()+conflicts.Load() != 2 {
			t.Errorf("with %d attempts %d of two transactions were done, %d gave up; want %d done", attempts, done.Load(), conflicts.Load(), want)
		}
		b.wantCount("accounts", fmt.Sprintf("balance = %d", money+done.Load()), 3)
		b.wantCount("asyncops_effects", "outcome = 'done'", int(done.Load()))
	}
}

// Somebody else holds a hot account for longer than a lock is waited for, again
// and again, while transfers go back and forth: what is given up is given up
// whole.
func testHotRows(t *testing.T, h Harness) {
	b := startBank(t, h, h.Database(t), 3, func(cfg *store.Config) {
		cfg.StatementTimeout = 2 * time.Second // a lock is waited for for one or two
		cfg.Retry.Attempts = 1
	})
	random := testkit.Random(t)
	var conflicts, moved atomic.Int64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		mine := rand.New(rand.NewPCG(random.Uint64(), 0))
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				args, e := b.order(mine), effect()
				for {
					_, err := b.runTransaction(args, e)
					var failure *job.Failure
					if err == nil {
						moved.Add(1)
						break
					}
					if !errors.As(err, &failure) || failure.Class != job.ClassRetryable {
						wantUnexpected(t, err)
						break
					}
					conflicts.Add(1)
				}
			}
		})
	}
	for i := range 2 {
		held := b.lockAccount(i + 1)
		before := conflicts.Load()
		testkit.Eventually(t, 30*time.Second, 5*time.Millisecond, func() error {
			if conflicts.Load() == before {
				return errors.New("nobody gave up waiting")
			}
			return nil
		})
		if err := held.Rollback(); err != nil {
			t.Error(err)
		}
		before = moved.Load()
		testkit.Eventually(t, 30*time.Second, 5*time.Millisecond, func() error {
			if moved.Load() < before+5 {
				return errors.New("the transfers do not get on")
			}
			return nil
		})
	}
	close(stop)
	wg.Wait()
	b.settled(int(moved.Load()))
}

func wantUnexpected(t *testing.T, err error) {
	t.Helper()
	var failure *job.Failure
	if !errors.As(err, &failure) || failure.Code != job.CodeUnexpectedRows {
		t.Errorf("RunTransaction = %v, want it to find too little money", err)
	}
}
