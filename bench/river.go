package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/asyncops/asyncops/internal/load"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// River's settings are the ones with which it was fastest when they were
// tried here, so that ratios are taken against its best:
//   - Its default cooldown of 100 ms bounds 1000 workers to 10000 jobs a
//     second. With 1 to 10 ms and 500 to 5000 workers it reaches 2.5 times
//     that, and the differences between these, other pool sizes, jobs without
//     a timeout and an analyzed table are within the noise.
//   - Insert is as fast with 8 callers as with 128; 16 came out first.
const (
	riverWorkers       = 1000
	riverFetchCooldown = 5 * time.Millisecond
	riverFetchPoll     = 20 * time.Millisecond // as in River's own benchmark
	riverCallers       = 16                    // of Insert
	riverConnections   = 40
	riverWriters       = 100 // workers that write; 50 to 1000 are within the noise
)

// riverWarmUp is how long Insert is called before it is timed: its pool opens
// its connections meanwhile.
const riverWarmUp = 300 * time.Millisecond

// noop is River's job that does nothing, with the same payload.
type noop struct {
	Sleep string `json:"sleep"`
}

func (noop) Kind() string { return "noop" }

type noopWorker struct{ river.WorkerDefaults[noop] }

func (*noopWorker) Work(context.Context, *river.Job[noop]) error { return nil }

// write is River's job that inserts a row and completes in the same transaction,
// which is River's way to have an effect exactly once.
type write struct {
	N       int    `json:"n"`
	Payload string `json:"payload"`
}

func (write) Kind() string { return "write" }

type writeWorker struct {
	river.WorkerDefaults[write]
	pool *pgxpool.Pool
}

func (w *writeWorker) Work(ctx context.Context, j *river.Job[write]) error {
	return pgx.BeginFunc(ctx, w.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "INSERT INTO facts (n, payload) VALUES ($1, $2)", j.Args.N, j.Args.Payload); err != nil {
			return err
		}
		_, err := river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, j)
		return err
	})
}

// riverRound measures River in this process: jobs inserted one by one, then,
// on an empty table, inserted in bulk and worked on.
func (b *bench) riverRound(ctx context.Context, database string) error {
	config, err := pgxpool.ParseConfig(b.postgres.dsn(database))
	if err != nil {
		return err
	}
	config.MaxConns = riverConnections
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return err
	}
	defer pool.Close()
	driver := riverpgxv5.New(pool)
	migrator, err := rivermigrate.New(driver, nil)
	if err != nil {
		return err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}
	var args noop
	if err := json.Unmarshal([]byte(payload), &args); err != nil {
		return err
	}
	tuned := river.Config{FetchCooldown: riverFetchCooldown, FetchPollInterval: riverFetchPoll}
	client, err := newRiver(pool, tuned, riverWorkers)
	if err != nil {
		return err
	}
	if err := b.riverInsert(ctx, client, args); err != nil {
		return err
	}
	err = b.riverDrain(ctx, client, pool, drain{"process/river", b.plan.noops, args, "batch/river"})
	if err != nil {
		return err
	}
	if client, err = newRiver(pool, river.Config{}, riverWorkers); err != nil {
		return err
	}
	if err := b.riverDrain(ctx, client, pool, drain{"process/river default", b.plan.noops, args, ""}); err != nil {
		return err
	}
	if err := b.postgres.exec(ctx, database, createFacts); err != nil {
		return err
	}
	if client, err = newRiver(pool, tuned, riverWriters); err != nil {
		return err
	}
	return b.riverDrain(ctx, client, pool, drain{"effect/river", b.plan.effects, write{N: 1, Payload: payload}, ""})
}

func newRiver(pool *pgxpool.Pool, config river.Config, workers int) (*river.Client[pgx.Tx], error) {
	config.Queues = map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: workers}}
	config.Workers = river.NewWorkers()
	config.Logger = slog.New(slog.DiscardHandler)
	river.AddWorker(config.Workers, &noopWorker{})
	river.AddWorker(config.Workers, &writeWorker{pool: pool})
	return river.NewClient(riverpgxv5.New(pool), &config)
}

func (b *bench) riverInsert(ctx context.Context, client *river.Client[pgx.Tx], args river.JobArgs) error {
	callers := make([]load.Caller, riverCallers)
	for i := range callers {
		callers[i] = func(ctx context.Context) error {
			_, err := client.Insert(ctx, args, nil)
			return err
		}
	}
	if _, err := load.Drive(ctx, riverWarmUp, callers); err != nil {
		return err
	}
	return b.rate(ctx, "submit/river", nil, func(ctx context.Context) (int, error) {
		return load.Drive(ctx, b.plan.submit, callers)
	})
}

// drain is how jobs are worked on.
type drain struct {
	key     string // of the measure
	jobs    int
	args    river.JobArgs
	fillKey string // of how the jobs are inserted; "" for no measure
}

// riverDrain inserts jobs in bulk into an empty table, and measures how they are
// worked on.
func (b *bench) riverDrain(ctx context.Context, client *river.Client[pgx.Tx], pool *pgxpool.Pool, d drain) error {
	many := make([]river.InsertManyParams, batchSize)
	for i := range many {
		many[i].Args = d.args
	}
	if _, err := pool.Exec(ctx, "TRUNCATE river_job"); err != nil {
		return err
	}
	fill := func(ctx context.Context) (int, error) {
		for left := d.jobs; left > 0; left -= batchSize {
			if _, err := client.InsertManyFast(ctx, many[:min(left, batchSize)]); err != nil {
				return 0, err
			}
		}
		return d.jobs, nil
	}
	var err error
	if d.fillKey == "" {
		_, err = fill(ctx)
	} else {
		err = b.rate(ctx, d.fillKey, nil, fill)
	}
	if err != nil {
		return err
	}
	firstStart := func(ctx context.Context, called time.Time) (first time.Time, err error) {
		err = pool.QueryRow(ctx, "SELECT min(attempted_at) FROM river_job WHERE attempted_at >= $1", called).Scan(&first)
		return first, err
	}
	err = b.rateSince(ctx, d.key, nil, firstStart, func(ctx context.Context) (int, error) {
		if err := client.Start(ctx); err != nil {
			return 0, err
		}
		return d.jobs, awaitNumber(ctx, d.jobs, func(ctx context.Context) (n int, err error) {
			err = pool.QueryRow(ctx, "SELECT count(*) FROM river_job WHERE state = 'completed'").Scan(&n)
			return n, err
		})
	})
	if err != nil {
		return err
	}
	return client.Stop(ctx)
}
