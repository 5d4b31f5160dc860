package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
	"github.com/cenkalti/backoff/v4"
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
	release, err := t.acquire(ctx, op.Op)
	if err != nil {
		return nil, t.failure(ctx, op.Op, err)
	}
	defer release()
	began := time.Now()
	var res *Result
	err = t.retry(ctx, op.Table, func() error {
		res, err = t.once(ctx, op, effect)
		return err
	})
	t.observeOperation(ctx, op, res, time.Since(began), err)
	if err != nil {
		return nil, t.failure(ctx, op.Op, err)
	}
	return res, nil
}

// acquire takes the slots that the operation needs.
func (t *Target) acquire(ctx context.Context, op dbop.Op) (release func(), err error) {
	var waited time.Duration
	writing := t.writers != nil && op.Writes()
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
// the table gets one more try with new knowledge.
func (t *Target) retry(ctx context.Context, table string, f func() error) error {
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
			t.catalog.forget(table)
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

// once is one try.
func (t *Target) once(ctx context.Context, op dbop.Operation, effect *Effect) (*Result, error) {
	described, err := t.catalog.table(ctx, op.Table)
	if err != nil {
		return nil, err
	}
	allowed, _ := t.registry.lookUp(op.Table)
	visible := described.only(allowed.Columns)
	if !op.Op.Writes() {
		return t.read(ctx, t.reader, visible, op)
	}
	recorded := false
	if effect != nil {
		if recorded, err = t.recording(ctx, effect.Required); err != nil {
			return nil, err
		}
	}
	if !recorded {
		effect = nil
	}
	if recorded && described.engine != "" {
		return nil, job.Permanent(job.CodeInvalid, "table %q is kept by %s, which cannot roll back: what is promised for the job cannot hold there", op.Table, described.engine)
	}
	if res, ok, err := t.shared.insert(ctx, visible, op, effect); ok {
		return res, err
	}
	return t.write(ctx, visible, op, effect)
}

// write is one transaction: the effect's row, the operation, the result.
func (t *Target) write(ctx context.Context, visible *table, op dbop.Operation, effect *Effect) (*Result, error) {
	tx, err := t.writer.BeginTx(ctx, nil)
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
	res, err := t.change(ctx, tx, visible, op)
	if err != nil {
		return nil, err
	}
	if effect != nil {
		if err := t.record(ctx, tx, *effect, res); err != nil {
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
