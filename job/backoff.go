package job

import (
	"math"
	"time"
)

// Backoff is the wait between the attempts of a job: exponential, with jitter.
// The zero value of a field means its default.
type Backoff struct {
	Initial    time.Duration // after the first failure; default 1s
	Max        time.Duration // never longer; default 10m
	Multiplier float64       // from one to the next; default 2, at least 1
	Jitter     float64       // fraction by which a wait may differ either way; default 0.2, at most 1
	NoJitter   bool          // Jitter: 0 was asked for
}

// DefaultBackoff is used field by field where a job says nothing.
func DefaultBackoff() Backoff {
	return Backoff{Initial: time.Second, Max: 10 * time.Minute, Multiplier: 2, Jitter: 0.2}
}

// Delay returns the wait after the given number of failures (1 is the first).
// random is in [0, 1): with Jitter 0.2 and a wait of 10s the result lies
// between 8s and 12s, and is never over Max.
func (b Backoff) Delay(failures int, random float64) time.Duration {
	d := b.withDefaults()
	wait := float64(d.Initial) * math.Pow(d.Multiplier, float64(max(failures, 1)-1))
	wait = min(wait, float64(d.Max))
	wait *= 1 + d.Jitter*(2*random-1)
	return time.Duration(min(wait, float64(d.Max)))
}

func (b Backoff) withDefaults() Backoff {
	d := DefaultBackoff()
	if b.Initial > 0 {
		d.Initial = b.Initial
	}
	if b.Max > 0 {
		d.Max = b.Max
	}
	if b.Multiplier > 0 {
		d.Multiplier = b.Multiplier
	}
	if b.Jitter > 0 || b.NoJitter {
		d.Jitter = b.Jitter
	}
	d.Max = max(d.Max, d.Initial)
	return d
}
