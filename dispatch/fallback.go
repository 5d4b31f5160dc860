package dispatch

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// fallback claims straight from the ledger while Redis stays away, beside the
// doorbells, which then bring nothing. Those that are answered when Redis is
// back find their jobs taken.
type fallback struct {
	broker *Broker
	direct *direct // of the queues that the worker serves
	log    *slog.Logger
}

const (
	// fallbackAfter is how long Redis does not answer before its absence is more
	// than a restart or a failover, which the relay mends.
	fallbackAfter = 5 * time.Second
	fallbackPing  = time.Second // between two looks at Redis
)

// run looks at Redis until ctx ends.
func (f *fallback) run(ctx context.Context) {
	answered := time.Now()
	for sleep(ctx, fallbackPing, nil) {
		if f.serves(ctx) {
			answered = time.Now()
		} else if time.Since(answered) >= fallbackAfter {
			f.claim(ctx)
			answered = time.Now()
		}
	}
}

// serves reports whether Redis serves every queue. To answer is not enough: part
// of a cluster may be down, and what is full or a replica takes no doorbell.
func (f *fallback) serves(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	for queue := range f.direct.queues {
		key := "asyncops:{" + queue + "}:probe" // in the slot of asynq's keys
		if f.broker.client.Set(ctx, key, 1, time.Minute).Err() != nil {
			return false
		}
	}
	return true
}

// claim claims from the ledger until Redis serves again.
func (f *fallback) claim(ctx context.Context) {
	f.log.Warn("Redis stays away; jobs are claimed from the ledger")
	claiming, stop := context.WithCancel(ctx)
	defer stop()
	var source sync.WaitGroup
	source.Go(func() { _ = f.direct.run(claiming) }) // it ends with its context, and has no other error
	for sleep(ctx, fallbackPing, nil) {
		if f.serves(ctx) {
			break
		}
	}
	stop()
	source.Wait()
	if ctx.Err() == nil {
		f.log.Info("Redis is back; jobs are claimed by doorbells")
	}
}
