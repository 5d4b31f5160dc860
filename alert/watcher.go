package alert

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/asyncops/asyncops/job"
)

// Ledger is where alerts are kept.
type Ledger interface {
	// TakeAlertTurn gives the holder leave to look if nobody has looked for as
	// long as every; for others than who looked last, every and the grace.
	TakeAlertTurn(ctx context.Context, holder string, every, grace time.Duration) (job.AlertTurn, error)
	// SettleAlerts commits what plan makes of the alerts that are not resolved.
	// It reports false, and has done nothing, when the turn is not the latest any
	// more or was taken longer ago than maxAge.
	SettleAlerts(
		ctx context.Context, turn job.AlertTurn, maxAge time.Duration, plan func(job.AlertView) (job.AlertChange, error),
	) (settled bool, err error)
}

// Config is what a Watcher works with. All of it is required, but for Interval.
type Config struct {
	Ledger Ledger
	Holder string // names this process among all that watch
	Rules  []Rule
	// NotifyFunc makes the jobs that tell of a change, pending, with all but their
	// ids and times. It must not wait.
	NotifyFunc func(Event) ([]job.Job, error)
	Log        *slog.Logger
	Interval   time.Duration // between two looks; default DefaultInterval
}

const (
	// DefaultInterval is how long it is between two looks.
	DefaultInterval = 5 * time.Second
	// takeOver is how much longer others wait for who looked last. It keeps the
	// looks with one process while that is well, because what targets look like
	// may depend on where from.
	takeOver = 2 * time.Second
	// lookTimeout is how long the rules may read; what takes longer cannot be
	// told.
	lookTimeout = 4 * time.Second
	// maxLookAge is how old what was read may be when it is settled. A process
	// that was frozen meanwhile knows nothing of now.
	maxLookAge   = 10 * time.Second
	operation    = 5 * time.Second // of one call of the ledger
	minWait      = 50 * time.Millisecond
	tellInterval = 10 * time.Second // between lines about one trouble
)

// Watcher looks at what the rules watch. Any number of them may run on one
// ledger: one at a time looks.
type Watcher struct {
	cfg  Config
	told time.Time // when a trouble was told last; zero while all is well
}

// NewWatcher returns a Watcher of the configuration.
func NewWatcher(cfg Config) *Watcher {
	if cfg.Interval == 0 {
		cfg.Interval = DefaultInterval
	}
	return &Watcher{cfg: cfg}
}

// Run looks until ctx ends, and then returns nil.
func (w *Watcher) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		began := time.Now()
		wait, err := w.Look(ctx)
		if err != nil {
			wait = w.cfg.Interval
		}
		w.tell(ctx, err)
		timer := time.NewTimer(max(minWait, min(wait, w.cfg.Interval+takeOver)-time.Since(began)))
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
	return nil
}

// Look takes a turn, if there is one to be had, looks, and settles what it saw.
// It returns how long after its beginning it is worth trying again.
func (w *Watcher) Look(ctx context.Context) (time.Duration, error) {
	timed, cancel := context.WithTimeout(ctx, operation)
	defer cancel()
	turn, err := w.cfg.Ledger.TakeAlertTurn(timed, w.cfg.Holder, w.cfg.Interval, takeOver)
	if err != nil || turn.Number == 0 {
		return turn.Wait, err
	}
	seen := w.read(ctx)
	if ctx.Err() != nil {
		return 0, nil // what is found while the process stops says nothing
	}
	timed, cancel = context.WithTimeout(ctx, operation)
	defer cancel()
	var changes []job.Alert
	settled, err := w.cfg.Ledger.SettleAlerts(timed, turn, maxLookAge, func(view job.AlertView) (job.AlertChange, error) {
		d := Decide(seen, view)
		changes = d.Changes
		change := job.AlertChange{Put: d.Put, Delete: d.Delete}
		for _, a := range d.Changes {
			jobs, err := w.cfg.NotifyFunc(EventOf(a))
			if err != nil {
				return job.AlertChange{}, err
			}
			for _, j := range jobs {
				j.ID, j.CreatedAt, j.RunAt, j.State = job.NewID(), view.Now, view.Now, job.Pending
				change.Jobs = append(change.Jobs, j)
			}
		}
		return change, nil
	})
	if err != nil || !settled {
		return w.cfg.Interval, err
	}
	for i := range changes {
		w.log(ctx, &changes[i])
	}
	return w.cfg.Interval, nil
}

// read reads all rules, side by side.
func (w *Watcher) read(ctx context.Context) []Seen {
	timed, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	seen := make([]Seen, len(w.cfg.Rules))
	var reads sync.WaitGroup
	for i, rule := range w.cfg.Rules {
		reads.Go(func() {
			readings, err := rule.ReadFunc(timed)
			seen[i] = Seen{rule, readings, err}
			if err != nil && ctx.Err() == nil {
				w.cfg.Log.Debug("an alert rule could not be looked at", "rule", string(rule.Name), "error", err)
			}
		})
	}
	reads.Wait()
	return seen
}

func (w *Watcher) log(ctx context.Context, a *job.Alert) {
	fields := []any{"rule", string(a.Rule), "about", a.About.String(), "value", a.Value, "summary", summary(a)}
	if a.State == job.AlertResolved {
		w.cfg.Log.InfoContext(ctx, "alert resolved", fields...)
		return
	}
	w.cfg.Log.WarnContext(ctx, "alert fires", fields...)
}

// tell logs the beginning of a trouble, from time to time that it lasts, and
// its end.
func (w *Watcher) tell(ctx context.Context, err error) {
	switch {
	case err == nil && !w.told.IsZero():
		w.told = time.Time{}
		w.cfg.Log.Info("alerts are looked at again")
	case err != nil && ctx.Err() == nil && time.Since(w.told) >= tellInterval:
		w.told = time.Now()
		w.cfg.Log.Warn("alerts could not be looked at, will try again", "error", err)
	}
}
