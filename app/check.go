package app

import (
	"errors"
	"log/slog"

	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/config"
	"github.com/asyncops/asyncops/observe"
)

// checkSettings looks for what is wrong with settings that only those parts can
// tell which work with them: files that a target names, and the jobs of
// schedules. It connects to nothing. Its error is config.Problems.
func checkSettings(cfg *config.Config, signers map[string]clients.Signer) error {
	s := &system{cfg: cfg, log: slog.New(slog.DiscardHandler), signers: signers, sights: newSights()}
	s.metrics = observe.New(observe.Build{}, s.labels())
	err := settings(errors.Join(s.openFleet(), s.openTargets("check")))
	if err == nil {
		err = s.openSchedules()
	}
	if closed := s.close(); err == nil {
		err = closed
	}
	return err
}
