package load

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/asyncops/asyncops/sdk"
)

// Measures, by which failures are told apart.
const (
	MeasureLone       = "lone"
	MeasureConcurrent = "concurrent"
	MeasureBatches    = "batches"
)

// Failure is one kind of answers that were not counted.
type Failure struct {
	Measure string  `json:"measure"`
	Error   string  `json:"error"` // status and code of the answer, or what became of the connection
	Count   int     `json:"count"`
	Waited  float64 `json:"waited_seconds"` // because the server asked for it, all connections together
}

// failures counts what was not counted. It is safe for concurrent use.
type failures struct {
	mu   sync.Mutex
	seen map[failureKind]Failure // guarded by mu
}

type failureKind struct{ measure, text string }

func (f *failures) add(measure string, err error, waited time.Duration) {
	kind := failureKind{measure, describe(err)}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.seen == nil {
		f.seen = map[failureKind]Failure{}
	}
	one := f.seen[kind]
	f.seen[kind] = Failure{Measure: measure, Error: kind.text, Count: one.Count + 1, Waited: one.Waited + waited.Seconds()}
}

// list returns the failures in the order of the measures, the most frequent
// first.
func (f *failures) list() []Failure {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := []Failure{}
	for _, one := range f.seen {
		one.Waited = rounded(one.Waited)
		list = append(list, one)
	}
	order := []string{MeasureLone, MeasureConcurrent, MeasureBatches}
	slices.SortFunc(list, func(a, b Failure) int {
		return cmp.Or(
			cmp.Compare(slices.Index(order, a.Measure), slices.Index(order, b.Measure)),
			cmp.Compare(b.Count, a.Count), cmp.Compare(a.Error, b.Error),
		)
	})
	return list
}

// describe names a failure by status and code of the answer, or the innermost
// error of the connection, so that equal ones are counted together.
func describe(err error) string {
	var p *sdk.Problem
	switch {
	case errors.As(err, &p):
		return strconv.Itoa(p.Status) + " " + cmp.Or(p.Code, p.Title)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection closed"
	}
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return err.Error()
}

// failurePause is how long a caller waits after a failure that asks for
// nothing: a server that is away is not called in a loop.
const failurePause = 200 * time.Millisecond

// waitAfter is how long to wait after a failure, and whether the server asked
// for it.
func waitAfter(err error) (wait time.Duration, asked bool) {
	var p *sdk.Problem
	if errors.As(err, &p) && p.RetryAfter > 0 {
		return p.RetryAfter, true
	}
	return failurePause, false
}

// hopeless reports whether the same request would be answered the same again.
func hopeless(err error) bool {
	var p *sdk.Problem
	return errors.As(err, &p) && p.Status < http.StatusInternalServerError && p.Status != http.StatusTooManyRequests
}
