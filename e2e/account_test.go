package e2e_test

import (
	"fmt"
	"maps"
	"testing"
	"time"
)

// settle stops the load and waits for its end, which must come in time after
// the last fault. Then it holds what happened against what was accepted, and
// returns the jobs.
func (l *load) settle(t testing.TB, lastFault time.Time) []jobView {
	t.Helper()
	l.stop(t)
	ids := l.ids()
	l.system.awaitCount(t, recovery-time.Since(lastFault), "completed", len(ids))
	t.Logf("%d inserts, %d additions, %d transfers, %d posts completed %s after the last fault; %d submissions had to be repeated, %d of them had been accepted before",
		l.count(inserting), l.count(adding), l.count(transferring), l.count(posting), time.Since(lastFault).Round(time.Millisecond), l.repeated.Load(), l.replayed.Load())
	jobs := l.system.requireCompleted(t, ids)
	l.requireRuns(t, jobs)
	l.requireEffects(t)
	l.requirePosts(t)
	return jobs
}

// requireRuns fails the test unless the jobs' records make sense: what they
// were promised, how often they ran, and that one run, the last, completed.
func (l *load) requireRuns(t testing.TB, jobs []jobView) {
	t.Helper()
	const looks = 300 // at the runs of so many jobs
	crashed, retried, looked, bad := 0, 0, 0, 0
	for _, j := range jobs {
		again := j.Crashes > 0 || j.Attempt > 1
		if j.Crashes > 0 {
			crashed++
		}
		if j.Attempt > 1 {
			retried++
		}
		var runs []attemptView
		if again && looked < looks {
			looked++
			runs = l.system.attempts(t, j.ID)
		}
		if err := checkRecord(j, runs); err != nil {
			if bad++; bad <= 3 {
				t.Errorf("%s %s: %v", j.Kind, j.ID, err)
			}
		}
	}
	if bad > 0 {
		t.Errorf("the records of %d of %d jobs make no sense", bad, len(jobs))
	}
	t.Logf("%d jobs were running at a kill, %d needed another attempt", crashed, retried)
}

// checkRecord checks what is told of a job that has completed, and of its runs
// unless there are none.
func checkRecord(j jobView, runs []attemptView) error {
	delivery := "exactly_once_effect"
	if j.Kind == "http.request" {
		delivery = "at_least_once"
	}
	if j.Delivery != delivery {
		return fmt.Errorf("delivery %q, want %q", j.Delivery, delivery)
	}
	if j.Attempt < 1 || j.Attempt > 10 || j.Crashes < 0 || j.Crashes > 2 {
		return fmt.Errorf("attempt %d, crashes %d, want 1 to 10 and 0 to 2", j.Attempt, j.Crashes)
	}
	if len(runs) == 0 {
		return nil
	}
	outcomes := map[string]int{}
	for _, run := range runs {
		outcomes[run.Outcome]++
	}
	want := map[string]int{"completed": 1}
	if j.Attempt > 1 {
		want["retry"] = j.Attempt - 1
	}
	if j.Crashes > 0 {
		want["lost"] = j.Crashes
	}
	if last := runs[len(runs)-1]; !maps.Equal(outcomes, want) || last.Outcome != "completed" || last.Number != j.Attempt {
		return fmt.Errorf("attempt %d, crashes %d, and the runs %+v", j.Attempt, j.Crashes, runs)
	}
	return nil
}

// requireEffects counts what happened in the target.
func (l *load) requireEffects(t testing.TB) {
	t.Helper()
	inserts, additions, transfers := l.count(inserting), l.count(adding), l.count(transferring)
	requireNumber(t, l.target.db, inserts, "SELECT count(*) FROM facts")
	requireNumber(t, l.target.db, inserts, "SELECT count(DISTINCT n) FROM facts")
	requireNumber(t, l.target.db, additions, "SELECT sum(total) FROM counters")
	requireNumber(t, l.target.db, additions, "SELECT count(*) FROM journal")
	requireNumber(t, l.target.db, additions, "SELECT count(DISTINCT n) FROM journal")
	requireNumber(t, l.target.db, transfers, "SELECT count(*) FROM transfers")
	requireNumber(t, l.target.db, transfers, "SELECT count(DISTINCT n) FROM transfers")
	requireNumber(t, l.target.db, 0, "SELECT sum(balance) FROM accounts")
	requireNumber(t, l.target.db, 0, `SELECT count(*) FROM accounts WHERE balance <>
		(SELECT count(*) FROM transfers WHERE target = accounts.id) - (SELECT count(*) FROM transfers WHERE source = accounts.id)`)
	requireNumber(t, l.target.db, inserts+additions+transfers, "SELECT count(*) FROM asyncops_effects WHERE outcome = 'done'")
}

// requirePosts counts what arrived at the upstream: under one key for each
// job, and no more often than the job ran. Its list of runs leaves out those
// that were handed back.
func (l *load) requirePosts(t testing.TB) {
	t.Helper()
	keys := map[string]int{}
	for _, s := range l.upstream.received(postPath) {
		keys[s.key]++
	}
	l.mu.Lock()
	ids := l.accepted[posting]
	l.mu.Unlock()
	again := 0
	for _, id := range ids {
		sends := keys[id+".0"]
		if sends == 0 {
			t.Errorf("the request of job %s was never sent", id)
		}
		if sends <= 1 {
			continue
		}
		again++
		if runs := l.system.attempts(t, id); sends > len(runs)+l.handBacks {
			t.Errorf("the request of job %s was sent %d times, and its runs are %+v", id, sends, runs)
		}
	}
	if len(keys) != len(ids) {
		t.Errorf("the upstream saw %d idempotency keys of %d jobs", len(keys), len(ids))
	}
	t.Logf("%d requests were sent more than once", again)
}
