package job

import (
	"math"
	"time"
)

// RunWindow is how the runs of a worker's last minute ended. Those of several
// workers add up. Its zero value is a minute without runs.
type RunWindow struct {
	Runs    int         `json:"runs"`
	Failed  int         `json:"failed"`
	Lasting map[int]int `json:"lasting,omitempty"` // runs by how long they took, as RunBucket has it
}

// RunBuckets is the number of buckets of RunBucket.
const RunBuckets = 112

// bucketsPerDoubling sets how exact a Quantile is: to a fifth.
const bucketsPerDoubling = 4

// RunBucket is the number of the bucket that a length of time falls into: the
// first ends at 1 ms, each further one where it has grown by a fifth, and the
// last has no end.
func RunBucket(took time.Duration) int {
	if took <= time.Millisecond {
		return 0
	}
	n := math.Ceil(bucketsPerDoubling * math.Log2(float64(took)/float64(time.Millisecond)))
	return min(int(n), RunBuckets-1)
}

// Add returns the sum of the two.
func (w RunWindow) Add(other RunWindow) RunWindow {
	sum := RunWindow{Runs: w.Runs + other.Runs, Failed: w.Failed + other.Failed, Lasting: map[int]int{}}
	for _, lasting := range []map[int]int{w.Lasting, other.Lasting} {
		for bucket, n := range lasting {
			sum.Lasting[bucket] += n
		}
	}
	return sum
}

// Quantile is what the given part of the runs took at most, about; zero without
// runs.
func (w RunWindow) Quantile(q float64) time.Duration {
	runs := 0
	for _, n := range w.Lasting {
		runs += n
	}
	rank := int(math.Ceil(q * float64(runs)))
	for bucket := range RunBuckets {
		n := w.Lasting[bucket]
		if n == 0 || rank > n {
			rank -= n
			continue
		}
		low, high := bucketEnd(bucket-1), bucketEnd(bucket)
		return low + time.Duration(float64(high-low)*float64(rank)/float64(n))
	}
	return 0
}

// bucketEnd is the longest time in a bucket; zero before the first.
func bucketEnd(bucket int) time.Duration {
	if bucket < 0 {
		return 0
	}
	return time.Duration(float64(time.Millisecond) * math.Exp2(float64(bucket)/bucketsPerDoubling))
}
