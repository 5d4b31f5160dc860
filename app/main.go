package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/asyncops/asyncops/cli"
	"github.com/asyncops/asyncops/config"
	"github.com/asyncops/asyncops/ledger"
	"github.com/asyncops/asyncops/observe"
)

// Main runs asyncops, the operator's command.
func Main(p Process) int {
	ctx, stop := untilSignal()
	defer stop()
	stderr, _ := p.Stderr.(*os.File)
	return cli.Run(ctx, p.Args, cli.IO{
		Stdin: p.Stdin, Stdout: p.Stdout, Stderr: p.Stderr, Getenv: p.Getenv, Environ: p.Environ,
		Terminal: stderr != nil && cli.IsTerminal(stderr),
	}, cli.Hooks{
		Build: cli.Build{Version: Version(), Revision: revision()}, Dev: p.dev, Migrate: migrate, CreateKey: createKey, Connect: p.connect,
		Check: func(cfg *config.Config) error { return checkSettings(cfg, p.Signers) },
	})
}

// migrate brings the ledger's schema or a target's effects table up to date,
// or returns the SQL that does.
func migrate(ctx context.Context, cfg *config.Config, target string, printOnly bool) (string, error) {
	log := observe.Logger(os.Stderr, cfg.Observability.LogLevel, cfg.Observability.LogFormat)
	s, err := open(cfg, log, "migrate", nil)
	if err != nil {
		return "", err
	}
	text, err := s.migrate(ctx, target, printOnly)
	return text, errors.Join(err, s.close())
}

func (s *system) migrate(ctx context.Context, target string, printOnly bool) (string, error) {
	if target != "" {
		database := s.databases[target]
		if printOnly {
			return database.MigrationSQL(), nil
		}
		if err := database.Migrate(ctx); err != nil {
			return "", err
		}
		return "the effects table of database " + target + " is up to date", nil
	}
	if printOnly {
		var sql strings.Builder
		for _, step := range s.ledger.Migrations() {
			fmt.Fprintf(&sql, "-- %s\n%s\n", step.Name, step.SQL)
		}
		return sql.String(), nil
	}
	applied, err := s.ledger.Migrate(ctx)
	if err != nil {
		return "", err
	}
	if len(applied) == 0 {
		return "the ledger's schema is up to date", nil
	}
	names := make([]string, len(applied))
	for i, step := range applied {
		names[i] = step.Name
	}
	return "the ledger's schema is up to date; applied " + strings.Join(names, ", "), nil
}

func createKey(ctx context.Context, cfg *config.Config, key cli.Key) error {
	l, err := ledger.Open(ledgerOf(cfg.Ledger, "keys"))
	if err != nil {
		return err
	}
	err = l.CreateKey(ctx, ledger.Key{ID: key.ID, Name: key.Name, Hash: key.Hash, Grants: ledger.Grants{Role: key.Role}, CreatedAt: time.Now()})
	return errors.Join(err, l.Close())
}

// connect tries every server once.
func (p Process) connect(ctx context.Context, cfg *config.Config) []cli.Connection {
	log := observe.Logger(p.Stderr, "error", cfg.Observability.LogFormat)
	s, err := open(cfg, log, "check", p.Signers)
	if err != nil {
		return []cli.Connection{{Name: "settings", Status: string(observe.Down), Detail: err.Error()}}
	}
	s.checks = append(s.checks, s.ledgerCheck())
	if s.broker != nil {
		s.checks = append(s.checks, s.redisCheck())
	}
	s.checks = append(s.checks, s.targetChecks()...)
	found := make([]cli.Connection, len(s.checks))
	for i, check := range s.checks {
		timed, cancel := context.WithTimeout(ctx, untilTimeout)
		status, detail := check.Func(timed)
		cancel()
		found[i] = cli.Connection{Name: check.Name, OK: status == observe.OK, Status: string(status), Detail: detail}
	}
	if err := s.close(); err != nil {
		log.Error("close", "error", err)
	}
	return found
}
