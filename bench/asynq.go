package main

import (
	"context"
	"errors"

	"github.com/hibiken/asynq"
)

// asynqConcurrency is what asynq's documentation starts its server with.
const asynqConcurrency = 10

// asynqRound measures asynq in this process, as documented: what is done is
// forgotten, and what Redis loses is lost.
func (b *bench) asynqRound(ctx context.Context, _ string) (err error) {
	address := asynq.RedisClientOpt{Addr: b.keys.Options().Addr}
	client, inspector := asynq.NewClient(address), asynq.NewInspector(address)
	defer func() { err = errors.Join(err, client.Close(), inspector.Close()) }()
	for range b.plan.noops {
		if _, err := client.EnqueueContext(ctx, asynq.NewTask("noop", []byte(payload))); err != nil {
			return err
		}
	}
	server := asynq.NewServer(address, asynq.Config{Concurrency: asynqConcurrency, LogLevel: asynq.ErrorLevel})
	mux := asynq.NewServeMux()
	mux.HandleFunc("noop", func(context.Context, *asynq.Task) error { return nil })
	err = b.rate(ctx, "process/asynq", nil, func(ctx context.Context) (int, error) {
		if err := server.Start(mux); err != nil {
			return 0, err
		}
		return b.plan.noops, awaitNumber(ctx, 0, func(context.Context) (int, error) {
			info, err := inspector.GetQueueInfo("default")
			if err != nil {
				return 0, err
			}
			return info.Size, nil
		})
	})
	server.Shutdown()
	return err
}
