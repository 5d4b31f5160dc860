package store

import (
	"context"
	"errors"

	"github.com/asyncops/asyncops/cache"
	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
	"github.com/uptrace/bun"
)

// Session is where typed operations run: a *Target, each by itself, or a *Tx,
// all in one transaction.
type Session interface {
	exec(ctx context.Context, c call) error
	target() *Target
	kept() *cache.Space // that may answer reads; nil for none
}

// call is a typed operation.
type call struct {
	op     dbop.Op // as metrics, logs and errors call it
	table  string
	writes bool
	// single says whether the operation is one statement which needs no look at
	// what it did: by itself it takes no transaction. Nil is no.
	single func(t *table) bool
	// do runs it in a pool or a transaction, and returns how the log would have
	// it, and how many rows it returned or affected.
	do func(ctx context.Context, db querier, t *table) (explained, int64, error)
}

// explained returns a statement with placeholders for values; nil for none.
type explained func() (string, error)

// explaining is how the log would have an operation.
func (t *Target) explaining(op dbop.Operation) explained {
	op.Rows = op.Rows[:min(len(op.Rows), 1)]
	return func() (string, error) { return t.registry.explain(op) }
}

func (t *Target) target() *Target { return t }

func (t *Target) kept() *cache.Space { return t.space }

// exec runs an operation by itself.
func (t *Target) exec(ctx context.Context, c call) error {
	if err := t.registry.admit(c.table, c.writes); err != nil {
		return err
	}
	var ran explained
	w := work{op: c.op, writes: c.writes, tables: []string{c.table}, explain: func() (string, error) {
		if ran == nil {
			return "", nil
		}
		return ran()
	}}
	if c.writes {
		w.changes = w.tables
	}
	_, err := t.run(ctx, &w, func() (*Result, error) {
		known, err := t.catalog.table(ctx, c.table)
		if err != nil {
			return nil, err
		}
		single := c.single != nil && c.single(known)
		if known.engine != "" && c.writes && !single {
			return nil, cannotRollBack(c.table, known.engine)
		}
		var res Result
		do := func(db querier) (err error) {
			ran, res.Rows, err = c.do(ctx, db, known)
			return err
		}
		switch {
		case !c.writes:
			err = do(t.reader)
		case single:
			err = t.inDoubt(do(t.writer))
		default:
			err = t.atomically(ctx, t.writer, nil, func(tx bun.Tx) error { return do(tx) })
		}
		return &res, err
	})
	return err
}

// admit says whether the configuration lets a Go caller use the table. Lists of
// columns are for jobs.
func (r *Registry) admit(table string, writes bool) error {
	return r.failure(dbop.Operation{Op: map[bool]dbop.Op{false: dbop.SelectMany, true: dbop.UpdateMany}[writes], Table: table})
}

// inDoubt marks the error of a statement that commits and has no record: if the
// connection was lost, trying again could do twice what was sent.
func (t *Target) inDoubt(err error) error {
	if err == nil || errors.As(err, new(*job.Failure)) { // which says what it is
		return err
	}
	d := t.diagnose(err)
	return &inDoubtError{err: err, final: d.code == job.CodeDatabaseUnreachable && d.transient && !d.undone}
}
