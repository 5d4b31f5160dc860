package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
)

// What a row of asyncops_effects says.
const (
	outcomeDone = "done" // the effect happened; result is its result
	outcomeVoid = "void" // a tombstone: the effect never happened and never will
)

// The statements around an effect. Arguments: of the insert, the job, the
// generation, the outcome and effectsWords.onDuplicate; of the update, the
// result, the job and the generation.
const (
	insertEffect = "INSERT INTO asyncops_effects (job_id, generation, outcome) VALUES (%s, %s, '%s')%s"
	updateEffect = "UPDATE asyncops_effects SET result = %s WHERE job_id = %s AND generation = %s AND outcome = '" + outcomeDone + "'"
)

// RecordSQL returns the statements around a write that make its effect happen
// once, with placeholders for values: the first before it, the second after.
func (r *Registry) RecordSQL() []string {
	g := r.dialect.grammar()
	mark := func(n int) string {
		if g.questionMarks {
			return "?"
		}
		return "$" + strconv.Itoa(n)
	}
	return []string{
		fmt.Sprintf(insertEffect, mark(1), mark(2), outcomeDone, g.effects.onDuplicate),
		fmt.Sprintf(updateEffect, mark(1), mark(2), mark(3)) + g.effects.stillInTransaction(),
	}
}

// stillInTransaction is the condition that the transaction has not been ended
// behind our back, where the database can be asked.
func (w effectsWords) stillInTransaction() string {
	if w.inTransaction == "" {
		return ""
	}
	return " AND " + w.inTransaction
}

// quoted writes text as a constant that every dialect reads the same way: it
// holds no NUL and, in JSON, no control characters.
func (t *Target) quoted(s string) (string, error) {
	b, err := t.dialect.codec().literal(nil, dbop.Value{Kind: dbop.String, Text: s}, columnInfo{name: "effects", class: classText})
	return string(b), err
}

// claim inserts the effect's row and reports whether there was none. It waits
// for others that are about to.
func (t *Target) claim(ctx context.Context, tx querier, e Effect, outcome string) (ours bool, err error) {
	id, err := t.quoted(string(e.Job))
	if err != nil {
		return false, err
	}
	words := t.grammar().effects
	n, err := t.affect(ctx, tx, fmt.Sprintf(insertEffect, id, strconv.Itoa(e.Generation), outcome, words.onDuplicate))
	if err != nil && words.onDuplicate == "" && t.dialect.diagnose(err).duplicate {
		return false, nil
	}
	return n == 1, err
}

// stored returns the result of an effect whose row was there before; a
// tombstone fails with ErrSealed.
func (t *Target) stored(ctx context.Context, e Effect) (*Result, error) {
	id, err := t.quoted(string(e.Job))
	if err != nil {
		return nil, err
	}
	found := false
	var was, result string
	err = t.fetch(ctx, t.writer, fmt.Sprintf("SELECT outcome, COALESCE(result, '') FROM asyncops_effects WHERE job_id = %s AND generation = %d", id, e.Generation),
		2, func(values []any) {
			found, was, result = true, asText(values[0]), asText(values[1])
		})
	switch {
	case err != nil:
		return nil, err
	case !found:
		return nil, errPruned
	case was == outcomeVoid:
		f := job.Permanent(job.CodeCanceled, "the job ended before this run could have an effect")
		f.Err = ErrSealed
		return nil, f
	}
	return &Result{JSON: json.RawMessage(result), Replayed: true}, nil
}

func asText(value any) string {
	switch value := value.(type) {
	case string:
		return value
	case []byte:
		return string(value)
	}
	return ""
}

// record stores the result in the effect's row. It is the transaction's last
// statement and must find the row: if it does not, the server has rolled back
// what came before. Without reading, the statement finds the row in a way that
// no other transaction's row comes near to.
func (t *Target) record(ctx context.Context, tx querier, e Effect, res *Result, unread bool) error {
	id, err := t.quoted(string(e.Job))
	if err != nil {
		return err
	}
	result, err := t.quoted(string(res.JSON))
	if err != nil {
		return err
	}
	words := t.grammar().effects
	if unread && words.recordUnread != "" {
		found := false
		err := t.fetch(ctx, tx, fmt.Sprintf(words.recordUnread, id, e.Generation, outcomeDone, result, outcomeDone), 1, func(values []any) { found = values[0] == true })
		if err == nil && !found {
			err = errUndone
		}
		return err
	}
	text := fmt.Sprintf(updateEffect, result, id, strconv.Itoa(e.Generation)) + words.stillInTransaction()
	n, err := t.affect(ctx, tx, text)
	if err == nil && n != 1 {
		err = errUndone
	}
	return err
}

// Seal makes sure that the effect will not happen any more, by a tombstone in
// the target. If it has happened, applied is true and stored is its result. On
// a target without effects table there is nothing to seal: applied is false.
// Whatever earlier runs of the operations may have written, the cache holds
// nothing from before. Errors are *job.Failure; the caller tries again until it knows.
func (t *Target) Seal(ctx context.Context, e Effect, ops ...dbop.Operation) (stored json.RawMessage, applied bool, err error) {
	err = t.retry(ctx, nil, func() error {
		recorded, err := t.recording(ctx, e.Required)
		if err != nil || !recorded {
			return err
		}
		ours, err := t.claim(ctx, t.writer, e, outcomeVoid)
		if err != nil || ours {
			return err
		}
		res, err := t.stored(ctx, e)
		if errors.Is(err, ErrSealed) {
			return nil
		}
		if err == nil {
			stored, applied = res.JSON, true
		}
		return err
	})
	if err != nil {
		return nil, false, t.failure(ctx, "seal", err)
	}
	for _, op := range ops {
		t.changed(t.registry.Writes(op))
	}
	return stored, applied, nil
}

// PruneEffects removes at most limit records of effects that happened, and of
// jobs that were made, before a time; it returns how many it removed. A job
// whose record is gone must never run again.
func (t *Target) PruneEffects(ctx context.Context, before time.Time, limit int) (int64, error) {
	p, err := t.checkEffects(ctx)
	if err != nil {
		return 0, fmt.Errorf("store: prune effects of database %q: %w", t.cfg.Name, err)
	}
	if p != present {
		return 0, nil
	}
	made, err := t.quoted(string(job.IDBound(before)))
	if err != nil {
		return 0, err
	}
	n, err := t.affect(ctx, t.writer, fmt.Sprintf(t.grammar().effects.prune, made, before.UTC().Format(localTimeLayout), max(limit, 0)))
	if err != nil {
		return 0, fmt.Errorf("store: prune effects of database %q: %w", t.cfg.Name, err)
	}
	return n, nil
}
