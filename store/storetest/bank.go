package storetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
)

// bank is accounts with money, and transfers between them.
type bank struct {
	fixture
	example  string // args of a transfer
	accounts int
}

// money is what each account begins with.
const money = 100

// startBank makes a bank with a few accounts. Nothing in it keeps out a second
// row for the same transfer.
func startBank(t *testing.T, h Harness, db Database, accounts int, change func(*store.Config)) bank {
	t.Helper()
	for _, ddl := range []string{
		"CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance DECIMAL(20, 2) NOT NULL)", h.DDL.Transfers,
		"CREATE TABLE entries (transfer BIGINT NOT NULL, account INTEGER NOT NULL, amount DECIMAL(20, 2) NOT NULL)",
	} {
		mustExec(t, db.SQL, ddl)
	}
	for i := range accounts {
		mustExec(t, db.SQL, fmt.Sprintf("INSERT INTO accounts (id, balance) VALUES (%d, %d)", i+1, money))
	}
	b := bank{example: h.Transfer, accounts: accounts}
	b.fixture = startOn(t, h, db, func(cfg *store.Config) {
		cfg.Tables = b.tables()
		cfg.Retry = store.Retry{Attempts: 3, Delay: 2 * time.Millisecond}
		if change != nil {
			change(cfg)
		}
	})
	if err := b.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

// tables lets jobs do everything with the bank's tables.
func (b bank) tables() map[string]store.Table {
	tables := allTables()
	for _, table := range []string{"accounts", "transfers", "entries"} {
		tables[table] = store.Table{Write: true}
	}
	return tables
}

// The documented transfer moves 25 from account 17 to account 42.
var exampleNumber = regexp.MustCompile(`\b(17|42|25)\b`)

func (b bank) transfer(from, to, amount int) string {
	return exampleNumber.ReplaceAllStringFunc(b.example, func(number string) string {
		return fmt.Sprint(map[string]int{"17": from, "42": to, "25": amount}[number])
	})
}

// attempt runs a transfer until it is decided, as the attempts of a job do. It
// reports whether the money was moved.
func (b bank) attempt(args string, e *store.Effect) (result string, moved bool) {
	for b.t.Context().Err() == nil {
		res, err := b.runTransaction(args, e)
		var failure *job.Failure
		switch {
		case err == nil:
			return string(res.JSON), true
		case errors.As(err, &failure) && failure.Code == job.CodeUnexpectedRows:
			return "", false
		case !errors.As(err, &failure) || failure.Class != job.ClassRetryable:
			b.t.Errorf("RunTransaction = %v, want a retryable failure or too little money", err)
			return "", false
		}
	}
	return "", false
}

// settled checks that the books are right: no money came or went, every
// transfer is there once and whole, and there are so many.
func (b bank) settled(transfers int) {
	b.t.Helper()
	b.wantCount("transfers", "1 = 1", transfers)
	b.wantCount("entries", "1 = 1", 2*transfers)
	b.wantCount("asyncops_effects", "outcome = 'done' AND result IS NOT NULL", transfers)
	b.wantCount("asyncops_effects", "1 = 1", transfers)
	b.wantCount("(SELECT SUM(balance) AS s FROM accounts) AS total", fmt.Sprintf("s = %d", money*b.accounts), 1)
	b.wantCount("accounts", "balance < 0", 0)
	b.wantCount("accounts", fmt.Sprintf("balance <> %d + COALESCE((SELECT SUM(amount) FROM entries WHERE account = accounts.id), 0)", money), 0)
	b.wantCount("transfers", "(SELECT COUNT(*) FROM entries WHERE transfer = transfers.id) <> 2 OR (SELECT SUM(amount) FROM entries WHERE transfer = transfers.id) <> 0", 0)
}

// order is a transfer of chance.
func (b bank) order(random *rand.Rand) string {
	from := random.IntN(b.accounts)
	to := (from + 1 + random.IntN(b.accounts-1)) % b.accounts
	level := []string{"", `"isolation":"read_committed",`, `"isolation":"repeatable_read",`, `"isolation":"serializable",`}[random.IntN(4)]
	return "{" + level + strings.TrimPrefix(b.transfer(from+1, to+1, 1+random.IntN(30)), "{")
}

// watchSum looks at the sum until ctx is done.
func (b bank) watchSum(ctx context.Context) {
	for ctx.Err() == nil {
		var n int
		err := b.db.SQL.QueryRowContext(ctx, fmt.Sprintf("SELECT COUNT(*) FROM (SELECT SUM(balance) AS s FROM accounts) AS total WHERE s = %d", money*b.accounts)).Scan(&n)
		if err == nil && n != 1 {
			b.t.Error("the sum of all accounts has changed")
			return
		}
	}
}

// lockAccount keeps everybody else from changing an account until the
// transaction's end.
func (b bank) lockAccount(id int) *sql.Tx {
	b.t.Helper()
	var tx *sql.Tx
	testkit.Eventually(b.t, 30*time.Second, 5*time.Millisecond, func() (err error) { // it may be a deadlock's victim itself
		if tx, err = b.db.SQL.BeginTx(context.WithoutCancel(b.t.Context()), nil); err != nil {
			return err
		}
		if _, err = tx.ExecContext(b.t.Context(), fmt.Sprintf("UPDATE accounts SET balance = balance WHERE id = %d", id)); err != nil {
			_ = tx.Rollback()
		}
		return err
	})
	return tx
}
