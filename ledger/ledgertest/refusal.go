package ledgertest

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"sync"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/ledger"
)

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

// acceptBadKeyed: who waits for the key of a row that the database refuses gets a
// job of its own, or none.
func acceptBadKeyed(f *fixture) {
	f.start()
	f.sql("%s", f.db.Refuse)
	var wg sync.WaitGroup
	for n := range 64 {
		wg.Go(func() {
			j := keyed(strconv.Itoa(n / 2))
			if n%2 == 0 {
				j.Kind = "refused"
			}
			answers, err := f.Accept(f.t.Context(), ledger.Batch{Jobs: []job.Job{j}})
			switch {
			case err != nil && n%2 == 1:
				f.t.Errorf("Accept() = %v, want a job", err)
			case err == nil && f.count("SELECT count(*) FROM asyncops_jobs WHERE id = '%s'", answers[0].Job.ID) != 1:
				f.t.Errorf("job %s was answered with %s, which there is not", j.ID, answers[0].Job.ID)
			}
		})
	}
	wg.Wait()
	if got := f.count("SELECT count(*) FROM asyncops_jobs"); got != 32 {
		f.t.Errorf("rows = %d, want 32", got)
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
	const batches = 8 // up to two are being written and five may wait: one is refused at once
	results := make(chan error, batches)
	for range batches {
		go func() {
			_, err := f.Accept(f.t.Context(), ledger.Batch{Jobs: newJobs(10_000, nil)})
			results <- err
		}()
	}
	if err := <-results; !errors.Is(err, job.ErrSaturated) {
		f.t.Fatalf("Accept() = %v, want %v", err, job.ErrSaturated)
	}
	release()
	accepted := 0
	for range batches - 1 {
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
