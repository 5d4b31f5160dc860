package config

import (
	"encoding/json"
	"time"

	"github.com/asyncops/asyncops/job"
)

// Schedule is a periodic job.
type Schedule struct {
	Name     string      `yaml:"name" required:"warm-users"`
	Cron     string      `yaml:"cron" required:"*/5 * * * *"` // 5 or 6 fields (seconds first), @daily and its like, or @every 10s
	Timezone string      `yaml:"timezone"`                    // as in the IANA database
	Job      ScheduleJob `yaml:"job"`
	Missed   string      `yaml:"missed" oneof:"skip|once|all"`
	Overlap  string      `yaml:"overlap" oneof:"skip|queue|allow"`
	Jitter   Duration    `yaml:"jitter" range:"0s..24h"` // a fire is late by a random time up to it
	Start    time.Time   `yaml:"start"`                  // no fire before it; zero: at once
	End      time.Time   `yaml:"end"`                    // no fire after it; zero: never
	Paused   bool        `yaml:"paused"`
}

func (s *Schedule) setDefaults(string) {
	s.Timezone = "UTC"
	s.Missed = string(job.MissedSkip)
	s.Overlap = string(job.OverlapSkip)
}

// ScheduleJob is what a schedule submits, in the terms of a submission.
type ScheduleJob struct {
	Kind        string          `yaml:"kind" required:"cache.warm"`
	Args        json.RawMessage `yaml:"args"` // a JSON object
	Queue       string          `yaml:"queue"`
	Timeout     Duration        `yaml:"timeout" range:"1ms..24h"` // of one attempt
	MaxAttempts int             `yaml:"max_attempts" range:"1..1000"`
	Backoff     Backoff         `yaml:"backoff"`
	Unique      Unique          `yaml:"unique"`
	OrderingKey string          `yaml:"ordering_key"`
	Tags        []string        `yaml:"tags"`
	Callback    Callback        `yaml:"callback"`
	Retention   Duration        `yaml:"retention" range:"0s.."` // 0: the ledger's
}

func (j *ScheduleJob) setDefaults(string) {
	j.Args = json.RawMessage("{}")
	j.Queue = DefaultQueue
	j.Timeout = Duration(30 * time.Second)
	j.MaxAttempts = 10
}

// Backoff is the wait between the attempts of a job.
type Backoff struct {
	Initial    Duration `yaml:"initial" range:"1ms..24h"`
	Max        Duration `yaml:"max" range:"1ms..720h"`
	Multiplier float64  `yaml:"multiplier" range:"1..100"`
	Jitter     float64  `yaml:"jitter" range:"0..1"` // fraction by which a wait may differ either way
}

func (b *Backoff) setDefaults(string) {
	*b = Backoff{Initial: Duration(time.Second), Max: Duration(10 * time.Minute), Multiplier: 2, Jitter: 0.2}
}

// Unique keeps a second job with the same key from being accepted.
type Unique struct {
	Key        string   `yaml:"key"` // empty: not unique
	For        Duration `yaml:"for" range:"0s.."`
	OnConflict string   `yaml:"on_conflict" oneof:"existing|reject"`
}

func (u *Unique) setDefaults(string) { u.OnConflict = "existing" }

// Callback tells a client about a job's end.
type Callback struct {
	Client string   `yaml:"client"`                                                     // empty: nobody is told
	Path   string   `yaml:"path"`                                                       // begins with a slash
	Events []string `yaml:"events" oneof:"completed|archived|canceled|expired|unknown"` // empty: all
}
