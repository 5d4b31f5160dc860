package fleet

import "time"

// An upstream that refuses requests for being too many and does not say how long
// it wants to be left alone gets a second, and twice as long each time that it
// refuses again soon after, up to a minute.
const (
	firstPause = time.Second
	maxPause   = time.Minute
)

// pauses is the pauses that an upstream did not ask for in words.
type pauses struct {
	length time.Duration // of the last one
	until  time.Time
}

// next is how long the pause lasts that an answer begins. Answers that come
// while one is on are of requests that were on their way, and tell nothing new.
func (p *pauses) next(now time.Time) time.Duration {
	switch {
	case now.Before(p.until):
		return p.until.Sub(now)
	case now.Before(p.until.Add(p.length)):
		p.length = min(2*p.length, maxPause)
	default:
		p.length = firstPause
	}
	p.until = now.Add(p.length)
	return p.length
}
