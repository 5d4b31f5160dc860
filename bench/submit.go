package main

import (
	"context"

	"github.com/asyncops/asyncops/internal/load"
	"github.com/jackc/pgx/v5"
)

// The callers of the single submissions over REST, and the jobs of a batch.
const (
	restConnections = 64
	batchSize       = 1000
)

// createFacts makes the table that jobs write to.
const createFacts = "CREATE TABLE facts (id bigserial PRIMARY KEY, n integer, payload text)"

// plainRound measures what a row costs: one INSERT and its COMMIT, by the bench
// itself and behind a bare handler.
func (b *bench) plainRound(ctx context.Context, database string) error {
	if err := b.postgres.exec(ctx, database, "CREATE TABLE plain (id bigserial PRIMARY KEY, payload jsonb NOT NULL)"); err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, b.postgres.dsn(database))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	err = b.rate(ctx, "submit/plain", nil, func(ctx context.Context) (int, error) {
		return load.Drive(ctx, b.plan.submit, []load.Caller{func(ctx context.Context) error {
			_, err := conn.Exec(ctx, "INSERT INTO plain (payload) VALUES ($1)", payload)
			return err
		}})
	})
	if err != nil {
		return err
	}
	return b.handlerRound(ctx, database)
}

// submitRound measures single submissions over REST while no worker runs.
func (b *bench) submitRound(ctx context.Context, database string) error {
	in, err := b.install(ctx, database, b.redisURL())
	if err != nil {
		return err
	}
	defer in.close(ctx)
	if err := in.startFrontend(ctx); err != nil {
		return err
	}
	for _, measure := range []struct {
		key         string
		connections int
		keyed       bool
	}{
		{"submit/rest one", 1, false}, {"submit/rest", restConnections, false},
		{"submit/keyed one", 1, true}, {"submit/keyed", restConnections, true},
	} {
		if err := b.submitTo(ctx, measure.key, load.Target{URL: "http://" + in.api, Keyed: measure.keyed}, measure.connections, in.running); err != nil {
			return err
		}
	}
	return nil
}

// submitTo measures single submissions to a server.
func (b *bench) submitTo(ctx context.Context, key string, target load.Target, connections int, processes func() []*child) error {
	callers := make([]load.Caller, connections)
	for i := range callers {
		conn, err := load.NewConn(target, noopJob)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		if err := conn.Connect(ctx); err != nil {
			return err
		}
		callers[i] = func(ctx context.Context) error {
			_, err := conn.Submit(ctx)
			return err
		}
	}
	return b.rate(ctx, key, processes, func(ctx context.Context) (int, error) {
		return load.Drive(ctx, b.plan.submit, callers)
	})
}

func (b *bench) redisURL() string { return "redis://" + b.keys.Options().Addr + "/0" }
