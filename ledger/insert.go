package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

	"github.com/asyncops/asyncops/job"
)

// insertRow is what Accept writes; the other columns have their defaults.
type insertRow struct {
	bun.BaseModel `bun:"table:asyncops_jobs"`

	ID          job.ID       `bun:"id"`
	RunAt       moment       `bun:"run_at"`
	RungAt      moment       `bun:"rung_at"`
	CreatedAt   micros       `bun:"created_at"`
	Deadline    *micros      `bun:"deadline"`
	ExpiresAt   *micros      `bun:"expires_at"`
	Retention   *int64       `bun:"retention"`
	MaxAttempts int          `bun:"max_attempts"`
	Kind        string       `bun:"kind"`
	Queue       string       `bun:"queue"`
	State       job.State    `bun:"state"`
	Delivery    job.Delivery `bun:"delivery"`
	RunOnce     bool         `bun:"run_once"`
	Owner       string       `bun:"owner"`
	Key         *string      `bun:"idempotency_key"`
	Doorbell    *string      `bun:"doorbell"`
	Traceparent *string      `bun:"traceparent"`
	Tags        *string      `bun:"tags"`
	Options     *string      `bun:"options"`
	Schedule    *string      `bun:"schedule"`
	FireAt      *micros      `bun:"fire_at"`
	Args        string       `bun:"args"`
}

// args are the arguments of dialect.insertOne.
func (r *insertRow) args() named {
	return named{
		"id": string(r.ID), "due": r.RunAt.clock, "run_at": r.RunAt.latest(), "rung": r.RungAt.clock,
		"created_at": int64(r.CreatedAt), "deadline": (*int64)(r.Deadline), "expires_at": (*int64)(r.ExpiresAt), "retention": r.Retention,
		"max_attempts": r.MaxAttempts, "kind": r.Kind, "queue": r.Queue, "state": string(r.State), "delivery": string(r.Delivery),
		"run_once": r.RunOnce, "owner": r.Owner, "key": r.Key, "doorbell": r.Doorbell, "traceparent": r.Traceparent, "tags": r.Tags,
		"options": r.Options, "schedule": r.Schedule, "fire_at": (*int64)(r.FireAt), "args": r.Args,
	}
}

// insertRows inserts rows that may be there already.
func (l *Ledger) insertRows(ctx context.Context, db bun.IDB, rows []insertRow) error {
	switch {
	case l.queries.insertOne == nil:
		_, err := db.NewRaw("? ON CONFLICT (id) DO NOTHING", l.inserting(rows)).Exec(ctx)
		return err
	case len(rows) == 1:
		return l.queries.insertOne.exec(ctx, db, rows[0].args())
	}
	return l.queries.insertMany.exec(ctx, db, l.dialect.insertArgs(rows))
}

// insertFireRows inserts those rows whose fires have no job yet, and returns
// their ids.
func (l *Ledger) insertFireRows(ctx context.Context, tx bun.Tx, rows []insertRow) (ids []job.ID, err error) {
	if l.queries.insertFires == nil {
		err = tx.NewRaw("? ON CONFLICT DO NOTHING RETURNING id", l.inserting(rows)).Scan(ctx, &ids)
	} else {
		err = l.queries.insertFires.scan(ctx, tx, l.dialect.insertArgs(rows), &ids)
	}
	return ids, err
}

// inserting is an INSERT of the rows, to which its caller adds what is to happen
// to those that are there already.
func (l *Ledger) inserting(rows []insertRow) schema.QueryAppender {
	return l.write.NewInsert().Model(&rows).ExcludeColumn(unused(rows)...).Returning("NULL")
}

