package fleet

import "time"

// State is where a circuit breaker stands.
type State int

const (
	Closed   State = iota // requests go through
	HalfOpen              // a few go through, to find out whether it may close
	Open                  // none goes through
)

// String is the state's name in the API and in metrics.
func (s State) String() string {
	switch s {
	case Closed:
		return "closed"
	case HalfOpen:
		return "half_open"
	}
	return "open"
}

// view is what the fleet shares about an upstream, as far as is known here.
// Times are by our monotonic clock: the shared ones are told as durations.
type view struct {
	version     int64 // grows with every move of the breaker
	state       State
	failures    int       // in a row
	openUntil   time.Time // while Open: when the first may find out whether it may close
	pausedUntil time.Time
}

// phase is what the breaker says to a request now. due is when slots may be had
// of a breaker that is not closed.
func (v view) phase(now time.Time) (closed, due bool, wait time.Duration) {
	switch v.state {
	case Closed:
		return true, false, 0
	case Open:
		if wait := v.openUntil.Sub(now); wait > 0 {
			return false, false, wait
		}
	}
	return false, true, 0
}

// paused is how long the pause lasts yet.
func (v view) paused(now time.Time) time.Duration { return max(0, v.pausedUntil.Sub(now)) }

// newer reports whether other is to take v's place. What comes unasked may be
// late: it counts by its version. An answer to what was asked counts if nothing
// has come since it was asked, even if its version is lower: then the keys were
// lost, or the server is another one.
func (v view) newer(other view, asked bool) bool { return asked || other.version >= v.version }
