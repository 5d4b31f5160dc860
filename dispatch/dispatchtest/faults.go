package dispatchtest

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/asyncops/asyncops/dispatch"
	"github.com/asyncops/asyncops/internal/testkit"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/ledger"
)

// RunRedisFaults runs what only an installation with a Redis of its own can
// meet: its loss in every form, and lost replies.
func RunRedisFaults(t *testing.T, config func(testing.TB) ledger.Config) {
	for name, test := range map[string]func(*testing.T, *fleet, *testkit.RedisServer){
		"accepted while redis is away":     acceptedWithoutRedis,
		"redis stays away":                 redisStaysAway,
		"redis loses everything":           flushed,
		"redis restarts empty":             restartedEmpty,
		"redis loses a queue's list":       lostList,
		"redis freezes":                    frozenRedis,
		"a busy worker takes no doorbell":  busyTakesNone,
		"asynq's own tools see the queues": inspected,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := testkit.Redis(t)
			at := func(testing.TB) dispatch.Redis {
				return dispatch.Redis{Mode: dispatch.Standalone, Addrs: []string{server.Addr()}}
			}
			test(t, newFleet(t, Harness{Ledger: config, Redis: at, Relay: soon}), server)
		})
	}
	t.Run("replies of dequeues are lost", func(t *testing.T) {
		t.Parallel()
		lostDequeues(t, config)
	})
}

// soon is a relay that looks after doorbells earlier than in production.
var soon = dispatch.RelayConfig{OverlookedAge: time.Second}

func once(t *testing.T, h *handler, ids []job.ID) {
	t.Helper()
	for _, id := range ids {
		if got := h.ran(id); got != 1 {
			t.Errorf("job %s ran %d times, want 1", id, got)
		}
	}
}

func acceptedWithoutRedis(t *testing.T, f *fleet, server *testkit.RedisServer) {
	h := &handler{}
	f.worker(dispatch.WorkerConfig{Concurrency: 10, ShutdownTimeout: time.Second}, h)
	server.Kill()
	ids := f.submit(300, nil)
	server.Restart()
	f.await(job.Completed, ids...)
	once(t, h, ids)
}

// redisStaysAway: jobs run without Redis, once, and by doorbells when it is back.
func redisStaysAway(t *testing.T, f *fleet, server *testkit.RedisServer) {
	h := &handler{}
	f.worker(dispatch.WorkerConfig{Concurrency: 10, ShutdownTimeout: time.Second}, h)
	ids := f.submit(20, nil)
	f.await(job.Completed, ids...)
	server.Freeze() // with what it holds
	ids = append(ids, f.submit(300, nil)...)
	f.await(job.Completed, ids...)
	server.Thaw()
	ids = append(ids, f.submit(50, nil)...)
	f.await(job.Completed, ids...)
	once(t, h, ids)
}

func flushed(t *testing.T, f *fleet, server *testkit.RedisServer) {
	gate := make(chan struct{})
	h := &handler{run: until(gate)}
	f.worker(dispatch.WorkerConfig{Concurrency: 10, ShutdownTimeout: time.Second}, h)
	ids := f.submit(500, nil)
	f.awaitCount(job.Active, 10)
	if _, err := server.Do("FLUSHALL"); err != nil {
		t.Fatal(err)
	}
	close(gate)
	f.await(job.Completed, ids...)
	once(t, h, ids)
	testkit.Eventually(t, patience, 100*time.Millisecond, func() error {
		known, err := server.Do("SCARD", "asynq:queues")
		if err == nil && known == "0" {
			err = fmt.Errorf("no queue is registered with asynq again")
		}
		return err
	})
}

// lostList loses the list that doorbells wait in; what Redis holds of each of
// them is left, and says that it waits.
func lostList(t *testing.T, f *fleet, server *testkit.RedisServer) {
	gate := make(chan struct{})
	h := &handler{run: until(gate)}
	f.worker(dispatch.WorkerConfig{Concurrency: 4, ShutdownTimeout: time.Second}, h)
	ids := f.submit(100, nil)
	f.awaitCount(job.Active, 4)
	testkit.Eventually(t, patience, 20*time.Millisecond, func() error {
		if n, err := f.broker.Doorbells(t.Context(), []string{"default"}); n != 10 {
			return fmt.Errorf("%d doorbells, %w; want 10 for the 96 jobs that wait", n, err)
		}
		return nil
	})
	if _, err := server.Do("DEL", "asynq:{default}:pending"); err != nil {
		t.Fatal(err)
	}
	close(gate)
	f.await(job.Completed, ids...)
	once(t, h, ids)
}

