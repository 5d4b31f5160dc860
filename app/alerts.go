package app

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/asyncops/asyncops/alert"
	"github.com/asyncops/asyncops/config"
	"github.com/asyncops/asyncops/fleet"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/observe"
	"github.com/asyncops/asyncops/tasks"
)

// addAlerts adds the look at what the alert rules watch, and at the queues' ages
// where no rule does.
func (s *system) addAlerts() {
	s.sources.AlertsFiring = s.ledger.AlertsFiring
	if s.cfg.Alerts.Rules.QueueAge == nil {
		s.add("ages", s.noteAges)
	}
	rules := s.alertRules()
	if len(rules) == 0 {
		return
	}
	w := alert.NewWatcher(alert.Config{Ledger: s.ledger, Holder: s.life.id, Rules: rules, NotifyFunc: s.notify, Log: s.log})
	s.add("alerts", w.Run)
}

// alertRules are the rules that are turned on, with where they read.
func (s *system) alertRules() []alert.Rule {
	set := s.cfg.Alerts.Rules
	var rules []alert.Rule
	add := func(name job.AlertRule, above float64, hold config.Duration, read func(context.Context) ([]alert.Reading, error)) {
		rules = append(rules, alert.Rule{Name: name, Above: above, For: hold.Std(), Calm: alert.CalmFor(hold.Std()), ReadFunc: read})
	}
	if r := set.ErrorRate; r != nil {
		add(job.AlertErrorRate, r.Above, r.For, s.readRuns(func(w job.RunWindow) float64 { return float64(w.Failed) / float64(w.Runs) }))
	}
	if r := set.P95Latency; r != nil {
		add(job.AlertP95Latency, r.Above.Std().Seconds(), r.For, s.readRuns(func(w job.RunWindow) float64 { return w.Quantile(0.95).Seconds() }))
	}
	if r := set.QueueAge; r != nil {
		add(job.AlertQueueAge, r.Above.Std().Seconds(), r.For, s.readQueues)
	}
	if r := set.PoolUsage; r != nil {
		add(job.AlertPoolUsage, r.Above, r.For, s.readPools)
	}
	if r := set.TargetDown; r != nil && s.cfg.Health.Enabled {
		s.targetChecks() // so that there is something to look at
		add(job.AlertTargetDown, alert.OfState, r.For, s.readTargets)
	}
	if r := set.BreakerOpen; r != nil {
		add(job.AlertBreakerOpen, alert.OfState, r.For, s.readBreakers)
	}
	if r := set.DeadLetters; r != nil {
		add(job.AlertDeadLetters, float64(r.Above), r.For, func(ctx context.Context) ([]alert.Reading, error) {
			n, err := s.ledger.DeadLetters(ctx, r.For.Std())
			return []alert.Reading{{About: fleetTarget, Value: float64(n), Detail: "window " + r.For.String()}}, err
		})
		rules[len(rules)-1].For = 0 // it is how far back they are counted
	}
	if r := set.WorkerGone; r != nil {
		add(job.AlertWorkerGone, alert.OfState, r.For, s.readWorkers)
	}
	if r := set.Memory; r != nil {
		add(job.AlertMemory, r.Above, r.For, s.readMemory)
	}
	return rules
}

// fleetTarget is what alerts are about that no single thing has.
var fleetTarget = job.Target{Type: job.TypeFleet}

// readRuns reads a figure of the runs of the last minute; none without runs.
func (s *system) readRuns(figure func(job.RunWindow) float64) func(context.Context) ([]alert.Reading, error) {
	return func(ctx context.Context) ([]alert.Reading, error) {
		w, err := s.ledger.RecentRuns(ctx)
		if err != nil || w.Runs == 0 {
			return nil, err
		}
		return []alert.Reading{{About: fleetTarget, Value: figure(w), Detail: fmt.Sprintf("%d runs, %d failed", w.Runs, w.Failed)}}, nil
	}
}

func (s *system) readQueues(ctx context.Context) ([]alert.Reading, error) {
	ages, err := s.queueAges(ctx)
	readings := make([]alert.Reading, len(ages))
	for i, q := range ages {
		readings[i] = alert.Reading{About: job.Target{Type: job.TypeQueue, Name: q.Queue}, Value: q.Oldest.Seconds()}
		if q.Paused {
			readings[i].Detail = "the queue is paused"
		}
	}
	return readings, err
}

