package load_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asyncops/asyncops/internal/load"
)

// Each caller calls one after the other until time is up; what has begun by
// then is waited for and counted.
func TestDrive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		caller := func(each time.Duration) load.Caller {
			return func(context.Context) error {
				<-time.After(each)
				return nil
			}
		}
		n, err := load.Drive(t.Context(), time.Second, []load.Caller{caller(300 * time.Millisecond), caller(450 * time.Millisecond)})
		if n != 4+3 || err != nil || time.Since(began) != 1350*time.Millisecond {
			t.Errorf("Drive = %d, %v after %s; want 7 after 1.35s", n, err, time.Since(began))
		}
	})
}

func TestDriveEndsWithTheFirstError(t *testing.T) {
	t.Parallel()
	failure := errors.New("failure")
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var told atomic.Bool
		n, err := load.Drive(t.Context(), time.Hour, []load.Caller{
			func(context.Context) error {
				<-time.After(time.Second)
				return failure
			},
			func(ctx context.Context) error {
				<-ctx.Done()
				told.Store(true)
				return ctx.Err()
			},
		})
		if n != 0 || !errors.Is(err, failure) || !told.Load() || time.Since(began) != time.Second {
			t.Errorf("Drive = %d, %v after %s; want the failure after 1s", n, err, time.Since(began))
		}
	})
}

func TestPercentile(t *testing.T) {
	t.Parallel()
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(100-i))
	}
	tests := []struct {
		name string
		of   []time.Duration
		p    float64
		want time.Duration
	}{
		{"none", nil, 0.5, 0},
		{"one", []time.Duration{7}, 0.99, 7},
		{"median of two", []time.Duration{2, 1}, 0.5, 1},
		{"median", hundred, 0.5, 50},
		{"99th", hundred, 0.99, 99},
		{"all", hundred, 1, 100},
		{"next to none", hundred, 0.001, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := load.Percentile(tt.of, tt.p); got != tt.want {
				t.Errorf("Percentile(%v) = %d, want %d", tt.p, got, tt.want)
			}
		})
	}
}
