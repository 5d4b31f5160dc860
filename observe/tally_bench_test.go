package observe_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/observe"
)

// BenchmarkMetrics measures what it costs to count a job from its submission to
// its end, with and without tallies.
func BenchmarkMetrics(b *testing.B) {
	for name, tallies := range map[string]*observe.Tallies{
		"metrics": nil, "tallies": observe.NewTallies(&tallyLedger{}, slog.New(slog.DiscardHandler)),
	} {
		b.Run(name, func(b *testing.B) {
			m := observe.New(observe.Build{}, observe.Labels{})
			m.Keep(tallies)
			j := &job.Job{Kind: "system.noop", Queue: "default"}
			b.ReportAllocs()
			for b.Loop() {
				m.Submitted(j.Kind, j.Queue, 1)
				m.Started(j, 3*time.Millisecond)
				m.Finished(j, job.Outcome{State: job.Completed}, 5*time.Millisecond)
			}
		})
	}
}
