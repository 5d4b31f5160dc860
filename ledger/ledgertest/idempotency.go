package ledgertest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/ledger"
)

func idempotencyTests() tests {
	return tests{
		"a replay answers the first job as it is now": replayNow,
		"another body is a mismatch":                  replayMismatch,
		"owners do not meet":                          replayOwners,
		"duplicates inside a batch":                   replayInBatch,
		"a mixed batch of 300":                        replayMixed(300),
		"a mixed batch of 3,000":                      replayMixed(3000),
		"50 at once with one key":                     replayAtOnce,
		"opposite orders do not deadlock":             replayOpposite,
		"a refused atomic batch leaves nothing":       replayAtomic,
		"atomic batches do not lend their keys":       replayAtomicNeighbors,
		"a key outlives its deleted job by a day":     replayDeleted,
		"a key lives as long as its job":              replayOldJob,
	}
}

// keyed makes a job with the key.
func keyed(key string) job.Job {
	j := newJobs(1, nil)[0]
	j.Owner, j.IdempotencyKey, j.Fingerprint = "owner", key, [32]byte{1}
	return j
}

// submit accepts one job.
func (f *fixture) submit(l *ledger.Ledger, j job.Job) job.Accepted {
	f.t.Helper()
	answers, err := l.Accept(f.t.Context(), ledger.Batch{Jobs: []job.Job{j}})
	f.check(err)
	return answers[0]
}

func replayNow(f *fixture) {
	var rings bell
	f.start(func(c *ledger.Config) { c.Bell = &rings })
	first := keyed("k")
	f.submit(f.Ledger, first)
	f.run(f.join(), first.ID, job.Outcome{State: job.Completed, Result: []byte(`{"n":1}`)})
	got := f.submit(f.Ledger, keyed("k"))
	if !got.Replayed || got.Err != nil || got.Job.ID != first.ID || got.Job.State != job.Completed || string(got.Job.Result) != `{"n":1}` {
		f.t.Errorf("replay = %+v, want the first job, completed", got)
	}
	if n := f.count("SELECT count(*) FROM asyncops_jobs"); n != 1 {
		f.t.Errorf("rows = %d, want 1", n)
	}
	if len(rings.rung) != 1 || len(rings.shared) != 0 {
		f.t.Errorf("%d doorbells were rung and %d shared ones forgotten, want one and none", len(rings.rung), len(rings.shared))
	}
}

func replayMismatch(f *fixture) {
	f.start()
	first, other := keyed("k"), keyed("k")
	other.Fingerprint[31] = 1
	f.submit(f.Ledger, first)
	if got := f.submit(f.Ledger, other); !errors.Is(got.Err, job.ErrIdempotencyMismatch) {
		f.t.Errorf("answer = %+v, want %v", got, job.ErrIdempotencyMismatch)
	}
	if n := f.count("SELECT count(*) FROM asyncops_jobs"); n != 1 {
		f.t.Errorf("rows = %d, want 1", n)
	}
}

func replayOwners(f *fixture) {
	f.start()
	a, b := keyed("k"), keyed("k")
	b.Owner = "owner2"
	for _, j := range []job.Job{a, b} {
		if got := f.submit(f.Ledger, j); got.Replayed || got.Err != nil {
			f.t.Errorf("owner %s: %+v, want a job of its own", j.Owner, got)
		}
	}
}

func replayInBatch(f *fixture) {
	f.start()
	jobs := []job.Job{keyed("a"), keyed("b"), keyed("a"), keyed("a"), newJobs(1, nil)[0]}
	jobs[3].Fingerprint[0] = 9
	answers, err := f.Accept(f.t.Context(), ledger.Batch{Jobs: jobs})
	f.check(err)
	if answers[0].Replayed || answers[1].Replayed || answers[4].Replayed {
		f.t.Errorf("answers = %+v, want the first, second and last to be new", answers)
	}
	if !answers[2].Replayed || answers[2].Job.ID != jobs[0].ID || answers[2].Job.State != job.Pending {
		f.t.Errorf("third = %+v, want the first job", answers[2])
	}
	if !errors.Is(answers[3].Err, job.ErrIdempotencyMismatch) {
		f.t.Errorf("fourth = %v, want %v", answers[3].Err, job.ErrIdempotencyMismatch)
	}
}

// replayMixed accepts more jobs than there are keys, again after a lost answer,
// and once more as jobs of others.
func replayMixed(jobs int) func(f *fixture) {
	return func(f *fixture) {
		var rings bell
		f.start(func(c *ledger.Config) { c.Bell = &rings })
		keys := jobs * 2 / 3
		batch := func() []job.Job {
			all := make([]job.Job, jobs)
			for i := range all {
				all[i] = keyed(fmt.Sprint("key", i%keys))
			}
			return all
		}
		first := batch()
		for round, now := range [][]job.Job{first, first, batch()} {
			rings.rung = nil
			answers, err := f.Accept(f.t.Context(), ledger.Batch{Jobs: now})
			f.check(err)
			for i, a := range answers {
				if replayed := now[i].ID != first[i%keys].ID; a.Err != nil || a.Job.ID != first[i%keys].ID || a.Replayed != replayed {
					f.t.Fatalf("round %d, answer %d = %s %t %v, want %s", round, i, a.Job.ID, a.Replayed, a.Err, first[i%keys].ID)
				}
			}
			want := map[job.ID]int{}
			if round < 2 {
				for _, j := range first[:keys] {
					want[j.ID] = 1
				}
			}
			got := map[job.ID]int{}
			for _, b := range rings.rung {
				for _, id := range b.Jobs {
					got[id]++
				}
			}
			if !maps.Equal(got, want) {
				f.t.Errorf("round %d rang for other jobs than the %d that are new", round, len(want))
			}
		}
		if n := f.count("SELECT count(*) FROM asyncops_jobs"); n != keys {
			f.t.Errorf("rows = %d, want %d", n, keys)
		}
	}
}

