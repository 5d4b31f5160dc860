package ledgertest

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/ledger"
)

func acceptTests() tests {
	return tests{
		"a job comes back as it was":      acceptRoundTrip,
		"many callers share commits":      acceptGroups,
		"10,000 in one batch":             acceptLarge,
		"nothing":                         acceptNothing,
		"a bad row fails no neighbor":     acceptBadRow,
		"text that cannot be stored":      acceptBadText,
		"a job begins at the beginning":   acceptBadState,
		"saturation":                      acceptSaturated,
		"the caller leaves":               acceptLeft,
		"doorbells":                       acceptBells,
		"doorbells that are not rung now": acceptSilentBells,
		"close writes what waits":         acceptClose,
	}
}

// groups counts commits.
type groups struct{ commits, jobs atomic.Int64 }

func (g *groups) LedgerGroup(jobs int) {
	g.commits.Add(1)
	g.jobs.Add(int64(jobs))
}

func acceptRoundTrip(f *fixture) {
	f.start()
	at := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	want := job.Job{
		ID: job.NewID(), Kind: "k", Queue: "low", State: job.Scheduled, MaxAttempts: 3, Delivery: job.ExactlyOnceEffect,
		Args: json.RawMessage(`{ "z":1, "ä?":"it's \\ \u0000 $1 ?0 -- %", "n": 12345678901234567890 }`), Tags: []string{"a&b", `q"<>`, "ü"},
		Options:   job.Options{Timeout: time.Second, Retention: time.Hour, Backoff: job.Backoff{Initial: time.Second, NoJitter: true}},
		CreatedAt: at.Add(-time.Hour), RunAt: at, Deadline: at.Add(time.Minute), ExpiresAt: at.Add(time.Second),
		Owner: "o'", Traceparent: "00-x", IdempotencyKey: "k?",
	}
	if _, err := f.Accept(f.t.Context(), ledger.Batch{Jobs: []job.Job{want}}); err != nil {
		f.t.Fatal(err)
	}
	got := f.get(want.ID)
	if got.WaitingOn == nil || got.WaitingOn.Reason != job.WaitScheduled || !got.WaitingOn.Until.Equal(at) {
		f.t.Errorf("waiting on %+v, want scheduled until %v", got.WaitingOn, at)
	}
	got.WaitingOn = nil
	if !reflect.DeepEqual(got, want) {
		f.t.Errorf("Get() = %+v\nwant %+v", got, want)
	}
}

func acceptGroups(f *fixture) {
	var seen groups
	f.start(func(c *ledger.Config) { c.Observer = &seen })
	const callers, each = 64, 25
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for n := range each {
				jobs := newJobs(1+(c+n)%3, nil)
				if c%4 == 0 {
					jobs[0].IdempotencyKey = string(jobs[0].ID)
				}
				answers, err := f.Accept(f.t.Context(), ledger.Batch{Jobs: jobs, Atomic: c%8 == 0})
				if err != nil || len(answers) != len(jobs) {
					f.t.Errorf("Accept() = %d answers, %v; want %d", len(answers), err, len(jobs))
					return
				}
				for i, a := range answers {
					if a.Job.ID != jobs[i].ID || a.Replayed || a.Err != nil {
						f.t.Errorf("answer %d = %s %t %v, want %s", i, a.Job.ID, a.Replayed, a.Err, jobs[i].ID)
					}
				}
			}
		})
	}
	wg.Wait()
	if got := int64(f.count("SELECT count(*) FROM asyncops_jobs")); got != seen.jobs.Load() {
		f.t.Errorf("rows = %d, want %d as observed", got, seen.jobs.Load())
	}
	if seen.commits.Load() >= callers*each {
		f.t.Errorf("%d calls took %d commits, want fewer", callers*each, seen.commits.Load())
	}
}

