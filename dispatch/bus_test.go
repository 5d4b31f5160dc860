package dispatch //nolint:testpackage // what it tests is nobody else's

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
	"github.com/asyncops/asyncops/job"
)

func TestBusForgetsWhoGaveUp(t *testing.T) {
	t.Parallel()
	b := NewBus(nil, nil)
	id := job.NewID()
	first, giveUp := b.waitEnded(id)
	second, _ := b.waitEnded(id)
	giveUp()
	b.Ended([]job.ID{id})
	select {
	case <-first:
		t.Error("one that gave up was told")
	default:
	}
	<-second
	if len(b.ended) != 0 {
		t.Errorf("%d jobs are still waited for, want none", len(b.ended))
	}
}

// Whoever gives a hint does not wait for a Redis that does not answer.
func TestHintsDoNotWait(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t)
	server.Freeze()
	bus := NewBus(openBroker(t, server.Addr()), slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	ran, given := make(chan error), make(chan struct{})
	go func() { ran <- bus.Run(ctx) }()
	go func() {
		for range 1000 {
			bus.Due()
			bus.rung()
			bus.Stop(job.NewID())
			bus.Ended([]job.ID{job.NewID()})
		}
		close(given)
	}()
	select {
	case <-given:
	case <-time.After(30 * time.Second): // four thousand times the timeout of a command are two hours
		t.Error("4000 hints took more than 30 s while Redis was frozen")
	}
	server.Thaw()
	cancel()
	if err := <-ran; err != nil {
		t.Errorf("Run = %v, want nil", err)
	}
}

// What is kept for other processes while Redis is away is bounded.
func TestOutgoingIsBounded(t *testing.T) {
	t.Parallel()
	var o outgoing
	ids := make([]job.ID, 100)
	for range 3 * maxOutgoing / len(ids) {
		o.end(ids)
	}
	for range 3 * maxOutgoing {
		o.stop("x")
	}
	if len(o.ends) > maxOutgoing+len(ids) || len(o.stops) > maxOutgoing {
		t.Errorf("%d and %d ids are kept, want about %d", len(o.ends), len(o.stops), maxOutgoing)
	}
}
