package alert

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/asyncops/asyncops/job"
)

// Item is an alert as it is shown to the outside: by the API, and in what is
// sent when it fires and resolves.
type Item struct {
	ID         job.ID         `json:"id"`
	Rule       job.AlertRule  `json:"rule"`
	State      job.AlertState `json:"state"`
	About      job.Target     `json:"about"`
	Value      float64        `json:"value"`     // fractions from 0 to 1, times in seconds, states 1 or 0
	Threshold  *float64       `json:"threshold"` // nil where the rule is about a state
	Since      time.Time      `json:"since"`
	FiredAt    *time.Time     `json:"fired_at"`
	ResolvedAt *time.Time     `json:"resolved_at"`
	SeenAt     time.Time      `json:"seen_at"`
	Summary    string         `json:"summary"` // what is the matter
	Remedy     string         `json:"remedy"`  // what to do
}

// Show is the alert as it is shown.
func Show(a job.Alert) Item {
	item := Item{
		ID: a.ID, Rule: a.Rule, State: a.State, About: a.About, Value: math.Round(a.Value*1e4) / 1e4, Since: a.Since, SeenAt: a.SeenAt,
		FiredAt: orNil(a.FiredAt), ResolvedAt: orNil(a.ResolvedAt), Summary: summary(&a), Remedy: remedies[a.Rule],
	}
	if a.Threshold > 0 || counts[a.Rule] {
		item.Threshold = &a.Threshold
	}
	return item
}

// counts are the rules that compare a value, which a bound of zero may be for.
var counts = map[job.AlertRule]bool{
	job.AlertErrorRate: true, job.AlertP95Latency: true, job.AlertQueueAge: true, job.AlertPoolUsage: true,
	job.AlertDeadLetters: true, job.AlertMemory: true,
}

func orNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// summary is what is the matter, in a sentence.
func summary(a *job.Alert) string {
	text := ""
	switch a.Rule {
	case job.AlertErrorRate:
		text = fmt.Sprintf("%s of the runs of the last minute failed; more than %s is too much", percent(a.Value), percent(a.Threshold))
	case job.AlertP95Latency:
		text = fmt.Sprintf("one run in twenty took longer than %s in the last minute; more than %s is too long", seconds(a.Value), seconds(a.Threshold))
	case job.AlertQueueAge:
		text = fmt.Sprintf("the oldest due job of %s has waited for %s; more than %s is too long", a.About, seconds(a.Value), seconds(a.Threshold))
	case job.AlertPoolUsage:
		text = fmt.Sprintf("%s of the workers' connections to %s are in use; more than %s is too much", percent(a.Value), a.About, percent(a.Threshold))
	case job.AlertTargetDown:
		text = a.About.String() + " fails its health check"
	case job.AlertBreakerOpen:
		text = "the circuit breaker of " + a.About.String() + " is open"
	case job.AlertDeadLetters:
		text = fmt.Sprintf("%s jobs were archived in the window of the rule; more than %s is too much", number(a.Value), number(a.Threshold))
	case job.AlertWorkerGone:
		text = a.About.String() + " is gone without a goodbye, and no other has taken its place"
	case job.AlertMemory:
		text = fmt.Sprintf("%s uses %s of the memory that it may use; more than %s is too much", a.About, percent(a.Value), percent(a.Threshold))
	}
	if a.State == job.AlertResolved {
		text = "resolved: " + text
	}
	if a.Detail != "" {
		text += " (" + a.Detail + ")"
	}
	return text
}

// remedies say what to do.
var remedies = map[job.AlertRule]string{
	job.AlertErrorRate:   "See which errors there are: GET /v1/jobs?state=retry and ?state=archived, or asyncops list; a target that is down shows in GET /v1/databases and GET /v1/clients.",
	job.AlertP95Latency:  "See which kind takes long in the metric asyncops_job_duration_seconds, and whether its target is slow or has no free connections.",
	job.AlertQueueAge:    "See that the queue is not paused and that workers serve it (GET /v1/queues, GET /v1/workers); then add workers, or raise worker.concurrency.",
	job.AlertPoolUsage:   "See slow queries in the log; raise pool_size or max_overflow of the database if it has room for more connections.",
	job.AlertTargetDown:  "See its detail in GET /v1/databases or GET /v1/clients. Its jobs are retried or wait meanwhile; none is lost.",
	job.AlertBreakerOpen: "The upstream fails or does not answer; its jobs are parked and go on when it is back. POST /v1/clients/{name}/breaker/reset tries it at once.",
	job.AlertDeadLetters: "See why in GET /v1/jobs?state=archived; when the cause is mended, POST /v1/jobs/{id}/retry runs them again.",
	job.AlertWorkerGone:  "Its jobs run elsewhere. See the log of its host for the reason, and start another; a worker that joins resolves this.",
	job.AlertMemory:      "Lower worker.concurrency or cache.max_bytes, or give the process more memory.",
}

func percent(v float64) string { return number(v*100) + " %" }

// number has one decimal at most.
func number(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) }

func seconds(v float64) string {
	d := time.Duration(v * float64(time.Second))
	if d >= time.Second {
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Millisecond).String()
}

// Event is what is sent when an alert fires and when it is resolved, as Standard
// Webhooks has it.
type Event struct {
	Type      string    `json:"type"` // EventFiring or EventResolved
	Timestamp time.Time `json:"timestamp"`
	Data      Item      `json:"data"`
}

// Types of events.
const (
	EventFiring   = "alert.firing"
	EventResolved = "alert.resolved"
)

// EventOf is the event that tells of a change.
func EventOf(a job.Alert) Event {
	if a.State == job.AlertResolved {
		return Event{EventResolved, a.ResolvedAt, Show(a)}
	}
	return Event{EventFiring, a.FiredAt, Show(a)}
}
