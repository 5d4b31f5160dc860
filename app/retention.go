package app

import (
	"context"
	"time"

	"github.com/asyncops/asyncops/ledger"
)

// effectsMargin is how much longer records of effects are kept than the jobs
// that they are of. It covers hosts' clocks and the last backup.
const effectsMargin = 24 * time.Hour

// effectsKept is from when records of effects are kept. A record is needed while
// its job may run again: until it has ended, and for as long as a backup of the
// ledger may be restored in which it had not.
func (s *system) effectsKept(ctx context.Context) (time.Time, error) {
	oldest, now, err := s.ledger.OldestOpen(ctx)
	if err != nil {
		return time.Time{}, err
	}
	kept := now.Add(-max(s.cfg.Ledger.Retention.Std(), ledger.DefaultRetention))
	if oldest.Before(kept) {
		kept = oldest
	}
	return kept.Add(-effectsMargin), nil
}
