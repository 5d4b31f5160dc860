package dispatch //nolint:testpackage // what it tests is nobody else's

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
	"github.com/asyncops/asyncops/job"
)

func TestWatchGathersABoundedNumber(t *testing.T) {
	t.Parallel()
	b := NewBus(nil, nil)
	w := b.Watch()
	id := job.NewID()
	for range 3 {
		b.Moved([]job.ID{id})
	}
	b.Ended([]job.ID{id, job.NewID()})
	<-w.Ready()
	if ids, lost := w.Take(); len(ids) != 2 || lost {
		t.Errorf("Take() = %v, %t; want both jobs, once", ids, lost)
	}
	for range 3 * maxMoved {
		b.Moved([]job.ID{job.NewID()})
	}
	if ids, lost := w.Take(); len(ids) != maxMoved || !lost {
		t.Errorf("Take() = %d jobs, %t; want %d and that there were more", len(ids), lost, maxMoved)
	}
	if ids, lost := w.Take(); len(ids) != 0 || lost {
		t.Errorf("Take() again = %v, %t; want nothing", ids, lost)
	}
	w.Close()
	b.Moved([]job.ID{id})
	if ids, _ := w.Take(); len(ids) != 0 || len(b.watches) != 0 {
		t.Errorf("a closed watch gathered %v", ids)
	}
}

func TestWatchHearsOtherProcesses(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t)
	ctx, cancel := context.WithCancel(t.Context())
	bus := func() (*Bus, <-chan error) {
		b, ran := NewBus(openBroker(t, server.Addr()), slog.New(slog.DiscardHandler)), make(chan error, 1)
		go func() { ran <- b.Run(ctx) }()
		return b, ran
	}
	here, ran := bus()
	there, ranThere := bus()
	w := here.Watch()
	defer w.Close()
	moved, ended := job.NewID(), job.NewID()
	missing := map[job.ID]bool{moved: true, ended: true}
	again, late := time.NewTicker(50*time.Millisecond), time.After(30*time.Second)
	defer again.Stop()
	for len(missing) > 0 { // what was said before it listened is lost
		select {
		case <-again.C:
			there.Moved([]job.ID{moved})
			there.Ended([]job.ID{ended})
		case <-w.Ready():
			ids, _ := w.Take()
			for _, id := range ids {
				delete(missing, id)
			}
		case <-late:
			t.Fatalf("%d of what another process said did not come", len(missing))
		}
	}
	cancel()
	for _, ran := range []<-chan error{ran, ranThere} {
		if err := <-ran; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
	}
}
