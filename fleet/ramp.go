package fleet

import (
	"math"
	"time"

	"github.com/asyncops/asyncops/job"
)

// After a breaker has closed, or a pause that the upstream asked for is over,
// what waited for it is let out slowly first: few a second, twice as many each
// half second, and freely after rampLength. An upstream that has just come back, and
// has no rate limit, is not met by all at once.
const (
	rampStart  = 10.0 // a second, for the whole fleet
	rampDouble = 500 * time.Millisecond
	rampLength = 5 * time.Second
)

// ramp counts what was let out since it began. The zero ramp lets everything out.
type ramp struct {
	began time.Time
	after job.WaitReason // what has ended then
	taken float64
}

// due is how many the fleet may have let out by then.
func due(elapsed time.Duration) float64 {
	if elapsed <= 0 {
		return 0
	}
	doubles := elapsed.Seconds() / rampDouble.Seconds()
	return rampStart * rampDouble.Seconds() / math.Ln2 * (math.Exp2(doubles) - 1)
}

// take takes up to n of this process's share, and reports after how long there
// is more if it is fewer. What was not taken for a second is lost.
func (r *ramp) take(now time.Time, n, processes int) (taken int, again time.Duration) {
	elapsed := now.Sub(r.began)
	if r.began.IsZero() || elapsed >= rampLength {
		return n, 0
	}
	share := 1 / float64(max(1, processes))
	r.taken = max(r.taken, share*due(elapsed-time.Second))
	left := share*due(elapsed) + 1 - r.taken // the first one at once
	taken = min(n, int(left))
	r.taken += float64(taken)
	if taken < n {
		rate := share * rampStart * math.Exp2(elapsed.Seconds()/rampDouble.Seconds())
		again = time.Duration(float64(time.Second) * (1 - (left - float64(taken))) / rate)
	}
	return taken, again
}
