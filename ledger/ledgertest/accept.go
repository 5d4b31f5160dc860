package ledgertest

import (
	"context"
	"encoding/json"
	"reflect"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/ledger"
)

func acceptTests() tests {
	return tests{
		"a job comes back as it was":      acceptRoundTrip,
		"many callers share commits":      acceptGroups,
		"10,000 in one batch":             acceptLarge,
		"nothing":                         acceptNothing,
		"a bad row fails no neighbor":     acceptBadRow,
		"a bad row lends its key to none": acceptBadKeyed,
		"text that cannot be stored":      acceptBadText,
		"a job begins at the beginning":   acceptBadState,
		"one connection":                  acceptOneConnection,
		"saturation":                      acceptSaturated,
		"the caller leaves":               acceptLeft,
		"doorbells":                       acceptBells,
		"doorbells that are not rung now": acceptSilentBells,
		"close writes what waits":         acceptClose,
	}
}

// groups counts commits.
type groups struct{ commits, jobs atomic.Int64 }

func (g *groups) LedgerGroup(jobs int) {
	g.commits.Add(1)
	g.jobs.Add(int64(jobs))
}

func acceptRoundTrip(f *fixture) {
	f.start()
	at := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	want := job.Job{
		ID: job.NewID(), Kind: "k", Queue: "low", State: job.Scheduled, MaxAttempts: 3, Delivery: job.ExactlyOnceEffect,
		Args: json.RawMessage(`{ "z":1, "ä?":"it's \\ \u0000 $1 ?0 -- %", "n": 12345678901234567890 }`), Tags: []string{"a&b", `q"<>`, "ü"},
		Options:   job.Options{Timeout: time.Second, Retention: time.Hour, Backoff: job.Backoff{Initial: time.Second, NoJitter: true}},
		CreatedAt: at.Add(-time.Hour), RunAt: at, Deadline: at.Add(time.Minute), ExpiresAt: at.Add(time.Second),
		Owner: "o'", Traceparent: "00-x", IdempotencyKey: "k?",
	}
	// Alone, and among so many that they go another way.
	for _, others := range []int{0, 60} {
		want.ID, want.IdempotencyKey = job.NewID(), strconv.Itoa(others)+"?"
		batch := append(newJobs(others, nil), want)
		if _, err := f.Accept(f.t.Context(), ledger.Batch{Jobs: batch}); err != nil {
			f.t.Fatal(err)
		}
		got := f.get(want.ID)
		if got.WaitingOn == nil || got.WaitingOn.Reason != job.WaitScheduled || !got.WaitingOn.Until.Equal(at) {
			f.t.Errorf("waiting on %+v, want scheduled until %v", got.WaitingOn, at)
		}
		got.WaitingOn = nil
		if !reflect.DeepEqual(got, want) {
			f.t.Errorf("among %d others, Get() = %+v\nwant %+v", others, got, want)
		}
		for _, other := range batch[:others] {
			got := f.get(other.ID)
			if got.State != job.Pending || got.RunAt.After(time.Now().Add(time.Minute)) || !got.Deadline.IsZero() || got.IdempotencyKey != "" || got.Tags != nil {
				f.t.Fatalf("a plain job beside it is %+v", got)
			}
		}
	}
}

func acceptGroups(f *fixture) {
	var seen groups
	f.start(func(c *ledger.Config) { c.Observer = &seen })
	const callers, each = 64, 25
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for n := range each {
				jobs := newJobs(1+(c+n)%3, nil)
				if c%4 == 0 {
					jobs[0].IdempotencyKey = string(jobs[0].ID)
				}
				answers, err := f.Accept(f.t.Context(), ledger.Batch{Jobs: jobs, Atomic: c%8 == 0})
				if err != nil || len(answers) != len(jobs) {
					f.t.Errorf("Accept() = %d answers, %v; want %d", len(answers), err, len(jobs))
					return
				}
				for i, a := range answers {
					if a.Job.ID != jobs[i].ID || a.Replayed || a.Err != nil {
						f.t.Errorf("answer %d = %s %t %v, want %s", i, a.Job.ID, a.Replayed, a.Err, jobs[i].ID)
					}
				}
			}
		})
	}
	wg.Wait()
	if got := int64(f.count("SELECT count(*) FROM asyncops_jobs")); got != seen.jobs.Load() {
		f.t.Errorf("rows = %d, want %d as observed", got, seen.jobs.Load())
	}
	if seen.commits.Load() >= callers*each {
		f.t.Errorf("%d calls took %d commits, want fewer", callers*each, seen.commits.Load())
	}
}

func acceptLarge(f *fixture) {
	f.start()
	jobs := newJobs(10_000, func(i int, j *job.Job) {
		if i%2 == 0 {
			j.IdempotencyKey = string(j.ID)
		}
	})
	answers, err := f.Accept(f.t.Context(), ledger.Batch{Jobs: jobs})
	f.check(err)
	for i, a := range answers {
		if a.Job.ID != jobs[i].ID || a.Err != nil || a.Replayed {
			f.t.Fatalf("answer %d = %+v, want job %s", i, a, jobs[i].ID)
		}
	}
	if got := f.count("SELECT count(*) FROM asyncops_jobs"); got != 10_000 {
		f.t.Errorf("rows = %d, want 10000", got)
	}
}

func acceptNothing(f *fixture) {
	f.start()
	if answers, err := f.Accept(f.t.Context(), ledger.Batch{}); err != nil || len(answers) != 0 {
		f.t.Errorf("Accept(no jobs) = %v, %v; want nothing", answers, err)
	}
}

// acceptOneConnection does with one connection whatever is a transaction.
func acceptOneConnection(f *fixture) {
	f.start(func(c *ledger.Config) { c.PoolSize = 1 })
	ctx, cancel := context.WithTimeout(f.t.Context(), patience/2)
	defer cancel()
	_, err := f.Accept(ctx, ledger.Batch{Jobs: []job.Job{keyed("a"), keyed("b")}, Atomic: true})
	f.check(err)
	f.put(newSchedule("s", virtual))
	fired, err := f.Fire(ctx, virtual, 10, minutely)
	f.check(err)
	id := fired.Jobs[0].ID
	f.claim(f.join(), id)
	if superseded, err := f.Finish(ctx, []job.Outcome{{Job: id, Epoch: 1, State: job.Retry}}); err != nil || superseded != nil {
		f.t.Errorf("Finish() = %v, %v", superseded, err)
	}
}