// unused are the columns that are NULL in all of the rows: to read and to plan
// them takes the database longer than to write them.
func unused(rows []insertRow) []string {
	var columns []string
	for _, c := range []struct {
		name string
		used func(*insertRow) bool
	}{
		{"deadline", func(r *insertRow) bool { return r.Deadline != nil }},
		{"expires_at", func(r *insertRow) bool { return r.ExpiresAt != nil }},
		{"retention", func(r *insertRow) bool { return r.Retention != nil }},
		{"idempotency_key", func(r *insertRow) bool { return r.Key != nil }},
		{"doorbell", func(r *insertRow) bool { return r.Doorbell != nil }},
		{"traceparent", func(r *insertRow) bool { return r.Traceparent != nil }},
		{"tags", func(r *insertRow) bool { return r.Tags != nil }},
		{"options", func(r *insertRow) bool { return r.Options != nil }},
		{"schedule", func(r *insertRow) bool { return r.Schedule != nil }},
		{"fire_at", func(r *insertRow) bool { return r.FireAt != nil }},
	} {
		if !slices.ContainsFunc(rows, func(r insertRow) bool { return c.used(&r) }) {
			columns = append(columns, c.name)
		}
	}
	return columns
}

// moment is a time that the database's clock has a say in.
type moment struct {
	at    micros // 0: none
	clock bool   // not later than the database's clock says
}

// latest is the time, unless the clock's is to be taken and is earlier.
func (m moment) latest() int64 {
	if m.clock && m.at == 0 {
		return math.MaxInt64
	}
	return int64(m.at)
}

// AppendQuery implements schema.QueryAppender, for SQLite.
func (m moment) AppendQuery(_ schema.QueryGen, b []byte) ([]byte, error) {
	if !m.clock {
		return strconv.AppendInt(b, m.latest(), 10), nil
	}
	b = strconv.AppendInt(append(b, "min("...), m.latest(), 10)
	return append(b, ", "+sqlite.now+")"...), nil
}

// newRow is the job's row, for a job that invalid finds no fault with.
func newRow(j *job.Job) (insertRow, error) {
	r := insertRow{
		ID: j.ID, RunAt: moment{at: microsOf(j.RunAt)}, CreatedAt: microsOf(j.CreatedAt), MaxAttempts: j.MaxAttempts, Kind: j.Kind,
		Queue: j.Queue, State: j.State, Delivery: j.Delivery, RunOnce: j.RunOnce, Owner: j.Owner, Key: orNull(j.IdempotencyKey), Args: string(j.Args),
		Traceparent: orNull(j.Traceparent), Deadline: orNull(microsOf(j.Deadline)), ExpiresAt: orNull(microsOf(j.ExpiresAt)),
		Retention: orNull(j.Options.Retention.Microseconds()), Schedule: orNull(j.Schedule), FireAt: orNull(microsOf(j.FireAt)),
	}
	if j.State == job.Pending { // due at once, whatever the caller's clock says
		r.RunAt.clock = true
	}
	if len(j.Tags) > 0 {
		text, err := jsonText(j.Tags)
		if err != nil {
			return insertRow{}, err
		}
		r.Tags = &text
	}
	if o := (options{Timeout: j.Options.Timeout}); o.Timeout != 0 || j.Options.Backoff != (job.Backoff{}) {
		if j.Options.Backoff != (job.Backoff{}) {
			o.Backoff = &j.Options.Backoff
		}
		text, err := jsonText(o)
		if err != nil {
			return insertRow{}, err
		}
		r.Options = &text
	}
	return r, nil
}

// jsonText is v as JSON whose words can be searched for: & and < stay.
func jsonText(v any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}

// invalid says what of a job could not be stored as it is, or is no beginning
// of a job's life; nil if nothing.
func invalid(j *job.Job) error {
	for _, f := range []struct{ pointer, text string }{
		{"/args", string(j.Args)}, {"/kind", j.Kind}, {"/queue", j.Queue}, {"/idempotency_key", j.IdempotencyKey},
		{"/tags", strings.Join(j.Tags, " ")}, {"", j.Owner}, {"", j.Traceparent}, {"", j.Schedule},
	} {
		if !isStorable(f.text) {
			return job.Invalid(f.pointer, "invalid_text", "must be valid UTF-8 without NUL")
		}
	}
	if !slices.Contains([]job.State{job.Waiting, job.Scheduled, job.Pending}, j.State) {
		return job.Invalid("", "invalid_state", "a job cannot begin as %q", j.State)
	}
	return nil
}
