package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/hibiken/asynq"

	"github.com/asyncops/asyncops/job"
)

// WorkerLedger is what a worker needs of the ledger.
type WorkerLedger interface {
	LeaseLedger
	ClaimLedger
	FinishLedger
	BellLedger
}

// WorkerConfig says how a worker works.
type WorkerConfig struct {
	Queues          map[string]int // weights of the queues that it serves; at least one
	Strict          bool           // serve queues by weight order, not in proportion
	Concurrency     int            // jobs at a time, at least 1
	ShutdownTimeout time.Duration  // that running jobs have to end in order; zero stops them at once
	Lease           time.Duration  // DefaultLease if zero; at least 1s
	Version         string         // shown in the list of workers
}

// Validate returns what is wrong with the configuration, or nil.
func (c WorkerConfig) Validate() error {
	switch {
	case len(c.Queues) == 0:
		return errors.New("dispatch: a worker needs a queue to serve")
	case c.Concurrency < 1:
		return errors.New("dispatch: concurrency must be at least 1")
	case c.Lease != 0 && c.Lease < time.Second:
		return errors.New("dispatch: the lease must be at least 1s")
	case c.ShutdownTimeout < 0:
		return errors.New("dispatch: the shutdown timeout must not be negative")
	}
	for queue, weight := range c.Queues {
		if queue == "" || weight < 1 {
			return errors.New("dispatch: queues need a name and a weight of at least 1")
		}
	}
	return nil
}

// Worker takes jobs, runs them and writes how they ended.
type Worker struct {
	cfg    WorkerConfig
	ledger WorkerLedger
	broker *Broker // nil: claims straight from the ledger
	bus    *Bus
	log    *slog.Logger

	lease  *lease
	exec   *executor
	finish *finisher
	claims *claims
}

// NewWorker returns a worker. Without a broker it claims straight from the
// ledger.
func NewWorker(cfg WorkerConfig, ledger WorkerLedger, broker *Broker, bus *Bus, h Handler, m Meter, log *slog.Logger) (*Worker, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Lease == 0 {
		cfg.Lease = DefaultLease
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	w := &Worker{cfg: cfg, ledger: ledger, broker: broker, bus: bus, log: log}
	w.finish = newFinisher(cfg.Concurrency, ledger, bus, m, log)
	w.exec = newExecutor(cfg.Concurrency, h, m, log, w.finish.add)
	w.lease = &lease{length: cfg.Lease, drained: make(chan struct{}, 1), ledger: ledger, log: log, bus: bus, exec: w.exec, life: job.Worker{
		Host: host, PID: os.Getpid(), Version: cfg.Version, Queues: w.queueNames(), Concurrency: cfg.Concurrency,
	}}
	w.claims = newClaims(ledger, w.lease, log)
	return w, nil
}

func (w *Worker) queueNames() []string { return slices.Sorted(maps.Keys(w.cfg.Queues)) }

// Run works until ctx ends, and then drains: it takes no more work, gives
// running jobs the shutdown timeout to end, stops the others and hands them
// back, writes all outcomes and leaves. It returns when nothing of it runs.
func (w *Worker) Run(ctx context.Context) error {
	// These outlive ctx: what runs still needs them.
	alive, die := context.WithCancel(context.WithoutCancel(ctx))
	defer die()
	var background sync.WaitGroup
	joined := make(chan struct{})
	background.Go(func() { w.lease.run(alive, joined) })
	background.Go(func() { w.claims.run(alive) })
	var finishing sync.WaitGroup
	giveUp, stopFinishing := context.WithCancel(alive)
	defer stopFinishing()
	finishing.Go(func() { w.finish.run(giveUp) })

	var err error
	select {
	case <-ctx.Done():
	case <-joined:
		err = w.work(ctx)
	}

	w.drainRuns()
	w.finish.close()
	timer := time.AfterFunc(finishTimeout, stopFinishing)
	finishing.Wait()
	timer.Stop()
	die()
	background.Wait()
	w.lease.leave(ctx)
	return err
}

// work takes jobs from the sources until ctx ends.
func (w *Worker) work(ctx context.Context) error {
	main := w.source()
	isolated := &lane{ledger: w.ledger, lease: w.lease, queues: w.queueNames(), exec: w.exec, log: w.log}
	sources := []*source{
		startSource(main),
		startSource(func(ctx context.Context) error { isolated.run(ctx); return nil }),
	}
	<-ctx.Done()
	w.log.Info("worker drains", "running", w.exec.slots.used(), "timeout", w.cfg.ShutdownTimeout)
	w.lease.drain()
	var errs []error
	for _, s := range sources {
		errs = append(errs, s.stop())
	}
	return errors.Join(errs...)
}

// source is where this worker's jobs come from. Switching between the two while
// Redis comes and goes is a matter of stopping one and starting the other.
func (w *Worker) source() func(context.Context) error {
	if w.broker == nil {
		d := &direct{ledger: w.ledger, lease: w.lease, queues: w.cfg.Queues, strict: w.cfg.Strict, exec: w.exec, bus: w.bus, log: w.log}
		return d.run
	}
	d := &doorbells{
		broker: w.broker, client: asynq.NewClientFromRedisClient(w.broker.client), queues: w.cfg.Queues, strict: w.cfg.Strict,
		ledger: w.ledger, claims: w.claims, exec: w.exec, bus: w.bus, log: w.log,
	}
	return d.run
}

// handBackGrace is how long handlers have to return after they were stopped.
const handBackGrace = 5 * time.Second

// drainRuns waits for running jobs, stops those that take too long, and waits
// for the rest to notice. Runs that ignore their context are left to the
// lease's end.
func (w *Worker) drainRuns() {
	ctx, cancel := context.WithTimeout(context.Background(), w.cfg.ShutdownTimeout)
	defer cancel()
	if w.exec.slots.awaitIdle(ctx) {
		return
	}
	w.exec.stopAll(job.ErrDraining)
	ctx, cancel = context.WithTimeout(context.Background(), handBackGrace)
	defer cancel()
	if !w.exec.slots.awaitIdle(ctx) {
		w.log.Error("handlers did not stop; their jobs will be reaped", "running", w.exec.slots.used())
	}
}
