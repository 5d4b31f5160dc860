package fleet

import (
	"time"

	"golang.org/x/time/rate"
)

// grant is sends that a rate limit lets out: the first after a while, each other
// a step later.
type grant struct {
	sends     int
	first     time.Duration
	again     time.Duration // until it is worth asking for more, if these are fewer than asked for
	available int           // that could go out at once, before these
	mark      string        // of the shared limit after these; to give them back
}

// localLimit is this process's share of a limit while the fleet's cannot be
// asked. Its caller locks.
type localLimit struct {
	limit     RateLimit
	limiter   *rate.Limiter
	processes int
}

func newLocalLimit(limit RateLimit) *localLimit {
	return &localLimit{limit: limit, limiter: rate.NewLimiter(rate.Every(limit.step()), limit.Burst), processes: 1}
}

// share divides the limit among so many processes.
func (l *localLimit) share(now time.Time, processes int) {
	if processes = max(1, processes); processes == l.processes {
		return
	}
	l.processes = processes
	l.limiter.SetLimitAt(now, rate.Every(l.limit.step()*time.Duration(processes)))
	l.limiter.SetBurstAt(now, max(1, l.limit.Burst/processes))
}

// drain takes what has been saved up: the fleet's limit has just been used, and
// a share of it must not begin with a burst of its own.
func (l *localLimit) drain(now time.Time) {
	if saved := int(l.limiter.TokensAt(now)); saved > 0 {
		l.limiter.AllowN(now, saved)
	}
}

// take takes up to n sends that lie no further ahead.
func (l *localLimit) take(now time.Time, n int, ahead time.Duration) grant {
	g := grant{available: max(0, int(l.limiter.TokensAt(now)))}
	for range n {
		r := l.limiter.ReserveN(now, 1)
		delay := r.DelayFrom(now)
		if delay > ahead {
			r.CancelAt(now)
			g.again = delay - ahead
			break
		}
		if g.sends == 0 {
			g.first = delay
		}
		g.sends++
	}
	return g
}
