package job

import (
	"encoding/json"
	"time"
)

// Missed is what becomes of fires that nobody made in time.
type Missed string

const (
	MissedSkip Missed = "skip"
	MissedOnce Missed = "once" // one job for all of them
	MissedAll  Missed = "all"  // a job for each, at most MaxMissed
)

// Overlap is what becomes of a fire while a job of the schedule has not ended.
type Overlap string

const (
	OverlapSkip  Overlap = "skip"
	OverlapQueue Overlap = "queue" // its job waits for those before it
	OverlapAllow Overlap = "allow"
)

// Source is who a schedule belongs to.
type Source string

const (
	SourceConfig Source = "config" // the configuration; it cannot be changed elsewhere
	SourceAPI    Source = "api"
)

const (
	// MaxMissed is how many missed fires get a job with MissedAll: the latest.
	MaxMissed = 100
	// MaxQueued is how many jobs of a schedule may wait for each other.
	MaxQueued = 100
)

// Schedule makes a job at each of its fires. A zero time is "none".
type Schedule struct {
	Name     string
	Version  int64 // raised by every change of what it is; never used twice, not by a later schedule of the same name either
	Source   Source
	Owner    string // of its jobs
	Cron     string
	Timezone string
	Template json.RawMessage // what each fire submits
	Missed   Missed
	Overlap  Overlap
	Jitter   time.Duration // a fire's job starts late by a time up to it
	Start    time.Time     // no fire before it
	End      time.Time     // no fire after it
	Paused   bool

	Anchor    time.Time // from where @every counts
	CreatedAt time.Time
	UpdatedAt time.Time
	NextFire  time.Time // zero: there is none, or it is paused
	LastFire  time.Time // of which a job was made
	LastJob   ID        // made by LastFire
}

// Firing is what becomes of a schedule that is due.
type Firing struct {
	Jobs []Job     // one for each fire, in their order; Schedule and FireAt are set
	Next time.Time // its next fire; zero: none
	// Left says that the schedule stays as it is and due, for a process that
	// can read it. There are no jobs.
	Left bool
}

// Fired is what firing what was due came to.
type Fired struct {
	Schedules int   // that were due
	Jobs      []Job // that were made
}
