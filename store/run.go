package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
	"github.com/cenkalti/backoff/v4"
	"github.com/uptrace/bun"
)

// Effect names the run whose effect must happen once.
type Effect struct {
	Job        job.ID
	Generation int
	// Required says that the caller was promised exactly_once_effect: a target
	// without effects table must not run it.
	Required bool
}

// Result is what an operation did. It marshals to the result of its kind.
type Result struct {
	JSON json.RawMessage
	Rows int64 // returned by a select, else affected; 0 when Replayed
	// Steps holds the Rows of each step of a transaction; nil when Replayed.
	Steps []int64
	// Replayed says that the effect had happened before: JSON is its result.
	Replayed bool
}

// MarshalJSON returns the result as the contract has it.
func (r *Result) MarshalJSON() ([]byte, error) { return r.JSON, nil }

// Run carries the operation out, with the effect's record in the same
// transaction if the operation writes and effect is not nil. Transient errors
// are tried again within Config.Retry. Every error is a *job.Failure; one that
// met a tombstone has ErrSealed in its tree. After an error without effect
// record it is not known whether a write happened if the code is
// database_unreachable, timeout, canceled or handed_back; with a record, another Run tells.
func (t *Target) Run(ctx context.Context, op dbop.Operation, effect *Effect) (*Result, error) {
	if err := t.registry.failure(op); err != nil {
		return nil, err
	}
	w := work{
		op: op.Op, writes: op.Writes(), tables: []string{op.Table}, query: op.Query,
		explain: func() (string, error) { return t.registry.Explain(op) },
	}
	if op.Op == dbop.Query {
		w.tables = t.registry.queries[op.Query].Writes
	}
	return t.run(ctx, w, func() (*Result, error) { return t.once(ctx, op, effect) })
}

// work is what a run does, as far as it matters to what every run has.
type work struct {
	op      dbop.Op // as metrics, logs and errors call it
	writes  bool
	tables  []string
	query   string                 // the name of a named statement
	explain func() (string, error) // for the log
}

// run calls try with the slots that the work needs, until it succeeds or must
// not be tried again.
func (t *Target) run(ctx context.Context, w work, try func() (*Result, error)) (*Result, error) {
	release, err := t.acquire(ctx, w.writes)
	if err != nil {
		return nil, t.failure(ctx, w.op, err)
	}
	defer release()
	began := time.Now()
	var res *Result
	err = t.retry(ctx, w.tables, func() error {
		res, err = try()
		return err
	})
	t.observe(ctx, w.ran(res, time.Since(began), err))
	if err != nil {
		return nil, t.failure(ctx, w.op, err)
	}
	return res, nil
}

// acquire takes the slots that work needs.
func (t *Target) acquire(ctx context.Context, writes bool) (release func(), err error) {
	var waited time.Duration
	writing := t.writers != nil && writes
	if writing { // first, so that waiting writes take no slot from reads
		if waited, err = t.writers.acquire(ctx, t.cfg.PoolTimeout, 0); err != nil {
			t.observer.PoolWait(t.cfg.Name, waited)
			return nil, err
		}
	}
	more, err := t.slots.acquire(ctx, t.cfg.PoolTimeout, waited)
	t.observer.PoolWait(t.cfg.Name, waited+more)
	if err != nil {
		if writing {
			t.writers.release()
		}
		return nil, err
	}
	return func() {
		t.slots.release()
		if writing {
			t.writers.release()
		}
	}, nil
}

// retry calls f until it succeeds, its error is not transient, or the settings
// for retries are used up. An error that may come from outdated knowledge of
// the tables gets one more try with new knowledge.
func (t *Target) retry(ctx context.Context, tables []string, f func() error) error {
	waits := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(t.cfg.Retry.Delay), backoff.WithMultiplier(2), backoff.WithRandomizationFactor(0.5),
		backoff.WithMaxInterval(100*t.cfg.Retry.Delay), backoff.WithMaxElapsedTime(0))
	refreshed := false
	try := func() error {
		err := f()
		if err == nil {
			return nil
		}
		d := t.diagnose(err)
		if d.stale && !refreshed {
			refreshed = true
			t.effects.forget()
			t.catalog.forget(tables...)
			if err = f(); err == nil {
				return nil
			}
			d = t.diagnose(err)
		}
		if d.transient {
			return err
		}
		return backoff.Permanent(err)
	}
	return backoff.Retry(try, backoff.WithContext(backoff.WithMaxRetries(waits, uint64(max(t.cfg.Retry.Attempts-1, 0))), ctx))
}

