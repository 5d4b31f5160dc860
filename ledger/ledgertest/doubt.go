package ledgertest

import (
	"bytes"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/ledger"
)

func doubtTests() tests {
	return tests{
		"the next claim has what a lost answer left":   doubtClaim,
		"a renewal hands back what a lost answer left": doubtRenew,
		"a lost answer to finish":                      doubtFinish,
		"a lost answer to accept":                      doubtAccept,
		"a lost answer to accept of many":              doubtAcceptMany,
		"a lost answer to accept with keys":            doubtAcceptKeyed,
		"a lost answer to an atomic batch":             doubtAcceptAtomic,
	}
}

// proxied opens a ledger behind a proxy, beside the fixture's own.
func (f *fixture) proxied(edit ...func(*ledger.Config)) (*ledger.Ledger, *testkit.ProxyServer) {
	f.t.Helper()
	if f.h.Proxied == nil {
		f.t.Skip("nothing lies between a statement of this database and its answer")
	}
	f.start()
	cfg, proxy := f.h.Proxied(f.t, f.db)
	return f.open(append([]func(*ledger.Config){func(c *ledger.Config) { *c = cfg }}, edit...)...), proxy
}

// lose loses the answer to the next statement that holds the text: where
// statements are prepared, one of its values.
func lose(proxy *testkit.ProxyServer, text string) (lost <-chan struct{}) {
	return proxy.LoseReply(func(request []byte) bool { return bytes.Contains(request, []byte(text)) })
}

// loseClaim claims two jobs without hearing of it.
// The third job is one that the worker runs already; untouched looks that it
// still does.
func (f *fixture) loseClaim() (l *ledger.Ledger, worker string, ids []job.ID, untouched func()) {
	f.t.Helper()
	l, proxy := f.proxied()
	worker, ids = f.join(), f.accept(3, nil)
	runs := f.claim(worker, ids[2])
	lost := lose(proxy, string(ids[0]))
	if jobs, err := l.Claim(f.t.Context(), worker, ids); err == nil {
		f.t.Fatalf("Claim() = %v, want an error: its answer was lost", jobs)
	}
	<-lost
	for _, id := range ids {
		f.want(id, job.Active)
	}
	return l, worker, ids, func() { f.same(runs[0]) }
}

func doubtClaim(f *fixture) {
	l, worker, ids, untouched := f.loseClaim()
	defer untouched()
	jobs, err := l.Claim(f.t.Context(), worker, ids)
	f.check(err)
	if len(jobs) != 2 || jobs[0].Epoch != 2 || jobs[0].Attempt != 1 || jobs[0].Crashes != 0 {
		f.t.Errorf("Claim() = %+v, want both at epoch 2, attempt 1", jobs)
	}
	f.check(l.Renew(f.t.Context(), worker, time.Minute, job.Beat{Running: 3}))
	for _, id := range ids {
		f.want(id, job.Active)
	}
}

func doubtRenew(f *fixture) {
	l, worker, ids, untouched := f.loseClaim()
	defer untouched()
	f.check(l.Renew(f.t.Context(), worker, time.Minute, job.Beat{Running: 1}))
	for _, id := range ids[:2] {
		if j := f.want(id, job.Pending); j.Attempt != 0 || j.Crashes != 0 {
			f.t.Errorf("job = attempt %d, crashes %d; want none", j.Attempt, j.Crashes)
		}
	}
}

func doubtFinish(f *fixture) {
	l, proxy := f.proxied()
	id := f.accept(1, nil)[0]
	f.claim(f.join(), id)
	outcome := []job.Outcome{{Job: id, Epoch: 1, State: job.Completed, Result: []byte("1")}}
	lost := lose(proxy, string(id))
	if _, err := l.Finish(f.t.Context(), outcome); err == nil {
		f.t.Error("Finish() = nil, want an error: its answer was lost")
	}
	<-lost
	if superseded, err := l.Finish(f.t.Context(), outcome); err != nil || len(superseded) != 1 {
		f.t.Errorf("Finish() again = %v, %v; want it reported as superseded", superseded, err)
	}
	f.want(id, job.Completed)
}

// doubtful accepts jobs; the answer to the statement with the text is lost.
func (f *fixture) doubtful(b ledger.Batch, text string) {
	f.t.Helper()
	jobs := b.Jobs
	var rings bell
	l, proxy := f.proxied(func(c *ledger.Config) { c.Bell = &rings })
	lost := lose(proxy, text)
	answers, err := l.Accept(f.t.Context(), b)
	f.check(err)
	<-lost
	if answers[0].Replayed || answers[0].Err != nil || answers[0].Job.ID != jobs[0].ID {
		f.t.Errorf("answer = %+v, want the job, not replayed", answers[0])
	}
	if n := f.count("SELECT count(*) FROM asyncops_jobs"); n != len(jobs) {
		f.t.Errorf("rows = %d, want %d", n, len(jobs))
	}
	if n := f.count("SELECT count(*) FROM asyncops_jobs WHERE doorbell = '%s'", rings.rung[0].ID); n != len(jobs) || len(rings.rung) != 1 {
		f.t.Errorf("%d doorbells were rung, and %d rows name the first; want 1 and %d", len(rings.rung), n, len(jobs))
	}
}

func doubtAccept(f *fixture) {
	jobs := newJobs(1, nil)
	f.doubtful(ledger.Batch{Jobs: jobs}, string(jobs[0].ID))
}

func doubtAcceptMany(f *fixture) {
	jobs := newJobs(3, nil)
	f.doubtful(ledger.Batch{Jobs: jobs}, string(jobs[0].ID))
}

func withKey(_ int, j *job.Job) { j.IdempotencyKey = "k" }

func doubtAcceptKeyed(f *fixture) {
	jobs := newJobs(1, withKey)
	f.doubtful(ledger.Batch{Jobs: jobs}, string(jobs[0].ID))
}

func doubtAcceptAtomic(f *fixture) {
	f.doubtful(ledger.Batch{Jobs: newJobs(1, withKey), Atomic: true}, "COMMIT")
}
