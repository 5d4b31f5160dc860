package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/asyncops/asyncops/job"
)

// sceneAge is how old the picture of queues and workers may be from which a
// waiting job's reason is told.
const sceneAge = time.Second

// scene is what a waiting job may be waiting for, outside its own row.
type scene struct {
	mu        sync.Mutex
	taken     time.Time       // guarded by mu
	forgotten time.Time       // what was looked for before is old; guarded by mu
	paused    map[string]bool // queues; guarded by mu
	served    map[string]bool // queues with a live worker; "" when one serves all; guarded by mu
}

// explained turns rows into jobs and says of those that wait what they wait for.
func (l *Ledger) explained(ctx context.Context, rows []row) ([]job.Job, error) {
	jobs, err := jobsOf(rows)
	if err != nil {
		return nil, err
	}
	waits := func(j job.Job) bool { return !j.State.Terminal() && j.State != job.Active }
	if !slices.ContainsFunc(jobs, waits) {
		return jobs, nil
	}
	paused, served, err := l.scene.look(ctx, l)
	if err != nil {
		return nil, err
	}
	for i := range jobs {
		if waits(jobs[i]) {
			jobs[i].WaitingOn = waitingOn(&jobs[i], paused[jobs[i].Queue], served[jobs[i].Queue] || served[""])
		}
	}
	return jobs, nil
}

func waitingOn(j *job.Job, paused, served bool) *job.WaitingOn {
	until := func(reason job.WaitReason, detail string) *job.WaitingOn {
		return &job.WaitingOn{Reason: reason, Detail: detail, Until: &j.RunAt}
	}
	switch {
	case j.Verdict != nil:
		return &job.WaitingOn{Reason: job.WaitSealing, Detail: fmt.Sprintf("becomes %s once the target confirms that no earlier run can take effect", j.Verdict.State)}
	case j.State == job.Waiting && j.Schedule != "":
		return &job.WaitingOn{Reason: job.WaitDependency, Detail: "an earlier job of schedule " + j.Schedule + " has not ended"}
	case j.State == job.Waiting:
		return &job.WaitingOn{Reason: job.WaitDependency, Detail: "earlier steps of the workflow have not completed"}
	case j.State == job.Scheduled:
		return until(job.WaitScheduled, "")
	case j.State == job.Retry:
		return until(job.WaitBackoff, "")
	case j.State == job.Parked:
		return until(j.Parked, parkedDetail(j))
	case paused:
		return &job.WaitingOn{Reason: job.WaitQueuePaused, Detail: "queue " + j.Queue + " is paused"}
	case !served:
		return &job.WaitingOn{Reason: job.WaitNoWorker, Detail: "no live worker serves queue " + j.Queue}
	case j.Crashes >= job.IsolationCrashes:
		return &job.WaitingOn{Reason: job.WaitIsolation, Detail: fmt.Sprintf("its worker died %d times; such jobs run one by one", j.Crashes)}
	}
	return &job.WaitingOn{Reason: job.WaitBacklog, Detail: "for a free slot of a worker"}
}

// parkedDetail says more of what a parked job waits for, where that is known.
func parkedDetail(j *job.Job) string {
	switch {
	case j.ParkedOn == "":
		return ""
	case j.Parked == job.WaitPool:
		return "for room in " + j.ParkedOn + ", at the latest until the time given"
	case j.Parked == job.WaitBreaker:
		return "for the circuit breaker of " + j.ParkedOn + " to let it through, at the latest until the time given"
	case j.Parked == job.WaitRateLimit:
		return "for the rate limit of " + j.ParkedOn + " to let it through, at the latest until the time given"
	}
	return j.ParkedOn
}

// look returns the picture, taken anew when it is old. Nobody waits for
// somebody else's look.
func (s *scene) look(ctx context.Context, l *Ledger) (paused, served map[string]bool, err error) {
	s.mu.Lock()
	paused, served = s.paused, s.served
	fresh := time.Since(s.taken) < sceneAge
	s.mu.Unlock()
	if fresh {
		return paused, served, nil
	}
	asked := time.Now()
	var names []string
	if err := l.read.NewRaw(`SELECT name FROM asyncops_queues WHERE paused`).Scan(ctx, &names); err != nil {
		return nil, nil, err
	}
	var lists []string
	if err := l.read.NewRaw(l.timed(`SELECT queues FROM asyncops_workers WHERE state = 'running' AND lease_until > ?now`)).Scan(ctx, &lists); err != nil {
		return nil, nil, err
	}
	paused, served = map[string]bool{}, map[string]bool{}
	for _, name := range names {
		paused[name] = true
	}
	for _, list := range lists {
		var queues []string
		if err := json.Unmarshal([]byte(list), &queues); err != nil {
			return nil, nil, err
		}
		for _, q := range queues {
			served[q] = true
		}
		served[""] = served[""] || len(queues) == 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if asked.After(s.forgotten) {
		s.taken, s.paused, s.served = asked, paused, served
	}
	return paused, served, nil
}

// forget makes the next look take a new picture.
func (s *scene) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken, s.forgotten = time.Time{}, time.Now()
}
