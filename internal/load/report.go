package load

import (
	"math"
	"slices"
	"time"

	"github.com/asyncops/asyncops/job"
)

// Report is what was measured. What was not come to is nil.
type Report struct {
	Server     string      `json:"server"`
	Kind       string      `json:"kind"`
	Queue      string      `json:"queue"`
	StartedAt  time.Time   `json:"started_at"` // by the caller's clock
	Lone       *Lone       `json:"lone"`
	Concurrent *Concurrent `json:"concurrent"`
	Batches    *Batches    `json:"batches"`
	Throughput *Throughput `json:"throughput"`
	// Failures are the answers that were not counted.
	Failures []Failure `json:"failures"`
	// Ended is the accepted jobs by the state in which they ended, Open those
	// that were not seen to end.
	Ended map[job.State]int `json:"ended"`
	Open  int               `json:"open"`
	// Notes say what is to be thought of the figures.
	Notes []string `json:"notes"`
}

// Completed reports whether everything was measured and all jobs that were
// accepted completed.
func (r *Report) Completed() bool {
	completed := len(r.Ended) == 0 || len(r.Ended) == 1 && r.Ended[job.Completed] > 0
	return r.Throughput != nil && completed && r.Open == 0
}

// Lone is of single jobs over one connection, each submitted when the one
// before it had ended.
type Lone struct {
	Jobs    int     `json:"jobs"`
	Seconds float64 `json:"seconds"`
	Submit  Latency `json:"submit_ms"`  // until the answer, by the caller's clock
	PickUp  Latency `json:"pick_up_ms"` // from created_at to started_at, which is in whole milliseconds
}

// Concurrent is of submissions of one job each over many connections.
type Concurrent struct {
	Connections int     `json:"connections"`
	Accepted    int     `json:"accepted"`
	Seconds     float64 `json:"seconds"`
	PerSecond   float64 `json:"per_second"`
	Submit      Latency `json:"submit_ms"` // of those that were accepted
}

// Batches is of many jobs in a request, over one connection.
type Batches struct {
	Size      int     `json:"size"` // of a full one
	Accepted  int     `json:"accepted"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"per_second"`
}

// Throughput is of the jobs of the batches, from the first one's created_at to
// the last one's finished_at.
type Throughput struct {
	Completed int     `json:"completed"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"per_second"`
}

// Latency is in milliseconds.
type Latency struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
}

func latency(durations []time.Duration) Latency {
	sorted := slices.Sorted(slices.Values(durations))
	ms := func(p float64) float64 { return rounded(percentile(sorted, p).Seconds() * 1000) }
	return Latency{P50: ms(0.50), P95: ms(0.95), P99: ms(0.99)}
}

// rounded is x to three decimals; beyond them there is only noise.
func rounded(x float64) float64 { return math.Round(x*1000) / 1000 }

// rate is how many a second that is, and how many seconds.
func rate(count int, took time.Duration) (perSecond, seconds float64) {
	if took <= 0 {
		return 0, 0
	}
	return rounded(float64(count) / took.Seconds()), rounded(took.Seconds())
}
