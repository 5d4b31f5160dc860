package dispatch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
	RunLedger
	BellLedger
	ParkLedger
}

// RunLedger takes what runs have to say.
type RunLedger interface {
	FinishLedger
	ProgressLedger
	NotesLedger
}

// DefaultSealInterval is the SealInterval of a worker that does not set one.
const DefaultSealInterval = 5 * time.Second

// WorkerConfig says how a worker works.
type WorkerConfig struct {
	Queues          map[string]int // weights of the queues that it serves; at least one
	Strict          bool           // serve queues by weight order, not in proportion
	Concurrency     int            // jobs at a time, at least 1
	ShutdownTimeout time.Duration  // that running jobs have to end in order; zero stops them at once
	Lease           time.Duration  // default DefaultLease; at least 1s
	// SealInterval is the shortest rest of a job whose target is away and must
	// be sealed before the job may end; default DefaultSealInterval. It grows
	// to a minute.
	SealInterval time.Duration
	Version      string // shown in the list of workers
	Bulkheads    Bulkheads
	// PoolsFunc tells how the connections to target databases are used, for the
	// list of workers; nil for none.
	PoolsFunc func() map[string]job.PoolUse
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
	case c.ShutdownTimeout < 0 || c.SealInterval < 0:
		return errors.New("dispatch: the shutdown timeout and the seal interval must not be negative")
	}
	for queue, weight := range c.Queues {
		if queue == "" || weight < 1 {
			return errors.New("dispatch: queues need a name and a weight of at least 1")
		}
	}
	for target, limit := range c.Bulkheads.Limits {
		if limit < 1 {
			return fmt.Errorf("dispatch: the bulkhead of %s must let at least 1 job in", target)
		}
	}
	for target := range c.Bulkheads.Gates {
		if c.Bulkheads.Limits[target] == 0 {
			return fmt.Errorf("dispatch: the gate of %s needs a limit beside it", target)
		}
	}
	return nil
}

func (c WorkerConfig) withDefaults() WorkerConfig {
	c.Lease = cmp.Or(c.Lease, DefaultLease)
	c.SealInterval = cmp.Or(c.SealInterval, DefaultSealInterval)
	return c
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
	shown  *progress
}

// NewWorker returns a worker. Without a broker it claims straight from the
// ledger.
func NewWorker(cfg WorkerConfig, ledger WorkerLedger, broker *Broker, bus *Bus, h Handler, m Meter, log *slog.Logger) (*Worker, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	w := &Worker{cfg: cfg, ledger: ledger, broker: broker, bus: bus, log: log}
	w.finish = newFinisher(cfg.Concurrency, ledger, bus, m, log)
	w.exec = newExecutor(cfg, h, m, log, w.finish.add)
	w.lease = newLease(cfg.Lease, job.Worker{
		Host: host, PID: os.Getpid(), Version: cfg.Version, Queues: w.queueNames(), Concurrency: cfg.Concurrency,
	}, ledger, bus, w.exec, log)
	w.lease.pools = cfg.PoolsFunc
	w.lease.recent = func() job.RunWindow { return w.finish.recent.last(time.Now()) }
	w.exec.holds = w.lease.holds
	w.shown = newProgress(ledger, log)
	w.exec.shown, w.exec.notes = w.shown, ledger
	return w, nil
}

func (w *Worker) queueNames() []string { return slices.Sorted(maps.Keys(w.cfg.Queues)) }

// handBackGrace is how long handlers have to return after they were stopped.
const handBackGrace = 5 * time.Second

// Grace is how long Run may take, at the very most, once its context has ended.
// Mostly it is much less: the time that running jobs take, up to the shutdown
// timeout.
func (w *Worker) Grace() time.Duration {
	return max(w.cfg.ShutdownTimeout, asynqShutdown) + 2*handBackGrace + finishTimeout + renewTimeout
}

