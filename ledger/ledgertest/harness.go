// Package ledgertest is the conformance suite of the ledger: what must hold on
// every database that it runs on. It also reaches behind the ledger's back, to
// let time pass and to look at what no method shows.
package ledgertest

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/ledger"
)

// Harness is what the suite runs on.
type Harness struct {
	// New makes an empty database that is gone when the test ends.
	New func(t testing.TB) Database
	// Proxied returns a ledger's way to the database through a proxy that loses
	// replies; nil where nothing lies between a statement and its answer.
	Proxied func(t testing.TB, db Database) (ledger.Config, *testkit.ProxyServer)
	// Server starts a database server for the test alone; nil where the database
	// has none.
	Server func(t testing.TB) Server
}

// Database is an empty database.
type Database struct {
	Config ledger.Config // of ledgers on it
	SQL    *sql.DB       // behind their back; the harness closes it
	Lock   string        // a statement whose transaction keeps writers from the table of jobs
	Refuse string        // a statement that makes the database refuse jobs of the kind "refused"
}

// Server is a database server that a test may kill and freeze.
type Server struct {
	Database
	Kill, Restart, Freeze, Thaw func()
}

// patience is how long anything here may take at most. It is no measurement.
const patience = 60 * time.Second

// tests are the cases of one topic.
type tests map[string]func(*fixture)

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	topics := map[string]tests{
		"accept": acceptTests(), "idempotency": idempotencyTests(), "claim": claimTests(), "doubt": doubtTests(),
		"finish": finishTests(), "sends": sendsTests(), "steer": steerTests(), "moves": moveTests(), "reap": reapTests(), "lapse": lapseTests(),
		"relay": relayTests(), "search": searchTests(), "attempts": attemptTests(), "queues": queueTests(),
		"workers": workerTests(), "sessions": sessionTests(), "glance": glanceTests(), "stats": statsTests(), "ages": ageTests(), "audit": auditTests(), "operate": operateTests(), "parked": parkedTests(), "prune": pruneTests(), "schedules": scheduleTests(), "fire": fireTests(), "alerts": alertTests(), "watch": watchTests(), "migrate": migrateTests(), "unavailable": unavailableTests(),
	}
	for _, topic := range slices.Sorted(maps.Keys(topics)) {
		t.Run(topic, func(t *testing.T) {
			t.Parallel()
			for _, name := range slices.Sorted(maps.Keys(topics[topic])) {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					topics[topic][name](&fixture{t: t, h: h})
				})
			}
		})
	}
}

// fixture is one test's database and the ledgers on it.
type fixture struct {
	t  *testing.T
	h  Harness
	db Database
	*ledger.Ledger
}

// start makes a database with a ledger that is migrated and knows some queues.
func (f *fixture) start(edit ...func(*ledger.Config)) *fixture {
	f.t.Helper()
	f.db = f.h.New(f.t)
	return f.use(edit...)
}

// use opens the fixture's ledger on its database.
func (f *fixture) use(edit ...func(*ledger.Config)) *fixture {
	f.t.Helper()
	f.Ledger = f.open(edit...)
	if _, err := f.Migrate(f.t.Context()); err != nil {
		f.t.Fatalf("Migrate() = %v", err)
	}
	f.check(f.EnsureQueues(f.t.Context(), []string{"default", "low"}))
	return f
}

// open returns another ledger on the same database, closed by the test's end.
func (f *fixture) open(edit ...func(*ledger.Config)) *ledger.Ledger {
	f.t.Helper()
	cfg := f.db.Config
	for _, e := range edit {
		e(&cfg)
	}
	l, err := ledger.Open(cfg)
	if err != nil {
		f.t.Fatalf("Open() = %v", err)
	}
	f.t.Cleanup(func() {
		if err := l.Close(); err != nil {
			f.t.Errorf("Close() = %v", err)
		}
	})
	return l
}

