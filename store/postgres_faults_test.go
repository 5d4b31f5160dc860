package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
)

// other is a row of the table others.
type other struct{ Name string }

// A server that takes no writes, as a standby does during a failover, is no
// verdict about a job: the next attempt has the effect, once.
func TestPostgresTakesNoWrites(t *testing.T) {
	t.Parallel()
	server := testkit.StartPostgres(t)
	s := startSharing(t, openPostgres(t, server.Database(t)))
	writes := map[string]func(e *store.Effect, name string) error{
		"alone": func(e *store.Effect, name string) error {
			alone := insertName("things", name)
			alone.Returning = []string{"*"}
			return errOf(s.Run(t.Context(), alone, e))
		},
		"shared": func(e *store.Effect, name string) error {
			return errOf(s.Run(t.Context(), insertName("others", name), e))
		},
		"seal": func(*store.Effect, string) error {
			_, _, err := s.Seal(t.Context(), *newEffect())
			return err
		},
		"typed": func(_ *store.Effect, name string) error {
			return errOf(store.InsertOne(t.Context(), s, &other{Name: name}))
		},
	}
	effects := map[string]*store.Effect{}
	s.exec("ALTER SYSTEM SET default_transaction_read_only = on")
	s.exec("SELECT pg_reload_conf()")
	for name, write := range writes {
		effects[name] = newEffect()
		early := 0                                                             // writes that may have got through
		testkit.Eventually(t, time.Minute, 10*time.Millisecond, func() error { // each session hears of it in its own time
			early++
			var failure *job.Failure
			if err := write(newEffect(), fmt.Sprint("early ", early)); !errors.As(err, &failure) || failure.Code != job.CodeReadOnly {
				return fmt.Errorf("%s = %w, want %s", name, err, job.CodeReadOnly)
			}
			return nil
		})
		wantFailure(t, write(effects[name], name), job.ClassRetryable, job.CodeReadOnly)
	}
	if n := s.count("asyncops_effects WHERE outcome = 'void'"); n > 1 {
		t.Errorf("%d tombstones of a server that takes no writes, want none but of the first moment", n)
	}
	before := s.count("things") + s.count("others")
	s.exec("ALTER SYSTEM RESET default_transaction_read_only")
	s.exec("SELECT pg_reload_conf()")
	for name, write := range writes {
		testkit.Eventually(t, time.Minute, 10*time.Millisecond, func() error { return write(effects[name], name) })
		if name == "typed" { // which nothing keeps from happening again
			continue
		}
		if err := write(effects[name], name); err != nil {
			t.Errorf("%s again = %v, want nil", name, err)
		}
	}
	if after := s.count("things") + s.count("others"); after != before+3 {
		t.Errorf("%d new rows, want one of each write", after-before)
	}
}

// errOf is the error of a call.
func errOf[T any](_ T, err error) error { return err }
