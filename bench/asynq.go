package main

import (
	"context"
	"errors"

	"github.com/hibiken/asynq"
)

// asynqConcurrency is what asynq's documentation starts its server with. More
// does not make it faster: a server fetches one task at a time.
const asynqConcurrency = 10

// asynqServers is how many servers in one process were fastest.
const asynqServers = 8

// asynqRound measures asynq in this process, as documented and at its best:
// what is done is forgotten, and what Redis loses is lost.
func (b *bench) asynqRound(ctx context.Context, _ string) error {
	if err := b.asynqDrain(ctx, "process/asynq", 1); err != nil {
		return err
	}
	return b.asynqDrain(ctx, "process/asynq best", asynqServers)
}

func (b *bench) asynqDrain(ctx context.Context, key string, servers int) (err error) {
	address := asynq.RedisClientOpt{Addr: b.keys.Options().Addr}
	client, inspector := asynq.NewClient(address), asynq.NewInspector(address)
	defer func() { err = errors.Join(err, client.Close(), inspector.Close()) }()
	for range b.plan.noops {
		if _, err := client.EnqueueContext(ctx, asynq.NewTask("noop", []byte(payload))); err != nil {
			return err
		}
	}
	mux := asynq.NewServeMux()
	mux.HandleFunc("noop", func(context.Context, *asynq.Task) error { return nil })
	var running []*asynq.Server
	defer func() { // not timed
		for _, server := range running {
			server.Shutdown()
		}
	}()
	return b.rate(ctx, key, nil, func(ctx context.Context) (int, error) {
		for range servers {
			server := asynq.NewServer(address, asynq.Config{Concurrency: asynqConcurrency, LogLevel: asynq.ErrorLevel})
			if err := server.Start(mux); err != nil {
				return 0, err
			}
			running = append(running, server)
		}
		return b.plan.noops, awaitNumber(ctx, 0, func(context.Context) (int, error) {
			info, err := inspector.GetQueueInfo("default")
			if err != nil {
				return 0, err
			}
			return info.Size, nil
		})
	})
}
