package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/asyncops/asyncops/config"
	"github.com/asyncops/asyncops/lifecycle"
)

// devFolder holds what asyncops dev keeps, below the working directory.
const devFolder = ".asyncops"

// demoName is the name of dev's target database and upstream.
const demoName = "demo"

// dev runs API, worker and scheduler in one process, with nothing to install:
// the ledger and a demo target are SQLite files, the demo upstream is served by
// the process itself, and workers claim straight from the ledger. A
// configuration file and ASYNCOPS_ variables win over all of it.
func (p Process) dev(ctx context.Context, path string) error {
	demo, err := newDemo(ctx)
	if err != nil {
		return err
	}
	s, err := p.openDev(path, demo)
	if err != nil {
		return errors.Join(err, demo.close())
	}
	if err := s.addDev(demo, p.Stdout); err != nil {
		return errors.Join(settings(err), s.close(), demo.close())
	}
	return s.run(ctx, p)
}

func (p Process) openDev(path string, demo *demo) (*system, error) {
	cfg, log, err := p.load(path, func(args *config.LoadArgs) {
		args.AllowRedisNone = true
		args.Preset = func(cfg *config.Config) { devDefaults(cfg, demo.addr()) }
	})
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(devFolder, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder for asyncops dev: %w", err)
	}
	return open(cfg, log, "dev", p.Signers)
}

// addDev adds all parts of a whole installation.
func (s *system) addDev(demo *demo, out io.Writer) error {
	s.add("demo upstream", demo.run)
	if db, ok := s.cfg.Databases[demoName]; ok && db.DSN.Driver == config.DriverSQLite {
		s.start("demo tables", func(ctx context.Context) error { return makeDemoTables(ctx, db.DSN.Path) })
	}
	s.addMigration()
	s.addBase()
	s.addTargets()
	s.addScheduler()
	if err := s.addWorker(); err != nil {
		return err
	}
	if err := s.addAPI(io.Discard); err != nil {
		return err
	}
	s.start("banner", func(context.Context) error { return s.banner(out) })
	return nil
}

// start adds something that is done once, before the parts after it start.
func (s *system) start(name string, do func(context.Context) error) {
	s.parts = append(s.parts, lifecycle.Part{Name: name, Start: do, Run: func(context.Context) error { return nil }})
}

// devDefaults are the settings of asyncops dev where nobody says otherwise.
func devDefaults(cfg *config.Config, demo string) {
	cfg.API.Auth = config.AuthNone
	cfg.Ledger.DSN = config.DSN{Driver: config.DriverSQLite, Path: filepath.Join(devFolder, "ledger.db")}
	cfg.Redis.URL = config.RedisURL{Mode: config.RedisNone}
	cfg.Observability.LogFormat = "text"
	database := config.NewDatabase()
	database.DSN = config.DSN{Driver: config.DriverSQLite, Path: filepath.Join(devFolder, "demo.db")}
	database.Tables = map[string]config.Table{"users": {Write: true}, "accounts": {Write: true}}
	cfg.Databases = map[string]config.Database{demoName: database}
	client := config.NewClient()
	client.BaseURL = "http://" + demo
	client.AllowNetworks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	client.Idempotency.Header = "Idempotency-Key"
	cfg.Clients = map[string]config.Client{demoName: client}
}

// addMigration adds the bringing up of the ledger's schema.
func (s *system) addMigration() {
	s.parts = append(s.parts, lifecycle.Part{Name: "migrate", Start: s.migrateSoon, Run: s.migrateUntilDone})
}

// migrateSoon brings the ledger's schema up, if the database answers.
func (s *system) migrateSoon(ctx context.Context) error {
	steps, err := s.ledger.Migrate(ctx)
	if err != nil {
		s.log.Warn("waiting for the ledger", "error", err)
		return nil
	}
	for _, step := range steps {
		s.log.Info("ledger migrated", "step", step.Name)
	}
	return nil
}

// migrateUntilDone tries again until the schema is this release's.
func (s *system) migrateUntilDone(ctx context.Context) error {
	return until(ctx, func(ctx context.Context) error {
		_, err := s.ledger.Migrate(ctx)
		return err
	})
}

func (s *system) banner(out io.Writer) error {
	base := "http://" + hostOf(s.cfg.API.Listen, s.server.Addr().String())
	args := `{"kind":"system.noop"}`
	if _, ok := s.cfg.Databases[demoName]; ok {
		args = `{"kind":"db.insert_one","args":{"database":"` + demoName + `","table":"users","values":{"name":"Ada"}}}`
	}
	pages := "off"
	if s.cfg.Dashboard.Enabled {
		pages = base + s.cfg.Dashboard.BasePath
	}
	_, err := fmt.Fprintf(out, `asyncops dev is up.

  dashboard  %[4]s
  API        %[1]s/v1/jobs
  docs       %[1]s/docs
  metrics    %[1]s/metrics
  ledger     %[2]s

Try it:

  curl -s '%[1]s/v1/jobs' -H 'Content-Type: application/json' -H 'Prefer: wait=10' \
    -d '%[3]s'

`, base, s.cfg.Ledger.DSN, args, pages)
	return err
}

// hostOf is the address to show for a listener: the name that was asked for,
// with the port that it got.
func hostOf(asked, got string) string {
	host, _, err := net.SplitHostPort(asked)
	if err != nil || host == "" {
		host = "127.0.0.1"
	}
	_, port, err := net.SplitHostPort(got)
	if err != nil {
		return asked
	}
	return net.JoinHostPort(host, port)
}
