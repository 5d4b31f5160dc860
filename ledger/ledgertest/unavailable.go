package ledgertest

import (
	"errors"
	"sync"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/ledger"
)

func unavailableTests() tests {
	return tests{
		"killed in the middle of accepts": killed,
		"frozen":                          frozen,
		"away from the start":             away,
	}
}

// serve starts a server of the test's own, with the fixture's ledger on it.
func (f *fixture) serve() Server {
	f.t.Helper()
	if f.h.Server == nil {
		f.t.Skip("this database has no server")
	}
	server := f.h.Server(f.t)
	f.db = server.Database
	f.use()
	return server
}

// recovers waits until the ledger accepts again.
func (f *fixture) recovers() {
	f.t.Helper()
	testkit.Eventually(f.t, patience, 20*time.Millisecond, func() error {
		_, err := f.Accept(f.t.Context(), ledger.Batch{Jobs: newJobs(1, nil)})
		return err
	})
}

func killed(f *fixture) {
	server := f.serve()
	var mu sync.Mutex
	var accepted []job.ID
	enough := make(chan struct{})
	var once, callers = sync.Once{}, sync.WaitGroup{}
	for n := range 16 {
		callers.Go(func() {
			for {
				jobs := newJobs(3, func(_ int, j *job.Job) {
					if n%2 == 0 {
						j.IdempotencyKey = string(j.ID)
					}
				})
				answers, err := f.Accept(f.t.Context(), ledger.Batch{Jobs: jobs})
				if err != nil {
					if !errors.Is(err, job.ErrUnavailable) {
						f.t.Errorf("Accept() = %v, want %v", err, job.ErrUnavailable)
					}
					return
				}
				mu.Lock()
				for _, a := range answers {
					accepted = append(accepted, a.Job.ID)
				}
				if len(accepted) > 500 {
					once.Do(func() { close(enough) })
				}
				mu.Unlock()
			}
		})
	}
	<-enough
	server.Kill()
	callers.Wait()
	server.Restart()
	f.recovers()
	for _, id := range accepted {
		if _, err := f.Get(f.t.Context(), id); err != nil {
			f.t.Fatalf("an accepted job of %d is lost: %v", len(accepted), err)
		}
	}
}

func frozen(f *fixture) {
	server := f.serve()
	f.accept(1, nil)
	server.Freeze()
	defer server.Thaw()
	results := make(chan error, 4)
	for range 4 {
		go func() {
			_, err := f.Accept(f.t.Context(), ledger.Batch{Jobs: newJobs(1, nil)})
			results <- err
		}()
	}
	for range 4 {
		select {
		case err := <-results:
			if !errors.Is(err, job.ErrUnavailable) {
				f.t.Errorf("Accept() = %v, want %v", err, job.ErrUnavailable)
			}
		case <-time.After(patience):
			f.t.Fatal("Accept() hangs with the server")
		}
	}
	server.Thaw()
	f.recovers()
}

func away(f *fixture) {
	server := f.serve()
	id := f.accept(1, nil)[0]
	server.Kill()
	l := f.open() // which does not wait for it
	ctx := f.t.Context()
	calls := map[string]func() error{
		"Check":  func() error { return l.Check(ctx) },
		"Accept": func() error { _, err := l.Accept(ctx, ledger.Batch{Jobs: newJobs(1, nil)}); return err },
		"Get":    func() error { _, err := l.Get(ctx, id); return err },
		"Search": func() error { _, err := l.Search(ctx, ledger.Filter{}); return err },
		"Claim":  func() error { _, err := l.Claim(ctx, "w", []job.ID{id}); return err },
		"Finish": func() error {
			_, err := l.Finish(ctx, []job.Outcome{{Job: id, Epoch: 1, State: job.Retry}})
			return err
		},
		"Cancel":   func() error { _, err := l.Cancel(ctx, id); return err },
		"Renew":    func() error { return l.Renew(ctx, "w", time.Minute, job.Beat{}) },
		"Reap":     func() error { _, err := l.Reap(ctx); return err },
		"Take":     func() error { _, err := l.TakeUnrung(ctx, "default"); return err },
		"Queues":   func() error { _, err := l.Queues(ctx); return err },
		"Migrate":  func() error { _, err := l.Migrate(ctx); return err },
		"Prune":    func() error { _, err := l.Prune(ctx, 1); return err },
		"Attempts": func() error { _, err := l.Attempts(ctx, id); return err },
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, job.ErrUnavailable) {
			f.t.Errorf("%s = %v, want %v", name, err, job.ErrUnavailable)
		}
	}
	server.Restart()
	testkit.Eventually(f.t, patience, 20*time.Millisecond, func() error { return l.Check(ctx) })
	if j, err := l.Get(ctx, id); err != nil || j.State != job.Pending {
		f.t.Errorf("Get() after the restart = %+v, %v", j, err)
	}
}
