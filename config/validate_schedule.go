package config

import (
	"errors"
	"strings"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/schedule"
)

func (v *validator) schedules() {
	seen := map[string]string{}
	for i, s := range v.cfg.Schedules {
		path := indexPath("schedules", i)
		if s.Name != "" {
			v.name(path+".name", s.Name)
			v.unique(path+".name", s.Name, seen)
		}
		if s.Cron != "" {
			v.spec(path, s.Cron, s.Timezone)
		}
		if !s.End.IsZero() && !s.End.After(s.Start) {
			v.problem(path+".end", "is not after start; write a later time, or leave one of them out")
		}
		v.scheduleJob(path+".job", s.Job)
	}
}

func (v *validator) scheduleJob(path string, j ScheduleJob) {
	if j.Kind != "" {
		v.kind(path+".kind", j.Kind)
	}
	knownOne(v, path+".queue", j.Queue, v.cfg.Queues, "queues")
	if j.Backoff.Max < j.Backoff.Initial {
		v.problem(path+".backoff.max", "is less than initial (%s); raise it, or lower the other", j.Backoff.Initial)
	}
	if c := j.Callback; c.Client != "" || c.Path != "" {
		v.destination(path+".callback", c.Client, c.Path)
	}
}

// destination checks a client and a path beneath its base_url.
func (v *validator) destination(path, client, target string) {
	knownOne(v, path+".client", client, v.cfg.Clients, "clients")
	v.pathOf(path+".path", target)
}

func (v *validator) alerts() {
	for i, n := range v.cfg.Alerts.Notify {
		if n.Client != "" && n.Path != "" {
			v.destination(indexPath("alerts.notify", i), n.Client, n.Path)
		}
	}
}

// spec checks when a schedule fires.
func (v *validator) spec(path, cron, timezone string) {
	_, err := schedule.ParseSpec(cron, timezone)
	var invalid *job.InvalidError
	if errors.As(err, &invalid) {
		for _, fault := range invalid.Fields {
			v.problem(path+strings.ReplaceAll(fault.Pointer, "/", "."), "%s", fault.Message)
		}
	}
}
