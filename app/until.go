package app

import (
	"context"
	"time"
)

const (
	untilTimeout = 10 * time.Second // of one try
	untilPause   = 2 * time.Second  // between tries
)

// until tries f until it succeeds or ctx ends, and returns nil.
func until(ctx context.Context, f func(context.Context) error) error {
	for {
		timed, cancel := context.WithTimeout(ctx, untilTimeout)
		err := f(timed)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(untilPause):
		}
	}
}
