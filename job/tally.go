package job

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// Tally counts what happened to the jobs of one kind and queue in a span of
// time.
type Tally struct {
	At    time.Time     // when the span begins
	Step  time.Duration // its length
	Queue string
	Kind  string

	Submitted int64
	Retried   int64 // runs that failed and are followed by another
	Completed int64 // jobs that ended so, as are the next ones
	Archived  int64
	Canceled  int64
	Expired   int64
	Unknown   int64

	Wait Histogram // from when a job was due to the begin of its run
	Run  Histogram // how long runs took
}

// Ended counts jobs that ended in the state.
func (t *Tally) Ended(state State, jobs int64) {
	switch state {
	case Completed:
		t.Completed += jobs
	case Archived:
		t.Archived += jobs
	case Canceled:
		t.Canceled += jobs
	case Expired:
		t.Expired += jobs
	case Unknown:
		t.Unknown += jobs
	default: // not an end
	}
}

// Merge adds what o has counted.
func (t *Tally) Merge(o *Tally) {
	t.Submitted += o.Submitted
	t.Retried += o.Retried
	t.Completed += o.Completed
	t.Archived += o.Archived
	t.Canceled += o.Canceled
	t.Expired += o.Expired
	t.Unknown += o.Unknown
	t.Wait.Merge(&o.Wait)
	t.Run.Merge(&o.Run)
}

// Histogram counts durations in buckets, each 19 % wider than the one before,
// from 100µs to a day: a quantile is off by a tenth at most. The zero value is
// empty.
type Histogram struct {
	counts []int64 // by bucket; as long as it has to be
	total  int64
}

const (
	firstBucket = 100 * time.Microsecond // up to which durations are in bucket 0
	maxBucket   = 120                    // for a day, and all above
	perOctave   = 4                      // buckets
)

// bucketOf is the bucket of a duration: the first whose bound it does not pass.
func bucketOf(d time.Duration) int {
	if d <= firstBucket {
		return 0
	}
	return min(maxBucket, int(math.Ceil(perOctave*math.Log2(float64(d)/float64(firstBucket)))))
}

// bound is the greatest duration of a bucket.
func bound(bucket int) float64 {
	return float64(firstBucket) * math.Exp2(float64(bucket)/perOctave)
}

// Add counts a duration.
func (h *Histogram) Add(d time.Duration) { h.add(bucketOf(d), 1) }

func (h *Histogram) add(bucket int, n int64) {
	if bucket >= len(h.counts) {
		h.counts = append(h.counts, make([]int64, bucket+1-len(h.counts))...)
	}
	h.counts[bucket] += n
	h.total += n
}

// Count is the number of durations.
func (h *Histogram) Count() int64 { return h.total }

// Merge adds what o has counted.
func (h *Histogram) Merge(o *Histogram) {
	for bucket, n := range o.counts {
		if n > 0 {
			h.add(bucket, n)
		}
	}
}

// Quantile is the duration that the share q of all, from 0 to 1, does not
// exceed; zero when there are none.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank := q * float64(h.total)
	below := 0.0
	for bucket, n := range h.counts {
		if n == 0 || below+float64(n) < rank {
			below += float64(n)
			continue
		}
		low := 0.0
		if bucket > 0 {
			low = bound(bucket - 1)
		}
		return time.Duration(low + (bound(bucket)-low)*(rank-below)/float64(n))
	}
	return 0
}

// Clone returns a copy that shares nothing.
func (h *Histogram) Clone() Histogram {
	return Histogram{counts: append([]int64(nil), h.counts...), total: h.total}
}

// String is what ParseHistogram reads: bucket:count, separated by blanks.
func (h *Histogram) String() string {
	var b strings.Builder
	for bucket, n := range h.counts {
		if n == 0 {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(strconv.Itoa(bucket))
		b.WriteByte(':')
		b.WriteString(strconv.FormatInt(n, 10))
	}
	return b.String()
}

// ErrMalformedHistogram is returned for text that String did not make.
var ErrMalformedHistogram = errors.New("malformed histogram")

// ParseHistogram reads what String has written.
func ParseHistogram(text string) (Histogram, error) {
	var h Histogram
	for item := range strings.FieldsSeq(text) {
		left, right, _ := strings.Cut(item, ":")
		bucket, err := strconv.Atoi(left)
		n, err2 := strconv.ParseInt(right, 10, 64)
		if err != nil || err2 != nil || bucket < 0 || bucket > maxBucket || n < 0 {
			return Histogram{}, ErrMalformedHistogram
		}
		h.add(bucket, n)
	}
	return h, nil
}
