package ledgertest

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/ledger"
)

func migrateTests() tests {
	return tests{
		"eight at once":                      migrateAtOnce,
		"a crash in the middle":              migrateCrash,
		"before the first":                   migrateBefore,
		"a later release's schema is served": migrateLater,
	}
}

func migrateAtOnce(f *fixture) {
	f.db = f.h.New(f.t)
	handles := make([]*ledger.Ledger, 8)
	for i := range handles {
		handles[i] = f.open()
	}
	var applied atomic.Int64
	var wg sync.WaitGroup
	for _, l := range handles {
		wg.Go(func() {
			steps, err := l.Migrate(f.t.Context())
			if err != nil {
				f.t.Errorf("Migrate() = %v", err)
			}
			applied.Add(int64(len(steps)))
			if err := l.Check(f.t.Context()); err != nil {
				f.t.Errorf("Check() after Migrate() = %v", err)
			}
		})
	}
	wg.Wait()
	if want := len(handles[0].Migrations()); applied.Load() != int64(want) {
		f.t.Errorf("%d steps were applied in all, want %d", applied.Load(), want)
	}
}

func migrateBefore(f *fixture) {
	f.db = f.h.New(f.t)
	f.Ledger = f.open()
	if err := f.Check(f.t.Context()); !errors.Is(err, job.ErrSchemaOutdated) {
		f.t.Errorf("Check(empty database) = %v, want %v", err, job.ErrSchemaOutdated)
	}
	_, accept := f.Accept(f.t.Context(), ledger.Batch{Jobs: newJobs(1, nil)})
	_, get := f.Get(f.t.Context(), job.NewID())
	_, names := f.QueueNames(f.t.Context())
	for name, err := range map[string]error{"Accept": accept, "Get": get, "QueueNames": names} {
		if !errors.Is(err, job.ErrSchemaOutdated) {
			f.t.Errorf("%s(empty database) = %v, want %v", name, err, job.ErrSchemaOutdated)
		}
	}
	f.use()
	f.check(f.Check(f.t.Context()))
	f.sql("DELETE FROM asyncops_migrations")
	if err := f.Check(f.t.Context()); !errors.Is(err, job.ErrSchemaOutdated) {
		f.t.Errorf("Check(no step applied) = %v, want %v", err, job.ErrSchemaOutdated)
	}
}

func migrateLater(f *fixture) {
	f.start()
	f.sql("INSERT INTO asyncops_migrations (version, name, applied_at) VALUES (999, 'later', 1)")
	f.check(f.Check(f.t.Context()))
	if steps, err := f.Migrate(f.t.Context()); err != nil || len(steps) != 0 {
		f.t.Errorf("Migrate() = %v, %v; want nothing to do", steps, err)
	}
}

// A process that dies while it migrates leaves neither a lock nor half a schema.
func migrateCrash(f *fixture) {
	f.db = f.h.New(f.t)
	tx, err := f.db.SQL.BeginTx(f.t.Context(), nil)
	f.check(err)
	const table = "CREATE TABLE asyncops_migrations (version integer PRIMARY KEY, name text NOT NULL, applied_at bigint NOT NULL)"
	for _, query := range []string{table, "CREATE TABLE asyncops_jobs (id integer)"} {
		_, err := tx.ExecContext(f.t.Context(), query)
		f.check(err)
	}
	l := f.open()
	done := make(chan error, 1)
	go func() {
		_, err := l.Migrate(f.t.Context())
		done <- err
	}()
	f.check(tx.Rollback()) // what the server does for a process that is gone
	select {
	case err := <-done:
		f.check(err)
	case <-time.After(patience):
		f.t.Fatal("Migrate() hangs after a crash of another")
	}
	f.check(l.Check(f.t.Context()))
}
