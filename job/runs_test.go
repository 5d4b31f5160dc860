package job_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/asyncops/asyncops/job"
)

// A quantile is exact to a fifth, whatever the runs took.
func TestQuantile(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		took := time.Duration(rapid.Int64Range(int64(time.Millisecond), int64(24*time.Hour)).Draw(t, "took"))
		w := job.RunWindow{Runs: 20, Lasting: map[int]int{job.RunBucket(took): 20}}
		if got := w.Quantile(0.95); float64(got) < float64(took)/1.2 || float64(got) > float64(took)*1.2 {
			t.Fatalf("Quantile of runs of %s = %s, want that to a fifth", took, got)
		}
	})
	if got := (job.RunWindow{}).Quantile(0.95); got != 0 {
		t.Errorf("Quantile without runs = %s, want 0", got)
	}
	mixed := job.RunWindow{Lasting: map[int]int{job.RunBucket(10 * time.Millisecond): 96}}
	mixed = mixed.Add(job.RunWindow{Lasting: map[int]int{job.RunBucket(time.Minute): 4}})
	if p95, p99 := mixed.Quantile(0.95), mixed.Quantile(0.99); p95 > 13*time.Millisecond || p99 < 48*time.Second {
		t.Errorf("p95 = %s, p99 = %s; want about 10ms and a minute", p95, p99)
	}
	if got := job.RunBucket(100 * 24 * time.Hour); got != job.RunBuckets-1 {
		t.Errorf("RunBucket(100 days) = %d, want the last", got)
	}
}
