package job_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/asyncops/asyncops/job"
)

// Each state is reached by some move, and each but the terminal ones is left by
// one that is not Revive.
func TestStepsCoverTheStates(t *testing.T) {
	t.Parallel()
	for _, state := range job.States() {
		reached, left, revived := false, false, false
		for _, step := range job.Steps() {
			reached = reached || slices.Contains(step.To, state)
			if slices.Contains(step.From, state) {
				revived = revived || step.Move == job.MoveRevive
				left = left || step.Move != job.MoveRevive
			}
		}
		if !reached {
			t.Errorf("no move leads to %s", state)
		}
		if left == state.Terminal() {
			t.Errorf("%s is terminal: %t, and some move leaves it: %t", state, state.Terminal(), left)
		}
		if want := state.Terminal() && state != job.Completed; revived != want {
			t.Errorf("%s can be revived: %t, want %t", state, revived, want)
		}
		if !state.Valid() {
			t.Errorf("%s is not valid", state)
		}
	}
	if job.State("running").Valid() {
		t.Error("running is valid")
	}
}

func TestLegal(t *testing.T) {
	t.Parallel()
	tests := []struct {
		from, to job.State
		want     bool
	}{
		{job.Pending, job.Active, true},
		{job.Active, job.Completed, true},
		{job.Active, job.Unknown, true},
		{job.Pending, job.Completed, false},
		{job.Completed, job.Pending, false},
		{job.Unknown, job.Pending, true},
		{job.Retry, job.Expired, false},
	}
	for _, test := range tests {
		if got := job.Legal(test.from, test.to); got != test.want {
			t.Errorf("Legal(%s, %s) = %t, want %t", test.from, test.to, got, test.want)
		}
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		backoff  job.Backoff
		failures int
		random   float64
		want     time.Duration
	}{
		{"the defaults, first", job.Backoff{}, 1, 0.5, time.Second},
		{"the defaults, fourth", job.Backoff{}, 4, 0.5, 8 * time.Second},
		{"jitter below", job.Backoff{Initial: 10 * time.Second}, 1, 0, 8 * time.Second},
		{"no jitter", job.Backoff{Initial: 10 * time.Second, NoJitter: true}, 1, 0, 10 * time.Second},
		{"capped", job.Backoff{Initial: time.Second, Max: 5 * time.Second}, 10, 0.999, 5 * time.Second},
		{"a Max below Initial is Initial", job.Backoff{Initial: time.Hour, Max: time.Second}, 3, 0.5, time.Hour},
		{"no failure counts as one", job.Backoff{}, 0, 0.5, time.Second},
		{"many failures do not overflow", job.Backoff{}, 1000, 0.5, 10 * time.Minute},
	}
	for _, test := range tests {
		if got := test.backoff.Delay(test.failures, test.random); got != test.want {
			t.Errorf("%s: Delay(%d, %v) = %v, want %v", test.name, test.failures, test.random, got, test.want)
		}
	}
}

// Whatever the settings: a wait lies within its jitter, is never over Max, and
// without jitter never shrinks from one failure to the next.
func TestBackoffProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := job.Backoff{
			Initial:    time.Duration(rapid.Int64Range(1, int64(time.Hour)).Draw(t, "initial")),
			Max:        time.Duration(rapid.Int64Range(1, int64(24*time.Hour)).Draw(t, "max")),
			Multiplier: rapid.Float64Range(1, 10).Draw(t, "multiplier"),
			Jitter:     rapid.Float64Range(0.01, 1).Draw(t, "jitter"),
		}
		failures := rapid.IntRange(1, 500).Draw(t, "failures")
		limit := max(b.Max, b.Initial)
		got := b.Delay(failures, rapid.Float64Range(0, 0.999).Draw(t, "random"))
		if got < 0 || got > limit {
			t.Fatalf("Delay = %v, want 0 to %v", got, limit)
		}
		if first, next := b.Delay(failures, 0.5), b.Delay(failures+1, 0.5); next < first {
			t.Fatalf("Delay shrinks from %v to %v", first, next)
		}
	})
}

func TestInvalidError(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("submit: %w", job.Malformed("/args/x", "unknown_field", "unknown field %q", "x"))
	if !errors.Is(err, job.ErrMalformed) || errors.Is(err, job.ErrInvalid) {
		t.Errorf("%v is malformed: %t, invalid: %t", err, errors.Is(err, job.ErrMalformed), errors.Is(err, job.ErrInvalid))
	}
	if err := job.Invalid("", "too_many", "two things"); !errors.Is(err, job.ErrInvalid) || err.Error() != "two things" {
		t.Errorf("Invalid = %v, want ErrInvalid saying two things", err)
	}
}

func TestFailure(t *testing.T) {
	t.Parallel()
	cause := errors.New("connection reset")
	err := fmt.Errorf("run: %w", &job.Failure{Class: job.ClassRetryable, Code: job.CodeUpstreamUnreachable, Message: "no answer", Err: cause})
	var f *job.Failure
	if !errors.As(err, &f) || !errors.Is(err, cause) {
		t.Fatalf("%v does not unwrap to its Failure and cause", err)
	}
	if want := "upstream_unreachable: no answer: connection reset"; f.Error() != want {
		t.Errorf("Error() = %q, want %q", f.Error(), want)
	}
	codes := job.Codes()
	slices.Sort(codes)
	if len(slices.Compact(slices.Clone(codes))) != len(codes) {
		t.Error("a code is listed twice")
	}
}
