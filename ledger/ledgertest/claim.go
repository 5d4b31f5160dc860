package ledgertest

import (
	"slices"
	"sync"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/ledger"
)

func claimTests() tests {
	return tests{
		"epoch, attempt, args and worker":         claimOne,
		"no job is claimed twice":                 claimOnce,
		"some of them, in order":                  claimSome,
		"what may not start":                      claimNotEligible,
		"pending is due whatever the host's time": claimHostClock,
		"a crashed job is isolated":               claimIsolated,
		"verdicts are claimed anyway":             claimVerdict,
		"workers that are gone":                   claimGone,
		"of a queue, the longest waiting":         claimDue,
	}
}

func claimOne(f *fixture) {
	f.start()
	id := f.accept(1, nil)[0]
	w := f.join()
	got := f.claim(w, id)[0]
	if got.Epoch != 1 || got.Attempt != 1 || got.State != job.Active || got.Worker != w || string(got.Args) != `{"a": 1}` || got.StartedAt.IsZero() {
		f.t.Errorf("Claim() = %+v, want epoch 1, attempt 1, active, args", got)
	}
	if again, err := f.Claim(f.t.Context(), w, []job.ID{id}); err != nil || len(again) != 0 {
		f.t.Errorf("Claim(active) = %v, %v; want nothing", again, err)
	}
	if again, err := f.Claim(f.t.Context(), w, []job.ID{job.NewID()}); err != nil || len(again) != 0 {
		f.t.Errorf("Claim(unknown) = %v, %v; want nothing", again, err)
	}
}

func claimOnce(f *fixture) {
	f.start()
	ids := f.accept(400, nil)
	handles := []*ledger.Ledger{f.Ledger, f.open()}
	var mu sync.Mutex
	claimed := map[job.ID]int{}
	var wg sync.WaitGroup
	for n := range 16 {
		w := f.join()
		wg.Go(func() {
			for at := 0; at < len(ids); at += 20 {
				from := (at + 10*n) % len(ids)
				part := ids[from:min(from+40, len(ids))]
				var jobs []job.Job
				var err error
				if n%4 == 3 {
					jobs, err = handles[n%2].ClaimDue(f.t.Context(), w, "default", 10)
				} else {
					jobs, err = handles[n%2].Claim(f.t.Context(), w, part)
				}
				if err != nil {
					f.t.Errorf("Claim() = %v", err)
				}
				mu.Lock()
				for _, j := range jobs {
					claimed[j.ID]++
					if j.Epoch != 1 || j.Worker != w {
						f.t.Errorf("claimed job has epoch %d and worker %s, want 1 and %s", j.Epoch, j.Worker, w)
					}
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(claimed) != len(ids) {
		f.t.Errorf("%d jobs claimed, want %d", len(claimed), len(ids))
	}
	for id, n := range claimed {
		if n != 1 {
			f.t.Errorf("job %s was claimed %d times", id, n)
		}
	}
}

func claimSome(f *fixture) {
	f.start()
	ids := f.accept(10, nil)
	w := f.join()
	for _, ask := range []struct{ upTo, want int }{{3, 3}, {3, 0}, {10, 7}} {
		jobs, err := f.Claim(f.t.Context(), w, ids[:ask.upTo])
		f.check(err)
		if len(jobs) != ask.want {
			f.t.Errorf("Claim(the first %d) = %d jobs, want %d", ask.upTo, len(jobs), ask.want)
		}
		if !slices.IsSortedFunc(jobs, func(a, b job.Job) int { return a.RunAt.Compare(b.RunAt) }) {
			f.t.Errorf("Claim(the first %d) is not in order", ask.upTo)
		}
	}
	if jobs, err := f.Claim(f.t.Context(), w, nil); err != nil || jobs != nil {
		f.t.Errorf("Claim(no ids) = %v, %v", jobs, err)
	}
}

func claimDue(f *fixture) {
	f.start()
	now := time.Now()
	ids := f.accept(30, func(i int, j *job.Job) { j.RunAt = now.Add(-time.Duration(i) * time.Second) })
	f.accept(5, func(_ int, j *job.Job) { j.Queue = "low" })
	// Those that were rung for have waited longer.
	bell, err := f.TakeUnrung(f.t.Context(), "default")
	f.check(err)
	f.check(f.Refuse(f.t.Context(), bell.ID, ids[10:]))
	w := f.join()
	var got []job.ID
	for range 4 {
		jobs, err := f.ClaimDue(f.t.Context(), w, "default", 8)
		f.check(err)
		for _, j := range jobs {
			got = append(got, j.ID)
		}
	}
	want := slices.Clone(ids)
	slices.Reverse(want[:10])
	slices.Reverse(want[10:])
	// One claim is in the order of run_at; what it chooses goes by the doorbells first.
	sorted := func(s []job.ID) []job.ID { return slices.Sorted(slices.Values(s)) }
	for at := 0; at < 30; at += 8 {
		end := min(at+8, 30)
		if len(got) < end || !slices.Equal(sorted(got[at:end]), sorted(want[at:end])) {
			f.t.Fatalf("claims = %v\nwant %v", got, want)
		}
	}
}