func acceptLarge(f *fixture) {
	f.start()
	jobs := newJobs(10_000, func(i int, j *job.Job) {
		if i%2 == 0 {
			j.IdempotencyKey = string(j.ID)
		}
	})
	answers, err := f.Accept(f.t.Context(), ledger.Batch{Jobs: jobs})
	f.check(err)
	for i, a := range answers {
		if a.Job.ID != jobs[i].ID || a.Err != nil || a.Replayed {
			f.t.Fatalf("answer %d = %+v, want job %s", i, a, jobs[i].ID)
		}
	}
	if got := f.count("SELECT count(*) FROM asyncops_jobs"); got != 10_000 {
		f.t.Errorf("rows = %d, want 10000", got)
	}
}

func acceptNothing(f *fixture) {
	f.start()
	if answers, err := f.Accept(f.t.Context(), ledger.Batch{}); err != nil || len(answers) != 0 {
		f.t.Errorf("Accept(no jobs) = %v, %v; want nothing", answers, err)
	}
}

func acceptBadRow(f *fixture) {
	f.start()
	f.sql("%s", f.db.Refuse)
	// A group forms behind a slow first one: all of these are written together.
	var wg sync.WaitGroup
	for n := range 64 {
		wg.Go(func() {
			bad := n%8 == 3
			_, err := f.Accept(f.t.Context(), ledger.Batch{Jobs: newJobs(2, func(i int, j *job.Job) {
				if bad && i == 1 {
					j.Kind = "refused"
				}
			})})
			if (err != nil) != bad {
				f.t.Errorf("Accept(bad: %t) = %v", bad, err)
			}
			if errors.Is(err, job.ErrUnavailable) {
				f.t.Errorf("Accept(bad) = %v, want no %v", err, job.ErrUnavailable)
			}
		})
	}
	wg.Wait()
	if got := f.count("SELECT count(*) FROM asyncops_jobs"); got != 2*56 {
		f.t.Errorf("rows = %d, want %d", got, 2*56)
	}
}

func acceptBadText(f *fixture) {
	f.start()
	spoil := map[string]func(*job.Job, string){
		"args":  func(j *job.Job, s string) { j.Args = json.RawMessage(`"` + s + `"`) },
		"kind":  func(j *job.Job, s string) { j.Kind = s },
		"queue": func(j *job.Job, s string) { j.Queue = s },
		"tag":   func(j *job.Job, s string) { j.Tags = []string{s} },
		"key":   func(j *job.Job, s string) { j.IdempotencyKey = s },
		"owner": func(j *job.Job, s string) { j.Owner = s },
		"trace": func(j *job.Job, s string) { j.Traceparent = s },
	}
	for name, edit := range spoil {
		for _, bad := range []string{"a\x00b", "a\xffb"} {
			jobs := newJobs(3, nil)
			edit(&jobs[1], bad)
			answers, err := f.Accept(f.t.Context(), ledger.Batch{Jobs: jobs})
			if err != nil || answers[0].Err != nil || answers[2].Err != nil || !errors.Is(answers[1].Err, job.ErrInvalid) {
				f.t.Errorf("Accept(%s %q) = %v, %v; want only the second to be %v", name, bad, answers, err, job.ErrInvalid)
			}
			jobs = newJobs(3, nil)
			edit(&jobs[1], bad)
			answers, err = f.Accept(f.t.Context(), ledger.Batch{Jobs: jobs, Atomic: true})
			if !errors.Is(err, ledger.ErrBatchRefused) || !errors.Is(answers[1].Err, job.ErrInvalid) {
				f.t.Errorf("Accept(atomic, %s %q) = %v, want %v", name, bad, err, ledger.ErrBatchRefused)
			}
		}
	}
	if got, want := f.count("SELECT count(*) FROM asyncops_jobs"), 2*2*len(spoil); got != want {
		f.t.Errorf("rows = %d, want %d", got, want)
	}
}

