package ledgertest

import (
	"fmt"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/ledger"
)

func watchTests() tests {
	return tests{
		"dead letters of the window":   watchDead,
		"the oldest job of each queue": watchQueues,
		"lost workers":                 watchWorkers,
		"runs of living workers":       watchRuns,
		"processes that told lately":   watchProcesses,
	}
}

func watchDead(f *fixture) {
	f.start()
	w := f.join()
	ids := f.accept(4, nil)
	for _, id := range ids[:3] {
		f.run(w, id, job.Outcome{State: job.Archived, Error: &job.Error{Code: job.CodeFailed}})
	}
	f.run(w, ids[3], job.Outcome{State: job.Completed})
	f.sql("UPDATE asyncops_jobs SET finished_at = finished_at - 120000000 WHERE id = '%s'", ids[0])
	for within, want := range map[time.Duration]int{time.Minute: 2, time.Hour: 3} {
		if n, err := f.DeadLetters(f.t.Context(), within); err != nil || n != want {
			f.t.Errorf("DeadLetters(%s) = %d, %v; want %d", within, n, err, want)
		}
	}
}

func watchQueues(f *fixture) {
	f.start()
	f.check(f.PauseQueue(f.t.Context(), "low", true))
	ids := f.accept(3, nil)
	f.accept(1, func(_ int, j *job.Job) {
		j.State, j.RunAt = job.Scheduled, time.Now().Add(time.Hour)
		j.Queue = "low"
	})
	back := func(id job.ID, seconds, rungAt int) {
		f.sql("UPDATE asyncops_jobs SET run_at = run_at - %d000000, rung_at = %d WHERE id = '%s'", seconds, rungAt, id)
	}
	for _, test := range []struct {
		name  string
		rung  [3]int // of the jobs that are due for 0, 100 and 200 s
		least time.Duration
	}{
		{"none has a doorbell", [3]int{0, 0, 0}, 200 * time.Second},
		{"the oldest has one", [3]int{0, 0, 9}, 200 * time.Second},
		{"the oldest has none", [3]int{9, 9, 0}, 200 * time.Second},
		{"all have one", [3]int{9, 9, 9}, 200 * time.Second},
	} {
		for i, id := range ids {
			back(id, 0, test.rung[i])
		}
		if test.name == "none has a doorbell" {
			back(ids[1], 100, 0)
			back(ids[2], 200, 0)
		}
		ages, err := f.QueueAges(f.t.Context())
		f.check(err)
		if len(ages) != 2 || ages[0].Queue != "default" || ages[0].Paused || ages[0].Oldest < test.least || ages[0].Oldest > test.least+patience ||
			ages[1] != (ledger.QueueAge{Queue: "low", Paused: true}) {
			f.t.Errorf("%s: QueueAges() = %+v, want %s of default and nothing of low, which is paused", test.name, ages, test.least)
		}
	}
}

func watchWorkers(f *fixture) {
	f.start()
	want := func(what string, names ...string) {
		f.t.Helper()
		lost, err := f.LostWorkers(f.t.Context())
		f.check(err)
		var got []string
		for _, w := range lost {
			got = append(got, w.ID)
			if age := time.Since(w.BeatAt); age < -patience || age > patience {
				f.t.Errorf("%s: %s was heard of %s ago", what, w.ID, age)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(names) {
			f.t.Errorf("%s: lost are %q, want %q", what, got, names)
		}
	}
	first, leaver, second := f.join(), f.join(), f.join()
	for _, w := range []string{first, second} { // heard of since the last joined
		f.check(f.Renew(f.t.Context(), w, time.Minute, job.Beat{}))
	}
	want("all are there")
	f.check(f.Leave(f.t.Context(), leaver))
	want("one has left in order")
	f.die(first)
	f.die(second)
	want("two were lost", first, second)
	f.check(f.Join(f.t.Context(), job.Worker{ID: "other", Queues: []string{"low"}, Concurrency: 1}, time.Minute))
	want("one came for other queues", first, second)
	third := f.join()
	want("one came in their place", second)
	f.die(third)
	want("that one was lost, too", second, third)
	f.join()
	f.join()
	want("two came")
	f.sql("UPDATE asyncops_workers SET started_at = started_at - 7200000000, beat_at = beat_at - 7200000000, lost_at = lost_at - 7200000000")
	want("long ago")
}

func watchRuns(f *fixture) {
	f.start()
	if sum, err := f.RecentRuns(f.t.Context()); err != nil || sum.Runs != 0 {
		f.t.Errorf("RecentRuns() = %+v, %v; want none", sum, err)
	}
	beat := func(worker string, w job.RunWindow) {
		f.check(f.Renew(f.t.Context(), worker, time.Minute, job.Beat{Runs: w}))
	}
	one, two, late, gone := f.join(), f.join(), f.join(), f.join()
	beat(one, job.RunWindow{Runs: 5, Failed: 1, Lasting: map[int]int{3: 5}})
	beat(two, job.RunWindow{Runs: 2, Failed: 2, Lasting: map[int]int{3: 1, 9: 1}})
	beat(late, job.RunWindow{Runs: 100, Failed: 100})
	beat(gone, job.RunWindow{Runs: 100, Failed: 100})
	f.sql("UPDATE asyncops_workers SET beat_at = beat_at - 11000000 WHERE id = '%s'", late)
	f.check(f.Leave(f.t.Context(), gone))
	sum, err := f.RecentRuns(f.t.Context())
	if err != nil || sum.Runs != 7 || sum.Failed != 3 || sum.Lasting[3] != 6 || sum.Lasting[9] != 1 {
		f.t.Errorf("RecentRuns() = %+v, %v; want those of the two that are heard of", sum, err)
	}
}

func watchProcesses(f *fixture) {
	f.start()
	p := ledger.Process{ID: "api-1", Role: "api", Host: "h", PID: 7, Used: 1 << 40, Limit: 1 << 41}
	f.check(f.TellProcess(f.t.Context(), ledger.Process{ID: "silent", Limit: 1}))
	f.sql("UPDATE asyncops_processes SET beat_at = beat_at - 21000000")
	f.check(f.TellProcess(f.t.Context(), ledger.Process{ID: "api-1", Role: "api", Host: "h", PID: 7, Used: 1, Limit: 2}))
	f.check(f.TellProcess(f.t.Context(), p))
	if found, err := f.Processes(f.t.Context()); err != nil || len(found) != 1 || found[0] != p {
		f.t.Errorf("Processes() = %+v, %v; want %+v", found, err, p)
	}
	f.sql("UPDATE asyncops_processes SET beat_at = beat_at - 86400000000 WHERE id = 'silent'")
	f.check(f.ForgetProcess(f.t.Context(), "api-1"))
	if n := f.count("SELECT count(*) FROM asyncops_processes"); n != 0 {
		f.t.Errorf("%d processes are left, want none", n)
	}
}
