package job

// State is where a job stands. The comment on each says who moves jobs in and
// out of it and what a crash leaves behind; the legal moves are the table in
// move.go, and nothing else.
type State string

const (
	// Waiting jobs are workflow steps whose predecessors have not all
	// completed, and jobs of a schedule that queues them behind earlier ones.
	// The last predecessor's Finish moves the first to Pending, a scheduler the
	// second. A crash leaves them as they are.
	Waiting State = "waiting"
	// Scheduled jobs have a run_at ahead. Accept puts them here; the relay
	// moves them to Pending when they are due, or a Claim takes them directly.
	Scheduled State = "scheduled"
	// Pending jobs may start now. Accept, the relay, HandBack and the reaper
	// put jobs here; Claim takes them. If a doorbell is lost, the relay rings
	// another.
	Pending State = "pending"
	// Active jobs are being run by the worker whose name and epoch they carry.
	// Claim puts them here, Finish takes them out. If the worker dies, they stay
	// until its lease ends and the reaper moves them back to Pending, or to
	// Archived on the third death.
	Active State = "active"
	// Retry jobs failed in a retryable way and wait for their backoff to end.
	// Finish puts them here; relay and Claim take them as they do Scheduled.
	Retry State = "retry"
	// Parked jobs may not start for a reason outside themselves (open breaker,
	// rate limit, cap). Finish puts them here without counting an attempt.
	Parked State = "parked"

	// Completed jobs did what they were asked to. Terminal.
	Completed State = "completed"
	// Archived jobs are dead letters: failed for good, their attempts used up,
	// past their deadline, or poison. Terminal; Revive runs them again.
	Archived State = "archived"
	// Canceled jobs were stopped by a caller before they had an effect.
	// Terminal; Revive runs them again.
	Canceled State = "canceled"
	// Expired jobs had not started by their expires_at. Terminal; Revive runs
	// them again.
	Expired State = "expired"
	// Unknown jobs sent a request whose outcome nobody can tell and that must
	// not be repeated blindly. Terminal; a person looks, and may Revive.
	Unknown State = "unknown"
)

// States lists every state in the order of a job's life.
func States() []State {
	return []State{Waiting, Scheduled, Pending, Active, Retry, Parked, Completed, Archived, Canceled, Expired, Unknown}
}

// Terminal reports whether the state is an end: only Revive leaves it.
func (s State) Terminal() bool {
	switch s {
	case Completed, Archived, Canceled, Expired, Unknown:
		return true
	}
	return false
}

// Startable reports whether a job in this state becomes active as soon as it
// is due and a worker has room: Scheduled, Pending, Retry and Parked.
func (s State) Startable() bool {
	switch s {
	case Scheduled, Pending, Retry, Parked:
		return true
	}
	return false
}

// Valid reports whether s is one of the states.
func (s State) Valid() bool { return s.Terminal() || s.Startable() || s == Waiting || s == Active }
