package dispatch

import (
	"context"
	"errors"
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
// handler claims a doorbell's jobs and hands them to the executor.
//
// asynq takes a token before it dequeues and a handler keeps its token while
// the slots are full, so that a busy worker takes no doorbell. Those it holds
// are spent: jobs it had no slot for have been rung again. No job waits behind
// a busy worker.
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
}

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
	dequeue := newDequeueClient(conn, len(d.queues), wake)
	server := newServer(dequeue, d.queues, d.strict, d.log)
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
	dequeue.release()
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

// answer claims the doorbell's jobs, as many as there are free slots, starts
// them, rings again for the others, and waits for room.
func (d *doorbells) answer(ctx context.Context, bell job.Doorbell) {
	if len(bell.Jobs) == 0 {
		return
	}
	n := d.exec.slots.take(len(bell.Jobs))
	mine, rest := bell.Jobs[:n], bell.Jobs[n:]
	if len(rest) > 0 {
		d.ringAgain(ctx, bell, rest)
	}
	if n > 0 {
		jobs, ok := d.claims.claim(ctx, mine)
		d.exec.slots.give(n - len(jobs))
		d.exec.start(jobs)
		if ok && len(jobs) < n {
			d.refuse(ctx, bell, without(mine, jobs))
		}
	}
	d.exec.slots.awaitRoom(ctx)
}

// ringAgain rings a doorbell of their own for jobs that this worker has no
// slot for, so that another may take them.
func (d *doorbells) ringAgain(ctx context.Context, bell job.Doorbell, rest []job.ID) {
	next := job.Doorbell{ID: string(job.NewID()), Queue: bell.Queue, Jobs: rest}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisTimeout)
	defer cancel()
	err := d.ledger.Reassign(ctx, bell.ID, next)
	if err == nil {
		if err = enqueue(ctx, d.client, next); err == nil {
			d.bus.rung()
			return
		}
	}
	d.log.Warn("jobs not rung again; the relay will find them", "queue", bell.Queue, "jobs", len(rest), "error", err)
}

func (d *doorbells) refuse(ctx context.Context, bell job.Doorbell, ids []job.ID) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisTimeout)
	defer cancel()
	if err := d.ledger.Refuse(ctx, bell.ID, ids); err != nil && !errors.Is(err, job.ErrUnavailable) {
		d.log.Warn("doorbell not taken off; the relay will find the jobs", "queue", bell.Queue, "jobs", len(ids), "error", err)
	}
}

// without returns the ids that none of the jobs has.
func without(ids []job.ID, jobs []job.Job) []job.ID {
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

// source runs something that takes work until its context ends, in the
// background.
type source struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
	err    error // of run; read after done
}

func startSource(run func(context.Context) error) *source {
	ctx, cancel := context.WithCancel(context.Background())
	s := &source{cancel: cancel}
	s.done.Go(func() { s.err = run(ctx) })
	return s
}

// stop ends the taking of work and waits until none is being taken.
func (s *source) stop() error {
	s.cancel()
	s.done.Wait()
	return s.err
}
