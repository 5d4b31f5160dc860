package ledgertest

import (
	"slices"
	"time"

	"github.com/asyncops/asyncops/job"
)

func glanceTests() tests {
	return tests{"what watchers see": glanceSees}
}

func glanceSees(f *fixture) {
	f.start()
	ids := f.accept(4, nil)
	w := f.join()
	f.claim(w, ids[1])
	f.claim(w, ids[2])
	f.run(w, ids[3], job.Outcome{State: job.Completed, Result: []byte(`{"a":1}`)})
	seen := func(g job.Glance) job.Glimpse {
		f.t.Helper()
		got, err := f.Glance(f.t.Context(), g)
		f.check(err)
		return got
	}
	idsOf := func(jobs []job.Job) (found []job.ID) {
		for _, j := range jobs {
			found = append(found, j.ID)
		}
		return found
	}
	if got := seen(job.Glance{}); len(got.Named)+len(got.New)+len(got.Active) != 0 {
		f.t.Errorf("Glance() of nothing = %+v", got)
	}
	got := seen(job.Glance{IDs: []job.ID{ids[3], job.NewID()}, Since: time.Now().Add(-time.Hour), Active: true, Limit: 3})
	if len(got.Named) != 1 || got.Named[0].ID != ids[3] || got.Named[0].State != job.Completed || got.Named[0].Args != nil || got.Named[0].Result != nil {
		f.t.Errorf("named = %+v, want the completed job without args and result", got.Named)
	}
	if want := []job.ID{ids[3], ids[2], ids[1]}; !slices.Equal(idsOf(got.New), want) {
		f.t.Errorf("new = %v, want the youngest %v", idsOf(got.New), want)
	}
	if active := idsOf(got.Active); len(active) != 2 || !slices.Contains(active, ids[1]) || !slices.Contains(active, ids[2]) {
		f.t.Errorf("active = %v, want %v", active, ids[1:3])
	}
	if j := seen(job.Glance{IDs: ids[:1], Args: true}).Named[0]; j.Args == nil || j.WaitingOn == nil || j.WaitingOn.Reason != job.WaitBacklog {
		f.t.Errorf("named with args = %+v, want them, and what it waits for", j)
	}
	if got := seen(job.Glance{Since: time.Now().Add(time.Hour), Limit: 3}); len(got.New) != 0 {
		f.t.Errorf("made in an hour: %v, want none", idsOf(got.New))
	}
}
