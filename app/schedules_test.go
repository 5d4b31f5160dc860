package app //nolint:testpackage // what it tests is nobody else's

import (
	"encoding/json"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/asyncops/asyncops/config"
	"github.com/asyncops/asyncops/job"
)

// configured is a setting for a schedule.
func configured(name, cron string, edit func(*config.Schedule)) config.Schedule {
	c := config.Schedule{Name: name, Cron: cron, Timezone: "UTC", Missed: "skip", Overlap: "skip"}
	c.Job = config.ScheduleJob{
		Kind: "system.noop", Args: json.RawMessage(`{"sleep":"1s"}`), Queue: "low", Timeout: config.Duration(time.Minute), MaxAttempts: 3,
		Backoff: config.Backoff{Initial: config.Duration(time.Second), Max: config.Duration(time.Minute), Multiplier: 2, Jitter: 0.1}, Tags: []string{"x"},
	}
	if edit != nil {
		edit(&c)
	}
	return c
}

// opened is a process with a ledger at the path and these schedules.
func opened(t *testing.T, ledger string, schedules ...config.Schedule) *system {
	t.Helper()
	cfg := config.Default()
	cfg.Redis.URL.Mode = config.RedisNone
	cfg.Ledger.DSN = config.DSN{Driver: config.DriverSQLite, Path: ledger}
	cfg.Health.Enabled = false
	cfg.Schedules = schedules
	s, err := open(cfg, slog.New(slog.DiscardHandler), "test", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := s.ledger.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// synced brings the schedules into the ledger and returns those of it by name.
func (s *system) synced(t *testing.T) map[string]job.Schedule {
	t.Helper()
	if err := s.syncSchedules(t.Context()); err != nil {
		t.Fatal(err)
	}
	found, err := s.ledger.Schedules(t.Context(), "", 100)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]job.Schedule{}
	for _, f := range found {
		all[f.Name] = f
	}
	return all
}

func TestConfiguredSchedules(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.db")
	over := func(c *config.Schedule) { c.End = time.Now().Add(-time.Hour) }
	first := opened(t, path, configured("stays", "0 * * * *", nil), configured("changes", "0 * * * *", nil),
		configured("goes", "0 * * * *", nil), configured("over", "0 * * * *", over)).synced(t)
	if len(first) != 4 || first["stays"].Source != job.SourceConfig || first["stays"].NextFire.IsZero() || !first["over"].NextFire.IsZero() {
		t.Fatalf("schedules = %+v, want the four of the configuration, of which one is over", first)
	}
	second := opened(t, path, configured("stays", "0 * * * *", nil), configured("over", "0 * * * *", over),
		configured("changes", "30 * * * *", func(c *config.Schedule) { c.Paused = true }))
	mine := job.Schedule{Name: "mine", Source: job.SourceAPI, Cron: "@daily", Timezone: "UTC", Template: json.RawMessage(`{}`), Missed: job.MissedSkip, Overlap: job.OverlapSkip}
	if _, err := second.ledger.ChangeSchedule(t.Context(), "mine", func(*job.Schedule, time.Time) (*job.Schedule, error) { return &mine, nil }); err != nil {
		t.Fatal(err)
	}
	now := second.synced(t)
	if _, there := now["goes"]; there || len(now) != 4 {
		t.Errorf("schedules = %v, want what was taken out of the configuration to be gone, and no other", now)
	}
	if diff := cmp.Diff(first["stays"], now["stays"]); diff != "" {
		t.Errorf("a schedule that stays (-before +after):\n%s", diff)
	}
	if c := now["changes"]; c.Cron != "30 * * * *" || !c.Paused || !c.NextFire.IsZero() || c.Version == first["changes"].Version {
		t.Errorf("a schedule that changes = %+v", c)
	}
	taken := opened(t, path, configured("mine", "0 * * * *", nil)).synced(t)
	if len(taken) != 1 || taken["mine"].Source != job.SourceConfig || taken["mine"].Cron != "0 * * * *" {
		t.Errorf("schedules = %+v, want the configuration to have taken over the name", taken)
	}
}

func TestTemplateOfASetting(t *testing.T) {
	t.Parallel()
	s := opened(t, filepath.Join(t.TempDir(), "ledger.db"), configured("s", "@daily", func(c *config.Schedule) {
		c.Job.Retention = config.Duration(time.Hour)
	}))
	j, err := s.templates().Draft(&s.schedules[0])
	want := job.Job{
		Kind: "system.noop", Queue: "low", Args: json.RawMessage(`{"sleep":"1s"}`), MaxAttempts: 3, Tags: []string{"x"}, Delivery: job.AtLeastOnce, Schedule: "s",
		Options: job.Options{
			Timeout: time.Minute, Retention: time.Hour, Backoff: job.Backoff{Initial: time.Second, Max: time.Minute, Multiplier: 2, Jitter: 0.1},
		},
	}
	j.CreatedAt, j.RunAt, j.State = time.Time{}, time.Time{}, ""
	if diff := cmp.Diff(want, j); diff != "" || err != nil {
		t.Errorf("Draft (-want +got, %v):\n%s", err, diff)
	}
}

// A template that this release cannot read makes no job; one that this
// configuration does not allow makes one that says so.
func TestDraftOfAnotherRelease(t *testing.T) {
	t.Parallel()
	s := opened(t, filepath.Join(t.TempDir(), "ledger.db"))
	draft := s.draft(s.templates())
	for template, ok := range map[string]bool{
		`{"kind":"system.noop","args":{}}`: true, `{"kind":"system.noop","args":{},"queue":"gone"}`: true,
		`{"kind":"system.noop","args":{},"of_another":1}`: false, `{"kind":"system.noop","args":{"of_another":1}}`: false,
	} {
		j, err := draft(&job.Schedule{Name: "s", Template: json.RawMessage(template)})
		if (err == nil) != ok || ok != (j.Kind != "") {
			t.Errorf("draft(%s) = a job of kind %q, %v; want one: %t", template, j.Kind, err, ok)
		}
	}
}

func TestBadScheduleSettings(t *testing.T) {
	t.Parallel()
	cfg := config.Default()
	cfg.Redis.URL.Mode = config.RedisNone
	cfg.Ledger.DSN = config.DSN{Driver: config.DriverSQLite, Path: filepath.Join(t.TempDir(), "ledger.db")}
	cfg.Schedules = []config.Schedule{
		configured("a", "@daily", func(c *config.Schedule) { c.Job.Args = json.RawMessage(`{"nope":1}`) }),
		configured("b", "@daily", func(c *config.Schedule) { c.Job.Kind = "system.noop2" }),
	}
	_, err := open(cfg, slog.New(slog.DiscardHandler), "test", nil)
	var problems config.Problems
	if !errors.As(err, &problems) || len(problems) != 2 || problems[0].Setting != "schedules[0].job.args.nope" || problems[1].Setting != "schedules[1].job.kind" {
		t.Errorf("open = %v, want a problem of the args of the first and the kind of the second", err)
	}
}

func TestHealthSchedule(t *testing.T) {
	t.Parallel()
	cfg := config.Default()
	s := &system{cfg: cfg}
	if got := s.healthJobs(); got.Cron != "@every 30s" || got.Name != "system-health" {
		t.Errorf("healthJobs = %+v, want one every 30s", got)
	}
	if err := s.openSchedules(); err != nil || len(s.schedules) != 1 {
		t.Errorf("openSchedules = %v with %d schedules, want that of health", err, len(s.schedules))
	}
	own := &system{cfg: cfg}
	cfg.Schedules = []config.Schedule{configured("system-health", "@hourly", nil)}
	if err := own.openSchedules(); err != nil || len(own.schedules) != 1 || own.schedules[0].Cron != "@hourly" {
		t.Errorf("openSchedules = %v with %+v, want the configured one in its place", err, own.schedules)
	}
	if _, err := s.templates().Draft(&s.schedules[0]); err != nil {
		t.Errorf("its job is refused: %v", err)
	}
}
