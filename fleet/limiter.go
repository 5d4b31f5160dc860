package fleet

import (
	"time"

	"golang.org/x/time/rate"
)

// grant is sends that a rate limit lets out.
type grant struct {
	sends     int
	first     time.Duration // until the first may go out; less than 0: for so long it might have
	step      time.Duration // until each other
	again     time.Duration // until it is worth asking for more, if these are fewer than asked for
	available int           // that could go out at once, before these
	mark      string        // of the shared limit after these; to give them back
	share     bool          // they are of this process's share
}

// at is when the i-th send may go out.
func (g grant) at(now time.Time, i int) time.Time {
	return now.Add(max(0, g.first+time.Duration(i)*g.step))
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
	tokens, step := l.limiter.TokensAt(now), l.limit.step()*time.Duration(l.processes)
	g := grant{share: true, available: max(0, int(tokens)), step: step, first: time.Duration((1 - tokens) * float64(step))}
	for range n {
		r := l.limiter.ReserveN(now, 1)
		if delay := r.DelayFrom(now); delay > ahead {
			r.CancelAt(now)
			g.again = delay - ahead
			break
		}
		g.sends++
	}
	return g
}

// give gives back n sends that were taken and will not go out.
func (l *localLimit) give(now time.Time, n int) {
	l.limiter.ReserveN(now, -n) // it adds what is less than nothing, up to the burst
}
