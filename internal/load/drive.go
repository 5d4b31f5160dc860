package load

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"
)

// Caller does one thing and returns once it is done.
type Caller func(ctx context.Context) error

// Drive lets every caller work, one call after the other, until length has
// passed, and counts the calls. Those that have begun by then are waited for.
// The first error ends all.
func Drive(ctx context.Context, length time.Duration, callers []Caller) (int, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	counts := make([]int, len(callers))
	end := time.Now().Add(length)
	var running sync.WaitGroup
	for i, call := range callers {
		running.Go(func() {
			for time.Now().Before(end) && ctx.Err() == nil {
				if err := call(ctx); err != nil {
					cancel(err)
					return
				}
				counts[i]++
			}
		})
	}
	running.Wait()
	total := 0
	for _, n := range counts {
		total += n
	}
	return total, context.Cause(ctx)
}

// Percentile is the smallest of the durations that a part p, above 0 and at
// most 1, of them does not exceed; 0 if there are none.
func Percentile(durations []time.Duration, p float64) time.Duration {
	return percentile(slices.Sorted(slices.Values(durations)), p)
}

func percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	const rounding = 1e-9 // of p, which is seldom a sum of powers of two
	return sorted[max(0, int(math.Ceil(p*float64(len(sorted))-rounding))-1)]
}
