package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/asyncops/asyncops/api"
	"github.com/asyncops/asyncops/config"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/schedule"
)

func (s *system) templates() api.Templates {
	return api.Templates{Queues: slices.Sorted(maps.Keys(s.cfg.Queues)), Targets: s.targets, Deliveries: s.targets}
}

// openSchedules reads the configured schedules. Its error is about settings.
func (s *system) openSchedules() error {
	var problems config.Problems
	templates := s.templates()
	for i, c := range s.cfg.Schedules {
		configured, err := scheduleOf(c)
		if err == nil {
			_, _, err = templates.Read(configured.Template)
		}
		problems = append(problems, scheduleProblems(fmt.Sprintf("schedules[%d].job", i), err)...)
		s.schedules = append(s.schedules, configured)
	}
	if len(problems) > 0 {
		return problems
	}
	named := func(c job.Schedule) bool { return c.Name == healthSchedule }
	if s.cfg.Health.Enabled && !slices.ContainsFunc(s.schedules, named) {
		s.schedules = append(s.schedules, s.healthJobs())
	}
	return nil
}

// healthSchedule is the name of the schedule that looks at all targets, unless
// the configuration has one of that name.
const healthSchedule = "system-health"

// healthJobs is the schedule that looks at all targets from one worker, so that
// the ledger has a history of it. Every process looks for itself, too.
func (s *system) healthJobs() job.Schedule {
	queue := config.DefaultQueue
	if _, ok := s.cfg.Queues["low"]; ok {
		queue = "low"
	}
	return job.Schedule{
		Name: healthSchedule, Source: job.SourceConfig, Cron: "@every " + s.cfg.Health.Interval.Std().String(), Timezone: "UTC",
		Template: json.RawMessage(`{"kind":"system.health","queue":"` + queue + `","max_attempts":1,"retention":"1h"}`),
		Missed:   job.MissedSkip, Overlap: job.OverlapSkip,
	}
}

// scheduleProblems names the settings beneath setting that err is about.
func scheduleProblems(setting string, err error) config.Problems {
	var invalid *job.InvalidError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &invalid):
		return config.Problems{{Setting: setting, Message: err.Error()}}
	}
	var problems config.Problems
	for _, fault := range invalid.Fields {
		problems = append(problems, config.Problem{Setting: setting + settingOf(fault.Pointer), Message: fault.Message})
	}
	return problems
}

// settingOf writes a JSON pointer as settings are written: /items/0/args is
// .items[0].args.
func settingOf(pointer string) string {
	var b strings.Builder
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		token = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
		switch _, err := strconv.ParseUint(token, 10, 32); {
		case token == "":
		case err == nil:
			b.WriteString("[" + token + "]")
		default:
			b.WriteString("." + token)
		}
	}
	return b.String()
}

// scheduleOf is the schedule that a setting describes, without its times.
func scheduleOf(c config.Schedule) (job.Schedule, error) {
	template, err := templateOf(c.Job)
	return job.Schedule{
		Name: c.Name, Source: job.SourceConfig, Cron: c.Cron, Timezone: c.Timezone, Template: template, Missed: job.Missed(c.Missed),
		Overlap: job.Overlap(c.Overlap), Jitter: c.Jitter.Std(), Start: c.Start.UTC(), End: c.End.UTC(), Paused: c.Paused,
	}, err
}

// templateOf is the submission that a setting describes.
func templateOf(c config.ScheduleJob) (json.RawMessage, error) {
	type backoff struct {
		Initial    string  `json:"initial"`
		Max        string  `json:"max"`
		Multiplier float64 `json:"multiplier"`
		Jitter     float64 `json:"jitter"`
	}
	type unique struct {
		Key        string `json:"key"`
		For        string `json:"for,omitempty"`
		OnConflict string `json:"on_conflict"`
	}
	type callback struct {
		Client string   `json:"client"`
		Path   string   `json:"path"`
		Events []string `json:"events,omitempty"`
	}
	template := struct {
		Kind        string          `json:"kind"`
		Args        json.RawMessage `json:"args"`
		Queue       string          `json:"queue"`
		Timeout     string          `json:"timeout"`
		MaxAttempts int             `json:"max_attempts"`
		Backoff     backoff         `json:"backoff"`
		Unique      *unique         `json:"unique,omitempty"`
		OrderingKey string          `json:"ordering_key,omitempty"`
		Tags        []string        `json:"tags,omitempty"`
		Callback    *callback       `json:"callback,omitempty"`
		Retention   string          `json:"retention,omitempty"`
	}{
		Kind: c.Kind, Args: c.Args, Queue: c.Queue, Timeout: c.Timeout.String(), MaxAttempts: c.MaxAttempts,
		Backoff:     backoff{c.Backoff.Initial.String(), c.Backoff.Max.String(), c.Backoff.Multiplier, c.Backoff.Jitter},
		OrderingKey: c.OrderingKey, Tags: c.Tags,
	}
	if c.Unique.Key != "" {
		template.Unique = &unique{Key: c.Unique.Key, OnConflict: c.Unique.OnConflict}
		if c.Unique.For != 0 {
			template.Unique.For = c.Unique.For.String()
		}
	}
	if c.Callback.Client != "" {
		template.Callback = &callback{c.Callback.Client, c.Callback.Path, c.Callback.Events}
	}
	if c.Retention != 0 {
		template.Retention = c.Retention.String()
	}
	return json.Marshal(template)
}

