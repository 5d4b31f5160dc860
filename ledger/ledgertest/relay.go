package ledgertest

import (
	"slices"
	"sync"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/ledger"
)

func relayTests() tests {
	return tests{
		"no job is rung for twice":        relayOnce,
		"in the order of run_at":          relayOrder,
		"what may not start is not rung":  relaySkips,
		"overlooked":                      relayOverlooked,
		"overlooked, the oldest first":    relayOverlookedLimit,
		"only jobs of that doorbell":      relayOwnBell,
		"only jobs that have not started": relayStarted,
		"every startable job is found":    relayNoneLost,
	}
}

// take returns the next doorbell of the queue default, which there must be.
func (f *fixture) take() job.Doorbell {
	f.t.Helper()
	bell, err := f.TakeUnrung(f.t.Context(), "default")
	f.check(err)
	if bell == nil {
		f.t.Fatal("TakeUnrung() = nothing")
	}
	return *bell
}

// silent fails the test if something is due and unrung.
func (f *fixture) silent() {
	f.t.Helper()
	if bell, err := f.TakeUnrung(f.t.Context(), "default"); err != nil || bell != nil {
		f.t.Errorf("TakeUnrung() = %v, %v; want nothing", bell, err)
	}
}

// overlooked returns the doorbells that were rung a while ago.
func (f *fixture) overlooked(limit int) []job.Doorbell {
	f.t.Helper()
	bells, err := f.Overlooked(f.t.Context(), 15*time.Second, limit)
	f.check(err)
	return bells
}

// ago makes all doorbells a minute older.
func (f *fixture) ago() {
	f.sql("UPDATE asyncops_jobs SET rung_at = rung_at - 60000000 WHERE rung_at > 0")
}

func relayOnce(f *fixture) {
	f.start()
	ids := f.accept(950, nil)
	handles := []*ledger.Ledger{f.Ledger, f.open()}
	var mu sync.Mutex
	rung := map[job.ID]int{}
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			for misses := 0; misses < 3; {
				bell, err := handles[n%2].TakeUnrung(f.t.Context(), "default")
				if err != nil {
					f.t.Errorf("TakeUnrung() = %v", err)
					return
				}
				if bell == nil {
					misses++
					continue
				}
				if bell.ID == "" || bell.Queue != "default" || len(bell.Jobs) > job.MaxDoorbellJobs {
					f.t.Errorf("doorbell %q of %s with %d jobs", bell.ID, bell.Queue, len(bell.Jobs))
				}
				mu.Lock()
				for _, id := range bell.Jobs {
					rung[id]++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for _, id := range ids {
		if rung[id] != 1 {
			f.t.Fatalf("job %s was rung for %d times", id, rung[id])
		}
	}
}

func relayOrder(f *fixture) {
	f.start()
	now := time.Now()
	ids := f.accept(150, func(i int, j *job.Job) { j.RunAt = now.Add(-time.Duration(i) * time.Second) })
	first := f.take().Jobs
	if want := ids[50:]; !sameIDs(first, want) {
		f.t.Errorf("first doorbell has %d jobs, want the 100 that have waited longest", len(first))
	}
	if rest := f.take().Jobs; !sameIDs(rest, ids[:50]) {
		f.t.Errorf("second doorbell has %d jobs, want the other 50", len(rest))
	}
	f.silent()
}

func sameIDs(a, b []job.ID) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

func relaySkips(f *fixture) {
	f.start()
	w := f.join()
	ids := f.accept(8, func(i int, j *job.Job) {
		switch i {
		case 0:
			j.State, j.RunAt = job.Scheduled, time.Now().Add(time.Hour)
		case 1:
			j.Deadline = time.Now().Add(-time.Second)
		case 2:
			j.ExpiresAt = time.Now().Add(-time.Second)
		case 3:
			j.Queue = "low"
		case 4:
			j.State = job.Waiting
		case 6:
			j.Delivery = job.ExactlyOnceEffect
		}
	})
	f.run(w, ids[5], job.Outcome{State: job.Retry, Delay: time.Hour})
	f.run(w, ids[6], job.Outcome{State: job.Parked, Delay: time.Hour, Parked: job.WaitPool})
	f.check(f.PauseQueue(f.t.Context(), "default", true))
	f.silent()
	_, err := f.Cancel(f.t.Context(), ids[6]) // now it is to be sealed, paused or not
	f.check(err)
	if got := f.take().Jobs; !slices.Equal(got, ids[6:7]) {
		f.t.Errorf("rung for %v, want the job to be sealed", got)
	}
	f.check(f.PauseQueue(f.t.Context(), "default", false))
	if got := f.take().Jobs; !slices.Equal(got, ids[7:]) {
		f.t.Errorf("rung for %v, want the last job alone", got)
	}
	f.due(ids[0])
	f.due(ids[5])
	if got := f.take().Jobs; !sameIDs(got, []job.ID{ids[0], ids[5]}) {
		f.t.Errorf("rung for %v, want those that are due now", got)
	}
	for _, id := range []job.ID{ids[0], ids[5]} {
		f.want(id, job.Pending)
	}
}

func relayOverlooked(f *fixture) {
	f.start()
	ids := f.accept(3, nil)
	bell := f.take()
	if got := f.overlooked(10); len(got) != 0 {
		f.t.Errorf("Overlooked() = %v at once, want nothing", got)
	}
	f.ago()
	w := f.join()
	f.claim(w, ids[0])
	got := f.overlooked(10)
	if len(got) != 1 || got[0].ID != bell.ID || got[0].Queue != "default" || !sameIDs(got[0].Jobs, ids[1:]) {
		f.t.Errorf("Overlooked() = %v, want %s with the two jobs that were not claimed", got, bell.ID)
	}
	f.check(f.Touch(f.t.Context(), got))
	if again := f.overlooked(10); len(again) != 0 {
		f.t.Errorf("Overlooked() = %v after Touch, want nothing", again)
	}
	f.check(f.Unring(f.t.Context(), got))
	if next := f.take(); next.ID == bell.ID || !sameIDs(next.Jobs, ids[1:]) {
		f.t.Errorf("TakeUnrung() = %v, want a new doorbell for both", next)
	}
}

func relayOverlookedLimit(f *fixture) {
	f.start()
	var want []string
	for range 5 {
		f.accept(2, nil)
		f.ago()
		want = append(want, f.take().ID)
	}
	f.accept(1, func(_ int, j *job.Job) { j.Queue = "low" })
	low, err := f.TakeUnrung(f.t.Context(), "low")
	f.check(err)
	f.sql("UPDATE asyncops_jobs SET rung_at = 100000000 WHERE queue = 'low'")
	want = append([]string{low.ID}, want...)
	f.ago()
	for limit := 1; limit <= 6; limit++ {
		var got []string
		for _, b := range f.overlooked(limit) {
			got = append(got, b.ID)
		}
		if !slices.Equal(got, want[:limit]) {
			f.t.Errorf("Overlooked(limit %d) = %v, want %v", limit, got, want[:limit])
		}
	}
}
