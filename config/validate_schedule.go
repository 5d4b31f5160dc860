package config

import (
	"fmt"
	"slices"
	"strings"
	"time"
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
			v.cron(path+".cron", s.Cron)
		}
		if _, err := time.LoadLocation(s.Timezone); err != nil || s.Timezone == "" || s.Timezone == "Local" {
			v.problem(path+".timezone", "is not a time zone; write UTC or a name of the IANA database, such as Europe/Berlin")
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

var cronDescriptors = []string{"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"}

// cron checks the form of a spec; whether it ever fires is found out by who
// computes its fires.
func (v *validator) cron(setting, spec string) {
	if every, ok := strings.CutPrefix(spec, "@every "); ok {
		if d, err := time.ParseDuration(every); err != nil || d < time.Second {
			v.problem(setting, "has an interval that is not a duration of at least 1s; write it like @every 10s")
		}
		return
	}
	if strings.HasPrefix(spec, "@") {
		if !slices.Contains(cronDescriptors, spec) {
			v.problem(setting, "is %q%s", spec, didYouMean(spec, slices.Concat(cronDescriptors, []string{"@every 10s"})))
		}
		return
	}
	fields := strings.Fields(spec)
	if n := len(fields); n != 5 && n != 6 {
		v.problem(setting, "has %s; write 5 (minute hour day month weekday) or 6 (second first)", count(n, "field", "fields"))
		return
	}
	for _, field := range fields {
		if !madeOf(field, lower+upper+digits+"*/,-?") {
			v.problem(setting, "has the field %q; use numbers, names, * / , - and ?", field)
		}
	}
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
