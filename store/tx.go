package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"

	"github.com/asyncops/asyncops/cache"
	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
	"github.com/uptrace/bun"
)

// Tx is a transaction that Target.Transaction has begun. Typed operations that
// are given it see each other's changes, and nobody else does before it is
// committed. It is for one goroutine, and of no use after the function that it
// was given to.
type Tx struct {
	t        *Target
	db       bun.Tx
	work     *work // what is seen of it
	readOnly bool
	ended    bool
	failed   error // the first error that leaves the transaction in doubt
	rows     int64
	ran      []explained // the first of them
}

// maxExplained is how many operations of a transaction the slow log shows.
const maxExplained = 50

// TxOption is an option of Target.Transaction.
type TxOption interface{ toTx(*txOptions) }

type txOptions struct {
	sql.TxOptions
	isolation dbop.Isolation
}

type txOption func(*txOptions)

func (o txOption) toTx(t *txOptions) { o(t) }

// Isolation sets how far the transaction is kept apart from others; the default
// is the database's. On SQLite all are serializable.
func Isolation(level dbop.Isolation) TxOption {
	return txOption(func(o *txOptions) { o.isolation = level })
}

// ReadOnly makes a transaction that writes nothing: what it reads is one state
// of the database where the isolation says so, and on SQLite always. Writes in
// it fail.
func ReadOnly() TxOption { return txOption(func(o *txOptions) { o.ReadOnly = true }) }

// Transaction calls f with a transaction, and commits it if f returns nil; an
// error of f's, or a panic, rolls it back and is returned, or goes on. A
// deadlock, a serialization failure or a connection that was lost before the
// commit is tried again within Config.Retry: f is called again, from the start,
// and must not have done anything that the database does not undo. Rows that it
// inserts are best made by it: one from an earlier call has the values that the
// database gave it then.
//
// An operation that failed has spoiled the transaction, whatever f makes of its
// error: nothing else runs in it, and it is rolled back. Only job.ErrNotFound
// spoils nothing. Errors that are not f's own are *job.Failure; if the
// connection is lost during the commit its class is ambiguous and its code too,
// and nobody knows whether it has happened.
//
// It takes one slot and one connection of the target's for as long as f runs.
// f must not use the target itself, or wait for something slow: a transaction
// that is idle for 10 s is ended by PostgreSQL (12 s on MariaDB and MySQL), and
// on SQLite all other writes wait for it.
func (t *Target) Transaction(ctx context.Context, f func(tx *Tx) error, opts ...TxOption) error {
	var o txOptions
	for _, opt := range opts {
		opt.toTx(&o)
	}
	if o.isolation != "" && !slices.Contains(dbop.Isolations(), o.isolation) {
		return job.Permanent(job.CodeInvalid, "isolation %q is not known", o.isolation)
	}
	o.Isolation = t.isolation(o.isolation)
	var own error // of f's
	var tx *Tx    // of the last try
	w := &work{op: opTransaction, writes: !o.ReadOnly}
	w.explain = func() (string, error) { return tx.explain() }
	_, err := t.run(ctx, w, func() (res *Result, err error) {
		pool := t.writer
		if o.ReadOnly {
			pool = t.reader
		}
		tx = &Tx{t: t, work: w, readOnly: o.ReadOnly, ended: true}
		own = nil
		err = t.atomically(ctx, pool, &o.TxOptions, func(db bun.Tx) error {
			tx.db, tx.ended = db, false
			defer func() { tx.ended = true }()
			own = f(tx)
			if tx.failed != nil {
				return tx.failed
			}
			return own
		})
		if tx.failed == nil && own != nil {
			err, w.changes = nil, nil // it was rolled back because f wanted it: no fault of the database's
		}
		return &Result{Rows: tx.rows}, err
	})
	if own != nil {
		return own
	}
	return err
}

// atomically calls body with a transaction and commits it, or rolls it back and
// returns body's error.
func (t *Target) atomically(ctx context.Context, pool *bun.DB, opts *sql.TxOptions, body func(bun.Tx) error) error {
	tx, err := pool.BeginTx(ctx, opts)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	if err := body(tx); err != nil {
		return err
	}
	if opts != nil && opts.ReadOnly {
		return tx.Commit()
	}
	return t.inDoubt(tx.Commit())
}

func (tx *Tx) target() *Target { return tx.t }

func (tx *Tx) kept() *cache.Space { return nil }

// refuse spoils the transaction by an operation that did not come to run.
func (tx *Tx) refuse(err error) error {
	tx.failed = err
	return err
}

// exec runs an operation in the transaction.
func (tx *Tx) exec(ctx context.Context, c call) error {
	switch {
	case tx.ended:
		return job.Permanent(job.CodeInvalid, "the transaction has ended")
	case tx.failed != nil:
		return tx.t.failure(ctx, c.op, errSpoiled{tx.failed})
	case c.writes && tx.readOnly:
		return tx.refuse(job.Permanent(job.CodeReadOnly, "%s in a transaction that is read-only", c.op))
	}
	if err := tx.t.registry.admit(c.table, c.writes); err != nil {
		return tx.refuse(err)
	}
	if !slices.Contains(tx.work.tables, c.table) {
		tx.work.tables = append(tx.work.tables, c.table)
	}
	if c.writes && !slices.Contains(tx.work.changes, c.table) {
		tx.work.changes = append(tx.work.changes, c.table)
	}
	known, err := tx.t.catalog.table(ctx, c.table)
	if err == nil && known.engine != "" && c.writes {
		return tx.refuse(cannotRollBack(c.table, known.engine))
	}
	var ran explained
	var n int64
	if err == nil {
		ran, n, err = c.do(ctx, tx.db, known)
	}
	if ran != nil && len(tx.ran) < maxExplained {
		tx.ran = append(tx.ran, ran)
	}
	tx.rows += n
	if err == nil {
		return nil
	}
	if !errors.Is(err, job.ErrNotFound) { // which has changed nothing
		tx.failed = err
	}
	if tx.t.diagnose(err).stale {
		tx.t.catalog.forget(c.table)
	}
	return tx.t.failure(ctx, c.op, err)
}

func (tx *Tx) explain() (string, error) {
	all := make([]string, 0, len(tx.ran))
	for _, explain := range tx.ran {
		text, err := explain()
		if err != nil {
			return "", err
		}
		all = append(all, text)
	}
	return strings.Join(all, "; "), nil
}

// errSpoiled is what an operation meets after another has failed in its
// transaction.
type errSpoiled struct{ err error }

func (e errSpoiled) Error() string {
	return "an earlier operation of the transaction failed: " + e.err.Error()
}

func (e errSpoiled) Unwrap() error { return e.err }
