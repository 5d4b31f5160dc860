package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
)

// recovery is how long after the last fault every accepted job has completed.
const recovery = 60 * time.Second

// mostOpen is how many jobs may wait or run before the stream rests. More would
// be a backlog that a slow machine could not work off within recovery.
const mostOpen = 500

// load is a stream of jobs whose effects are counted past the system: rows, in
// tables whose keys would let a second one in, sums, and requests that arrived.
// Jobs are numbered, and each is submitted under a key of its own until it is
// answered, so that all of them are accepted once.
type load struct {
	system   *system
	target   *target
	upstream *upstream

	next               atomic.Int64       // number of the latest job
	repeated, replayed atomic.Int64       // submissions
	full               atomic.Bool        // mostOpen is exceeded
	submitting         sync.WaitGroup     // who submits
	over               context.CancelFunc // ends the stream
	handBacks          int                // how often a job may have run without being in its list of runs

	mu       sync.Mutex
	accepted [sorts][]string // guarded by mu; ids of jobs, by sort
	failed   []error         // guarded by mu
}

// sort is what a job of the load does.
type sort int

const (
	inserting    sort = iota // a row into facts
	adding                   // 1 to a counter, which notes it in the journal
	posting                  // a request to the upstream
	transferring             // 1 from one account to another, in a transaction that notes it in transfers
	sorts
)

const (
	counters = 10
	postPath = "/post"
)

// newLoad prepares tables, upstream and settings; call it before processes
// start.
func newLoad(t testing.TB, s *system, target *target) *load {
	t.Helper()
	l := &load{system: s, target: target, upstream: startUpstream(t), over: func() {}}
	t.Cleanup(l.submitting.Wait) // the test's context has ended by then
	execute(t, target.db, target.slowInserts...)
	for i := range counters {
		execute(t, target.db, fmt.Sprintf("INSERT INTO counters VALUES (%d, 0, NULL)", i), fmt.Sprintf("INSERT INTO accounts VALUES (%d, 0)", i))
	}
	for _, table := range []string{"facts", "counters", "accounts", "transfers"} {
		s.table(table)
	}
	s.upstream(l.upstream)
	l.upstream.answerAfter(postPath, 100*time.Millisecond)
	return l
}

// sortOf says what the job with the number does.
func sortOf(n int) sort {
	switch n % 10 {
	case 7:
		return transferring
	case 8:
		return adding
	case 9:
		return posting
	}
	return inserting
}

// job is the submission with the number.
func (l *load) job(n int) object {
	var j object
	switch sortOf(n) {
	case adding:
		j = object{"kind": "db.update_one", "args": object{
			"table": "counters", "where": object{"id": n / 10 % counters}, "values": object{"total": object{"$inc": 1}, "latest": n},
		}}
	case posting:
		j = object{"kind": "http.request", "args": object{"client": "up", "method": "POST", "path": postPath, "body": object{"n": n}}}
	case transferring:
		j = transfer(n)
	default:
		j = insert("facts", n)
	}
	j["idempotency_key"] = fmt.Sprintf("job-%d", n)
	return j
}

// transfer is a transaction on two accounts, always in the same order: that
// deadlocks are survived is shown elsewhere, and each takes a second here.
func transfer(n int) object {
	source := n / 10 % counters
	target := (source + 1 + n/100%(counters-1)) % counters
	change := func(id int) object {
		amount := 1
		if id == source {
			amount = -1
		}
		return object{"op": "update_one", "table": "accounts", "where": object{"id": id}, "values": object{"balance": object{"$inc": amount}}, "expect_rows": 1}
	}
	return object{"kind": "db.transaction", "args": object{"operations": []object{
		change(min(source, target)), change(max(source, target)),
		{"op": "insert_one", "table": "transfers", "values": object{"n": n, "source": source, "target": target}},
	}}}
}

// note keeps account of what was accepted.
func (l *load) note(n int, id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := sortOf(n)
	l.accepted[s] = append(l.accepted[s], id)
}

// ids of all accepted jobs.
func (l *load) ids() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []string
	for _, some := range l.accepted {
		all = append(all, some...)
	}
	return all
}

// count is how many jobs of the sort were accepted.
func (l *load) count(s sort) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.accepted[s])
}

