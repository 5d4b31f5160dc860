package app

import (
	"context"
	"time"

	"github.com/asyncops/asyncops/ledger"
)

// ageInterval is how long it is between two looks at the queues' ages where no
// alert rule looks at them.
const ageInterval = 10 * time.Second

// queueAges looks at the queues' ages, and notes them for statistics.
func (s *system) queueAges(ctx context.Context) ([]ledger.QueueAge, error) {
	ages, err := s.ledger.QueueAges(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.ledger.NoteAges(ctx, ages); err != nil && ctx.Err() == nil {
		s.log.Debug("ages of queues not noted", "error", err)
	}
	return ages, nil
}

// noteAges looks at the ages until ctx ends.
func (s *system) noteAges(ctx context.Context) error {
	tick := time.NewTicker(ageInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		timed, cancel := context.WithTimeout(ctx, ageInterval)
		if _, err := s.queueAges(timed); err != nil && ctx.Err() == nil {
			s.log.Debug("ages of queues not looked at, will try again", "error", err)
		}
		cancel()
	}
}
