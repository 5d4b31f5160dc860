package dispatch

import (
	"context"
	"log/slog"
	"sync"

	"github.com/hibiken/asynq"

	"github.com/asyncops/asyncops/job"
)

// BellLedger keeps account of which doorbell rings for a job.
type BellLedger interface {
	Refuse(ctx context.Context, doorbell string, ids []job.ID) error
	Reassign(ctx context.Context, from string, to job.Doorbell) error
}

// doorbells is the source of work that Redis moves: an asynq server whose
// handler claims a doorbell's jobs and hands them to the executor. No handler
// outlives its claims, so that asynq's leases, timeouts and acks never cover a
// running job.
type doorbells struct {
	broker *Broker
	client *asynq.Client
	queues map[string]int
	strict bool
	ledger BellLedger
	claims *claims
	exec   *executor
	bus    *Bus
	log    *slog.Logger

	unrung trouble
}

// minDoorbell is the fewest jobs for which a worker that has too little room
// makes doorbells of their own.
const minDoorbell = 10

// run takes doorbells until ctx ends, and returns when no handler runs.
func (d *doorbells) run(ctx context.Context) error {
	const retries, pool = 0, 4 * handlers
	conn, err := d.broker.cfg.client(retries, pool)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // everything sent on it has been answered or given up
	wake, forget := d.bus.listen(rung)
	defer forget()
	var claiming sync.WaitGroup
	claiming.Go(func() { d.claims.run(ctx) })
	defer claiming.Wait()

	server := newServer(&dequeueClient{
		UniversalClient: conn, queues: len(d.queues), room: d.exec.slots.awaitRoom, wake: wake, done: ctx.Done(),
	}, d.queues, d.strict, d.log)
	handler := asynq.HandlerFunc(func(taskCtx context.Context, task *asynq.Task) error {
		// asynq's context ends when Redis is away; ours when the worker drains.
		// What was claimed is seen through either way.
		ctx, cancel := merge(ctx, taskCtx)
		defer cancel()
		id, _ := asynq.GetTaskID(taskCtx)
		queue, _ := asynq.GetQueueName(taskCtx)
		d.answer(ctx, job.Doorbell{ID: id, Queue: queue, Jobs: doorbellJobs(task.Payload())})
		return nil // the ledger owns retries
	})
	if err := server.Start(handler); err != nil {
		return err
	}
	<-ctx.Done()
	server.Stop()
	server.Shutdown()
	return nil
}

// merge returns a context that ends with either of the two.
func merge(a, b context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(a)
	stop := context.AfterFunc(b, func() { cancel(context.Cause(b)) })
	return ctx, func() { stop(); cancel(nil) }
}

// answer claims and starts the doorbell's jobs, as many at a time as there are
// free slots. Where none becomes free within a lull, or the worker drains, it
// rings again for the rest: no job waits behind a busy worker.
func (d *doorbells) answer(ctx context.Context, bell job.Doorbell) {
	left, fitted := bell.Jobs, 0
	for len(left) > 0 {
		n := d.exec.slots.takeSoon(ctx, len(left))
		if n == 0 {
			break
		}
		got := d.claims.claim(ctx, left[:n])
		refused := without(left[:n], got.jobs)
		d.exec.slots.give(n - len(got.jobs))
		d.exec.start(got.jobs)
		if !got.ok {
			break
		}
		if len(refused) > 0 {
			d.refuse(ctx, bell, refused)
		}
		left, fitted = left[n:], max(fitted, n)
	}
	if len(left) > 0 {
		d.ringAgain(ctx, bell, left, fitted)
	}
}

// ringAgain rings for jobs that this worker has no slot for, so that another
// may take them: by doorbells of the size that fitted here, because each of
// them may meet a worker that has as little room.
func (d *doorbells) ringAgain(ctx context.Context, bell job.Doorbell, left []job.ID, fitted int) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisTimeout)
	defer cancel()
	size := len(left)
	if fitted > 0 {
		size = max(fitted, minDoorbell)
	}
	for len(left) > 0 {
		next := job.Doorbell{ID: string(job.NewID()), Queue: bell.Queue, Jobs: left[:min(size, len(left))]}
		err := d.ledger.Reassign(ctx, bell.ID, next)
		if err == nil {
			err = enqueue(ctx, d.client, next)
		}
		if err != nil {
			if d.unrung.tell() {
				d.log.Warn("jobs not rung again; the relay will ring", "queue", bell.Queue, "jobs", len(left), "error", err)
			}
			d.refuse(ctx, next, next.Jobs)
			d.refuse(ctx, bell, left)
			return
		}
		left = left[len(next.Jobs):]
	}
	d.bus.rung()
}

// refuse tells the relay to ring for jobs of the doorbell as soon as they may
// start. Where that fails, it finds them by itself, later.
func (d *doorbells) refuse(ctx context.Context, bell job.Doorbell, ids []job.ID) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisTimeout)
	defer cancel()
	if err := d.ledger.Refuse(ctx, bell.ID, ids); err != nil && d.unrung.tell() {
		d.log.Warn("doorbell not taken off; the relay will find the jobs", "queue", bell.Queue, "jobs", len(ids), "error", err)
	}
}

// without returns the ids that none of the jobs has.
func without(ids []job.ID, jobs []job.Job) []job.ID {
	if len(ids) == len(jobs) {
		return nil // as a rule
	}
	claimed := make(map[job.ID]bool, len(jobs))
	for i := range jobs {
		claimed[jobs[i].ID] = true
	}
	var rest []job.ID
	for _, id := range ids {
		if !claimed[id] {
			rest = append(rest, id)
		}
	}
	return rest
}
