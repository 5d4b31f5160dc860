package job

import "time"

// AlertRule names what an alert watches. The names are part of the contract.
type AlertRule string

// The rules.
const (
	AlertErrorRate   AlertRule = "error_rate"   // failed runs of all runs
	AlertP95Latency  AlertRule = "p95_latency"  // of runs, in seconds
	AlertQueueAge    AlertRule = "queue_age"    // of a queue's oldest due job, in seconds
	AlertPoolUsage   AlertRule = "pool_usage"   // of a database's connections
	AlertTargetDown  AlertRule = "target_down"  // a database or client fails its check
	AlertBreakerOpen AlertRule = "breaker_open" // a client's circuit breaker
	AlertDeadLetters AlertRule = "dead_letters" // jobs archived within the window
	AlertWorkerGone  AlertRule = "worker_gone"  // a worker's lease ended, and none took its place
	AlertMemory      AlertRule = "memory"       // of a process's memory limit
)

// AlertRules lists every rule.
func AlertRules() []AlertRule {
	return []AlertRule{
		AlertErrorRate, AlertP95Latency, AlertQueueAge, AlertPoolUsage, AlertTargetDown, AlertBreakerOpen, AlertDeadLetters,
		AlertWorkerGone, AlertMemory,
	}
}

// AlertState is where an alert stands.
type AlertState string

const (
	// AlertPending alerts have not lasted for as long as their rule says. One
	// that ends before is forgotten.
	AlertPending AlertState = "pending"
	// AlertFiring alerts have been told of.
	AlertFiring AlertState = "firing"
	// AlertResolved alerts are over, and have been told of a second time.
	AlertResolved AlertState = "resolved"
)

// Alert is one time that something was, or is, as its rule does not want it.
// Times are the ledger's; a zero time is "not yet".
type Alert struct {
	ID         ID
	Rule       AlertRule
	About      Target
	State      AlertState
	Value      float64 // when it was last looked at
	Threshold  float64 // of Value; 0 where the rule is about a state
	Detail     string  // what else was seen; no secret
	Since      time.Time
	FiredAt    time.Time
	ClearSince time.Time // of a firing one: since when its cause is gone
	ResolvedAt time.Time
	SeenAt     time.Time // when Value was looked at
}

// AlertChange is what becomes of alerts when they have been looked at.
type AlertChange struct {
	Put    []Alert // are stored as they are, in place of those with their ids
	Delete []ID
	Jobs   []Job // that tell of it
}

// AlertTurn is leave to look at the alerts once. Of all processes one has it.
type AlertTurn struct {
	Number int64
	// Wait, with Number 0, is how long it is until somebody may have a turn.
	Wait time.Duration
}

// AlertView is the alerts at one moment.
type AlertView struct {
	Now    time.Time // the ledger's clock
	Seen   time.Time // when they were looked at last; zero: never
	Since  time.Time // from when on they have been looked at without a gap
	Alerts []Alert   // pending and firing, and of those resolved the latest
}
