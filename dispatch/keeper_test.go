package dispatch //nolint:testpackage // what it tests is nobody else's

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asyncops/asyncops/job"
)

// upkeep is a KeepLedger.
type upkeep struct {
	lapsing int       // jobs whose time is over
	away    time.Time // until when nothing is answered
	reaped  time.Time // when first
}

func (u *upkeep) Lapse(context.Context) ([]job.Event, error) {
	if time.Now().Before(u.away) {
		return nil, job.ErrUnavailable
	}
	n := min(u.lapsing, 500)
	u.lapsing -= n
	events := make([]job.Event, n)
	for i := range events {
		events[i].State = job.Expired
	}
	return events, nil
}

func (u *upkeep) Reap(context.Context) ([]job.Event, error) {
	if u.reaped.IsZero() {
		u.reaped = time.Now()
	}
	return nil, nil
}

func (u *upkeep) Prune(context.Context, int) (int, error) { return 0, nil }

// All jobs whose time is over end at once, however many they are.
func TestKeeperLapsesAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		u, log := &upkeep{lapsing: 100_000}, slog.New(slog.DiscardHandler)
		go func() { _ = NewKeeper(u, NewBus(nil, log), quiet{}, log).Run(ctx) }()
		synctest.Wait()
		if u.lapsing != 0 {
			t.Errorf("%d jobs are left to the next round, want none", u.lapsing)
		}
		cancel()
	})
}

// After an outage nobody's lease is judged before the living could renew theirs.
func TestKeeperWaitsAfterAnOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		back := time.Now().Add(time.Minute)
		u, log := &upkeep{away: back}, slog.New(slog.DiscardHandler)
		go func() { _ = NewKeeper(u, NewBus(nil, log), quiet{}, log).Run(ctx) }()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if after := u.reaped.Sub(back); after < DefaultLease/4+renewTimeout-reapInterval || after > DefaultLease {
			t.Errorf("reaped %v after the outage, want at least %v", after, DefaultLease/4+renewTimeout-reapInterval)
		}
		cancel()
	})
}
