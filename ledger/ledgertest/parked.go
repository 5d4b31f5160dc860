package ledgertest

import (
	"maps"
	"slices"
	"time"

	"github.com/asyncops/asyncops/job"
)

func parkedTests() tests {
	return tests{
		"are claimed before their time":     parkedClaimed,
		"one that may not start is left":    parkedLeft,
		"one that never began ends at once": parkedNeverBegan,
		"what runs is listed":               runningListed,
	}
}

// roomless is the outcome of a run that found no room in a target.
func roomless(target string) job.Outcome {
	return job.Outcome{State: job.Parked, Parked: job.WaitPool, ParkedOn: target, Delay: time.Hour, Unrun: true}
}

func parkedClaimed(f *fixture) {
	f.start()
	w := f.join()
	ids := f.accept(4, func(i int, j *job.Job) {
		if i == 3 {
			j.Queue = "low"
		}
	})
	for _, id := range ids {
		j := f.run(w, id, roomless("database main"))
		want := job.WaitingOn{Reason: job.WaitPool, Detail: "for room in database main, at the latest until the time given", Until: &j.RunAt}
		if j.State != job.Parked || j.Attempt != 0 || !j.StartedAt.IsZero() || j.WaitingOn.Reason != want.Reason || j.WaitingOn.Detail != want.Detail ||
			!j.WaitingOn.Until.Equal(j.RunAt) {
			f.t.Errorf("job = %+v waiting on %+v, want it parked as if it had never been claimed, waiting on %+v", j, j.WaitingOn, want)
		}
	}
	other := f.accept(1, nil)[0]
	j := f.run(w, other, job.Outcome{State: job.Parked, Parked: job.WaitBreaker, ParkedOn: "client crm", Delay: time.Hour})
	if want := "for the circuit breaker of client crm to let it through, at the latest until the time given"; j.WaitingOn.Detail != want || j.Attempt != 0 {
		f.t.Errorf("job = %+v waiting on %+v, want %s, and no attempt counted", j, j.WaitingOn, want)
	}
	limited := f.accept(1, nil)[0]
	j = f.run(w, limited, job.Outcome{State: job.Parked, Parked: job.WaitRateLimit, ParkedOn: "client mail", Delay: time.Hour})
	if want := "for the rate limit of client mail to let it through, at the latest until the time given"; j.WaitingOn.Detail != want {
		f.t.Errorf("job waits on %+v, want %s", j.WaitingOn, want)
	}

	on, err := f.ParkedOn(f.t.Context(), []string{"database main", "database other", "client crm", "client mail"})
	slices.Sort(on)
	if f.check(err); !slices.Equal(on, []string{"client crm", "client mail", "database main"}) {
		f.t.Errorf("ParkedOn() = %q, want the targets for which jobs wait", on)
	}
	counts, err := f.CountParkedOn(f.t.Context())
	if f.check(err); !maps.Equal(counts, map[string]int{"database main": 4, "client crm": 1, "client mail": 1}) {
		f.t.Errorf("CountParkedOn() = %v, want 4 on database main and 1 on each client", counts)
	}
	f.wantParked(w, "default", "client crm", 10, other)
	f.wantParked(w, "default", "client mail", 10, limited)

	f.wantParked(w, "default", "database other", 10)
	f.wantParked("stranger", "default", "database main", 10)
	f.wantParked(w, "default", "database main", 2, ids[:2]...)
	f.wantParked(w, "default", "database main", 10, ids[2])
	f.wantParked(w, "default", "database main", 10)
	f.wantParked(w, "low", "database main", 10, ids[3])
	if j := f.want(ids[0], job.Active); j.ParkedOn != "" || j.Attempt != 1 || j.StartedAt.IsZero() {
		f.t.Errorf("claimed job = %+v, want it to run its first attempt", j)
	}
}

// wantParked claims parked jobs and checks which they are, in their order of
// acceptance.
func (f *fixture) wantParked(worker, queue, target string, limit int, want ...job.ID) {
	f.t.Helper()
	jobs, err := f.ClaimParked(f.t.Context(), worker, queue, target, limit)
	if worker == "stranger" {
		if len(jobs) > 0 || err == nil {
			f.t.Errorf("ClaimParked(stranger) = %d jobs, %v, want none and an error", len(jobs), err)
		}
		return
	}
	f.check(err)
	var got []job.ID
	for _, j := range jobs {
		got = append(got, j.ID)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		f.t.Errorf("ClaimParked(%s, %s, %d) = %v, want %v", queue, target, limit, got, want)
	}
}