func (f *fixture) check(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// sql runs a statement behind the ledger's back.
func (f *fixture) sql(format string, args ...any) {
	f.t.Helper()
	query := fmt.Sprintf(format, args...)
	if _, err := f.db.SQL.ExecContext(f.t.Context(), query); err != nil {
		f.t.Fatalf("%s: %v", query, err)
	}
}

// count returns the only value of a query.
func (f *fixture) count(format string, args ...any) (n int) {
	f.t.Helper()
	query := fmt.Sprintf(format, args...)
	if err := f.db.SQL.QueryRowContext(f.t.Context(), query).Scan(&n); err != nil {
		f.t.Fatalf("%s: %v", query, err)
	}
	return n
}

// newJobs makes n pending jobs, changed by edit unless it is nil.
func newJobs(n int, edit func(i int, j *job.Job)) []job.Job {
	jobs := make([]job.Job, n)
	for i := range jobs {
		now := time.Now()
		jobs[i] = job.Job{
			ID: job.NewID(), Kind: "test", Queue: "default", State: job.Pending, Args: json.RawMessage(`{"a": 1}`),
			MaxAttempts: 10, Delivery: job.AtLeastOnce, CreatedAt: now, RunAt: now,
		}
		if edit != nil {
			edit(i, &jobs[i])
		}
	}
	return jobs
}

// accept accepts n jobs and returns their ids.
func (f *fixture) accept(n int, edit func(i int, j *job.Job)) []job.ID {
	f.t.Helper()
	answers, err := f.Accept(f.t.Context(), ledger.Batch{Jobs: newJobs(n, edit)})
	f.check(err)
	ids := make([]job.ID, n)
	for i, a := range answers {
		f.check(a.Err)
		ids[i] = a.Job.ID
	}
	return ids
}

// exactly makes a job whose target must be sealed before it ends.
func exactly(_ int, j *job.Job) { j.Delivery = job.ExactlyOnceEffect }

func (f *fixture) get(id job.ID) job.Job {
	f.t.Helper()
	j, err := f.Get(f.t.Context(), id)
	f.check(err)
	return *j
}

// want fails the test unless the job is in the state.
func (f *fixture) want(id job.ID, state job.State) job.Job {
	f.t.Helper()
	j := f.get(id)
	if j.State != state {
		f.t.Errorf("job is %s, want %s", j.State, state)
	}
	return j
}

// join returns a new worker with a lease of a minute.
func (f *fixture) join() string {
	f.t.Helper()
	id := "worker-" + string(job.NewID())
	f.check(f.Join(f.t.Context(), job.Worker{ID: id, Host: "h", PID: 1, Queues: []string{"default"}, Concurrency: 10}, time.Minute))
	return id
}

// claim claims the jobs, all of which must be had.
func (f *fixture) claim(worker string, ids ...job.ID) []job.Job {
	f.t.Helper()
	jobs, err := f.Claim(f.t.Context(), worker, ids)
	f.check(err)
	if len(jobs) != len(ids) {
		f.t.Fatalf("Claim() got %d jobs, want %d", len(jobs), len(ids))
	}
	return jobs
}

// run claims the job and finishes it as o says.
func (f *fixture) run(worker string, id job.ID, o job.Outcome) job.Job {
	f.t.Helper()
	j := f.claim(worker, id)[0]
	o.Job, o.Epoch = id, j.Epoch
	f.finish(o)
	return f.get(id)
}

// finish writes outcomes, none of which may have been superseded.
func (f *fixture) finish(outcomes ...job.Outcome) {
	f.t.Helper()
	superseded, err := f.Finish(f.t.Context(), outcomes)
	f.check(err)
	if len(superseded) > 0 {
		f.t.Fatalf("Finish() superseded %v, want none", superseded)
	}
}

// die ends the worker's lease and reaps until nothing is left to reap.
func (f *fixture) die(worker string) []job.Event {
	f.t.Helper()
	f.sql("UPDATE asyncops_workers SET lease_until = lease_until - 3600000000 WHERE id = '%s'", worker)
	var all []job.Event
	for {
		events, err := f.Reap(f.t.Context())
		f.check(err)
		if len(events) == 0 {
			return all
		}
		all = append(all, events...)
	}
}

// due makes the job's run_at pass.
func (f *fixture) due(id job.ID) {
	f.t.Helper()
	f.sql("UPDATE asyncops_jobs SET run_at = run_at - 36000000000 WHERE id = '%s'", id)
}