func replayAtOnce(f *fixture) {
	f.start()
	handles := []*ledger.Ledger{f.Ledger, f.open()}
	ids := make([]job.ID, 50)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			answers, err := handles[i%2].Accept(f.t.Context(), ledger.Batch{Jobs: []job.Job{keyed("k")}})
			if err != nil || answers[0].Err != nil {
				f.t.Errorf("Accept() = %v, %v", answers, err)
				return
			}
			ids[i] = answers[0].Job.ID
		})
	}
	wg.Wait()
	if distinct := slices.Compact(ids); len(distinct) != 1 {
		f.t.Errorf("one key made the jobs %v", distinct)
	}
	if n := f.count("SELECT count(*) FROM asyncops_jobs"); n != 1 {
		f.t.Errorf("rows = %d, want 1", n)
	}
}

func replayOpposite(f *fixture) {
	f.start()
	handles := []*ledger.Ledger{f.Ledger, f.open()}
	for round := range 20 {
		var wg sync.WaitGroup
		for h, l := range handles {
			wg.Go(func() {
				jobs := make([]job.Job, 100)
				for i := range jobs {
					n := i
					if h == 1 {
						n = len(jobs) - 1 - i
					}
					jobs[i] = keyed(fmt.Sprintf("%d-%d", round, n))
				}
				if _, err := l.Accept(f.t.Context(), ledger.Batch{Jobs: jobs}); err != nil {
					f.t.Errorf("Accept() = %v", err)
				}
			})
		}
		wg.Wait()
	}
	if n := f.count("SELECT count(*) FROM asyncops_jobs"); n != 2000 {
		f.t.Errorf("rows = %d, want 2000", n)
	}
}

func replayAtomic(f *fixture) {
	f.start()
	f.submit(f.Ledger, keyed("known"))
	mismatch := keyed("known")
	mismatch.Fingerprint[0] = 9
	answers, err := f.Accept(f.t.Context(), ledger.Batch{Atomic: true, Jobs: []job.Job{keyed("a"), newJobs(1, nil)[0], mismatch}})
	if !errors.Is(err, ledger.ErrBatchRefused) || len(answers) != 3 || !errors.Is(answers[2].Err, job.ErrIdempotencyMismatch) || answers[0].Err != nil {
		f.t.Errorf("Accept() = %v, %v; want %v and the third's mismatch", answers, err, ledger.ErrBatchRefused)
	}
	jobs, keys := f.count("SELECT count(*) FROM asyncops_jobs"), f.count("SELECT count(*) FROM asyncops_idempotency")
	if jobs != 1 || keys != 1 {
		f.t.Errorf("%d jobs and %d keys, want 1 and 1", jobs, keys)
	}
	again := []job.Job{keyed("a"), keyed("known")}
	if answers, err = f.Accept(f.t.Context(), ledger.Batch{Atomic: true, Jobs: again}); err != nil || answers[0].Replayed || !answers[1].Replayed {
		f.t.Errorf("Accept(replay in an atomic batch) = %+v, %v; want it accepted", answers, err)
	}
}

// Batches that are refused while others use the same keys, in the same group.
func replayAtomicNeighbors(f *fixture) {
	f.start()
	f.submit(f.Ledger, keyed("known"))
	var wg sync.WaitGroup
	for n := range 64 {
		wg.Go(func() {
			key := fmt.Sprint("key", n/2)
			if n%2 == 0 {
				mismatch := keyed("known")
				mismatch.Fingerprint[0] = 9
				if _, err := f.Accept(f.t.Context(), ledger.Batch{Atomic: true, Jobs: []job.Job{keyed(key), mismatch}}); !errors.Is(err, ledger.ErrBatchRefused) {
					f.t.Errorf("Accept(atomic) = %v, want %v", err, ledger.ErrBatchRefused)
				}
				return
			}
			answers, err := f.Accept(f.t.Context(), ledger.Batch{Jobs: []job.Job{keyed(key)}})
			if err != nil || answers[0].Err != nil || answers[0].Replayed {
				f.t.Errorf("Accept() = %+v, %v; want a new job", answers, err)
			}
		})
	}
	wg.Wait()
	if n := f.count("SELECT count(*) FROM asyncops_jobs"); n != 33 {
		f.t.Errorf("rows = %d, want 33", n)
	}
}
