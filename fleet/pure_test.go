package fleet_test

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/asyncops/asyncops/fleet"
)

// Whoever asks whenever for whatever gets no more than the ramp lets out, and
// what it lets out is not held back.
func TestRamp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		processes := rapid.IntRange(1, 5).Draw(t, "processes")
		began := time.Unix(1_000_000, 0)
		r, now, taken := fleet.NewRamp(began), began, 0
		for {
			now = now.Add(time.Duration(rapid.IntRange(0, 800).Draw(t, "ms")) * time.Millisecond)
			if now.Sub(began) >= fleet.RampLength {
				break
			}
			n := rapid.IntRange(0, 200).Draw(t, "n")
			got, again := r.Take(now, n, processes)
			if taken += got; float64(taken) > fleet.Due(now.Sub(began))/float64(processes)+1+1e-6 {
				t.Fatalf("%d let out after %s, want at most a share of %v", taken, now.Sub(began), fleet.Due(now.Sub(began)))
			}
			if got < n {
				if again <= 0 {
					t.Fatalf("Take = %d of %d, again after %s, want a wait", got, n, again)
				}
				if more, _ := r.Take(now.Add(again+time.Millisecond), 1, processes); now.Add(again+time.Millisecond).Sub(began) < fleet.RampLength && more != 1 {
					t.Fatalf("nothing is let out after the wait of %s that was asked for", again)
				} else if more == 1 {
					taken++
				}
				now = now.Add(again + time.Millisecond)
			}
		}
		if got, _ := r.Take(now, 1000, processes); got != 1000 {
			t.Fatalf("%d of 1000 are let out after the ramp, want all", got)
		}
	})
	if n, _ := (&fleet.Ramp{}).Take(time.Now(), 50, 1); n != 50 {
		t.Errorf("a ramp that has not begun lets out %d of 50, want all", n)
	}
	last := fleet.Due(fleet.RampDouble)
	for t0 := fleet.RampDouble; t0 < fleet.RampLength; t0 += fleet.RampDouble {
		got := fleet.Due(t0+fleet.RampDouble) - fleet.Due(t0)
		if math.Abs(got-2*last) > 0.01 {
			t.Errorf("%.2f from %s on, want twice the %.2f before", got, t0, last)
		}
		last = got
	}
}

func TestPauses(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var p fleet.Pauses
		now := time.Unix(1_000_000, 0)
		last, until := time.Duration(0), now
		for range 40 {
			now = now.Add(time.Duration(rapid.IntRange(0, 100_000).Draw(t, "ms")) * time.Millisecond)
			got := p.Next(now)
			switch {
			case now.Before(until):
				if got != until.Sub(now) {
					t.Fatalf("a refusal while the pause is on makes it %s, want the %s that are left", got, until.Sub(now))
				}
				continue
			case last > 0 && now.Sub(until) < last:
				if got != min(2*last, fleet.MaxPause) {
					t.Fatalf("a refusal soon after a pause of %s makes one of %s, want twice that, up to %s", last, got, fleet.MaxPause)
				}
			case got != fleet.FirstPause:
				t.Fatalf("a refusal after a while makes a pause of %s, want %s", got, fleet.FirstPause)
			}
			last, until = got, now.Add(got)
		}
	})
}
