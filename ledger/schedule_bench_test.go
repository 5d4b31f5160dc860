package ledger_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/ledger"
	"github.com/asyncops/asyncops/schedule"
)

const manySchedules = 10_000

// putSchedules stores schedules that fire at next for the first time.
func putSchedules(b *testing.B, l *ledger.Ledger, next func(i int) time.Time) {
	b.Helper()
	var putters sync.WaitGroup
	for part := range 8 {
		putters.Go(func() {
			for i := part; i < manySchedules; i += 8 {
				at := next(i)
				s := job.Schedule{
					Name: fmt.Sprintf("s%05d", i), Source: job.SourceAPI, Cron: fmt.Sprintf("%d * * * *", at.Minute()), Timezone: "UTC",
					Template: json.RawMessage(`{"kind":"system.noop"}`), Missed: job.MissedAll, Overlap: job.OverlapSkip, Anchor: at, NextFire: at,
				}
				_, err := l.ChangeSchedule(b.Context(), s.Name, func(*job.Schedule, time.Time) (*job.Schedule, error) { return &s, nil })
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
	putters.Wait()
}

type countMeter struct {
	want int
	done chan struct{}
}

func (m *countMeter) Submitted(_, _ string, jobs int) {
	if m.want -= jobs; m.want == 0 {
		close(m.done)
	}
}

func firerOf(l *ledger.Ledger, meter schedule.Meter) *schedule.Firer {
	return schedule.NewFirer(schedule.Config{
		Ledger: l, Wake: func() {}, Meter: meter, Log: slog.New(slog.DiscardHandler),
		Draft: func(*job.Schedule) (job.Job, error) {
			return job.Job{Kind: "system.noop", Queue: "default", Args: json.RawMessage(`{}`), MaxAttempts: 10, Delivery: job.AtLeastOnce}, nil
		},
	})
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkFireMany measures how long one scheduler takes to fire 10,000
// schedules that are due in the same second.
func BenchmarkFireMany(b *testing.B) {
	for _, d := range dialects {
		b.Run(d.name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				l := open(b, d.new(b).Config)
				due := time.Now().Truncate(time.Second)
				putSchedules(b, l, func(int) time.Time { return due })
				ctx, stop := context.WithCancel(b.Context())
				meter := &countMeter{want: manySchedules, done: make(chan struct{})}
				b.StartTimer()
				began := time.Now()
				ended := make(chan error, 1)
				go func() { ended <- firerOf(l, meter).Run(ctx) }()
				<-meter.done
				b.ReportMetric(time.Since(began).Seconds(), "s/10000fires")
				stop()
				if err := <-ended; err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkIdleSchedules measures the share of one CPU that a scheduler needs
// while none of 10,000 schedules is due. (What PostgreSQL needs besides is not
// in it; SQLite's part is.)
func BenchmarkIdleSchedules(b *testing.B) {
	for _, d := range dialects {
		b.Run(d.name, func(b *testing.B) {
			l := open(b, d.new(b).Config)
			putSchedules(b, l, func(i int) time.Time { return time.Now().Add(time.Hour + time.Duration(i)*time.Second) })
			for b.Loop() {
				ctx, stop := context.WithTimeout(b.Context(), 10*time.Second)
				before, began := cpuTime(b), time.Now()
				if err := firerOf(l, &countMeter{}).Run(ctx); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(100*float64(cpuTime(b)-before)/float64(time.Since(began)), "%cpu")
				stop()
			}
		})
	}
}
