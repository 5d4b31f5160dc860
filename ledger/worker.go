package ledger

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"github.com/asyncops/asyncops/job"
)

// WorkerState is where a worker's life stands.
type WorkerState string

const (
	WorkerRunning  WorkerState = "running"  // takes jobs
	WorkerDraining WorkerState = "draining" // takes none, ends those it has
	WorkerGone     WorkerState = "gone"     // left, or its lease ended
)

// Worker is one life of a worker process as the ledger knows it.
type Worker struct {
	job.Worker

	State      WorkerState
	Running    int                    // jobs, as of BeatAt
	Pools      map[string]job.PoolUse // of its databases, as of BeatAt
	Runs       job.RunWindow          // as of BeatAt
	StartedAt  time.Time
	BeatAt     time.Time
	Age        time.Duration // of BeatAt, by the ledger's clock
	LeaseUntil time.Time
}

// workerRow is one line of asyncops_workers.
type workerRow struct {
	bun.BaseModel `bun:"table:asyncops_workers"`

	ID          string      `bun:"id"`
	Host        string      `bun:"host"`
	PID         int         `bun:"pid"`
	Version     string      `bun:"version"`
	Queues      string      `bun:"queues"`
	Concurrency int         `bun:"concurrency"`
	State       WorkerState `bun:"state"`
	Running     int         `bun:"running"`
	Drain       bool        `bun:"drain"`
	Pools       string      `bun:"pools"`
	Runs        string      `bun:"runs"`
	StartedAt   micros      `bun:"started_at"`
	BeatAt      micros      `bun:"beat_at"`
	LeaseUntil  micros      `bun:"lease_until"`
	Age         int64       `bun:"age,scanonly"`
}

const workerColumns = `id, host, pid, version, queues, concurrency, state, running, drain, pools, runs, started_at, beat_at, lease_until`

// Join begins a worker's life with a lease of the given length. Its ID must be
// new: a worker whose lease ended joins again under another.
func (l *Ledger) Join(ctx context.Context, w job.Worker, lease time.Duration) error {
	queues, err := json.Marshal(w.Queues)
	if err != nil {
		return l.wrap(err, "join %s", w.ID)
	}
	const query = `INSERT INTO asyncops_workers
		(id, host, pid, version, queues, concurrency, state, started_at, beat_at, lease_until)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?now, ?now, ?now + ?) ON CONFLICT (id) DO NOTHING`
	_, err = l.exec(ctx, query, w.ID, w.Host, w.PID, w.Version, string(queues), w.Concurrency,
		string(WorkerRunning), lease.Microseconds())
	return l.wrap(err, "join %s", w.ID)
}

// Renew moves the end of the worker's lease, which covers every job that it
// runs, and tells the ledger how the worker is. It answers job.ErrLeaseLost
// when the lease had ended and the worker's jobs were taken from it. It hands
// back what a Claim may have taken for the worker without an answer.
func (l *Ledger) Renew(ctx context.Context, worker string, lease time.Duration, beat job.Beat) error {
	state := WorkerRunning
	if beat.Draining {
		state = WorkerDraining
	}
	pools, err := json.Marshal(beat.Pools)
	if err != nil {
		return l.wrap(err, "renew the lease of %s", worker)
	}
	runs, err := json.Marshal(beat.Runs)
	if err != nil {
		return l.wrap(err, "renew the lease of %s", worker)
	}
	const query = `UPDATE asyncops_workers SET lease_until = ?now + ?, beat_at = ?now, state = ?, running = ?, pools = ?, runs = ?
		WHERE id = ? AND state <> 'gone'`
	n, err := l.exec(ctx, query, lease.Microseconds(), string(state), beat.Running, string(pools), string(runs), worker)
	if err != nil {
		return l.wrap(err, "renew the lease of %s", worker)
	}
	if n == 0 {
		l.doubts.forget(worker)
		return l.wrap(job.ErrLeaseLost, "renew the lease of %s", worker)
	}
	_ = l.settle(ctx, worker) // the lease is renewed; the next Claim or Renew tries again
	return nil
}

// Leave ends a worker's life in order. Jobs that it has not handed back are
// reaped at once, as if it had died.
func (l *Ledger) Leave(ctx context.Context, worker string) error {
	const query = `UPDATE asyncops_workers SET state = 'gone', running = 0, pools = NULL, runs = NULL, beat_at = ?now, lease_until = ?now WHERE id = ?`
	_, err := l.exec(ctx, query, worker)
	if err == nil {
		l.doubts.forget(worker)
	}
	return l.wrap(err, "leave %s", worker)
}

