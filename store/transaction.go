package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
)

// opTransaction is what metrics, logs and errors call a transaction.
const opTransaction dbop.Op = "transaction"

// RunTransaction carries all steps out or none, with the effect's record in the
// same transaction if some step writes and effect is not nil; its JSON is
// {"results":[…]}. Transient errors are tried again from the first step on.
// What Run says of errors holds here; a message begins with the step that
// failed. Without a step that writes it is a read-only transaction.
func (t *Target) RunTransaction(ctx context.Context, txn dbop.Transaction, effect *Effect) (*Result, error) {
	for i, step := range txn.Steps {
		if err := t.registry.failure(step.Operation); err != nil {
			return nil, blame(txn.Steps, i, err)
		}
	}
	w := work{op: opTransaction, writes: txn.Writes(), explain: func() (string, error) {
		all, err := t.registry.ExplainTransaction(txn)
		return strings.Join(all, "; "), err
	}}
	for _, step := range txn.Steps {
		w.tables = append(w.tables, t.registry.touches(step.Operation)...)
		w.changes = append(w.changes, t.registry.Writes(step.Operation)...)
		if step.Op == dbop.Query && w.writes {
			w.changes = append(w.changes, AllTables) // here even one that reads could write, through a function
		}
	}
	at := -1 // the step that a try is at, if it is at one
	res, err := t.run(ctx, &w, func() (*Result, error) { return t.tryTransaction(ctx, txn, effect, &at) })
	if err != nil && at >= 0 {
		err = blame(txn.Steps, at, err)
	}
	return res, err
}

// tryTransaction is one try; at is the step that it is at, or -1.
func (t *Target) tryTransaction(ctx context.Context, txn dbop.Transaction, effect *Effect, at *int) (*Result, error) {
	tables := make([]*table, len(txn.Steps))
	for i, step := range txn.Steps {
		*at = i
		if step.Op == dbop.Query {
			if err := t.canRollBack(ctx, step.Operation); err != nil {
				return nil, err
			}
			continue
		}
		var err error
		if tables[i], err = t.visible(ctx, step.Operation); err != nil {
			return nil, err
		}
		if step.Writes() && tables[i].engine != "" {
			return nil, cannotRollBack(step.Table, tables[i].engine)
		}
	}
	*at = -1
	body := func(tx transaction) (*Result, error) {
		res, err := t.steps(ctx, tx, txn.Steps, tables, at)
		if err == nil {
			*at = -1
		}
		return res, err
	}
	opts := &sql.TxOptions{Isolation: t.isolation(txn.Isolation)}
	if !txn.Writes() {
		opts.ReadOnly = true
		return t.transact(ctx, t.reader, opts, nil, body)
	}
	effect, err := t.recorded(ctx, effect)
	if err != nil {
		return nil, err
	}
	return t.transact(ctx, t.writer, opts, effect, body)
}

// isolation returns the level to ask the database for.
func (t *Target) isolation(i dbop.Isolation) sql.IsolationLevel {
	if t.grammar().oneWriter {
		return sql.LevelDefault
	}
	return map[dbop.Isolation]sql.IsolationLevel{
		dbop.ReadCommitted: sql.LevelReadCommitted, dbop.RepeatableRead: sql.LevelRepeatableRead, dbop.Serializable: sql.LevelSerializable,
	}[i]
}

// steps runs the steps in a transaction.
func (t *Target) steps(ctx context.Context, tx transaction, steps []dbop.Step, tables []*table, at *int) (*Result, error) {
	all := &Result{JSON: []byte(`{"results":[`), Steps: make([]int64, len(steps))}
	var results dbop.Results
	for i, step := range steps {
		*at = i
		op, err := step.Resolve(&results, func(column string) bool {
			c := tables[i].column(column) // a named statement has none, and never asks
			return c != nil && c.class == classJSON
		})
		if err == nil {
			err = t.registry.failure(op) // of the values that references stand for
		}
		if err != nil {
			return nil, err
		}
		var res *Result
		if op.Op == dbop.Query {
			res, err = t.runQuery(ctx, tx, op, false)
		} else {
			res, err = t.do(ctx, tx, tables[i], op)
		}
		if err != nil {
			return nil, err
		}
		if want := step.ExpectRows; want != nil && res.Rows != int64(*want) {
			return nil, job.Permanent(job.CodeUnexpectedRows, "%d rows, expected %d; nothing was changed", res.Rows, *want)
		}
		if step.As != "" {
			results.Add(step.As, res.JSON)
		}
		if i > 0 {
			all.JSON = append(all.JSON, ',')
		}
		all.JSON = append(all.JSON, res.JSON...)
		all.Rows += res.Rows
		all.Steps[i] = res.Rows
	}
	all.JSON = append(all.JSON, `]}`...)
	return all, nil
}

// blame says in front of a failure which step it is about.
func blame(steps []dbop.Step, i int, err error) error {
	var f *job.Failure
	if !errors.As(err, &f) {
		return err
	}
	name := string(steps[i].Op)
	if steps[i].As != "" {
		name += " " + steps[i].As
	}
	blamed := *f
	blamed.Message = fmt.Sprintf("operation %d (%s): %s", i, name, f.Message)
	return &blamed
}

// ExplainTransaction returns the SQL that would run for each step, as Explain
// does. What a reference stands for is a value like any other; one that turns
// out to be null is compared with by IS NULL.
func (r *Registry) ExplainTransaction(txn dbop.Transaction) ([]string, error) {
	all := make([]string, len(txn.Steps))
	for i, step := range txn.Steps {
		text, err := r.Explain(step.Operation)
		if err != nil {
			return nil, blame(txn.Steps, i, err)
		}
		all[i] = text
	}
	return all, nil
}