// stream has so many writers submit one job after the other, each with a rest
// between two, and so many others batches, until stop. They rest while the
// system has enough to do.
func (l *load) stream(t testing.TB, singles, batches int, rest time.Duration) {
	t.Helper()
	over, cancel := context.WithCancel(t.Context())
	l.over = cancel
	l.submitting.Go(func() { l.watch(over) })
	repeat := func(submit func(context.Context) error) {
		l.work(t, func(ctx context.Context) error {
			for over.Err() == nil {
				if l.full.Load() {
					waitFor(over, 50*time.Millisecond)
					continue
				}
				if err := submit(ctx); err != nil {
					return err
				}
				waitFor(over, rest)
			}
			return nil
		})
	}
	for range singles {
		repeat(l.submitOne)
	}
	for range batches {
		repeat(func(ctx context.Context) error { return l.submitMany(ctx, 20) })
	}
}

// watch keeps full up to date until ctx ends. While nobody answers, what was
// seen last holds.
func (l *load) watch(ctx context.Context) {
	for ctx.Err() == nil {
		if counts, err := l.system.counts(ctx); err == nil {
			open := 0
			for _, state := range []string{"pending", "active", "retry", "parked"} {
				open += counts[state]
			}
			l.full.Store(open > mostOpen)
		}
		waitFor(ctx, 100*time.Millisecond)
	}
}

// work has somebody submit, and remembers what went wrong.
func (l *load) work(t testing.TB, submit func(context.Context) error) {
	t.Helper()
	l.submitting.Go(func() {
		if err := submit(t.Context()); err != nil {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.failed = append(l.failed, err)
		}
	})
}

// crowd returns when at least so many jobs run. They come in bursts, so that
// there are others to follow them; call it while the stream flows.
func (l *load) crowd(t testing.TB, want int) {
	t.Helper()
	began := time.Now()
	var before time.Time
	testkit.Eventually(t, startTimeout, 10*time.Millisecond, func() error {
		if !l.full.Load() && time.Since(before) > 2*time.Second { // the burst before was over too soon, or is still to come
			before = time.Now()
			l.work(t, func(ctx context.Context) error { return l.submitMany(ctx, 5*want) })
		}
		counts, err := l.system.counts(t.Context())
		if err == nil && counts["active"] < want {
			err = fmt.Errorf("jobs per state %s after the first burst = %v, want %d active", time.Since(began), counts, want)
		}
		return err
	})
}

// stop ends the stream and returns when everything is answered.
func (l *load) stop(t testing.TB) {
	t.Helper()
	l.over()
	l.submitting.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := errors.Join(l.failed...); err != nil {
		t.Fatal(err)
	}
}

func (l *load) submitOne(ctx context.Context) error {
	n := int(l.next.Add(1))
	a, err := l.insist(ctx, func(ctx context.Context) (answer, error) {
		return l.system.call(ctx, http.MethodPost, "/v1/jobs", l.job(n))
	})
	if err != nil {
		return err
	}
	id, err := acceptedID(a)
	if err != nil {
		return err
	}
	if a.header.Get("Idempotency-Replayed") == "true" {
		l.replayed.Add(1)
	}
	l.note(n, id)
	return nil
}

func (l *load) submitMany(ctx context.Context, size int) error {
	first := int(l.next.Add(int64(size))) - size + 1
	items := make([]object, size)
	for i := range items {
		items[i] = l.job(first + i)
	}
	var ids []string
	_, err := l.insist(ctx, func(ctx context.Context) (_ answer, err error) {
		ids, err = l.system.batch(ctx, items)
		return answer{}, err
	})
	if err != nil {
		return err
	}
	for i, id := range ids {
		l.note(first+i, id)
	}
	return nil
}

// insist repeats a submission until it is answered: not cut off, and not told
// to come back later.
func (l *load) insist(ctx context.Context, submit func(context.Context) (answer, error)) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*startTimeout)
	defer cancel()
	for {
		a, err := submit(ctx)
		if err == nil && a.status != http.StatusServiceUnavailable && a.status != http.StatusConflict {
			return a, nil
		}
		if ctx.Err() != nil {
			return a, fmt.Errorf("gave up after %s: %w", a, errors.Join(err, ctx.Err()))
		}
		l.repeated.Add(1)
		waitFor(ctx, 10*time.Millisecond)
	}
}

// waitFor returns after so long, or when ctx ends.
func waitFor(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// pause lets the system work for so long before the next fault.
func pause(t testing.TB, d time.Duration) {
	t.Helper()
	waitFor(t.Context(), d)
	if err := t.Context().Err(); err != nil {
		t.Fatal(err)
	}
}