// busyTakesNone looks at asynq's side of a worker without a free slot.
func busyTakesNone(t *testing.T, f *fleet, _ *testkit.RedisServer) {
	gate := make(chan struct{})
	h := &handler{run: until(gate)}
	f.worker(dispatch.WorkerConfig{Concurrency: 4, ShutdownTimeout: time.Second}, h)
	ids := f.submit(4, nil)
	f.awaitCount(job.Active, 4)
	ids = append(ids, f.submit(10, nil)...) // a doorbell for all
	ids = append(ids, f.submit(10, nil)...)
	testkit.Eventually(t, patience, 20*time.Millisecond, func() error {
		view, err := f.broker.Queue(t.Context(), "default")
		if err != nil {
			return err
		}
		if view.Pending != 2 || view.Active != 0 {
			return fmt.Errorf("%d doorbells wait and %d are held, want 2 and none", view.Pending, view.Active)
		}
		return nil
	})
	close(gate)
	f.await(job.Completed, ids...)
	once(t, h, ids)
}

func restartedEmpty(t *testing.T, f *fleet, server *testkit.RedisServer) {
	h := &handler{run: func(ctx context.Context, j *job.Job) error {
		return until(after(ctx, time.Millisecond))(ctx, j)
	}}
	f.worker(dispatch.WorkerConfig{Concurrency: 4, ShutdownTimeout: time.Second}, h)
	f.worker(dispatch.WorkerConfig{Concurrency: 4, ShutdownTimeout: time.Second}, h)
	ids := f.submit(400, nil)
	server.Kill()
	ids = append(ids, f.submit(100, nil)...)
	server.Restart()
	ids = append(ids, f.submit(100, nil)...)
	f.await(job.Completed, ids...)
	once(t, h, ids)
}

// after is closed after d, or when ctx ends.
func after(ctx context.Context, d time.Duration) <-chan struct{} {
	timed, cancel := context.WithTimeout(ctx, d)
	context.AfterFunc(timed, cancel)
	return timed.Done()
}

func frozenRedis(t *testing.T, f *fleet, server *testkit.RedisServer) {
	gate := make(chan struct{})
	h := &handler{run: until(gate)}
	f.worker(dispatch.WorkerConfig{Concurrency: 5, ShutdownTimeout: time.Second}, h)
	ids := f.submit(50, nil)
	f.awaitCount(job.Active, 5)
	server.Freeze()
	more := f.submit(50, nil) // accepted all the same
	close(gate)
	// What runs does not need Redis.
	f.awaitCount(job.Active, 0)
	server.Thaw()
	ids = append(ids, more...)
	f.await(job.Completed, ids...)
	once(t, h, ids)
}