// once is one try of an operation.
func (t *Target) once(ctx context.Context, op dbop.Operation, effect *Effect) (*Result, error) {
	if op.Op == dbop.Query {
		return t.onceQuery(ctx, op, effect)
	}
	visible, err := t.visible(ctx, op)
	if err != nil {
		return nil, err
	}
	if !op.Writes() {
		return t.do(ctx, t.reader, visible, op)
	}
	if effect, err = t.recorded(ctx, effect); err != nil {
		return nil, err
	}
	if effect != nil && visible.engine != "" {
		return nil, cannotRollBack(op.Table, visible.engine)
	}
	if res, ok, err := t.shared.insert(ctx, visible, op, effect); ok {
		return res, err
	}
	return t.transact(ctx, t.writer, nil, effect, func(tx transaction) (*Result, error) { return t.do(ctx, tx, visible, op) })
}

// visible describes what of an operation's table jobs may see.
func (t *Target) visible(ctx context.Context, op dbop.Operation) (*table, error) {
	described, err := t.catalog.table(ctx, op.Table)
	if err != nil {
		return nil, err
	}
	allowed, _ := t.registry.lookUp(op.Table)
	return described.only(allowed.Columns), nil
}

// recorded returns the effect if it is to be recorded, else nil.
func (t *Target) recorded(ctx context.Context, effect *Effect) (*Effect, error) {
	if effect == nil {
		return nil, nil
	}
	if recorded, err := t.recording(ctx, effect.Required); !recorded {
		return nil, err
	}
	return effect, nil
}

func cannotRollBack(table, engine string) error {
	return job.Permanent(job.CodeInvalid, "table %q is kept by %s, which cannot roll back: what is promised for the job cannot hold there", table, engine)
}

// do runs an operation in a pool or a transaction.
func (t *Target) do(ctx context.Context, db querier, visible *table, op dbop.Operation) (*Result, error) {
	if op.Writes() {
		return t.change(ctx, db, visible, op)
	}
	return t.read(ctx, db, visible, op)
}

// transact is one transaction: the effect's row, if there is an effect, what
// body does, and its result in that row.
func (t *Target) transact(ctx context.Context, pool *bun.DB, opts *sql.TxOptions, effect *Effect, body func(transaction) (*Result, error)) (*Result, error) {
	tx, err := pool.BeginTx(ctx, opts)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	if effect != nil {
		ours, err := t.claim(ctx, tx, *effect, outcomeDone)
		if err != nil {
			return nil, err
		}
		if !ours {
			_ = tx.Rollback() // the row is committed: whoever reads it needs no transaction, least of all one that had an error
			return t.stored(ctx, *effect)
		}
	}
	res, err := body(tx)
	if err != nil {
		return nil, err
	}
	if effect != nil {
		serializable := opts != nil && opts.Isolation == sql.LevelSerializable
		if err := t.record(ctx, tx, *effect, res, serializable); err != nil {
			return nil, err
		}
	}
	return res, tx.Commit()
}

// statement runs one statement within statement_timeout.
func (t *Target) statement(ctx context.Context, f func(context.Context) error) error {
	limited, cancel := context.WithTimeoutCause(ctx, t.cfg.StatementTimeout+t.grammar().statementGrace, errStatementTimeout)
	defer cancel()
	err := f(limited)
	if err != nil && ctx.Err() == nil && limited.Err() != nil {
		return fmt.Errorf("%w: %w", errStatementTimeout, err)
	}
	return err
}
