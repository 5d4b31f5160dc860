package dispatch //nolint:testpackage // what it tests is nobody else's

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
	"github.com/asyncops/asyncops/job"
)

// backlog is a RelayLedger of queues that have no end, or fail.
type backlog struct {
	mu    sync.Mutex
	taken []string // queues, as they were asked for; guarded by mu
}

func (b *backlog) QueueNames(context.Context) ([]string, error) {
	return []string{"broken", "endless", "small"}, nil
}

func (b *backlog) TakeUnrung(_ context.Context, queue string) (*job.Doorbell, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.taken = append(b.taken, queue)
	bell := &job.Doorbell{ID: string(job.NewID()), Queue: queue, Jobs: []job.ID{job.NewID()}}
	switch queue {
	case "broken":
		return nil, job.ErrUnavailable
	case "endless":
		bell.Jobs = make([]job.ID, job.MaxDoorbellJobs)
		for i := range bell.Jobs {
			bell.Jobs[i] = job.NewID()
		}
	}
	return bell, nil
}

func (b *backlog) asked() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.taken)
}

func (*backlog) Overlooked(context.Context, time.Duration, int) ([]job.Doorbell, error) {
	return nil, nil
}
func (*backlog) Touch(context.Context, []job.Doorbell) error  { return nil }
func (*backlog) Unring(context.Context, []job.Doorbell) error { return nil }

func openBroker(t *testing.T, addr string) *Broker {
	t.Helper()
	broker, err := OpenBroker(Redis{Mode: Standalone, Addrs: []string{addr}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = broker.Close() })
	return broker
}

// A queue is rung for although another has no end and a third cannot be read.
func TestRelayRingsInTurns(t *testing.T) {
	t.Parallel()
	broker, log, ledger := openBroker(t, testkit.Redis(t).Addr()), slog.New(slog.DiscardHandler), &backlog{}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- NewRelay(RelayConfig{}, ledger, broker, NewBus(broker, log), log).Run(ctx) }()
	testkit.Eventually(t, 30*time.Second, 10*time.Millisecond, func() error {
		if n, err := broker.Doorbells(ctx, []string{"small"}); err != nil || n < 2 {
			return fmt.Errorf("%d doorbells, %w; want one in each round", n, err)
		}
		return nil
	})
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run = %v, want nil", err)
	}
	asked := ledger.asked()
	first := slices.Index(asked, "small")
	if before := asked[:first]; len(before) > 2 {
		t.Errorf("the small queue was asked after %v, want each other once", before)
	}
}

// What decides is the list that workers take doorbells from. A doorbell that is
// in none, or whose list is gone, is lost, whatever else Redis says of it.
func TestWaitingDoorbells(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t)
	broker := openBroker(t, server.Addr())
	relay := NewRelay(RelayConfig{}, nil, broker, NewBus(nil, nil), nil)
	var bells []job.Doorbell
	for _, queue := range []string{"here", "here", "gone", "never"} {
		bell := job.Doorbell{ID: string(job.NewID()), Queue: queue, Jobs: []job.ID{job.NewID()}}
		bells = append(bells, bell)
		if queue == "never" {
			continue
		}
		if err := relay.ring(bell); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := server.Do("DEL", pendingKey("gone")); err != nil {
		t.Fatal(err)
	}
	waiting, lost, err := broker.waiting(t.Context(), bells)
	if err != nil {
		t.Fatal(err)
	}
	same := func(a, b job.Doorbell) bool { return a.ID == b.ID }
	if !slices.EqualFunc(waiting, bells[:2], same) || !slices.EqualFunc(lost, bells[2:], same) {
		t.Errorf("waiting = %v, lost = %v; want the first two and the others of %v", waiting, lost, bells)
	}
	server.Kill()
	if _, _, err := broker.waiting(t.Context(), bells); err == nil {
		t.Error("waiting without Redis = nil, want an error: nothing is lost that cannot be looked after")
	}
}
