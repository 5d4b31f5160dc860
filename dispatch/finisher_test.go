package dispatch //nolint:testpackage // what it tests is nobody else's

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asyncops/asyncops/job"
)

// ledgerFunc is a FinishLedger.
type ledgerFunc func(outcomes []job.Outcome) ([]job.ID, error)

func (f ledgerFunc) Finish(_ context.Context, outcomes []job.Outcome) ([]job.ID, error) {
	return f(outcomes)
}

// lines counts what is logged.
type lines struct{ strings.Builder }

func (l *lines) count() int { return strings.Count(l.String(), "\n") }

// finishing runs a finisher until it is closed with everything written, or
// until a minute after that.
func finishing(t *testing.T, ledger ledgerFunc, add func(*finisher)) *lines {
	t.Helper()
	var out lines
	synctest.Test(t, func(t *testing.T) {
		log := slog.New(slog.NewTextHandler(&out, nil))
		f := newFinisher(100, ledger, NewBus(nil, log), quiet{}, log)
		ctx, cancel := context.WithCancel(t.Context())
		add(f)
		f.close()
		time.AfterFunc(time.Minute, cancel)
		f.run(ctx)
		cancel()
	})
	return &out
}

func outcomeOf(id job.ID) finished {
	o := job.Outcome{Job: id, Epoch: 1, State: job.Completed, Result: []byte("{}")}
	return finished{job: &job.Job{ID: id}, outcome: o}
}

// What the ledger never takes costs that one job its result, and the others
// nothing.
func TestOneBadOutcome(t *testing.T) {
	t.Parallel()
	bad := job.NewID()
	written := map[job.ID]job.Outcome{}
	finishing(t, func(outcomes []job.Outcome) ([]job.ID, error) {
		for _, o := range outcomes {
			if o.Job == bad && o.Result != nil {
				return nil, errors.New("this is not to my liking")
			}
		}
		for _, o := range outcomes {
			written[o.Job] = o
		}
		return nil, nil
	}, func(f *finisher) {
		for range 3 {
			f.add(outcomeOf(job.NewID()))
		}
		f.add(outcomeOf(bad))
		for range 3 {
			f.add(outcomeOf(job.NewID()))
		}
	})
	if len(written) != 7 {
		t.Fatalf("%d outcomes were written, want all 7", len(written))
	}
	for id, o := range written {
		if whole := o.Result != nil && o.Error == nil; whole == (id == bad) || o.State != job.Completed {
			t.Errorf("outcome = %+v, bad: %v; want it whole unless bad", o, id == bad)
		}
	}
}

// While the ledger is away, outcomes are kept as they are, and the log is told
// now and then.
func TestOutcomesOutliveTheLedgersAbsence(t *testing.T) {
	t.Parallel()
	for _, away := range []error{job.ErrUnavailable, job.ErrSchemaOutdated, context.DeadlineExceeded} {
		t.Run(away.Error(), func(t *testing.T) {
			t.Parallel()
			tries, written := 0, 0
			out := finishing(t, func(outcomes []job.Outcome) ([]job.ID, error) {
				if tries++; tries <= 150 { // for 30 s
					return nil, fmt.Errorf("ledger: %w", away)
				}
				for _, o := range outcomes {
					if o.Result != nil {
						written++
					}
				}
				return nil, nil
			}, func(f *finisher) {
				for range 10 {
					f.add(outcomeOf(job.NewID()))
				}
			})
			if written != 10 {
				t.Errorf("%d outcomes were written whole, want 10", written)
			}
			if got := out.count(); got < 2 || got > 5 {
				t.Errorf("%d lines were logged in 30 s, want one every 10 s and one at the end:\n%s", got, out)
			}
		})
	}
}

// A worker that ends does not wait for the ledger for ever, nor once for each batch.
func TestOutcomesAreGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := slog.New(slog.DiscardHandler)
		away := ledgerFunc(func([]job.Outcome) ([]job.ID, error) { return nil, job.ErrUnavailable })
		f := newFinisher(3*maxFinish, away, NewBus(nil, log), quiet{}, log)
		for range 3 * maxFinish {
			f.add(outcomeOf(job.NewID()))
		}
		f.close()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		began := time.Now()
		f.run(ctx)
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("run took %v, want the 10s that it was given", took)
		}
	})
}

// slowLedger takes no statement of more bytes than it can write in time.
type slowLedger struct {
	bytes   int
	largest int // bytes of a statement that it was given
	written map[job.ID]int
}

func (l *slowLedger) Finish(ctx context.Context, outcomes []job.Outcome) ([]job.ID, error) {
	size := 0
	for _, o := range outcomes {
		size += len(o.Result) + len(o.Summary)
	}
	l.largest = max(l.largest, size)
	if size > l.bytes {
		<-ctx.Done()
		return nil, fmt.Errorf("ledger: %w", ctx.Err())
	}
	for _, o := range outcomes {
		l.written[o.Job] += len(o.Result)
	}
	return nil, nil
}

// Outcomes that are large together are written in parts, and in smaller ones
// where those take too long.
func TestLargeOutcomes(t *testing.T) {
	t.Parallel()
	const jobs, each = 40, 1 << 20
	for _, tt := range []struct{ bytes, largest int }{{jobs * each, finishBytes}, {2*each + each/2, finishBytes}} {
		synctest.Test(t, func(t *testing.T) {
			ledger := &slowLedger{bytes: tt.bytes, written: map[job.ID]int{}}
			log := slog.New(slog.DiscardHandler)
			f := newFinisher(jobs, ledger, NewBus(nil, log), quiet{}, log)
			for range jobs {
				o := outcomeOf(job.NewID())
				o.outcome.Result = make([]byte, each)
				f.add(o)
			}
			f.close()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			f.run(ctx)
			if len(ledger.written) != jobs || ledger.largest != tt.largest {
				t.Errorf("%d outcomes were written, %d bytes at most at a time; want %d, %d", len(ledger.written), ledger.largest, jobs, tt.largest)
			}
			for id, n := range ledger.written {
				if n != each {
					t.Errorf("outcome of %s was written with %d bytes of its result, want %d once", id, n, each)
				}
			}
		})
	}
}
