package schedule

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/asyncops/asyncops/job"
)

// Ledger is where schedules are kept, with their jobs.
type Ledger interface {
	// UntilFire returns how long it is until the next fire of any schedule, by
	// the ledger's clock; ok is false when none fires. Those named by except do
	// not count.
	UntilFire(ctx context.Context, except ...string) (wait time.Duration, ok bool, err error)
	// Fire commits what plan makes of schedules that are due, at most limit of
	// them and none that except names, together with their next fires. now is
	// zero for the ledger's clock.
	Fire(
		ctx context.Context, now time.Time, limit int, plan func(s *job.Schedule, now time.Time, open int) job.Firing, except ...string,
	) (job.Fired, error)
	// ReleaseQueued lets jobs start that no earlier one of their schedule keeps
	// from it any more, and returns how many those were.
	ReleaseQueued(ctx context.Context) (int, error)
}

// Meter receives measurements.
type Meter interface {
	// Submitted is called when jobs were made.
	Submitted(kind, queue string, jobs int)
}

// Config is what a Firer works with. Now may be nil, all else is required.
type Config struct {
	Ledger Ledger
	// Draft makes a job of what a schedule submits, in the state pending; its
	// id, times and schedule are the Firer's to set. With an error the schedule
	// is left to a process that can read it. It must not wait.
	Draft func(s *job.Schedule) (job.Job, error)
	Wake  func() // tells workers that jobs may start
	Meter Meter
	Log   *slog.Logger
	Now   func() time.Time // instead of the ledger's clock, for tests
}

const (
	// batch is how many schedules one transaction fires at most.
	batch = 500
	// idleInterval is how long new schedules, and jobs that wait for others,
	// may wait for a look.
	idleInterval = time.Second
	// busyInterval is the least time between two looks: fires that come close
	// together share one.
	busyInterval = 10 * time.Millisecond
	// heldInterval is how long to wait where all that is due is in the hands of
	// other schedulers, of which one may hang.
	heldInterval = 200 * time.Millisecond
	// releaseInterval is the least time between two looks for jobs that waited
	// for others.
	releaseInterval = 50 * time.Millisecond
	// leaveInterval is how long a schedule that could not be read is passed over.
	// It stays due: another release may know how to fire it.
	leaveInterval = 30 * time.Second
	operation     = 20 * time.Second // of one transaction
	tellInterval  = 10 * time.Second // between lines about one trouble
)

// Firer fires schedules that are due. Any number of them may run on one ledger.
type Firer struct {
	cfg   Config
	specs specs

	looked    time.Time            // when jobs that wait were looked for last
	lookAfter time.Duration        // how long after that to look again
	left      map[string]time.Time // until when to pass over schedules that could not be read
	told      time.Time            // when a trouble was told last; zero while all is well
}

// NewFirer returns a Firer of the configuration.
func NewFirer(cfg Config) *Firer { return &Firer{cfg: cfg, left: map[string]time.Time{}} }

// Run fires until ctx ends, and then returns nil.
func (f *Firer) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		wait, err := f.round(ctx)
		if err != nil {
			wait = idleInterval
		}
		f.tell(ctx, err)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
	return nil
}

// round fires what is due, and returns how long to wait for the next round.
func (f *Firer) round(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, operation)
	defer cancel()
	look, err := f.release(ctx)
	if err != nil {
		return 0, err
	}
	wait, ok, err := f.cfg.Ledger.UntilFire(ctx, f.passed()...)
	switch {
	case err != nil:
		return 0, err
	case !ok:
		return look, nil
	case wait > 0:
		return min(max(wait, busyInterval), look), nil
	}
	n, err := f.Fire(ctx)
	if n == 0 {
		return heldInterval, err
	}
	return busyInterval, nil
}

// release lets queued jobs start, and returns how long to wait for the next
// look. Short jobs that wait for each other are looked after often.
func (f *Firer) release(ctx context.Context) (time.Duration, error) {
	if rest := f.lookAfter - time.Since(f.looked); rest > 0 {
		return rest, nil
	}
	f.looked = time.Now()
	n, err := f.cfg.Ledger.ReleaseQueued(ctx)
	if n > 0 {
		f.cfg.Wake()
		f.lookAfter = releaseInterval
	} else {
		f.lookAfter = min(max(2*f.lookAfter, releaseInterval), idleInterval)
	}
	return f.lookAfter, err
}

