package main

import (
	"context"
	"encoding/json"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// riverWorkers is as many as River takes to be fastest in its own benchmark.
const riverWorkers = 1000

// noop is River's job that does nothing, with the same payload.
type noop struct {
	Sleep string `json:"sleep"`
}

func (noop) Kind() string { return "noop" }

type noopWorker struct{ river.WorkerDefaults[noop] }

func (*noopWorker) Work(context.Context, *river.Job[noop]) error { return nil }

// riverRound measures River in this process: jobs inserted one by one, then,
// on an empty table, inserted in bulk and worked on.
func (b *bench) riverRound(ctx context.Context, database string) error {
	config, err := pgxpool.ParseConfig(b.postgres.dsn(database))
	if err != nil {
		return err
	}
	config.MaxConns = riverCallers + 8 // what it needs for itself
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
	workers := river.NewWorkers()
	river.AddWorker(workers, &noopWorker{})
	client, err := river.NewClient(driver, &river.Config{
		Queues:  map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: riverWorkers}},
		Workers: workers,
		Logger:  slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	if err := b.riverInsert(ctx, client); err != nil {
		return err
	}
	if _, err := pool.Exec(ctx, "TRUNCATE river_job"); err != nil {
		return err
	}
	return b.riverProcess(ctx, client, pool)
}

func (b *bench) riverInsert(ctx context.Context, client *river.Client[pgx.Tx]) error {
	var args noop
	if err := json.Unmarshal([]byte(payload), &args); err != nil {
		return err
	}
	callers := make([]caller, riverCallers)
	for i := range callers {
		callers[i] = func(ctx context.Context) error {
			_, err := client.Insert(ctx, args, nil)
			return err
		}
	}
	return b.rate(ctx, "submit/river", nil, func(ctx context.Context) (int, error) {
		return drive(ctx, b.plan.submit, callers)
	})
}

func (b *bench) riverProcess(ctx context.Context, client *river.Client[pgx.Tx], pool *pgxpool.Pool) error {
	var args noop
	if err := json.Unmarshal([]byte(payload), &args); err != nil {
		return err
	}
	many := make([]river.InsertManyParams, batchSize)
	for i := range many {
		many[i].Args = args
	}
	err := b.rate(ctx, "batch/river", nil, func(ctx context.Context) (int, error) {
		for left := b.plan.noops; left > 0; left -= batchSize {
			if _, err := client.InsertManyFast(ctx, many[:min(left, batchSize)]); err != nil {
				return 0, err
			}
		}
		return b.plan.noops, nil
	})
	if err != nil {
		return err
	}
	err = b.rate(ctx, "process/river", nil, func(ctx context.Context) (int, error) {
		if err := client.Start(ctx); err != nil {
			return 0, err
		}
		return b.plan.noops, awaitNumber(ctx, b.plan.noops, func(ctx context.Context) (n int, err error) {
			err = pool.QueryRow(ctx, "SELECT count(*) FROM river_job WHERE state = 'completed'").Scan(&n)
			return n, err
		})
	})
	if err != nil {
		return err
	}
	return client.Stop(ctx)
}
