package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/asyncops/asyncops/api"
	"github.com/asyncops/asyncops/cache"
	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/config"
	"github.com/asyncops/asyncops/dispatch"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/lifecycle"
	"github.com/asyncops/asyncops/store"
)

// embedded is the name of a process that is somebody else's program, and of
// what it keeps in the cache.
const embedded = "app"

// Embedded is the system inside a program that has other things to do: it opens
// no port and hears no signals. It is safe for concurrent use.
type Embedded struct {
	s     *system
	space *cache.Space

	begin  sync.Once
	closed sync.Once
	stop   context.CancelFunc // ends running
	up     chan struct{}      // closed when all parts have started
	done   chan struct{}      // closed when all parts have ended
	err    error              // why they have, set before done is closed
	clean  error              // set by the first Close

	running context.Context //nolint:containedctx // it is not a call's: what waits in the program ends with it
}

// Embed opens the system of a configuration. standalone makes of the program a
// whole installation: it brings the ledger's schema up, runs jobs and fires
// schedules, and may do without Redis.
func (p Process) Embed(path string, standalone bool) (*Embedded, error) {
	cfg, log, err := p.load(path, func(args *config.LoadArgs) { args.AllowRedisNone = standalone })
	if err != nil {
		return nil, err
	}
	s, err := open(cfg, log, embedded, p.Signers)
	if err != nil {
		return nil, err
	}
	e := &Embedded{s: s, space: cache.Off(), up: make(chan struct{}), done: make(chan struct{})}
	if s.cache != nil {
		e.space = s.cache.Space(embedded)
	}
	if err := s.addEmbedded(standalone); err != nil {
		return nil, errors.Join(settings(err), s.close())
	}
	s.start("started", func(context.Context) error { close(e.up); return nil })
	e.running, e.stop = context.WithCancel(context.Background())
	return e, nil
}

// addEmbedded adds the parts of a program.
func (s *system) addEmbedded(standalone bool) error {
	if standalone {
		s.addMigration()
	}
	s.addBase()
	s.addTargets()
	if standalone {
		s.addScheduler()
		if err := s.addWorker(); err != nil {
			return err
		}
	}
	s.addHealth()
	s.waiter = dispatch.NewWaiter(s.bus, s.ledger)
	s.add("waiter", s.waiter.Run)
	return nil
}

// Start starts what runs in the background, and returns when it does. If ctx
// ends before, or a part fails, all of it is stopped again.
func (e *Embedded) Start(ctx context.Context) error {
	e.begin.Do(func() {
		go func() {
			defer close(e.done)
			e.err = lifecycle.Run(e.running, e.s.log, e.s.parts...)
			e.stop()
		}()
	})
	select {
	case <-e.up:
		return nil
	case <-e.done:
		return e.failure()
	case <-ctx.Done():
		e.stop()
		<-e.done
		return errors.Join(context.Cause(ctx), e.err)
	}
}

// failure is why a system that has ended did not start.
func (e *Embedded) failure() error {
	if e.err != nil {
		return e.err
	}
	return errors.New("it was closed")
}

// Running reports whether it has started and not ended.
func (e *Embedded) Running() bool {
	select {
	case <-e.up:
		return e.running.Err() == nil
	default:
		return false
	}
}

// Done is closed when what ran in the background has ended: by Close, or because
// of a failure, which Close then returns.
func (e *Embedded) Done() <-chan struct{} { return e.done }

// Close stops what runs in the background, in order, and closes connections.
// Further calls return the same.
func (e *Embedded) Close() error {
	e.closed.Do(func() {
		e.stop()
		e.begin.Do(func() { close(e.done) }) // it has never been started
		<-e.done
		e.clean = errors.Join(e.err, e.s.close())
	})
	return e.clean
}

// Log returns the logger.
func (e *Embedded) Log() *slog.Logger { return e.s.log }

// RequestTimeout returns api.request_timeout.
func (e *Embedded) RequestTimeout() time.Duration { return e.s.cfg.API.RequestTimeout.Std() }

// Metrics serves the metrics; nil when they are turned off. It is called once.
func (e *Embedded) Metrics() http.Handler { return e.s.metricsHandler() }

// Cache returns the program's own part of the cache.
func (e *Embedded) Cache() *cache.Space { return e.space }

// Database returns the configured database; "" is the only one.
func (e *Embedded) Database(name string) (*store.Target, error) {
	return lookUp(e.s.databases, "database", name)
}

// Client returns the configured client; "" is the only one.
func (e *Embedded) Client(name string) (*clients.Client, error) {
	return lookUp(e.s.upstreams, "client", name)
}

func lookUp[T any](all map[string]T, what, name string) (T, error) {
	found, ok := named(all, name)
	switch names := slices.Sorted(maps.Keys(all)); {
	case ok:
		return found, nil
	case len(names) == 0:
		return found, fmt.Errorf("no %s %q: none is configured", what, name)
	case name == "":
		return found, fmt.Errorf("which %s? %s are configured", what, strings.Join(names, ", "))
	default:
		return found, fmt.Errorf("no %s %q is configured; known are %s", what, name, strings.Join(names, ", "))
	}
}

// Submit has the submission accepted. Its errors are what api.AnswerError
// answers.
func (e *Embedded) Submit(ctx context.Context, body []byte, from api.Submitter) (job.Accepted, error) {
	from.Now = time.Now()
	accepted, err := e.s.templates().Submit(ctx, body, from, restLedger{e.s.ledger, e.s.metrics})
	if err == nil && !accepted.Replayed {
		e.s.metrics.Submitted(accepted.Job.Kind, accepted.Job.Queue, 1)
	}
	return accepted, err
}

// Job returns the job, or job.ErrNotFound.
func (e *Embedded) Job(ctx context.Context, id job.ID) (*job.Job, error) {
	return e.s.ledger.Get(ctx, id)
}

// Wait returns nil when the job has ended or is gone, else the cause of ctx, or
// an error when the system stops.
func (e *Embedded) Wait(ctx context.Context, id job.ID) error {
	waiting, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(e.running, func() { cancel(lifecycle.ErrStop) })()
	return e.s.waiter.Wait(waiting, id)
}
