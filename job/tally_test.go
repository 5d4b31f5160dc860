package job_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/asyncops/asyncops/job"
)

func TestHistogramQuantiles(t *testing.T) {
	t.Parallel()
	var h job.Histogram
	if h.Quantile(0.5) != 0 || h.String() != "" {
		t.Errorf("an empty histogram has the median %s and is written %q", h.Quantile(0.5), h.String())
	}
	for i := 1; i <= 1000; i++ {
		h.Add(time.Duration(i) * time.Millisecond)
	}
	for q, want := range map[float64]time.Duration{0.5: 500 * time.Millisecond, 0.95: 950 * time.Millisecond, 0.99: 990 * time.Millisecond} {
		if got := h.Quantile(q); math.Abs(float64(got-want)) > 0.1*float64(want) {
			t.Errorf("Quantile(%v) = %s, want %s within a tenth", q, got, want)
		}
	}
	for _, d := range []time.Duration{-time.Second, 0, time.Nanosecond, 1000 * time.Hour, math.MaxInt64} {
		h.Add(d)
	}
	if h.Count() != 1005 {
		t.Errorf("Count() = %d, want 1005", h.Count())
	}
}

func TestHistogramIsKept(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var whole, a, b job.Histogram
		for _, ns := range rapid.SliceOf(rapid.Int64Range(0, int64(48*time.Hour))).Draw(t, "durations") {
			d := time.Duration(ns)
			whole.Add(d)
			if ns%2 == 0 {
				a.Add(d)
			} else {
				b.Add(d)
			}
		}
		a.Merge(&b)
		read, err := job.ParseHistogram(whole.String())
		if err != nil || read.String() != a.String() || read.Count() != whole.Count() || read.Quantile(0.9) != a.Quantile(0.9) {
			t.Fatalf("read %q, %v; merged %q; want %q", read.String(), err, a.String(), whole.String())
		}
	})
	for _, text := range []string{"x", "1", "1:", "-1:2", "1:-2", "121:1", "1:2,3:4"} {
		if _, err := job.ParseHistogram(text); !errors.Is(err, job.ErrMalformedHistogram) {
			t.Errorf("ParseHistogram(%q) = %v, want an error", text, err)
		}
	}
}

func TestTally(t *testing.T) {
	t.Parallel()
	var a, b job.Tally
	for _, state := range job.States() {
		a.Ended(state, 2)
		b.Ended(state, 3)
	}
	a.Merge(&b)
	for name, got := range map[string]int64{"completed": a.Completed, "archived": a.Archived, "canceled": a.Canceled, "expired": a.Expired, "unknown": a.Unknown} {
		if got != 5 {
			t.Errorf("%s = %d, want 5", name, got)
		}
	}
}