// Run works until ctx ends, and then drains: it takes no more work, gives
// running jobs the shutdown timeout to end, stops the others and hands them
// back, writes all outcomes and leaves. It returns when nothing of it runs.
func (w *Worker) Run(ctx context.Context) error {
	// What runs outlives ctx.
	alive, die := context.WithCancel(context.WithoutCancel(ctx))
	defer die()
	joined := make(chan struct{})
	var leasing sync.WaitGroup
	leasing.Go(func() { w.lease.run(alive, joined) })
	leasing.Go(func() { w.shown.run(alive) })
	writing, stopWriting := context.WithCancel(alive)
	defer stopWriting()
	var finishing sync.WaitGroup
	finishing.Go(func() { w.finish.run(writing) })

	var err error
	select {
	case <-ctx.Done():
	case <-joined:
		err = w.work(ctx)
	}

	w.finish.close()
	late := time.AfterFunc(finishTimeout, stopWriting)
	defer late.Stop()
	finishing.Wait()
	die()
	leasing.Wait()
	w.lease.leave(ctx)
	return err
}

// work takes and runs jobs until ctx ends, and then drains.
func (w *Worker) work(ctx context.Context) (err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	hungry, sated := context.WithCancel(ctx)
	defer sated()
	var taking sync.WaitGroup
	taking.Go(func() {
		err = w.source()(hungry)
		if err != nil || hungry.Err() == nil {
			stop() // without its source of work it is no worker
		}
	})
	taking.Go(func() {
		select {
		case <-w.lease.asked: // it stays, and ends what it has
			w.log.Info("worker takes no more jobs, as an operator asked", "running", w.exec.slots.used())
			w.lease.drain()
			sated()
		case <-ctx.Done():
		}
	})
	if w.broker != nil {
		without := &fallback{broker: w.broker, direct: w.direct(), log: w.log}
		taking.Go(func() { without.run(hungry) })
	}
	isolated := &lane{ledger: w.ledger, lease: w.lease, queues: w.queueNames(), exec: w.exec, log: w.log}
	taking.Go(func() { isolated.run(hungry) })
	parked := &unparker{ledger: w.ledger, lease: w.lease, queues: w.cfg.Queues, strict: w.cfg.Strict, exec: w.exec, log: w.log}
	taking.Go(func() { parked.run(hungry) })
	<-ctx.Done()
	w.log.Info("worker drains", "running", w.exec.slots.used(), "timeout", w.cfg.ShutdownTimeout)
	w.lease.drain()
	w.awaitRuns()
	w.handBack()
	taking.Wait()
	w.handBack() // what was claimed at the last moment
	return err
}

// direct is the source of work without Redis.
func (w *Worker) direct() *direct {
	return &direct{ledger: w.ledger, lease: w.lease, queues: w.cfg.Queues, strict: w.cfg.Strict, exec: w.exec, bus: w.bus, log: w.log}
}

// source is where this worker's jobs come from.
func (w *Worker) source() func(context.Context) error {
	if w.broker == nil {
		return w.direct().run
	}
	d := &doorbells{
		broker: w.broker, client: asynq.NewClientFromRedisClient(w.broker.client), queues: w.cfg.Queues, strict: w.cfg.Strict,
		ledger: w.ledger, claims: newClaims(w.ledger, w.lease, w.log), exec: w.exec, bus: w.bus, log: w.log,
	}
	return d.run
}

// awaitRuns gives running jobs the shutdown timeout to end.
func (w *Worker) awaitRuns() {
	ctx, cancel := context.WithTimeout(context.Background(), w.cfg.ShutdownTimeout)
	defer cancel()
	w.exec.slots.awaitIdle(ctx)
}

// handBack stops what runs and waits for it to notice. Claims that are under
// way hold slots, so it waits for them too. Runs that ignore their context are
// left to the lease's end.
func (w *Worker) handBack() {
	ctx, cancel := context.WithTimeout(context.Background(), handBackGrace)
	defer cancel()
	w.exec.drain()
	if !w.exec.slots.awaitIdle(ctx) {
		w.log.Error("handlers did not stop; their jobs will be reaped", "running", w.exec.slots.used())
	}
}