// DrainWorker asks a worker to take no more jobs. One that is not alive answers
// job.ErrNotFound.
func (l *Ledger) DrainWorker(ctx context.Context, id string) error {
	err := l.audited(ctx, func(tx bun.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE asyncops_workers SET drain = ? WHERE id = ? AND state <> 'gone'`, true, id)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return cmp.Or(err, job.ErrNotFound)
		}
		return nil
	})
	return l.wrap(err, "drain worker %s", id)
}

// DrainRequested reports whether somebody wants the worker to take no more jobs.
func (l *Ledger) DrainRequested(ctx context.Context, worker string) (bool, error) {
	var asked []bool
	err := l.read.NewRaw(`SELECT drain FROM asyncops_workers WHERE id = ?`, worker).Scan(ctx, &asked)
	return len(asked) > 0 && asked[0], l.wrap(err, "look whether %s is to drain", worker)
}

// CancelRequests lists the worker's running jobs that callers want to stop.
func (l *Ledger) CancelRequests(ctx context.Context, worker string) ([]job.ID, error) {
	var ids []job.ID
	err := l.read.NewRaw(`SELECT id FROM asyncops_jobs WHERE worker = ? AND state = 'active' AND cancel_requested`, worker).
		Scan(ctx, &ids)
	return ids, l.wrap(err, "cancel requests of %s", worker)
}

// Workers lists the workers that are alive, and those that went less than an
// hour ago, youngest first.
func (l *Ledger) Workers(ctx context.Context) ([]Worker, error) {
	var rows []workerRow
	// By their names: a later release's schema has more of them.
	err := l.read.NewSelect().Model(&rows).ColumnExpr(workerColumns).ColumnExpr("? - beat_at AS age", bun.Safe(l.dialect.now)).
		Where("state <> 'gone' OR beat_at > ? - ?", bun.Safe(l.dialect.now), time.Hour.Microseconds()).
		OrderExpr("started_at DESC, id").Scan(ctx)
	if err != nil {
		return nil, l.wrap(err, "list workers")
	}
	workers := make([]Worker, len(rows))
	for i, r := range rows {
		workers[i] = Worker{
			Worker: job.Worker{ID: r.ID, Host: r.Host, PID: r.PID, Version: r.Version, Concurrency: r.Concurrency},
			State:  r.State, Running: r.Running, StartedAt: r.StartedAt.time(), BeatAt: r.BeatAt.time(), LeaseUntil: r.LeaseUntil.time(),
			Age: max(0, time.Duration(r.Age)*time.Microsecond),
		}
		if err := json.Unmarshal([]byte(r.Queues), &workers[i].Queues); err != nil {
			return nil, l.wrap(err, "list workers: %s", r.ID)
		}
		if r.Drain && r.State == WorkerRunning {
			workers[i].State = WorkerDraining // it will hear of it
		}
		if err := errors.Join(readJSON(r.Pools, &workers[i].Pools), readJSON(r.Runs, &workers[i].Runs)); err != nil {
			return nil, l.wrap(err, "list workers: %s", r.ID)
		}
	}
	return workers, nil
}

// readJSON reads a column that may be NULL.
func readJSON(text string, v any) error {
	if text == "" {
		return nil
	}
	return json.Unmarshal([]byte(text), v)
}

// maxRunning bounds what Running reads.
const maxRunning = 10_000

// Running lists the jobs that workers run, those that began first come first:
// id, kind, queue, worker and when the run began, and with args also those.
func (l *Ledger) Running(ctx context.Context, args bool) ([]job.Job, error) {
	columns := `id, kind, queue, state, worker, started_at`
	if args {
		columns += `, args`
	}
	var rows []row
	query := `SELECT ` + columns + ` FROM asyncops_jobs WHERE state = 'active' ORDER BY started_at, id LIMIT ?`
	if err := l.read.NewRaw(query, maxRunning).Scan(ctx, &rows); err != nil {
		return nil, l.wrap(err, "list running jobs")
	}
	jobs, err := jobsOf(rows)
	return jobs, l.wrap(err, "list running jobs")
}
