package ledgertest

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/ledger"
)

func queueTests() tests {
	return tests{
		"counts":             queueCounts,
		"names":              queueNames,
		"backlogs":           queueBacklogs,
		"parked":             queueParked,
		"pausing an unknown": queueUnknown,
		"API keys":           apiKeys,
	}
}

func queueCounts(f *fixture) {
	f.start()
	w := f.join()
	now := time.Now().UTC().Truncate(time.Microsecond)
	ids := f.accept(6, func(i int, j *job.Job) {
		j.RunAt = now.Add(-time.Duration(i) * time.Minute)
		if i == 5 {
			j.State, j.RunAt = job.Scheduled, now.Add(time.Hour)
		}
	})
	f.run(w, ids[4], job.Outcome{State: job.Completed})
	f.run(w, ids[3], job.Outcome{State: job.Archived})
	f.sql("UPDATE asyncops_jobs SET finished_at = finished_at - 120000000 WHERE id = '%s'", ids[3])
	f.check(f.PauseQueue(f.t.Context(), "low", true))
	queues, err := f.Queues(f.t.Context())
	f.check(err)
	if len(queues) != 2 || queues[0].Name != "default" || queues[1].Name != "low" || queues[0].Paused || !queues[1].Paused {
		f.t.Fatalf("Queues() = %+v, want default and low, which is paused", queues)
	}
	q := queues[0]
	if want := map[job.State]int{job.Pending: 3, job.Scheduled: 1, job.Completed: 1, job.Archived: 1}; !maps.Equal(q.Counts, want) {
		f.t.Errorf("counts = %v, want %v", q.Counts, want)
	}
	if !q.Oldest.Equal(now.Add(-2*time.Minute)) || q.FinishedLastMinute != 1 || q.Now.Sub(now).Abs() > patience {
		f.t.Errorf("oldest %v, finished %d, now %v; want %v, 1, about %v", q.Oldest, q.FinishedLastMinute, q.Now, now.Add(-2*time.Minute), now)
	}
	if !queues[1].Oldest.IsZero() || len(queues[1].Counts) != 0 {
		f.t.Errorf("empty queue = %+v", queues[1])
	}
	if some, err := f.Queues(f.t.Context(), "low", "none"); err != nil || len(some) != 1 || some[0].Name != "low" {
		f.t.Errorf("Queues(low, none) = %+v, %v; want low", some, err)
	}
}

func queueNames(f *fixture) {
	f.start()
	f.check(f.PauseQueue(f.t.Context(), "low", true))
	f.check(f.EnsureQueues(f.t.Context(), []string{"z", "low", "a", "z"}))
	f.check(f.EnsureQueues(f.t.Context(), nil))
	names, err := f.QueueNames(f.t.Context())
	if f.check(err); !slices.Equal(names, []string{"a", "default", "low", "z"}) {
		f.t.Errorf("QueueNames() = %v", names)
	}
	if queues, err := f.Queues(f.t.Context(), "low"); err != nil || !queues[0].Paused {
		f.t.Errorf("a queue that was known is %+v, %v; want it paused as before", queues, err)
	}
}

func queueBacklogs(f *fixture) {
	f.start()
	f.accept(3, func(i int, j *job.Job) {
		j.RunAt = time.Now().Add(-time.Duration(i) * time.Hour)
		if i == 0 {
			j.State, j.RunAt = job.Scheduled, time.Now().Add(time.Hour)
		}
	})
	got, err := f.Backlogs(f.t.Context())
	f.check(err)
	if len(got) != 2 || got[0].Queue != "default" || got[0].Pending != 2 || got[0].Oldest < 2*time.Hour || got[0].Oldest > 3*time.Hour || got[1] != (ledger.Backlog{Queue: "low"}) {
		f.t.Errorf("Backlogs() = %+v, want 2 in default, for two hours, and none in low", got)
	}
}

func queueParked(f *fixture) {
	f.start()
	w := f.join()
	reasons := []job.WaitReason{job.WaitPool, job.WaitBreaker, job.WaitPool}
	for i, id := range f.accept(3, nil) {
		f.run(w, id, job.Outcome{State: job.Parked, Parked: reasons[i]})
	}
	got, err := f.Parked(f.t.Context())
	if f.check(err); !maps.Equal(got, map[job.WaitReason]int{job.WaitPool: 2, job.WaitBreaker: 1}) {
		f.t.Errorf("Parked() = %v", got)
	}
}

func queueUnknown(f *fixture) {
	f.start()
	if err := f.PauseQueue(f.t.Context(), "none", true); !errors.Is(err, job.ErrNotFound) {
		f.t.Errorf("PauseQueue(unknown) = %v, want %v", err, job.ErrNotFound)
	}
}

func apiKeys(f *fixture) {
	f.start()
	at := time.Now().UTC().Truncate(time.Microsecond)
	want := ledger.Key{ID: "id", Name: "ops", Hash: "h", CreatedAt: at, ExpiresAt: at.Add(time.Hour), Grants: ledger.Grants{Role: "admin", Queues: []string{"q"}}}
	f.check(f.CreateKey(f.t.Context(), want))
	got, err := f.Key(f.t.Context(), "id")
	f.check(err)
	if got.Name != "ops" || got.Hash != "h" || got.Grants.Role != "admin" || !slices.Equal(got.Grants.Queues, want.Grants.Queues) ||
		!got.CreatedAt.Equal(at) || !got.ExpiresAt.Equal(want.ExpiresAt) || !got.RevokedAt.IsZero() {
		f.t.Errorf("Key() = %+v, want %+v", got, want)
	}
	for _, again := range []ledger.Key{{ID: "id", Name: "other"}, {ID: "other", Name: "ops"}} {
		if err := f.CreateKey(f.t.Context(), again); !errors.Is(err, job.ErrExists) {
			f.t.Errorf("CreateKey(%+v) = %v, want %v", again, err, job.ErrExists)
		}
	}
	for _, id := range []string{"none", "a\x00", "\xff"} {
		if _, err := f.Key(f.t.Context(), id); !errors.Is(err, job.ErrNotFound) {
			f.t.Errorf("Key(%q) = %v, want %v", id, err, job.ErrNotFound)
		}
	}
}
