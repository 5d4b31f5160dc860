package ledgertest

import (
	"slices"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/ledger"
)

func relayOwnBell(f *fixture) {
	f.start()
	ids := f.accept(2, nil)
	first := f.take()
	f.check(f.Refuse(f.t.Context(), first.ID, ids[:1]))
	second := f.take()
	if !slices.Equal(second.Jobs, ids[:1]) {
		f.t.Fatalf("TakeUnrung() = %v, want the job that was refused", second)
	}
	// What speaks of the first doorbell must not touch the job of the second.
	f.check(f.Refuse(f.t.Context(), first.ID, ids[:1]))
	f.check(f.Unring(f.t.Context(), []job.Doorbell{{ID: first.ID, Jobs: ids[:1]}}))
	f.check(f.Reassign(f.t.Context(), first.ID, job.Doorbell{ID: "other", Jobs: ids[:1]}))
	f.silent()
	f.ago()
	f.check(f.Touch(f.t.Context(), []job.Doorbell{{ID: first.ID, Jobs: ids}}))
	got := f.overlooked(10)
	if len(got) != 1 || got[0].ID != second.ID {
		f.t.Errorf("Overlooked() = %v, want %s alone", got, second.ID)
	}
	f.check(f.Reassign(f.t.Context(), second.ID, job.Doorbell{ID: "third", Jobs: ids[:1]}))
	if got := f.overlooked(10); len(got) != 0 {
		f.t.Errorf("Overlooked() = %v, want nothing: it was rung again", got)
	}
	f.ago()
	var third []string
	for _, b := range f.overlooked(10) {
		third = append(third, b.ID)
	}
	if !slices.Contains(third, "third") {
		f.t.Errorf("Overlooked() = %v, want the doorbell that was rung again", third)
	}
	f.check(f.Refuse(f.t.Context(), "third", nil))
}

func relayStarted(f *fixture) {
	f.start()
	ids := f.accept(3, nil)
	bell := f.take()
	w := f.join()
	f.claim(w, ids...)
	f.finish(job.Outcome{Job: ids[1], Epoch: 1, State: job.Completed}, job.Outcome{Job: ids[2], Epoch: 1, State: job.Pending})
	f.silentBut(ids[2])
	for _, id := range ids[:2] {
		before := f.get(id)
		f.check(f.Refuse(f.t.Context(), bell.ID, ids))
		f.check(f.Touch(f.t.Context(), []job.Doorbell{bell}))
		f.check(f.Reassign(f.t.Context(), bell.ID, job.Doorbell{ID: "x", Jobs: ids}))
		f.same(before)
	}
	f.silent()
	if n := f.count("SELECT count(*) FROM asyncops_jobs WHERE state IN ('active', 'completed') AND (rung_at <> 0 OR doorbell IS NOT NULL)"); n != 0 {
		f.t.Errorf("%d jobs that have started have a doorbell", n)
	}
}

// silentBut rings for the job and nothing else.
func (f *fixture) silentBut(id job.ID) {
	f.t.Helper()
	if got := f.take().Jobs; !slices.Equal(got, []job.ID{id}) {
		f.t.Errorf("rung for %v, want %s", got, id)
	}
}

// Whatever happened to a job: while it may start, either the relay will ring
// for it, or it has a doorbell that can be looked after.
func relayNoneLost(f *fixture) {
	f.start(func(c *ledger.Config) { c.Bell = &bell{} })
	w := f.join()
	ids := f.accept(40, func(i int, j *job.Job) {
		if i%2 == 0 {
			j.Delivery = job.ExactlyOnceEffect
		}
		if i%5 == 0 {
			j.State, j.RunAt = job.Scheduled, time.Now().Add(-time.Second)
		}
	})
	for i, id := range ids {
		switch i % 8 {
		case 1:
			f.run(w, id, job.Outcome{State: job.Retry})
		case 2:
			f.run(w, id, job.Outcome{State: job.Parked, Parked: job.WaitPool})
		case 3:
			f.run(w, id, job.Outcome{State: job.Pending})
		case 4:
			f.crash(id, 1)
		case 5:
			f.run(w, id, job.Outcome{State: job.Archived})
			_, err := f.Revive(f.t.Context(), id, nil)
			f.check(err)
		case 6:
			f.run(w, id, job.Outcome{State: job.Retry, Delay: time.Hour})
			_, err := f.Cancel(f.t.Context(), id)
			f.check(err)
		}
	}
	found := map[job.ID]bool{}
	for {
		bell, err := f.TakeUnrung(f.t.Context(), "default")
		f.check(err)
		if bell == nil {
			break
		}
		for _, id := range bell.Jobs {
			found[id] = true
		}
	}
	f.ago()
	for _, b := range f.overlooked(1000) {
		for _, id := range b.Jobs {
			found[id] = true
		}
	}
	for i, id := range ids {
		j := f.get(id)
		if j.State.Startable() && !found[id] {
			f.t.Errorf("job %d, %s, is neither rung for nor overlooked", i, j.State)
		}
		if j.State != job.Parked && j.Parked != "" {
			f.t.Errorf("job %d, %s, is said to be parked for %s", i, j.State, j.Parked)
		}
	}
}
