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
	direct *direct
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
		if f.broker.ping(ctx) == nil {
			answered = time.Now()
		} else if time.Since(answered) >= fallbackAfter {
			f.claim(ctx)
			answered = time.Now()
		}
	}
}

// claim claims from the ledger until Redis answers.
func (f *fallback) claim(ctx context.Context) {
	f.log.Warn("Redis stays away; jobs are claimed from the ledger")
	claiming, stop := context.WithCancel(ctx)
	defer stop()
	var source sync.WaitGroup
	source.Go(func() { _ = f.direct.run(claiming) }) // it ends with its context, and has no other error
	for sleep(ctx, fallbackPing, nil) {
		if f.broker.ping(ctx) == nil {
			break
		}
	}
	stop()
	source.Wait()
	if ctx.Err() == nil {
		f.log.Info("Redis is back; jobs are claimed by doorbells")
	}
}
