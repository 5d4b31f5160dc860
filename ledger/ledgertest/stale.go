package ledgertest

import (
	"slices"
	"time"

	"github.com/asyncops/asyncops/job"
)

// refused finishes the outcome, which must change nothing.
func (f *fixture) refused(o job.Outcome) {
	f.t.Helper()
	before := f.get(o.Job)
	superseded, err := f.Finish(f.t.Context(), []job.Outcome{o})
	f.check(err)
	if !slices.Equal(superseded, []job.ID{o.Job}) {
		f.t.Errorf("Finish(epoch %d, %s) superseded %v, want the job", o.Epoch, o.State, superseded)
	}
	f.same(before)
}

func finishStale(f *fixture) {
	f.start()
	id := f.accept(1, nil)[0]
	f.refused(job.Outcome{Job: id, Epoch: 0, State: job.Completed})
	f.run(f.join(), id, job.Outcome{State: job.Retry})
	f.refused(job.Outcome{Job: id, Epoch: 1, State: job.Completed})
	f.due(id)
	f.claim(f.join(), id)
	for _, epoch := range []int64{0, 1, 3} {
		for _, state := range []job.State{job.Completed, job.Retry, job.Pending, job.Archived} {
			f.refused(job.Outcome{Job: id, Epoch: epoch, State: state})
		}
	}
	f.finish(job.Outcome{Job: id, Epoch: 2, State: job.Completed})
	f.refused(job.Outcome{Job: id, Epoch: 2, State: job.Archived})
	unknown := job.NewID()
	superseded, err := f.Finish(f.t.Context(), []job.Outcome{{Job: unknown, Epoch: 1, State: job.Completed}})
	if f.check(err); !slices.Equal(superseded, []job.ID{unknown}) {
		f.t.Errorf("Finish(unknown job) superseded %v, want it", superseded)
	}
}

func finishTwoEpochs(f *fixture) {
	f.start()
	id := f.accept(1, nil)[0]
	f.run(f.join(), id, job.Outcome{State: job.Pending})
	f.claim(f.join(), id)
	superseded, err := f.Finish(f.t.Context(), []job.Outcome{
		{Job: id, Epoch: 1, State: job.Archived}, {Job: id, Epoch: 2, State: job.Completed},
	})
	f.check(err)
	if !slices.Equal(superseded, []job.ID{id}) {
		f.t.Errorf("superseded = %v, want the job once, for its stale run", superseded)
	}
	f.want(id, job.Completed)
}

func finishAgain(f *fixture) {
	f.start()
	id := f.accept(1, nil)[0]
	f.claim(f.join(), id)
	o := job.Outcome{Job: id, Epoch: 1, State: job.Retry, Delay: time.Hour, Error: &job.Error{Code: job.CodeTimeout}}
	f.finish(o)
	f.refused(o)
	if got := f.attempts(id); len(got) != 1 {
		f.t.Errorf("%d attempts, want 1", len(got))
	}
}

func finishBatch(f *fixture) {
	f.start()
	w := f.join()
	ids := f.accept(500, nil)
	jobs := f.claim(w, ids...)
	outcomes := make([]job.Outcome, len(jobs))
	states := []job.State{job.Completed, job.Retry, job.Parked, job.Pending, job.Archived}
	var stale []job.ID
	for i, j := range jobs {
		outcomes[i] = job.Outcome{Job: j.ID, Epoch: j.Epoch, State: states[i%5], Delay: time.Hour}
		if i%7 == 0 {
			outcomes[i].Epoch++
			stale = append(stale, j.ID)
		}
	}
	superseded, err := f.Finish(f.t.Context(), outcomes)
	f.check(err)
	slices.Sort(superseded)
	if slices.Sort(stale); !slices.Equal(superseded, stale) {
		f.t.Errorf("superseded %d jobs, want %d", len(superseded), len(stale))
	}
	retried := 0
	for i, j := range jobs {
		want := states[i%5]
		if i%7 == 0 {
			want = job.Active
		} else if want == job.Retry {
			retried++
		}
		f.want(j.ID, want)
	}
	if n := f.count("SELECT count(*) FROM asyncops_attempts"); n != retried {
		f.t.Errorf("attempts kept = %d, want %d", n, retried)
	}
}