func parkedLeft(f *fixture) {
	f.start()
	w := f.join()
	for name, change := range map[string]string{
		"rung by the relay":         "UPDATE asyncops_jobs SET state = 'pending' WHERE id = '%s'",
		"by an older release":       "UPDATE asyncops_jobs SET state = 'active', parked = NULL WHERE id = '%s'",
		"to be sealed":              `UPDATE asyncops_jobs SET verdict = '{"state":"canceled"}' WHERE id = '%s'`,
		"in isolation":              "UPDATE asyncops_jobs SET crashes = 2 WHERE id = '%s'",
		"past its deadline":         "UPDATE asyncops_jobs SET deadline = 1 WHERE id = '%s'",
		"expired before it began":   "UPDATE asyncops_jobs SET expires_at = 1 WHERE id = '%s'",
		"for another reason":        "UPDATE asyncops_jobs SET parked = 'no_worker' WHERE id = '%s'",
		"in a queue that is paused": "UPDATE asyncops_jobs SET queue = 'low' WHERE id = '%s'",
	} {
		id := f.accept(1, nil)[0]
		f.run(w, id, roomless("x"))
		f.check(f.PauseQueue(f.t.Context(), "low", true))
		f.sql(change, id)
		for _, queue := range []string{"default", "low"} {
			if jobs, err := f.ClaimParked(f.t.Context(), w, queue, "x", 10); err != nil || len(jobs) > 0 {
				f.t.Errorf("ClaimParked of a job that is %s = %d jobs, %v, want none", name, len(jobs), err)
			}
		}
		f.sql("DELETE FROM asyncops_jobs WHERE id = '%s'", id)
	}
	id := f.accept(1, nil)[0]
	f.run(w, id, job.Outcome{State: job.Retry, Error: &job.Error{Code: job.CodeConflict}})
	f.due(id)
	if j := f.run(w, id, roomless("x")); j.Error == nil || j.Error.Code != job.CodeConflict || j.Attempt != 1 || j.StartedAt.IsZero() {
		f.t.Errorf("job = %+v, want it as its first attempt left it", j)
	}
	f.sql("UPDATE asyncops_jobs SET expires_at = 1 WHERE id = '%s'", id)
	f.wantParked(w, "default", "x", 10, id) // it has begun before
}

// A job that was taken and did not begin has nothing to seal: it can be
// canceled, and expires, where it stands.
func parkedNeverBegan(f *fixture) {
	f.start()
	w := f.join()
	park := func() job.ID {
		id := f.accept(1, exactly)[0]
		f.run(w, id, roomless("x"))
		return id
	}
	canceled := park()
	_, err := f.Cancel(f.t.Context(), canceled)
	f.check(err)
	f.want(canceled, job.Canceled)

	expired := park()
	f.sql("UPDATE asyncops_jobs SET expires_at = 1 WHERE id = '%s'", expired)
	if events := f.lapse(); len(events) != 1 || events[0].State != job.Expired {
		f.t.Errorf("Lapse() = %+v, want one job expired", events)
	}
	f.want(expired, job.Expired)

	began := f.accept(1, exactly)[0]
	f.run(w, began, job.Outcome{State: job.Pending}) // handed back in the middle
	f.run(w, began, roomless("x"))
	_, err = f.Cancel(f.t.Context(), began)
	f.check(err)
	if j := f.want(began, job.Pending); j.Verdict == nil {
		f.t.Error("a job that has begun was canceled without being sealed")
	}
}

func runningListed(f *fixture) {
	f.start()
	a, b := f.join(), f.join()
	ids := f.accept(3, nil)
	f.claim(a, ids[0])
	f.claim(b, ids[1])
	for _, args := range []bool{false, true} {
		jobs, err := f.Running(f.t.Context(), args)
		f.check(err)
		if len(jobs) != 2 || jobs[0].ID != ids[0] || jobs[0].Worker != a || jobs[1].Worker != b || jobs[0].Kind != "test" || jobs[0].StartedAt.IsZero() {
			f.t.Errorf("Running() = %+v, want the first two jobs with their workers", jobs)
		}
		if got := len(jobs[0].Args) > 0; got != args {
			f.t.Errorf("Running(%t) has args: %t", args, got)
		}
	}
}
