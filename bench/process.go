package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/asyncops/asyncops/internal/load"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/sdk"
)

// noopJob does nothing.
var noopJob = sdk.Submission{Kind: "system.noop", Args: json.RawMessage(payload)}

// effects are the jobs that do something.
var effects = []struct {
	key string
	job sdk.Submission
}{
	{"effect/insert", sdk.Submission{Kind: "db.insert_one", Args: object{"table": "facts", "values": object{"n": 1, "payload": payload}}}},
	{"effect/http", sdk.Submission{Kind: "http.request", Args: object{"method": "POST", "path": "/", "body": json.RawMessage(payload)}}},
}

// fleetRound measures separate processes over Redis. Jobs are submitted while
// the worker is stopped.
func (b *bench) fleetRound(ctx context.Context, database string) error {
	in, err := b.install(ctx, database, b.redisURL())
	if err != nil {
		return err
	}
	defer in.close(ctx)
	if err := errors.Join(in.startFrontend(ctx), in.startWorker(ctx)); err != nil {
		return err
	}
	if err := errors.Join(in.idle(ctx, "memory/worker"), in.latency(ctx, "fleet")); err != nil {
		return err
	}
	in.stopLast()
	if err := in.empty(ctx); err != nil {
		return err
	}
	err = b.rate(ctx, "batch/rest", in.running, func(ctx context.Context) (int, error) {
		return in.submit(ctx, b.plan.noops, noopJob)
	})
	if err != nil {
		return err
	}
	if err := in.drainByWorker(ctx, "process/fleet", b.plan.noops); err != nil {
		return err
	}
	in.stopLast()
	if err := in.empty(ctx); err != nil {
		return err
	}
	if _, err := in.submit(ctx, b.plan.noops, noopJob); err != nil {
		return err
	}
	in.many = true
	return in.drainByWorker(ctx, "process/fleet many", b.plan.noops)
}

// effectsRound measures jobs that do something, beside no history that the
// database would have to tidy up meanwhile.
func (b *bench) effectsRound(ctx context.Context, database string) error {
	in, err := b.install(ctx, database, b.redisURL())
	if err != nil {
		return err
	}
	defer in.close(ctx)
	if err := in.startFrontend(ctx); err != nil {
		return err
	}
	for _, effect := range effects {
		if _, err := in.submit(ctx, b.plan.effects, effect.job); err != nil {
			return err
		}
		if err := in.drainByWorker(ctx, effect.key, b.plan.effects); err != nil {
			return err
		}
		in.stopLast()
	}
	return nil
}

// drainByWorker starts the worker and waits until it has completed count jobs
// more. Time runs from the first job's start.
func (in *installation) drainByWorker(ctx context.Context, key string, count int) error {
	before, err := in.completed(ctx)
	if err != nil {
		return err
	}
	return in.b.rateSince(ctx, key, in.running, in.firstStart, func(ctx context.Context) (int, error) {
		if err := in.startWorker(ctx); err != nil {
			return 0, err
		}
		return count, awaitNumber(ctx, before+count, in.completed)
	})
}

// devRound measures asyncops dev, which claims straight from the ledger, here
// PostgreSQL too.
func (b *bench) devRound(ctx context.Context, database string) error {
	in, err := b.install(ctx, database, "none")
	if err != nil {
		return err
	}
	defer in.close(ctx)
	if err := in.start(ctx, "dev", "asyncops", in.api, "dev"); err != nil {
		return err
	}
	if err := errors.Join(in.idle(ctx, "memory/dev"), in.latency(ctx, "dev")); err != nil {
		return err
	}
	if err := in.drainByDev(ctx, "process/dev"); err != nil {
		return err
	}
	in.stopLast()
	in.many = true
	if err := in.start(ctx, "dev", "asyncops", in.api, "dev"); err != nil {
		return err
	}
	return in.drainByDev(ctx, "process/dev many")
}

// drainByDev submits jobs while their queue is paused, and measures how they
// are worked on once it is not.
func (in *installation) drainByDev(ctx context.Context, key string) error {
	if err := in.empty(ctx); err != nil {
		return err
	}
	if _, err := in.client.Pause(ctx, job.DefaultQueue); err != nil {
		return err
	}
	noops := in.b.plan.noops
	if _, err := in.submit(ctx, noops, noopJob); err != nil {
		return err
	}
	return in.b.rateSince(ctx, key, in.running, in.firstStart, func(ctx context.Context) (int, error) {
		if _, err := in.client.Resume(ctx, job.DefaultQueue); err != nil {
			return 0, err
		}
		return noops, awaitNumber(ctx, noops, in.completed)
	})
}

// latency submits one job after the other to an idle system, and measures how
// long each waited to be started, by the ledger's own times.
func (in *installation) latency(ctx context.Context, key string) error {
	waits := make([]time.Duration, in.b.plan.waits)
	for i := range waits {
		receipt, err := in.client.SubmitWait(ctx, noopJob, 10*time.Second)
		if err != nil {
			return err
		}
		if receipt.Job.State != job.Completed {
			return fmt.Errorf("job %s is %s after 10s", receipt.Job.ID, receipt.Job.State)
		}
		// They are kept in different units, so the difference may be negative.
		waits[i] = max(0, receipt.Job.StartedAt.Sub(receipt.Job.CreatedAt))
	}
	for name, p := range map[string]float64{"p50": 0.50, "p99": 0.99} {
		ms := float64(load.Percentile(waits, p)) / float64(time.Millisecond)
		in.b.results.add("latency/"+key+" "+name, sample{value: ms})
		in.b.progress("%-32s %8.2f ms", "latency/"+key+" "+name, ms)
	}
	return nil
}