func inspected(t *testing.T, f *fleet, server *testkit.RedisServer) {
	ids := f.submit(250, nil) // nobody works
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	t.Cleanup(func() { _ = client.Close() })
	inspector := asynq.NewInspectorFromRedisClient(client)
	testkit.Eventually(t, patience, 20*time.Millisecond, func() error {
		queues, err := inspector.Queues()
		if err != nil {
			return err
		}
		if !slices.Contains(queues, "default") {
			return fmt.Errorf("queues = %v, want default among them", queues)
		}
		tasks, err := inspector.ListPendingTasks("default")
		if err != nil {
			return err
		}
		if len(tasks) != 3 {
			return fmt.Errorf("%d doorbells pending, want 3 for 250 jobs", len(tasks))
		}
		for _, task := range tasks {
			if task.Type != "asyncops:doorbell" || len(task.Payload) > 37*job.MaxDoorbellJobs {
				return fmt.Errorf("task %s of %d bytes, want a doorbell with ids", task.Type, len(task.Payload))
			}
		}
		return nil
	})
	view, err := f.broker.Queue(t.Context(), "default")
	if err != nil || view.Pending != 3 {
		t.Errorf("Queue(default) = %+v, %v; want 3 pending", view, err)
	}
	if days := view.Days; len(days) != 7 || time.Since(days[0].Day) > 25*time.Hour || days[0].Day.Sub(days[6].Day) != 6*24*time.Hour {
		t.Errorf("days = %+v, want seven, today first", days)
	}
	heldBells(t, f, ids)
	h := &handler{}
	f.worker(dispatch.WorkerConfig{Concurrency: 50, ShutdownTimeout: time.Second, Queues: map[string]int{"default": 3, "low": 1}}, h)
	f.await(job.Completed, ids...)
	testkit.Eventually(t, patience, 20*time.Millisecond, func() error {
		servers, err := f.broker.Servers(t.Context())
		if err != nil {
			return err
		}
		if len(servers) != 1 || servers[0].PID != os.Getpid() || servers[0].Host == "" || servers[0].Status != "active" || servers[0].Concurrency < 1 ||
			!maps.Equal(servers[0].Queues, map[string]int{"default": 3, "low": 1}) || servers[0].Started.IsZero() {
			return fmt.Errorf("servers = %+v, want that of the worker", servers)
		}
		return nil
	})
}

// heldBells lists the doorbells of jobs that nobody works on.
func heldBells(t *testing.T, f *fleet, ids []job.ID) {
	t.Helper()
	bells, err := f.broker.Held(t.Context(), "default", 10)
	if err != nil || len(bells) != 3 {
		t.Fatalf("Held(default) = %d doorbells, %v; want 3", len(bells), err)
	}
	var rung []job.ID
	for _, b := range bells {
		rung = append(rung, b.Jobs...)
		if b.Active || b.Queue != "default" || b.ID == "" {
			t.Errorf("doorbell %+v, want one that waits in default", b)
		}
	}
	slices.Sort(rung)
	if sorted := slices.Sorted(slices.Values(ids)); !slices.Equal(rung, sorted) {
		t.Errorf("they ring for %d jobs, want the %d that were submitted", len(rung), len(ids))
	}
	if first, err := f.broker.Held(t.Context(), "default", 1); err != nil || len(first) != 1 || first[0].ID != bells[0].ID {
		t.Errorf("Held(default, 1) = %d, %v; want the first of them", len(first), err)
	}
	if none, err := f.broker.Held(t.Context(), "never", 10); err != nil || len(none) != 0 {
		t.Errorf("Held(never) = %d, %v; want none", len(none), err)
	}
}

// lostDequeues cuts connections after Redis has run a dequeue and before the
// worker hears of it: the doorbells are gone, the jobs must not be.
func lostDequeues(t *testing.T, config func(testing.TB) ledger.Config) {
	server := testkit.Redis(t)
	proxy := testkit.Proxy(t, server.Addr())
	through := func(testing.TB) dispatch.Redis {
		return dispatch.Redis{Mode: dispatch.Standalone, Addrs: []string{proxy.Addr()}}
	}
	f := newFleet(t, Harness{Ledger: config, Redis: through, Relay: soon})
	h := &handler{}
	var ids []job.ID
	for range 3 {
		lost := proxy.LoseReply(isDequeue)
		ids = append(ids, f.submit(5, nil)...)
		stop := f.worker(dispatch.WorkerConfig{Concurrency: 1, ShutdownTimeout: time.Second}, h)
		select {
		case <-lost:
		case <-time.After(patience):
			t.Fatal("no dequeue was seen")
		}
		stop()
	}
	f.worker(dispatch.WorkerConfig{Concurrency: 4, ShutdownTimeout: time.Second}, h)
	f.await(job.Completed, ids...)
	once(t, h, ids)
}

// isDequeue tells asynq's dequeue by its keys.
func isDequeue(request []byte) bool {
	return containsAll(string(request), ":pending", ":paused", ":active", ":lease")
}

func containsAll(s string, parts ...string) bool {
	for _, part := range parts {
		if !strings.Contains(s, part) {
			return false
		}
	}
	return true
}
