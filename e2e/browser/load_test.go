package browser_test

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
)

// With many jobs and many changes a second, the list answers to the hand: from
// key or click to the next frame, as the browser itself measures it.
func TestTheListStaysResponsive(t *testing.T) {
	t.Parallel()
	jobs, updates, interactions := 2000, 50, 40
	if testkit.Long() {
		jobs, interactions = 100_000, 400
	}
	s := start(t, "api: {bulk_body_limit: 64MiB}\n")
	const batch = 10_000
	for rest := jobs; rest > 0; rest -= batch {
		items := make([]object, min(batch, rest))
		for i := range items {
			items[i] = object{"kind": "system.noop", "delay": "24h", "tags": []string{"bulk"}}
		}
		s.call(t, http.StatusAccepted, http.MethodPost, "/v1/jobs/batch", items)
	}
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	defer load.Wait()
	defer stop()
	load.Go(func() { // each job is accepted and ends: two updates
		ticker := time.NewTicker(2 * time.Second / time.Duration(updates))
		defer ticker.Stop()
		for ctx.Err() == nil {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				if _, _, err := s.send(ctx, http.MethodPost, "/v1/jobs", object{"kind": "system.noop", "tags": []string{"busy"}}); err != nil && ctx.Err() == nil {
					t.Errorf("submit: %v", err)
				}
			}
		}
	})

	tb := open(t, s.pages(), "jobs?follow=1")
	tb.await(`document.querySelectorAll("tr[data-job]").length === 50`)
	tb.live()
	eval[bool](tb, `(() => {
		window.took = [];
		new PerformanceObserver((list) => { for (const e of list.getEntries()) if (e.interactionId) window.took.push(e.duration); })
			.observe({type: "event", durationThreshold: 16, buffered: false});
		return true;
	})()`)
	for i := range interactions {
		switch i % 8 {
		case 6:
			tb.keys("x")
		case 7:
			tb.click(css(`thead input[type="checkbox"]`))
		default:
			tb.keys("j")
		}
	}
	eval[bool](tb, `new Promise((done) => setTimeout(() => done(true), 500))`)
	took := eval[[]float64](tb, "window.took")
	slices.Sort(took)
	// What took less than 16 ms is not told.
	quick := max(0, interactions-len(took))
	p95 := 0.0
	if at := interactions*95/100 - quick; at >= 0 && len(took) > 0 {
		p95 = took[min(at, len(took)-1)]
	}
	t.Logf("%d jobs, %d updates a second: %d interactions, p95 %.0f ms, longest %.0f ms", jobs, updates, interactions, p95, append([]float64{0}, took...)[len(took)])
	if limit := 100.0; testkit.Long() && p95 > limit {
		t.Errorf("95 %% of interactions took up to %.0f ms, want at most %.0f", p95, limit)
	}
	if n := eval[int](tb, `document.querySelectorAll("tr[data-job]").length`); n != 50 {
		t.Errorf("the list has %d rows, want 50", n)
	}
}
