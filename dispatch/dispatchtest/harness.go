// Package dispatchtest is the conformance suite of dispatch: whatever moves the
// jobs, over whatever ledger, the same must hold.
package dispatchtest

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/asyncops/asyncops/dispatch"
	"github.com/asyncops/asyncops/internal/testkit"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/ledger"
)

// Harness is what the suite runs on.
type Harness struct {
	// Ledger returns the configuration of an empty ledger for one test.
	Ledger func(t testing.TB) ledger.Config
	// Redis returns a Redis for one test; nil when workers claim straight from
	// the ledger.
	Redis func(t testing.TB) dispatch.Redis
	// Relay is how the relay works; the zero value is as in production.
	Relay dispatch.RelayConfig
}

// fleet is one installation: a ledger, what rings, relays and keeps, and any
// number of workers.
type fleet struct {
	t      testing.TB
	ledger *ledger.Ledger
	broker *dispatch.Broker
	bus    *dispatch.Bus
	log    *slog.Logger
	waiter *dispatch.Waiter
}

func newFleet(t testing.TB, h Harness) *fleet {
	t.Helper()
	f := &fleet{t: t, log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))}
	if h.Redis != nil {
		broker, err := dispatch.OpenBroker(h.Redis(t))
		if err != nil {
			t.Fatal(err)
		}
		f.broker = broker
		t.Cleanup(func() { _ = broker.Close() })
	}
	f.bus = dispatch.NewBus(f.broker, f.log)
	bell := dispatch.NewBell(f.broker, f.bus, f.log)
	cfg := h.Ledger(t)
	cfg.Bell = bell
	l, err := ledger.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("close ledger: %v", err)
		}
	})
	if _, err := l.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := l.EnsureQueues(t.Context(), []string{"default", "low", "critical"}); err != nil {
		t.Fatal(err)
	}
	bell.Attach(l)
	f.ledger, f.waiter = l, dispatch.NewWaiter(f.bus, l)
	f.run(f.bus.Run)
	f.run(bell.Run)
	f.run(f.waiter.Run)
	f.run(dispatch.NewRelay(h.Relay, l, f.broker, f.bus, f.log).Run)
	f.run(dispatch.NewKeeper(l, f.bus, &meter{}, f.log).Run)
	return f
}

// run starts a part that ends with the test. It returns a func that ends it
// before.
func (f *fleet) run(part func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- part(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				f.t.Errorf("part ended with %v", err)
			}
		})
	}
	f.t.Cleanup(stop)
	return stop
}

// worker starts a worker of the queues default, low and critical.
func (f *fleet) worker(cfg dispatch.WorkerConfig, h dispatch.Handler) (stop func()) {
	f.t.Helper()
	if cfg.Queues == nil {
		cfg.Queues = map[string]int{"critical": 6, "default": 3, "low": 1}
	}
	w, err := dispatch.NewWorker(cfg, f.ledger, f.broker, f.bus, h, &meter{}, f.log)
	if err != nil {
		f.t.Fatal(err)
	}
	return f.run(w.Run)
}

// submit accepts n jobs, changed by edit if it is not nil.
func (f *fleet) submit(n int, edit func(i int, j *job.Job)) []job.ID {
	f.t.Helper()
	jobs := make([]job.Job, n)
	ids := make([]job.ID, n)
	for i := range jobs {
		now := time.Now()
		jobs[i] = job.Job{
			ID: job.NewID(), Kind: "test", Queue: "default", State: job.Pending, Args: json.RawMessage(`{}`),
			MaxAttempts: 10, Delivery: job.AtLeastOnce, CreatedAt: now, RunAt: now,
		}
		if edit != nil {
			edit(i, &jobs[i])
		}
		ids[i] = jobs[i].ID
	}
	answers, err := f.ledger.Accept(context.Background(), ledger.Batch{Jobs: jobs})
	if err != nil {
		f.t.Fatal(err)
	}
	for _, a := range answers {
		if a.Err != nil {
			f.t.Fatal(a.Err)
		}
	}
	return ids
}

// patience is how long anything here may take at most. It is no measurement.
const patience = 3 * time.Minute

// await waits until every job has been seen in the state.
func (f *fleet) await(state job.State, ids ...job.ID) {
	f.t.Helper()
	testkit.Eventually(f.t, patience, 20*time.Millisecond, func() error {
		for ; len(ids) > 0; ids = ids[1:] {
			j, err := f.ledger.Get(context.Background(), ids[0])
			if err != nil {
				return err
			}
			if j.State != state {
				return fmt.Errorf("job %s is %s (%+v), want %s; %d others to go", ids[0], j.State, j.WaitingOn, state, len(ids)-1)
			}
		}
		return nil
	})
}

// awaitCount waits until so many jobs of the queue default are in the state.
func (f *fleet) awaitCount(state job.State, want int) {
	f.t.Helper()
	testkit.Eventually(f.t, patience, 10*time.Millisecond, func() error { return f.count(state, want) })
}

// count is nil when so many jobs of the queue default are in the state.
func (f *fleet) count(state job.State, want int) error {
	queues, err := f.ledger.Queues(context.Background(), "default")
	if err != nil {
		return err
	}
	if got := queues[0].Counts[state]; got != want {
		return fmt.Errorf("%d jobs are %s, want %d", got, state, want)
	}
	return nil
}

func (f *fleet) get(id job.ID) *job.Job {
	f.t.Helper()
	j, err := f.ledger.Get(context.Background(), id)
	if err != nil {
		f.t.Fatal(err)
	}
	return j
}

// meter takes measurements and forgets them.
type meter struct{}

func (*meter) Active(string) func()                          { return func() {} }
func (*meter) Started(*job.Job, time.Duration)               {}
func (*meter) Finished(*job.Job, job.Outcome, time.Duration) {}
func (*meter) Ended(string, string, job.State, int)          {}
func (*meter) Fenced(int)                                    {}

// handler is a Handler made of funcs, that counts its runs.
type handler struct {
	run  func(ctx context.Context, j *job.Job) error
	seal func(j *job.Job) (json.RawMessage, bool, error)

	mu   sync.Mutex
	runs map[job.ID]int // guarded by mu
}

func (h *handler) Run(ctx context.Context, j *job.Job) (job.Result, error) {
	h.mu.Lock()
	if h.runs == nil {
		h.runs = map[job.ID]int{}
	}
	h.runs[j.ID]++
	h.mu.Unlock()
	if h.run != nil {
		if err := h.run(ctx, j); err != nil {
			return job.Result{}, err
		}
	}
	return job.Result{Value: json.RawMessage(`{"ran":true}`)}, nil
}

func (h *handler) Seal(_ context.Context, j *job.Job) (json.RawMessage, bool, error) {
	if h.seal == nil {
		return nil, false, nil
	}
	return h.seal(j)
}

func (h *handler) ran(id job.ID) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.runs[id]
}

// until blocks a run until release is closed or the run is stopped.
func until(release <-chan struct{}) func(context.Context, *job.Job) error {
	return func(ctx context.Context, _ *job.Job) error {
		select {
		case <-release:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
