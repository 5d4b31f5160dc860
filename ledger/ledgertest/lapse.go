package ledgertest

import (
	"time"

	"github.com/asyncops/asyncops/job"
)

func lapseTests() tests {
	return tests{
		"expires_at":                        lapseExpires,
		"deadline":                          lapseDeadline,
		"a deadline seals where it has run": lapseSeals,
		"time is not over":                  lapseEarly,
	}
}

func lapseExpires(f *fixture) {
	f.start()
	past := func(state job.State) func(int, *job.Job) {
		return func(_ int, j *job.Job) {
			j.State, j.RunAt, j.ExpiresAt = state, time.Now().Add(time.Hour), time.Now().Add(-time.Second)
		}
	}
	var ids []job.ID
	for _, state := range []job.State{job.Waiting, job.Scheduled, job.Pending} {
		ids = append(ids, f.accept(1, past(state))...)
	}
	started := f.accept(1, nil)[0]
	f.run(f.join(), started, job.Outcome{State: job.Pending})
	f.sql("UPDATE asyncops_jobs SET expires_at = 1 WHERE id = '%s'", started)
	if events := f.lapse(); len(events) != 3 || events[0].State != job.Expired {
		f.t.Errorf("Lapse() = %v, want three that expired", events)
	}
	for _, id := range ids {
		if j := f.want(id, job.Expired); j.Error == nil || j.Error.Code != job.CodeExpired || j.FinishedAt.IsZero() {
			f.t.Errorf("job = %+v, want the error expired", j)
		}
	}
	f.want(started, job.Pending)
	if got := f.claimable(started); len(got) != 1 {
		f.t.Error("a job that has run before cannot be claimed after its expires_at")
	}
}

func lapseDeadline(f *fixture) {
	f.start()
	w := f.join()
	for _, state := range []job.State{job.Waiting, job.Scheduled, job.Pending, job.Retry, job.Parked, job.Active, job.Completed} {
		id := f.bring(state)
		f.sql("UPDATE asyncops_jobs SET deadline = 1 WHERE id = '%s'", id)
		f.lapse()
		if state == job.Active || state == job.Completed {
			f.want(id, state)
			continue
		}
		if j := f.want(id, job.Archived); j.Error == nil || j.Error.Code != job.CodeDeadlineExceeded || j.Parked != "" {
			f.t.Errorf("from %s: %+v, want the error deadline_exceeded", state, j)
		}
		if jobs, err := f.Claim(f.t.Context(), w, []job.ID{id}); err != nil || len(jobs) != 0 {
			f.t.Errorf("Claim(archived) = %v, %v", jobs, err)
		}
	}
}

func lapseSeals(f *fixture) {
	f.start()
	fresh, run := f.accept(1, exactly)[0], f.accept(1, exactly)[0]
	f.run(f.join(), run, job.Outcome{State: job.Retry, Delay: time.Hour})
	f.sql("UPDATE asyncops_jobs SET deadline = 1")
	for n := range 2 {
		if events := f.lapse(); len(events) != 2-2*n {
			f.t.Errorf("Lapse() = %v at call %d", events, n+1)
		}
		f.want(fresh, job.Archived)
		if j := f.want(run, job.Pending); j.Verdict == nil || j.Verdict.State != job.Archived || j.Verdict.Error.Code != job.CodeDeadlineExceeded {
			f.t.Errorf("job = %+v, want the verdict deadline_exceeded", j)
		}
	}
	if got := f.claimable(run); len(got) != 1 {
		f.t.Error("the job cannot be claimed to be sealed")
	}
}

func lapseEarly(f *fixture) {
	f.start()
	id := f.accept(1, func(_ int, j *job.Job) {
		j.ExpiresAt, j.Deadline = time.Now().Add(time.Hour), time.Now().Add(time.Hour)
	})[0]
	if events := f.lapse(); len(events) != 0 {
		f.t.Errorf("Lapse() = %v, want nothing", events)
	}
	f.want(id, job.Pending)
}