// fireSchedules brings the configured schedules into the ledger, and then fires
// what is due.
func (s *system) fireSchedules(ctx context.Context) error {
	if err := until(ctx, s.syncSchedules); err != nil || ctx.Err() != nil {
		return err
	}
	return schedule.NewFirer(schedule.Config{
		Ledger: s.ledger, Wake: s.bus.Due, Meter: s.metrics, Log: s.log,
		Draft: s.draft(s.templates()),
	}).Run(ctx)
}

// draft makes the jobs of schedules. A template that cannot be read at all has
// none; what else is wrong with it is for the job's run to say.
func (s *system) draft(templates api.Templates) func(*job.Schedule) (job.Job, error) {
	return func(found *job.Schedule) (job.Job, error) {
		j, err := templates.Draft(found)
		if errors.Is(err, job.ErrMalformed) {
			return job.Job{}, err
		}
		if err != nil {
			s.log.Warn("a schedule's job is not what this configuration allows; its run will say so", "schedule", found.Name, "error", err)
		}
		return j, nil
	}
}

// syncSchedules makes the ledger's schedules of the configuration those of this
// process's, and deletes the others of that source.
func (s *system) syncSchedules(ctx context.Context) error {
	names, err := s.ledger.ScheduleNames(ctx, job.SourceConfig)
	if err != nil {
		return err
	}
	for i := range s.schedules {
		configured := s.schedules[i]
		_, err := s.ledger.ChangeSchedule(ctx, configured.Name, func(old *job.Schedule, now time.Time) (*job.Schedule, error) {
			if old != nil && sameSchedule(old, &configured) {
				return old, nil
			}
			return arrange(configured, old, now)
		})
		if err != nil {
			return err
		}
		names = slices.DeleteFunc(names, func(name string) bool { return name == configured.Name })
	}
	for _, name := range names {
		_, err := s.ledger.ChangeSchedule(ctx, name, func(old *job.Schedule, _ time.Time) (*job.Schedule, error) {
			if old == nil || old.Source != job.SourceConfig {
				return old, nil
			}
			return nil, nil // nothing in its place
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// arrange is the configured schedule as it is to be stored in place of old. One
// that is over stays, without a next fire.
func arrange(configured job.Schedule, old *job.Schedule, now time.Time) (*job.Schedule, error) {
	spec, err := schedule.ParseSpec(configured.Cron, configured.Timezone)
	if err != nil {
		return nil, err
	}
	var over *job.InvalidError
	if err := schedule.Arrange(spec, &configured, old, now); err != nil && !errors.As(err, &over) {
		return nil, err
	}
	return &configured, nil
}

// sameSchedule reports whether the two are the same but for what the ledger
// keeps of them.
func sameSchedule(stored, configured *job.Schedule) bool {
	return stored.Source == configured.Source && stored.Cron == configured.Cron && stored.Timezone == configured.Timezone &&
		string(stored.Template) == string(configured.Template) && stored.Missed == configured.Missed &&
		stored.Overlap == configured.Overlap && stored.Jitter == configured.Jitter && stored.Start.Equal(configured.Start) &&
		stored.End.Equal(configured.End) && stored.Paused == configured.Paused
}

// scheduleLag is how late the first fire is that is due.
func (s *system) scheduleLag(ctx context.Context) (time.Duration, error) {
	wait, _, err := s.ledger.UntilFire(ctx)
	return max(0, -wait), err
}
