package ledgertest

import (
	"slices"
	"sync"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/ledger"
)

// bell records what is rung.
type bell struct {
	silent bool
	mu     sync.Mutex
	rung   []job.Doorbell // guarded by mu
	shared map[string]int // for how many jobs a doorbell was named that were not told of; guarded by mu
}

func (b *bell) Ready() bool { return !b.silent }

func (b *bell) Share(string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shared == nil {
		b.shared = map[string]int{}
	}
	id := string(job.NewID())
	b.shared[id]++
	return id
}

func (b *bell) Ring(bells []job.Doorbell) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, rung := range bells {
		delete(b.shared, rung.ID)
		if len(rung.Jobs) > 0 {
			b.rung = append(b.rung, rung)
		}
	}
}

func acceptBells(f *fixture) {
	var b bell
	f.start(func(c *ledger.Config) { c.Bell = &b })
	ids := f.accept(350, func(i int, j *job.Job) {
		switch {
		case i >= 300:
			j.State, j.RunAt = job.Scheduled, time.Now().Add(time.Hour)
		case i%3 == 0:
			j.Queue = "low"
		}
		if i%10 == 9 {
			j.CreatedAt = time.Now().Add(time.Hour) // of a host whose clock is ahead
		}
	})
	rung := map[job.ID]string{}
	for _, d := range b.rung {
		if len(d.Jobs) == 0 || len(d.Jobs) > job.MaxDoorbellJobs || d.ID == "" {
			f.t.Errorf("doorbell %q with %d jobs", d.ID, len(d.Jobs))
		}
		for _, id := range d.Jobs {
			if rung[id] != "" {
				f.t.Errorf("job %s was rung for twice", id)
			}
			rung[id] = d.Queue
		}
	}
	for i, id := range ids {
		if want := i < 300; (rung[id] != "") != want || want && rung[id] != f.get(id).Queue {
			f.t.Errorf("job %d was rung for in queue %q", i, rung[id])
		}
	}
	if got := len(b.rung); got != 3 {
		f.t.Errorf("%d doorbells, want 3: one of 100 and one of 100 in default, one of 100 in low", got)
	}
	// What was rung and not answered is found, whatever the host's clock said.
	f.sql("UPDATE asyncops_jobs SET rung_at = rung_at - 60000000 WHERE rung_at > 0")
	found := 0
	for _, b := range f.overlooked(100) {
		found += len(b.Jobs)
	}
	if found != 300 {
		f.t.Errorf("Overlooked() = %d jobs, want all 300 that were rung for", found)
	}
}

func acceptSilentBells(f *fixture) {
	b := bell{silent: true}
	f.start(func(c *ledger.Config) { c.Bell = &b })
	ids := f.accept(2, nil)
	if len(b.rung) != 1 || b.rung[0].ID != "" || !slices.Equal(b.rung[0].Jobs, ids) {
		f.t.Errorf("rung = %+v, want one doorbell without an id", b.rung)
	}
	got, err := f.TakeUnrung(f.t.Context(), "default")
	f.check(err)
	if got == nil || len(got.Jobs) != 2 {
		f.t.Errorf("TakeUnrung() = %+v, want both jobs", got)
	}
}