func acceptBadState(f *fixture) {
	f.start()
	begins := []job.State{job.Waiting, job.Scheduled, job.Pending}
	for _, state := range job.States() {
		answers, err := f.Accept(f.t.Context(), ledger.Batch{Jobs: newJobs(1, func(_ int, j *job.Job) { j.State = state })})
		f.check(err)
		if refused := errors.Is(answers[0].Err, job.ErrInvalid); refused == slices.Contains(begins, state) {
			f.t.Errorf("Accept(state %s) refused = %t", state, refused)
		}
	}
}

// hold keeps every writer from the table of jobs until release is called.
func (f *fixture) hold() (release func()) {
	f.t.Helper()
	tx, err := f.db.SQL.BeginTx(f.t.Context(), nil)
	f.check(err)
	_, err = tx.ExecContext(f.t.Context(), f.db.Lock)
	f.check(err)
	var once sync.Once
	release = func() { once.Do(func() { f.check(tx.Rollback()) }) }
	f.t.Cleanup(release)
	return release
}

func acceptSaturated(f *fixture) {
	f.start()
	release := f.hold()
	results := make(chan error, 20)
	for range 20 {
		go func() {
			_, err := f.Accept(f.t.Context(), ledger.Batch{Jobs: newJobs(10_000, nil)})
			results <- err
		}()
	}
	// Up to two are being written and five may wait; the others are refused at once.
	for range 13 {
		if err := <-results; !errors.Is(err, job.ErrSaturated) {
			f.t.Fatalf("Accept() = %v, want %v", err, job.ErrSaturated)
		}
	}
	release()
	accepted := 0
	for range 7 {
		switch err := <-results; {
		case err == nil:
			accepted++
		case !errors.Is(err, job.ErrUnavailable) && !errors.Is(err, job.ErrSaturated):
			f.t.Errorf("Accept() = %v", err)
		}
	}
	if got := f.count("SELECT count(*) FROM asyncops_jobs"); got < accepted*10_000 {
		f.t.Errorf("rows = %d, want at least the %d accepted batches", got, accepted)
	}
}

func acceptLeft(f *fixture) {
	f.start()
	release := f.hold()
	ctx, cancel := context.WithCancelCause(f.t.Context())
	left := errors.New("left")
	cancel(left)
	if _, err := f.Accept(ctx, ledger.Batch{Jobs: newJobs(1, nil)}); !errors.Is(err, left) {
		f.t.Errorf("Accept(done context) = %v, want its cause", err)
	}
	release()
	f.accept(1, nil)
}

// bell records what is rung.
type bell struct {
	silent bool
	mu     sync.Mutex
	rung   []job.Doorbell // guarded by mu
}

func (b *bell) Ready() bool { return !b.silent }

func (b *bell) Ring(bells []job.Doorbell) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rung = append(b.rung, bells...)
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
		if i == 299 {
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
	if found := f.overlooked(100); len(found) != 3 {
		f.t.Errorf("Overlooked() = %d doorbells, want 3", len(found))
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

func acceptClose(f *fixture) {
	f.start()
	l, err := ledger.Open(f.db.Config)
	f.check(err)
	release := f.hold()
	results := make(chan error, 8)
	for range 8 {
		go func() {
			_, err := l.Accept(f.t.Context(), ledger.Batch{Jobs: newJobs(1, nil)})
			results <- err
		}()
	}
	closed := make(chan error, 1)
	go func() { closed <- l.Close() }()
	release()
	f.check(<-closed)
	accepted := 0
	for range 8 {
		if err := <-results; err == nil {
			accepted++
		} else if !errors.Is(err, job.ErrUnavailable) { // it came after Close
			f.t.Errorf("Accept() = %v, want nil or %v", err, job.ErrUnavailable)
		}
	}
	if got := f.count("SELECT count(*) FROM asyncops_jobs"); got != accepted {
		f.t.Errorf("rows = %d, want %d", got, accepted)
	}
	if _, err := l.Accept(f.t.Context(), ledger.Batch{Jobs: newJobs(1, nil)}); !errors.Is(err, job.ErrUnavailable) {
		f.t.Errorf("Accept() after Close = %v, want %v", err, job.ErrUnavailable)
	}
}
