package dispatch

import (
	"context"
	"time"
)

// sleep waits for d, a wake-up or the end of ctx, and reports whether ctx lasts.
func sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
	case <-wake:
	}
	return ctx.Err() == nil
}
