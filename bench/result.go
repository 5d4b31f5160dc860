package main

import (
	"context"
	"fmt"
	"slices"
	"syscall"
	"time"
)

// sample is one measure of one round.
type sample struct {
	value float64
	cpu   map[string]time.Duration // per job, by process
}

// results are the samples by measure, in the order of the rounds.
type results map[string][]sample

func (r results) add(key string, s sample) { r[key] = append(r[key], s) }

// values are the values of a measure, one for each round.
func (r results) values(key string) []float64 {
	var values []float64
	for _, s := range r[key] {
		values = append(values, s.value)
	}
	return values
}

// ratios compare two measures round by round.
func (r results) ratios(key, against string) []float64 {
	values, base := r.values(key), r.values(against)
	for i := range values {
		values[i] /= base[i]
	}
	return values
}

// cpu is the median CPU time per job of one process in a measure.
func (r results) cpu(key, process string) time.Duration {
	var values []float64
	for _, s := range r[key] {
		values = append(values, float64(s.cpu[process]))
	}
	return time.Duration(median(values))
}

// median is the middle value, or the mean of the two in the middle.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// rate measures how many jobs a second work gets done, and what CPU each
// process uses for one. processes lists those besides the servers; nil is none.
func (b *bench) rate(ctx context.Context, key string, processes func() []*child, work func(context.Context) (int, error)) error {
	return b.rateSince(ctx, key, processes, func(_ context.Context, called time.Time) (time.Time, error) { return called, nil }, work)
}

// rateSince is rate for work that begins later than when it is called: since
// tells, after it is done, when that was.
func (b *bench) rateSince(ctx context.Context, key string, processes func() []*child,
	since func(_ context.Context, called time.Time) (time.Time, error), work func(context.Context) (int, error)) error {
	before, err := b.usage(processes)
	if err != nil {
		return err
	}
	called := time.Now()
	jobs, err := work(ctx)
	ended := time.Now()
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	began, err := since(ctx, called)
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	if jobs == 0 {
		return fmt.Errorf("%s: nothing was done", key)
	}
	cpu, err := b.usage(processes)
	if err != nil {
		return err
	}
	for name := range cpu {
		cpu[name] = (cpu[name] - before[name]) / time.Duration(jobs)
	}
	value := float64(jobs) / ended.Sub(began).Seconds()
	b.results.add(key, sample{value, cpu})
	b.progress("%-32s %8.0f jobs/s", key, value)
	return nil
}

// usage is the CPU time used so far: the bench itself, PostgreSQL, Redis, and
// the processes given.
func (b *bench) usage(processes func() []*child) (map[string]time.Duration, error) {
	var self syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &self); err != nil {
		return nil, err
	}
	used := map[string]time.Duration{"bench": time.Duration(self.Utime.Nano() + self.Stime.Nano())}
	running := []*child{b.postgres.child, b.redis}
	if processes != nil {
		running = append(running, processes()...)
	}
	for _, p := range running {
		cpu, err := treeCPU(p.pid())
		if err != nil {
			return nil, fmt.Errorf("CPU of %s: %w", p.name, err)
		}
		used[p.name] = cpu
	}
	return used, nil
}
