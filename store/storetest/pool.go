package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/internal/testkit"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
)

// patience is how long anything here may take at most. It is no measurement.
const patience = time.Minute

// busy runs n slow operations until the returned func is called, which waits
// for their end. It returns once all of them run.
func (f fixture) busy(n int) (stop func()) {
	f.t.Helper()
	ctx, cancel := context.WithCancelCause(f.t.Context())
	var running sync.WaitGroup
	before := f.Stats().InUse
	for range n {
		running.Go(func() { _, _ = f.Run(ctx, slow, nil) })
	}
	f.awaitStats(func(s store.Stats) bool { return s.InUse == before+n })
	return func() {
		cancel(job.ErrCanceled)
		running.Wait()
	}
}

func (f fixture) awaitStats(right func(store.Stats) bool) {
	f.t.Helper()
	testkit.Eventually(f.t, patience, 5*time.Millisecond, func() error {
		if s := f.Stats(); !right(s) {
			return fmt.Errorf("Stats() = %+v", s)
		}
		return nil
	})
}

// watch runs the target's own upkeep until the test ends.
func (f fixture) watch() {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = f.Watch(ctx)
	}()
	f.t.Cleanup(func() {
		stop()
		<-done
	})
}

var readLog = dbop.Operation{Op: dbop.SelectOne, Table: "log"}

// Load opens pool_size and max_overflow connections and no more operations run;
// those over pool_size are closed when the load is over, the others stay.
func testPoolSize(t *testing.T, h Harness) {
	f := start(t, h, func(cfg *store.Config) { cfg.PoolSize, cfg.MaxOverflow = 2, 3 })
	stop := f.busy(5)
	got := make(chan error, 1)
	go func() {
		_, err := f.Run(t.Context(), readLog, nil)
		got <- err
	}()
	f.awaitStats(func(s store.Stats) bool { return s.InUse == 5 && s.Max == 5 && s.Waiting == 1 && s.Waits == 1 })
	stop()
	if err := <-got; err != nil {
		t.Errorf("the operation that waited failed: %v", err)
	}
	if s := f.Stats(); s.Waiting != 0 || s.WaitTime <= 0 {
		t.Errorf("Stats() = %+v, want a wait that is over and has taken time", s)
	}
	// An interrupted statement costs its connection at some databases: open them
	// all again.
	f.quickly(5)
	kept := 2
	if h.Server == nil {
		kept++ // a file has a connection of its own for writing, which Watch has used
	}
	f.watch()
	f.awaitStats(func(s store.Stats) bool { return s.InUse == 0 && s.Idle <= kept })
	f.quickly(2)
	if s := f.Stats(); s.Idle == 0 {
		t.Errorf("Stats() = %+v, want connections that stay open", s)
	}
}

// quickly runs n reads at the same time, until each has had a connection.
func (f fixture) quickly(n int) {
	f.t.Helper()
	var reads sync.WaitGroup
	for range n {
		reads.Go(func() { _, _ = f.Run(f.t.Context(), readLog, nil) })
	}
	reads.Wait()
}

// One that is not used for max_idle_time is closed, one that has lived for
// max_lifetime is replaced, and with Never neither happens.
func testConnectionAge(t *testing.T, h Harness) {
	for name, change := range map[string]func(*store.Config){
		"max_idle_time": func(cfg *store.Config) { cfg.MaxIdleTime = time.Millisecond },
		"max_lifetime":  func(cfg *store.Config) { cfg.MaxLifetime = time.Millisecond },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t, h, func(cfg *store.Config) {
				cfg.MaxIdleTime, cfg.MaxLifetime = store.Never, store.Never
				change(cfg)
			})
			f.must(readLog)
			f.awaitStats(func(s store.Stats) bool { return s.Idle == 0 })
			f.must(readLog)
		})
	}
	t.Run("never", func(t *testing.T) {
		t.Parallel()
		f := start(t, h, func(cfg *store.Config) { cfg.MaxIdleTime, cfg.MaxLifetime = store.Never, store.Never })
		f.must(readLog)
		idle := f.Stats().Idle
		if idle == 0 {
			t.Fatal("no connection stays open after an operation")
		}
		f.must(readLog)
		if s := f.Stats(); s.Idle != idle {
			t.Errorf("Stats() = %+v, want %d idle connections as before", s, idle)
		}
	})
}