// Fire makes the jobs of a batch of schedules that are due, and returns how
// many schedules those were.
func (f *Firer) Fire(ctx context.Context) (int, error) {
	var now time.Time
	if f.cfg.Now != nil {
		now = f.cfg.Now()
	}
	lost := map[string]Decision{}
	fired, err := f.cfg.Ledger.Fire(ctx, now, batch, func(s *job.Schedule, now time.Time, open int) job.Firing {
		firing, d, err := f.plan(s, now, open)
		if err != nil {
			f.leave(s.Name, err)
			return job.Firing{Left: true}
		}
		if d.Missed+d.Skipped > 0 {
			lost[s.Name] = d
		}
		return firing
	}, f.passed()...)
	if err != nil {
		return 0, err
	}
	for _, name := range slices.Sorted(maps.Keys(lost)) {
		f.cfg.Log.DebugContext(ctx, "fires without a job", "schedule", name, "missed", lost[name].Missed, "overlapping", lost[name].Skipped)
	}
	for _, j := range fired.Jobs {
		f.cfg.Meter.Submitted(j.Kind, j.Queue, 1)
		if j.State == job.Waiting {
			f.lookAfter = releaseInterval
		}
	}
	return fired.Schedules, nil
}

// leave has a schedule passed over for a while.
func (f *Firer) leave(name string, err error) {
	if _, ok := f.left[name]; !ok { // else the transaction is repeated
		f.cfg.Log.Error("a schedule cannot be read; it is left as it is", "schedule", name, "error", err)
	}
	f.left[name] = time.Now().Add(leaveInterval)
}

// passed names the schedules to pass over now.
func (f *Firer) passed() []string {
	maps.DeleteFunc(f.left, func(_ string, until time.Time) bool { return !time.Now().Before(until) })
	return slices.Sorted(maps.Keys(f.left))
}

// plan decides what becomes of a schedule, and makes its jobs. An error says
// that this release cannot read it: another found it right.
func (f *Firer) plan(s *job.Schedule, now time.Time, open int) (job.Firing, Decision, error) {
	spec, err := f.specs.of(s.Cron, s.Timezone)
	if err != nil {
		return job.Firing{}, Decision{}, err
	}
	d := Decide(spec, s, now, open)
	firing := job.Firing{Next: d.Next}
	if len(d.Fires) == 0 {
		return firing, d, nil
	}
	draft, err := f.cfg.Draft(s)
	if err != nil {
		return job.Firing{}, Decision{}, fmt.Errorf("its job: %w", err)
	}
	for _, fire := range d.Fires {
		j := draft
		j.ID, j.CreatedAt, j.RunAt, j.State = job.NewID(), now, fire.RunAt, job.Pending
		j.Schedule, j.FireAt, j.Owner = s.Name, fire.At, s.Owner
		switch {
		case fire.Waiting:
			j.State = job.Waiting
		case fire.RunAt.After(now):
			j.State = job.Scheduled
		}
		firing.Jobs = append(firing.Jobs, j)
	}
	return firing, d, nil
}

// tell logs the beginning of a trouble, from time to time that it lasts, and
// its end.
func (f *Firer) tell(ctx context.Context, err error) {
	switch {
	case err == nil && !f.told.IsZero():
		f.told = time.Time{}
		f.cfg.Log.Info("schedules fire again")
	case err != nil && ctx.Err() == nil && time.Since(f.told) >= tellInterval:
		f.told = time.Now()
		f.cfg.Log.Warn("schedules could not be fired, will try again", "error", err)
	}
}

// maxSpecs bounds the specifications that are remembered.
const maxSpecs = 10_000

// specs remembers specifications that were read. It is for one goroutine.
type specs struct{ read map[[2]string]*Spec }

func (s *specs) of(cron, timezone string) (*Spec, error) {
	key := [2]string{cron, timezone}
	if spec, ok := s.read[key]; ok {
		return spec, nil
	}
	spec, err := ParseSpec(cron, timezone)
	if err != nil {
		return nil, err
	}
	if s.read == nil || len(s.read) >= maxSpecs {
		s.read = map[[2]string]*Spec{}
	}
	s.read[key] = spec
	return spec, nil
}