// readPools reads what workers told of their connections a moment ago.
func (s *system) readPools(ctx context.Context) ([]alert.Reading, error) {
	workers, err := s.ledger.Workers(ctx)
	if err != nil {
		return nil, err
	}
	var readings []alert.Reading
	for _, name := range slices.Sorted(maps.Keys(s.cfg.Databases)) {
		if pool, _ := fleetPool(workers, name); pool.Max > 0 {
			readings = append(readings, alert.Reading{
				About: job.DatabaseTarget(name), Value: float64(pool.InUse) / float64(pool.Max),
				Detail: fmt.Sprintf("%d of %d in use, %d operations wait", pool.InUse, pool.Max, pool.Waiting),
			})
		}
	}
	return readings, nil
}

// readTargets looks at all targets, now. One that does not answer in time is
// down.
func (s *system) readTargets(ctx context.Context) ([]alert.Reading, error) {
	targets := slices.Collect(maps.Keys(s.sights.looks))
	readings := make([]alert.Reading, len(targets))
	var looking sync.WaitGroup
	for i, target := range targets {
		looking.Go(func() {
			h := s.sights.look(ctx, target)
			readings[i] = alert.Reading{About: target, Bad: h.Status == string(observe.Down), Detail: h.Detail}
			if readings[i].Bad {
				readings[i].Value = 1
			}
		})
	}
	looking.Wait()
	return readings, nil
}

// readBreakers reads the breakers that the fleet shares; without Redis that of
// this process, if there is no other.
func (s *system) readBreakers(ctx context.Context) ([]alert.Reading, error) {
	names := s.fleet.Names()
	readings := make([]alert.Reading, len(names))
	var looking sync.WaitGroup
	for i, name := range names {
		looking.Go(func() {
			st := s.fleet.Upstream(name).Status(ctx)
			readings[i] = alert.Reading{
				About: job.ClientTarget(name), Bad: st.Breaker && st.State != fleet.Closed, Unknown: !st.Shared && s.broker != nil,
			}
			if readings[i].Bad {
				readings[i].Value, readings[i].Detail = 1, st.State.String()
			}
		})
	}
	looking.Wait()
	return readings, nil
}

func (s *system) readWorkers(ctx context.Context) ([]alert.Reading, error) {
	lost, err := s.ledger.LostWorkers(ctx)
	readings := make([]alert.Reading, len(lost))
	for i, w := range lost {
		readings[i] = alert.Reading{
			About: job.Target{Type: job.TypeWorker, Name: w.ID}, Value: 1, Bad: true, Since: w.BeatAt,
			Detail: "last heard of at " + w.BeatAt.Format(time.RFC3339),
		}
	}
	return readings, err
}

func (s *system) readMemory(ctx context.Context) ([]alert.Reading, error) {
	processes, err := s.ledger.Processes(ctx)
	readings := make([]alert.Reading, len(processes))
	for i, p := range processes {
		readings[i] = alert.Reading{
			About: job.Target{Type: job.TypeProcess, Name: p.ID}, Value: float64(p.Used) / float64(p.Limit),
			Detail: fmt.Sprintf("%s, %d of %d MiB", p.Role, p.Used>>20, p.Limit>>20),
		}
	}
	return readings, err
}

// notify makes the jobs that tell of an event, one for each place that is to be
// told.
func (s *system) notify(e alert.Event) ([]job.Job, error) {
	if len(s.cfg.Alerts.Notify) == 0 {
		return nil, nil
	}
	text, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	jobs := make([]job.Job, len(s.cfg.Alerts.Notify))
	for i, to := range s.cfg.Alerts.Notify {
		if jobs[i], err = tasks.NotifyJob(s.notifyQueue(), to.Client, to.Path, text); err != nil {
			return nil, err
		}
	}
	return jobs, nil
}

// notifyQueue is where notifications wait least.
func (s *system) notifyQueue() string {
	if _, ok := s.cfg.Queues["critical"]; ok {
		return "critical"
	}
	return config.DefaultQueue
}
