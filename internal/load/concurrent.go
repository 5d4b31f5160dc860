package load

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asyncops/asyncops/job"
)

// showInterval is how often progress is shown while others work.
const showInterval = 100 * time.Millisecond

// accepted is what one connection got done.
type accepted struct {
	ids  []job.ID
	took []time.Duration
}

// concurrent submits jobs one by one over many connections, each as soon as
// the one before it is answered, and waits until they have ended.
func (r *run) concurrent(ctx context.Context) error {
	var count atomic.Int64
	callers, tallies := make([]Caller, r.plan.Connections), make([]accepted, r.plan.Connections)
	var end time.Time
	for i := range callers {
		conn, err := NewConn(r.target, r.job)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }() // nothing hangs on it
		if err := conn.Connect(ctx); err != nil {
			return err
		}
		callers[i] = func(ctx context.Context) error {
			sent := time.Now()
			id, err := conn.Submit(ctx)
			if err != nil {
				if ctx.Err() != nil {
					return err
				}
				return r.failed(ctx, MeasureConcurrent, err, end)
			}
			tallies[i].ids = append(tallies[i].ids, id)
			tallies[i].took = append(tallies[i].took, time.Since(sent))
			count.Add(1)
			return nil
		}
	}
	began := time.Now()
	end = began.Add(r.plan.Duration)
	stop := r.showing(func() Progress {
		return Progress{
			fmt.Sprintf("%d connections", r.plan.Connections), time.Since(began).Milliseconds(), r.plan.Duration.Milliseconds(),
			fmt.Sprintf("%d jobs", count.Load()),
		}
	})
	_, err := Drive(ctx, r.plan.Duration, callers)
	took := time.Since(began)
	stop()
	r.report.Concurrent = r.accept(tallies, took)
	if err != nil {
		return err
	}
	_, err = r.drain(ctx, "completing")
	return err
}

func (r *run) accept(tallies []accepted, took time.Duration) *Concurrent {
	var all []time.Duration
	for _, t := range tallies {
		all = append(all, t.took...)
		for _, id := range t.ids {
			r.open[id] = true
		}
	}
	c := &Concurrent{Connections: len(tallies), Accepted: len(all), Submit: latency(all)}
	c.PerSecond, c.Seconds = rate(len(all), took)
	return c
}

// showing shows progress every now and then until it is stopped.
func (r *run) showing(progress func() Progress) (stop func()) {
	done := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		ticker := time.NewTicker(showInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				r.show(progress())
			case <-done:
				return
			}
		}
	})
	return func() { close(done); running.Wait() }
}
