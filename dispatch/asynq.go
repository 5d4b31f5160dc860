package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/asyncops/asyncops/job"
)

// doorbellType is the type of every asynq task of ours.
const doorbellType = "asyncops:doorbell"

// Settings of asynq. Each answers a fault of v0.26.0 that was reproduced on a
// real Redis; docs/adr/0004-doorbells.md tells which.
const (
	doorbellRetries = 5                // strays drain instead of entering the archive at once
	doorbellTimeout = 5 * time.Minute  // a handler only claims, for as long as the ledger is away
	handlers        = 16               // doorbells held at a time; their claims are merged
	taskCheck       = time.Millisecond // after an empty poll; the poll itself waits for a wake-up
	asynqShutdown   = 15 * time.Second // when the worker drains, a handler at most sees a claim through and rings again
)

// doorbellTask is the asynq task of a doorbell: its id, and nothing but the
// ids of jobs as payload.
func doorbellTask(bell job.Doorbell) (*asynq.Task, []asynq.Option) {
	ids := make([]string, len(bell.Jobs))
	for i, id := range bell.Jobs {
		ids[i] = string(id)
	}
	return asynq.NewTask(doorbellType, []byte(strings.Join(ids, " "))), []asynq.Option{
		asynq.TaskID(bell.ID), asynq.Queue(bell.Queue), asynq.MaxRetry(doorbellRetries), asynq.Timeout(doorbellTimeout),
	}
}

// doorbellJobs reads a payload. Words that are not job ids are passed over:
// anybody may write to Redis, and the ledger decides.
func doorbellJobs(payload []byte) []job.ID {
	words := strings.Fields(string(payload))
	ids := make([]job.ID, 0, min(len(words), job.MaxDoorbellJobs))
	for _, word := range words {
		if id, err := job.ParseID(word); err == nil && len(ids) < job.MaxDoorbellJobs {
			ids = append(ids, id)
		}
	}
	return ids
}

// enqueue puts the doorbell into its queue. One that is there already, because
// an earlier reply was lost, is as good.
func enqueue(ctx context.Context, client *asynq.Client, bell job.Doorbell) error {
	task, opts := doorbellTask(bell)
	_, err := client.EnqueueContext(ctx, task, opts...)
	if err != nil && !errors.Is(err, asynq.ErrTaskIDConflict) {
		return fmt.Errorf("dispatch: ring for queue %s: %w", bell.Queue, err)
	}
	return nil
}

// newServer is the only place where an asynq server is configured.
func newServer(client redis.UniversalClient, queues map[string]int, strict bool, log *slog.Logger) *asynq.Server {
	return asynq.NewServerFromRedisClient(client, asynq.Config{
		Concurrency:              handlers,
		Queues:                   queues,
		StrictPriority:           strict,
		TaskCheckInterval:        taskCheck,
		DelayedTaskCheckInterval: 5 * time.Second, // only strays of ours are ever delayed
		RetryDelayFunc:           func(int, error, *asynq.Task) time.Duration { return time.Second },
		IsFailure:                func(error) bool { return false },
		ShutdownTimeout:          asynqShutdown,
		Logger:                   &asynqLog{log: log.With("component", "asynq")},
		LogLevel:                 asynq.WarnLevel,
	})
}

// asynqLog passes on what asynq says of faults, of all its parts together as of
// one trouble: while Redis is away each of them complains every few seconds. Its
// lines name task ids, never payloads.
type asynqLog struct {
	log    *slog.Logger
	faults trouble
}

// Debug logs nothing: it is called for each empty poll.
func (l *asynqLog) Debug(...any) {}

// Info logs at the level of debug: it is about the server's own steps.
func (l *asynqLog) Info(args ...any) { l.log.Debug("told by asynq", "text", fmt.Sprint(args...)) }

// Warn logs at the level of debug: nothing is lost by what asynq warns of.
func (l *asynqLog) Warn(args ...any) { l.Info(args...) }

// Error logs a warning.
func (l *asynqLog) Error(args ...any) {
	if l.faults.tell() {
		l.log.Warn("asynq met a fault", "text", fmt.Sprint(args...))
	}
}

// Fatal logs an error; asynq calls it only where it would end the process itself.
func (l *asynqLog) Fatal(args ...any) {
	l.log.Error("asynq met a fault", "text", fmt.Sprint(args...))
}
